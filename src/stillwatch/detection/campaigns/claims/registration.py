"""Registration in batches: members register within minutes of each other.

People who sign up for one product do so over days, faster in the hours of its launch. A script signs up a batch. For each member it
is asked whether the next follows within `NEAR_US`; for smooth arrivals as dense as the members within `AROUND_US` are, even if they
triple for minutes, the chance of that is known. It shows a common hand, or one import of many accounts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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


def _procedure(name: str, what: str, method: str) -> Procedure:
    return Procedure(
        name=name,
        question=Question.COORDINATION,
        null_hypothesis=f"The members {what} independently of each other, as customers of one product do.",
        assumptions=ASSUMPTIONS,
        method=method,
    )


REGISTERED = _procedure("registration in batches", "registered", "registration-in-batches/v1")


def registration_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Test registration times."""
    created = candidate.accounts.created_us[candidate.members]
    created = created[~np.isnan(created)]
    return _clumps(candidate, REGISTERED, created)


def _clumps(candidate: Candidate, procedure: Procedure, times: npt.NDArray[np.float64]) -> Claim | Inconclusive:
    if len(times) < LEAST_MEMBERS:
        return procedure.cannot(
            f"{len(times)} members with a known time inside the traffic", f"{LEAST_MEMBERS} members"
        )
    gaps = np.diff(np.sort(times))
    # For smooth arrivals at the density of the six hours after, a next neighbour is near with at most this chance.
    within = np.searchsorted(np.sort(times), np.sort(times)[:-1] + AROUND_US, side="right") - np.arange(1, len(times))
    density = float(np.maximum(within, 1).mean()) / AROUND_US
    chance = min(1.0 - float(np.exp(-PEAK * density * NEAR_US)), 1.0)
    near = int((gaps <= NEAR_US).sum())
    return procedure.from_log_e(
        bernoulli_log_e(near, len(gaps), chance),
        statement=f"{near} of {len(gaps)} members follow another within 3 minutes; smooth arrivals would give {chance * len(gaps):.1f} at most.",
        statistic_name="members that follow within 3 minutes",
        statistic=near,
        n=len(times),
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
