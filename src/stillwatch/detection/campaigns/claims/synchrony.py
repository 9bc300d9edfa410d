"""Synchrony: members act in the same minutes more often than their hours explain.

Null: within each hour every member's minutes are rotated by an offset of its own, uniform over 60 (which keeps how busy it was in
that hour, its bursts and the hour itself: time zones, working days and release rushes explain nothing away). The statistic
is the number of (member, member, minute) coincidences of different members. Under rotation, offsets of pairs are pairwise
independent, so mean and variance are exact: with power spectra P_a(k) of the members' minutes in an hour, the second moment
over all pairs is (1/60^2) sum_k of ((sum_a P_a(k))^2 - sum_a P_a(k)^2) / 2. Schedules are alike without a common hand: cron jobs meet on the full hour. Mean and variance are therefore multiplied by
60 sum_m g_m^2, where g is the members' own minute-of-the-hour profile over all hours (1 when it is flat).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.attributes import ranges
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.tails import normal_upper_log_p

LARGEST_GROUP = 100
"""Members read (the first by hash); more add time and no insight."""
LEAST_EXPECTED = 20.0
LEAST_HOURS = 24

PROCEDURE = Procedure(
    name="synchrony",
    question=Question.COORDINATION,
    null_hypothesis="Within each hour the members' minutes are unrelated: rotating each member's minutes changes nothing.",
    assumptions=(
        "under the null each member's minutes within an hour may be rotated freely",
        "the sum over hours is approximately normal (at least 24 hours contribute)",
    ),
    method="synchrony/v1",
)

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteCounts:
    """Minutes in which the accounts under study act, ordered by account."""

    numbers: Numbers
    """[r] account numbers, ascending."""
    minutes: npt.NDArray[np.int32]
    """[r] minutes since the epoch."""


def synchrony_claim(candidate: Candidate, minutes: MinuteCounts) -> Claim | Inconclusive:
    """Count coincidences of minutes between members."""
    members = candidate.members[:LARGEST_GROUP]
    if len(members) < 2:
        return PROCEDURE.cannot("a single account", "two members")
    grid, firsts = _grid(minutes, members)
    if not len(firsts):
        return PROCEDURE.cannot("no two members act in one hour", "members that act in common hours")
    seen, mean, spread = _moments(grid, firsts)
    habit = _habit(grid)
    observed, expected, variance = float(seen.sum()), float(mean.sum()) * habit, float(spread.sum()) * habit
    hours = int((mean > 0.0).sum())
    if expected < LEAST_EXPECTED or hours < LEAST_HOURS or variance <= 0.0:
        return PROCEDURE.cannot(
            f"members meet in {hours} hours, {expected:.1f} coincidences expected",
            f"{LEAST_EXPECTED:.0f} expected coincidences in {LEAST_HOURS} hours",
        )
    z = (observed - expected) / math.sqrt(variance)
    return PROCEDURE.from_log_p(
        normal_upper_log_p(z),
        searched=0.0,
        statement=f"Members coincide in a minute {observed:.0f} times; their hours explain {expected:.0f} (z = {z:.1f}).",
        statistic_name="z of coincidences",
        statistic=z,
        n=hours,
        n_unit="hours",
        input_digest=candidate.input_digest,
    )


def _grid(minutes: MinuteCounts, members: Numbers) -> tuple[Floats, Numbers]:
    """Return [member-hours, 60] activity, ordered by hour, and the first row of each hour in which two members or more act.

    A minute is active or not: one member's burst within a minute is its own affair.
    """
    starts = np.searchsorted(minutes.numbers, members, side="left")
    ends = np.searchsorted(minutes.numbers, members, side="right")
    chosen = ranges(starts, ends)
    owner = np.repeat(np.arange(len(members)), ends - starts)
    hour, minute = np.divmod(minutes.minutes[chosen].astype(np.int64), 60)
    row_key, row = np.unique(hour * len(members) + owner, return_inverse=True)
    row_hour = row_key // len(members)
    _, hour_of_row, rows_in_hour = np.unique(row_hour, return_inverse=True, return_counts=True)
    kept = rows_in_hour[hour_of_row] >= 2
    new_row = np.cumsum(kept) - 1
    grid = np.zeros((int(kept.sum()), 60))
    inside = kept[row]
    grid[new_row[row[inside]], minute[inside]] = 1.0
    return grid, np.flatnonzero(np.diff(row_hour[kept], prepend=-1))


def _habit(grid: Floats) -> float:
    """Return 60 sum g^2 of the minute-of-the-hour profile, at least 1; its own sampling noise makes it larger, on the safe side."""
    profile = grid.sum(axis=0)
    return float(max(60.0 * ((profile / profile.sum()) ** 2).sum(), 1.0))


def _moments(grid: Floats, firsts: Numbers) -> tuple[Floats, Floats, Floats]:
    """Return coincidences, their mean and their variance under rotation, each [hours]."""

    def per_hour(rows: Floats) -> Floats:
        summed: Floats = np.add.reduceat(rows, firsts, axis=0)
        return summed

    observed = (per_hour(grid) ** 2 - per_hour(grid**2)).sum(axis=1) / 2.0
    totals = grid.sum(axis=1)
    mean = (per_hour(totals) ** 2 - per_hour(totals**2)) / 120.0
    power = np.abs(np.fft.rfft(grid, axis=1)) ** 2
    # Frequencies 1 to 29 of the real transform stand for two each.
    power *= np.concatenate(([1.0], np.full(29, np.sqrt(2.0)), [1.0]))
    second = (per_hour(power) ** 2 - per_hour(power**2)).sum(axis=1) / 7200.0
    squared_means = (per_hour(totals**2) ** 2 - per_hour(totals**4)) / 7200.0
    return observed, mean, np.maximum(second - squared_means, 0.0)
