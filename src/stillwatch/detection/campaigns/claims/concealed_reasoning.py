"""Concealed reasoning: the members try to bring out reasoning that the model does not show, more than other customers do.

Signs: hidden reasoning asked for or forced into tags, its language steered, captured traces cleaned (signals 8 to 12, 14 and 16 of the
public reports). A member's share of such exchanges is ranked among the reference accounts' shares (`ranking.py`). Products with end
users ask for answers; only somebody who collects traces needs the trace.
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.sign_shares import share_claim
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import CAPABILITY_SIGNS, Intent

SIGNS = Intent.REASONING_TRACE | Intent.THINKING_LANGUAGE | Intent.CLEANING

PROCEDURE = Procedure(
    name="concealed reasoning",
    question=Question.EXTRACTION,
    null_hypothesis="The members try to bring out hidden reasoning no more than other customers do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts, independently of the other members",
    ),
    method="concealed-reasoning/v1",
)


def concealed_reasoning_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Rank the members' shares of exchanges with a sign of trace harvesting."""
    accounts = candidate.accounts
    return share_claim(
        candidate,
        PROCEDURE,
        signed=accounts.capabilities[:, CAPABILITY_SIGNS.index(SIGNS)],
        known=accounts.prompts,
        what="try to bring out hidden reasoning",
        number="hidden reasoning",
    )
