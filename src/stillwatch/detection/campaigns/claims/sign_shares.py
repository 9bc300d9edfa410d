"""Shares of exchanges with a sign: each member's own, beside those of the reference accounts.

Takes how many exchanges of every account carry a sign. Gives the claim that most members stand out. Shares are over all of an account's
exchanges, for members as for the reference: the exchanges that carry a common text would carry its signs too, by choice. A harvest
that hides in much other traffic is therefore seen here only as far as it raises the whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest_of
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive

LEAST_PROMPTS = 5
"""Exchanges of a member with the column, at the least."""
LEAST_RATE = 0.25
"""Members' shares up to this are treated as none: incidental signs, and what a common phrase that seeded the group brings with it."""


def share_claim(
    candidate: Candidate,
    procedure: Procedure,
    *,
    signed: npt.NDArray[np.int64],
    known: npt.NDArray[np.int64],
    what: str,
    tried: float = 0.0,
    number: str | None = None,
) -> Claim | Inconclusive:
    """Rank the members' shares among the reference accounts' shares.

    Args:
        candidate: The group.
        procedure: The test.
        signed: [accounts] exchanges with the sign.
        known: [accounts] exchanges of which it is known whether they have it.
        what: Verb phrase for the statement.
        tried: ln of the number of signs that were tried.
        number: Name of the share among all shares of this run, where `signed` and `known` are the same for every candidate: the
            reference is then put in order once. Null where they are this candidate's own.
    """
    members = candidate.members[known[candidate.members] >= LEAST_PROMPTS]
    others = _others(candidate, signed, known, number)
    if not len(members) or len(others) < LEAST_REFERENCE:
        return procedure.cannot(
            f"{len(members)} members and {len(others)} reference accounts have enough exchanges with this column",
            f"members with {LEAST_PROMPTS} and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} such exchanges each",
        )
    shares = signed[members] / known[members]
    shares[shares <= LEAST_RATE] = -1.0
    ranked = rank_largest_of(shares, others, tried)
    return procedure.from_log_e(
        ranked.log_e,
        statement=(
            f"{int(signed[members].sum())} of {int(known[members].sum())} exchanges {what}; {ranked.members} of {ranked.tested}"
            f" members stand out above {1 - ranked.threshold:.0%} of {ranked.reference} other customers in this."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )


def _others(
    candidate: Candidate, signed: npt.NDArray[np.int64], known: npt.NDArray[np.int64], number: str | None
) -> npt.NDArray[np.float64]:
    """Return the shares of reference accounts that are not members, ascending."""

    def shares(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.where(known[numbers] >= LEAST_EXCHANGES, signed[numbers] / np.maximum(known[numbers], 1), np.nan)

    if number is None:
        others = shares(candidate.outsiders)
        return np.sort(others[~np.isnan(others)])
    return candidate.background.in_order(number, shares).without(candidate.members)
