"""Shares of exchanges with a sign: each member's own, beside those of the reference accounts.

Takes signs (bits of `Intent`) and the reference's counts. Gives the shares ready to be ranked, or what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import Floats, rank_largest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim
from stillwatch.records.sketch import Intent

LEAST_ROWS = 3
"""Sampled exchanges of a member, at the least."""
LEAST_RATE = 0.1
"""Shares up to this are treated as none: they say more about the phrase list than about the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFew:
    """Why the shares cannot be ranked."""

    reason: str
    needed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignShares:
    """Shares of members and of reference accounts."""

    members: Floats
    reference: Floats
    signs: int
    exchanges: int

    def claim(self, procedure: Procedure, verb: str, candidate: Candidate, tried: float) -> Claim:
        """Rank and state; `tried` is ln of the number of sign sets that were tried."""
        ranked = rank_largest(self.members, self.reference, candidate.group.searched + tried)
        return procedure.from_log_e(
            ranked.log_e,
            statement=(
                f"{self.signs} of {self.exchanges} sampled exchanges {verb}; {ranked.members} of {ranked.tested} members do so more"
                f" than {1 - ranked.threshold:.0%} of {ranked.reference} other customers."
            ),
            statistic_name=f"members in the top {ranked.threshold:.0%}",
            statistic=ranked.members,
            n=ranked.tested,
            n_unit="accounts",
            input_digest=candidate.input_digest,
        )


def sign_shares(candidate: Candidate, signs: Intent, reference_counts: npt.NDArray[np.int64]) -> SignShares | TooFew:
    """Measure the members' harvest and the reference accounts' whole traffic.

    Args:
        candidate: The group.
        signs: Bits of which one suffices.
        reference_counts: [accounts] exchanges of every account with one of the signs.
    """
    study, rows, accounts = candidate.study, candidate.harvest_rows, candidate.accounts
    rows = rows[study.column("prompt_words").known[rows]]
    shown = (study.column("intent").values[rows] & int(signs)) != 0
    members, owner, counts = np.unique(study.numbers[rows], return_inverse=True, return_counts=True)
    shares = np.bincount(owner, weights=shown, minlength=len(members)) / np.maximum(counts, 1)
    shares = shares[counts >= LEAST_ROWS]
    others = candidate.outsiders[accounts.prompts[candidate.outsiders] >= LEAST_EXCHANGES]
    if not len(shares) or len(others) < LEAST_REFERENCE:
        return TooFew(
            reason=f"{len(shares)} members and {len(others)} reference accounts have enough prompts",
            needed=f"members with {LEAST_ROWS} prompts and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} prompts each",
        )
    shares[shares <= LEAST_RATE] = -1.0
    return SignShares(
        members=shares,
        reference=reference_counts[others] / accounts.prompts[others],
        signs=int(shown.sum()),
        exchanges=len(rows),
    )
