"""Likeness: members live by one rhythm, more alike than customers who were picked for being alike.

For each member the profile is that of the other members (itself left out, one vote per account). Its distance from that profile,
free of sampling noise, is ranked (`ranking.py`) among reference accounts, each measured against the mean profile of those reference
accounts that are nearest to it. So the reference is not "any customer": customers of one product, time zone or trade are alike too,
and picking the nearest ones makes the reference at least as alike as that. People keep habits of their own; one operator's
workers are a random split of one stream. Half of a reference account's exchanges pick its neighbours and the other half, thinned
to as many exchanges as the members have, is measured: picking does not fit the noise, and the noise is the members' own.

Features: hours of the day, gaps between exchanges, and the calendar in slots of six hours (a shared scheduler, common pauses). It does not show a harvest: any fleet under one scheduler is as alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import Floats, rank_smallest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.closeness import left_out_profiles, shares, squared_distances
from stillwatch.records.claim import Claim, Inconclusive, Question

NEIGHBOURS = 8
MOST_REFERENCE = 2_000
ENOUGH_REFERENCE = 200
"""Reference accounts from which more exchanges are measured: fewer accounts would rank more coarsely than noise does."""
LEVELS = (20, 50, 100, 200, 500)
"""Numbers of exchanges for which the reference is measured."""
ASSUMPTIONS = (
    "under the null a member is no nearer to the others than reference accounts are to the accounts most like them",
    "left-out profiles make members dependent only through their common mean, which is neglected",
)


def _procedure(name: str, what: str, method: str) -> Procedure:
    return Procedure(
        name=name,
        question=Question.COORDINATION,
        null_hypothesis=f"The members are customers with {what} of their own, as alike as customers picked for being alike.",
        assumptions=ASSUMPTIONS,
        method=method,
    )


RHYTHMS = {
    "hours": _procedure("common hours", "working hours", "common-hours/v2"),
    "gaps": _procedure("common rhythm", "gaps between exchanges", "common-rhythm/v2"),
    "calendar": _procedure("common calendar", "active and idle days and hours", "common-calendar/v1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedAlike:
    """Reference accounts and their distance from the accounts most like them, for one feature and one number of exchanges."""

    numbers: npt.NDArray[np.int64]
    """[r] account numbers, ascending."""
    distances: Floats
    """[r]"""


Alike = dict[str, dict[int, PickedAlike]]
"""Feature -> number of exchanges measured -> reference."""


def picked_alike(accounts: Accounts, reference: npt.NDArray[np.int64], rng: np.random.Generator) -> Alike:
    """Measure the reference once for all candidates; quadratic in at most `MOST_REFERENCE` accounts, taken by hash.

    Args:
        accounts: All accounts.
        reference: Account numbers that may serve as reference.
        rng: Halves and thins the exchanges.
    """
    measured: Alike = {feature: {} for feature in RHYTHMS}
    for feature, levels in measured.items():
        counts = accounts.histograms[feature]
        for level in LEVELS:
            chosen = reference[counts[reference].sum(axis=1) >= 2 * level]
            # Account numbers follow hashes, so evenly spaced ones are a random draw that does not change with the order of input.
            chosen = chosen[:: max(1, -(-len(chosen) // MOST_REFERENCE))]
            if len(chosen) >= (LEAST_REFERENCE if level == LEVELS[0] else ENOUGH_REFERENCE):
                distances = _to_nearest(counts[chosen], level, rng)
                known = ~np.isnan(distances)
                levels[level] = PickedAlike(numbers=chosen[known], distances=distances[known])
    return measured


def _to_nearest(counts: npt.NDArray[np.int32], level: int, rng: np.random.Generator) -> Floats:
    """[r] distance of each account's second half, thinned to about `level` exchanges, from the accounts nearest to its first half."""
    first = rng.binomial(counts, 0.5).astype(np.int32)
    second = counts - first
    kept = np.minimum(1.0, level / np.maximum(second.sum(axis=1, keepdims=True), 1))
    second = rng.binomial(second, kept).astype(np.int32)
    own = shares(first)
    lengths = (own**2).sum(axis=1)
    apart = lengths[:, None] + lengths[None, :] - 2.0 * own @ own.T
    np.fill_diagonal(apart, np.inf)
    nearest = np.argpartition(apart, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return squared_distances(second, shares(counts)[nearest].mean(axis=1))


def level_for(counts: npt.NDArray[np.int64], levels: dict[int, PickedAlike]) -> int | None:
    """Return the largest measured number of exchanges that half of the members reach, or null."""
    typical = float(np.median(counts)) if len(counts) else 0.0
    return max((level for level in levels if level <= typical), default=None)


def rhythm_claim(candidate: Candidate, feature: str, alike: Alike) -> Claim | Inconclusive:
    """Test likeness of one rhythm."""
    procedure = RHYTHMS[feature]
    counts = candidate.accounts.histograms[feature]
    members = candidate.members[counts[candidate.members].sum(axis=1) >= LEAST_EXCHANGES]
    level = level_for(counts[members].sum(axis=1), alike[feature])
    if level is None or len(members) < LEAST_MEMBERS:
        return procedure.cannot(
            f"{len(members)} members have enough exchanges, or too few reference accounts have twice as many",
            f"{LEAST_MEMBERS} members with {LEAST_EXCHANGES} exchanges, and {LEAST_REFERENCE} reference accounts with twice as many",
        )
    picked = alike[feature][level]
    reference = picked.distances[~np.isin(picked.numbers, candidate.members)]
    mine = counts[members]
    distances = squared_distances(mine, left_out_profiles(mine))
    ranked = rank_smallest(distances, reference, candidate.group.searched)
    return procedure.from_log_e(
        ranked.log_e,
        statement=(
            f"{ranked.members} of {ranked.tested} members lie nearer to the common profile than {1 - ranked.threshold:.0%} of"
            f" {ranked.reference} other customers lie to the customers most like them; {ranked.threshold * ranked.tested:.1f} would be expected."
        ),
        statistic_name=f"members within the nearest {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
