"""Output harvest: the members draw long answers more often than other customers do.

An answer is rich when it is as long as the longest quarter of reference answers (one vote per account). A member's number is its share
of rich answers, ranked among the reference accounts' shares (`ranking.py`). Harvests pay per answer and want it whole; labelling,
routing and chat do not. A writer's product also draws long answers: this test alone says nothing about coordination.
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.sign_shares import LEAST_ROWS
from stillwatch.detection.campaigns.claims.ranking import rank_largest
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
    study, rows = candidate.study, candidate.harvest_rows
    outputs = study.column("output_tokens")
    rows = rows[outputs.known[rows]]
    rich_bin = candidate.background.rich_bin
    histogram = candidate.accounts.histograms["outputs"]
    others = candidate.outsiders[histogram[candidate.outsiders].sum(axis=1) >= LEAST_EXCHANGES]
    members, owner, counts = np.unique(study.numbers[rows], return_inverse=True, return_counts=True)
    if rich_bin is None or not (counts >= LEAST_ROWS).any() or len(others) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with output tokens in the group, {len(others)} reference accounts with enough of them",
            f"output token counts of the members and of {LEAST_REFERENCE} reference accounts",
        )
    rich = np.searchsorted(OUTPUT_EDGES, outputs.values[rows], side="right") >= rich_bin
    shares = (np.bincount(owner, weights=rich, minlength=len(members)) / counts)[counts >= LEAST_ROWS]
    reference = histogram[others][:, rich_bin:].sum(axis=1) / histogram[others].sum(axis=1)
    ranked = rank_largest(shares, reference, candidate.group.searched)
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{int(rich.sum())} of {len(rows)} sampled answers have {OUTPUT_EDGES[rich_bin - 1]} tokens or more; {ranked.members} of"
            f" {ranked.tested} members draw such answers more than {1 - ranked.threshold:.0%} of {ranked.reference} other customers do."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
