"""Registration in batches: members register within minutes of each other.

People who sign up for one product do so over days, faster in the hours of its launch. A script signs up a batch. For each member it
is asked whether the next follows within `NEAR_US`; for smooth arrivals as dense as the members within `AROUND_US` are, even if they
triple for minutes, the chance of that is known. It shows a common hand, or one import of many accounts.
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_log_e

NEAR_US = 3 * 60 * 1_000_000
AROUND_US = 6 * 3_600 * 1_000_000
PEAK = 3.0
"""Arrivals may be three times as dense for minutes as over the six hours around."""

ASSUMPTIONS = (
    "under the null arrivals are smooth: within six hours no few minutes are more than three times as dense as the average",
    "each member is compared with its next neighbour only, so that a clump of n counts n - 1 times",
)


REGISTERED = Procedure(
    name="registration in batches",
    question=Question.COORDINATION,
    null_hypothesis="The members registered independently of each other, as customers of one product do.",
    assumptions=ASSUMPTIONS,
    method="registration-in-batches/v1",
)


def registration_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Test registration times."""
    created = candidate.accounts.created_us[candidate.members]
    times = np.sort(created[~np.isnan(created)])
    if len(times) < LEAST_MEMBERS:
        return REGISTERED.cannot(f"{len(times)} members with a known registration time", f"{LEAST_MEMBERS} members")
    gaps = np.diff(times)
    # For smooth arrivals at the density of the six hours after, a next neighbour is near with at most this chance.
    within = np.searchsorted(times, times[:-1] + AROUND_US, side="right") - np.arange(1, len(times))
    density = float(np.maximum(within, 1).mean()) / AROUND_US
    chance = min(1.0 - float(np.exp(-PEAK * density * NEAR_US)), 1.0)
    near = int((gaps <= NEAR_US).sum())
    return REGISTERED.from_log_e(
        bernoulli_log_e(near, len(gaps), chance),
        statement=f"{near} of {len(gaps)} members follow another within 3 minutes; smooth arrivals would give {chance * len(gaps):.1f} at most.",
        statistic_name="members that follow within 3 minutes",
        statistic=near,
        n=len(times),
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
