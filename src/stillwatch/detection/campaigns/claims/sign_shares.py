"""Shares of exchanges with a sign: each member's own, beside those of the reference accounts.

Takes how many exchanges of every account carry a sign. Gives the claim that most members stand out. Shares are over all of an account's
exchanges, for members as for the reference: the exchanges that carry a common text would carry its signs too, by choice. A harvest
that hides in much other traffic is therefore seen here only as far as it raises the whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest
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
) -> Claim | Inconclusive:
    """Rank the members' shares among the reference accounts' shares.

    Args:
        candidate: The group.
        procedure: The test.
        signed: [accounts] exchanges with the sign.
        known: [accounts] exchanges of which it is known whether they have it.
        what: Verb phrase for the statement.
        tried: ln of the number of signs that were tried.
    """
    members = candidate.members[known[candidate.members] >= LEAST_PROMPTS]
    others = candidate.outsiders[known[candidate.outsiders] >= LEAST_EXCHANGES]
    if not len(members) or len(others) < LEAST_REFERENCE:
        return procedure.cannot(
            f"{len(members)} members and {len(others)} reference accounts have enough exchanges with this column",
            f"members with {LEAST_PROMPTS} and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} such exchanges each",
        )
    shares = signed[members] / known[members]
    shares[shares <= LEAST_RATE] = -1.0
    ranked = rank_largest(shares, signed[others] / known[others], tried)
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
