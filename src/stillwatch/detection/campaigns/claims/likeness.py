"""Likeness: members lie nearer to the group's common profile than other customers do.

For each member the profile is that of the other members (itself left out, one vote per account). Its distance, free of
sampling noise, is ranked among the distances of reference accounts to the same profile (`ranking.py`).

Used for rhythm (hour of the day, gaps between exchanges, rate, first day, registration) and for content (length of prompts,
length of answers, opening words). Rhythm separates one operator from the many customers of one product; content does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import Floats, rank_smallest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.links.groups import LEAST_MEMBERS
from stillwatch.detection.profiles.closeness import left_out_profiles, squared_distances
from stillwatch.records.claim import Claim, Inconclusive, Question

ASSUMPTIONS = (
    "under the null each member is exchangeable with the reference accounts, independently of the other members",
    "left-out profiles make members dependent only through their common mean, which is neglected",
)


def _procedure(name: str, what: str, method: str) -> Procedure:
    return Procedure(
        name=name,
        question=Question.COORDINATION,
        null_hypothesis=f"The members are unrelated customers: their {what} lie no nearer together than other customers' do.",
        assumptions=ASSUMPTIONS,
        method=method,
    )


HISTOGRAM_TESTS = {
    "hours": _procedure("common hours", "hours of the day", "common-hours/v1"),
    "gaps": _procedure("common rhythm", "gaps between exchanges", "common-rhythm/v1"),
    "words": _procedure("common prompt lengths", "prompt lengths", "common-prompt-lengths/v1"),
    "outputs": _procedure("common answer lengths", "answer lengths", "common-answer-lengths/v1"),
    "openings": _procedure("common openings", "prompts' opening words", "common-openings/v1"),
}
RATE = _procedure("common rate", "rates per active day", "common-rate/v1")
FIRST_SEEN = _procedure("common start", "first exchanges", "common-start/v1")
REGISTERED = _procedure("common registration", "registration times", "common-registration/v1")


def histogram_claim(candidate: Candidate, feature: str) -> Claim | Inconclusive:
    """Procedure likeness of one histogram feature."""
    procedure = HISTOGRAM_TESTS[feature]
    counts = candidate.accounts.histograms[feature]
    usable = counts[candidate.outsiders].sum(axis=1) >= LEAST_EXCHANGES
    members = candidate.members[counts[candidate.members].sum(axis=1) >= LEAST_EXCHANGES]
    if int(usable.sum()) < LEAST_REFERENCE or len(members) < LEAST_MEMBERS:
        return _too_few(procedure, len(members), int(usable.sum()))
    others = counts[candidate.outsiders[usable]]
    mine = counts[members]
    distances = squared_distances(mine, left_out_profiles(mine))
    # One profile ranks the reference for all members: leaving one of m out moves it by at most 1/m.
    profile = (mine / mine.sum(axis=1, keepdims=True)).mean(axis=0)
    return _rank(candidate, procedure, distances, squared_distances(others, profile), candidate.group.searched)


def rate_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Procedure likeness of exchanges per active day."""
    accounts = candidate.accounts
    rates = np.log(accounts.exchanges / np.maximum(accounts.active_days, 1))
    return _scalar(candidate, RATE, rates, candidate.members, candidate.outsiders, candidate.group.searched)


def first_seen_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Procedure likeness of the first exchange; accounts seen in the first two days of the traffic started before it."""
    accounts = candidate.accounts
    first = accounts.first_us.astype(np.float64)
    inside = first >= candidate.background.days_first + 2 * 86_400_000_000
    members = candidate.members[inside[candidate.members]]
    outsiders = candidate.outsiders[inside[candidate.outsiders]]
    if 2 * len(members) < len(candidate.members):
        return FIRST_SEEN.cannot("most members were active before the traffic began", "traffic from before their start")
    return _scalar(candidate, FIRST_SEEN, first, members, outsiders, 0.0)


def registration_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Procedure likeness of registration times."""
    created = candidate.accounts.created_us
    members = candidate.members[~np.isnan(created[candidate.members])]
    outsiders = candidate.outsiders[~np.isnan(created[candidate.outsiders])]
    return _scalar(candidate, REGISTERED, created, members, outsiders, 0.0)


def _scalar(
    candidate: Candidate, procedure: Procedure, values: Floats, members: npt.NDArray[np.int64], outsiders: npt.NDArray[np.int64],
    searched: float,
) -> Claim | Inconclusive:  # fmt: skip
    """Rank |value - median of the other members| among the reference accounts' distances to the members' median."""
    if len(members) < LEAST_MEMBERS or len(outsiders) < LEAST_REFERENCE:
        return _too_few(procedure, len(members), len(outsiders))
    mine = values[members]
    distances = np.abs(mine - _left_out_medians(mine))
    reference = np.abs(values[outsiders] - np.median(mine))
    return _rank(candidate, procedure, distances, reference, searched)


def _left_out_medians(values: Floats) -> Floats:
    """[m] median of the other values, by sorting once."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    n = len(values)
    lower, upper = (n - 2) // 2, (n - 1) // 2
    places = np.arange(n)
    medians = (ranked[lower + (places <= lower)] + ranked[upper + (places <= upper)]) / 2.0
    result = np.empty(n)
    result[order] = medians
    return result


def _rank(candidate: Candidate, procedure: Procedure, distances: Floats, reference: Floats, searched: float) -> Claim:
    ranked = rank_smallest(distances, reference, searched)
    return procedure.from_log_e(
        ranked.log_e,
        statement=(
            f"{ranked.members} of {ranked.tested} members lie nearer to the common profile than {1 - ranked.threshold:.0%} of"
            f" {ranked.reference} other customers; {ranked.threshold * ranked.tested:.1f} would be expected."
        ),
        statistic_name=f"members within the nearest {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def _too_few(procedure: Procedure, members: int, reference: int) -> Inconclusive:
    return procedure.cannot(
        f"{members} members and {reference} reference accounts have enough exchanges with this column",
        f"{LEAST_MEMBERS} members and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} exchanges each",
    )
