"""Output harvest: the members draw long answers more often than other customers do.

An answer is rich when it is as long as the longest quarter of reference answers (one vote per account). A member's number is its share
of rich answers, ranked among the reference accounts' shares (`ranking.py`). Harvests pay per answer and want it whole; labelling,
routing and chat do not. A writer's product also draws long answers: this test alone says nothing about coordination.
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.sign_shares import share_claim
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.queries import OUTPUT_EDGES
from stillwatch.records.claim import Claim, Inconclusive, Question

PROCEDURE = Procedure(
    name="output harvest",
    question=Question.EXTRACTION,
    null_hypothesis="The members draw rich answers no more often than other customers do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts, independently of the other members",
    ),
    method="output-harvest/v1",
)


def output_harvest_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Rank the members' shares of rich answers."""
    background = candidate.background
    if background.rich_bin is None:
        return PROCEDURE.cannot("too few accounts have output token counts", "output token counts")
    return share_claim(
        candidate,
        PROCEDURE,
        signed=background.rich,
        known=background.answered,
        what=f"have answers of {OUTPUT_EDGES[background.rich_bin - 1]} tokens or more",
        number="rich answers",
    )
