"""Elicitation: the members ask for what trains a model more often than other customers do.

A member's number is the share of its exchanges that carry a sign of harvesting (reasoning traces,
grading, task synthesis, tool trajectories, ...); it is ranked among the reference accounts' shares (`ranking.py`). A single sign
proves nothing, honest customers also ask for steps: what counts is that most members stand out, beside the evidence that they
act together. A single account can be ranked no better than one in (reference + 1).
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.sign_shares import share_claim
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question

PROCEDURE = Procedure(
    name="elicitation",
    question=Question.EXTRACTION,
    null_hypothesis="The members ask for training material no more often than other customers do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts, independently of the other members",
        "signs are phrases in nine languages; a harvest without such phrases is not seen by this test",
    ),
    method="elicitation/v1",
)


def elicitation_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Rank the members' shares of exchanges with a sign."""
    accounts = candidate.accounts
    return share_claim(
        candidate,
        PROCEDURE,
        signed=accounts.extraction,
        known=accounts.prompts,
        what="carry a sign of harvesting",
        number="signs of harvesting",
    )
