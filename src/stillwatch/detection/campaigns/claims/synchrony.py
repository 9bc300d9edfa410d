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
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.tails import normal_upper_log_p

LARGEST_GROUP = 300
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteCounts:
    """Exchanges per account and minute of all accounts under study, ordered by account."""

    numbers: Numbers
    minutes: Numbers
    exchanges: Numbers


def synchrony_claim(candidate: Candidate, minutes: MinuteCounts) -> Claim | Inconclusive:
    """Count coincidences of minutes between members."""
    members = candidate.members[:LARGEST_GROUP]
    if len(members) < 2:
        return PROCEDURE.cannot("a single account", "two members")
    observed = expected = variance = 0.0
    hours = 0
    grids = _hour_grids(minutes, members)
    habit = _habit(grids)
    for grid in grids:
        seen, mean, spread = _hour_moments(grid)
        mean, spread = mean * habit, spread * habit
        observed, expected, variance = observed + seen, expected + mean, variance + spread
        hours += mean > 0.0
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


def _hour_grids(minutes: MinuteCounts, members: Numbers) -> list[npt.NDArray[np.float64]]:
    """Return, for each hour in which at least two members act, their [members, 60] counts."""
    starts = np.searchsorted(minutes.numbers, members, side="left")
    ends = np.searchsorted(minutes.numbers, members, side="right")
    chosen = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
    owner = np.repeat(np.arange(len(members)), ends - starts)
    hour, minute = np.divmod(minutes.minutes[chosen], 60)
    counts = minutes.exchanges[chosen]
    order = np.lexsort((owner, hour))
    hour, minute, owner, counts = hour[order], minute[order], owner[order], counts[order]
    grids = []
    bounds = np.append(np.flatnonzero(np.diff(hour, prepend=hour[:1] - 1)), len(hour))
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        rows = np.cumsum(np.diff(owner[first:last], prepend=owner[first]) > 0)
        if rows[-1] == 0:
            continue
        grid = np.zeros((int(rows[-1]) + 1, 60))
        # A minute is active or not: one member's burst within a minute is its own affair.
        grid[rows, minute[first:last]] = np.minimum(counts[first:last], 1)
        grids.append(grid)
    return grids


def _habit(grids: list[npt.NDArray[np.float64]]) -> float:
    """Return 60 sum g^2 of the minute-of-the-hour profile, at least 1; its own sampling noise makes it larger, on the safe side."""
    if not grids:
        return 1.0
    profile = np.sum([grid.sum(axis=0) for grid in grids], axis=0)
    return float(max(60.0 * ((profile / profile.sum()) ** 2).sum(), 1.0))


def _hour_moments(grid: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return (coincidences, their mean, their variance) of one hour under rotation."""
    per_minute = grid.sum(axis=0)
    observed = float((per_minute**2 - (grid**2).sum(axis=0)).sum()) / 2.0
    totals = grid.sum(axis=1)
    mean = float(totals.sum() ** 2 - (totals**2).sum()) / 2.0 / 60.0
    power = np.abs(np.fft.fft(grid, axis=1)) ** 2
    second = float((power.sum(axis=0) ** 2 - (power**2).sum(axis=0)).sum()) / 2.0 / 3600.0
    squared_means = float((totals**2).sum() ** 2 - (totals**4).sum()) / 2.0 / 3600.0
    return observed, mean, max(second - squared_means, 0.0)
