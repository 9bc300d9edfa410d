"""Output harvest: the group draws long answers more often than nine of ten customers do.

Null: an answer is rich (as long as the longest quarter of reference answers, one vote per account) with a chance of at most the
rate of the reference account at the 0.9 quantile. Harvests pay per answer and want it whole; labelling, routing and chat do not.
A writer's product also draws long answers: this test alone says nothing about coordination.
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, REFERENCE_QUANTILE, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.profiles.queries import OUTPUT_EDGES
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_log_e

PROCEDURE = Procedure(
    name="output harvest",
    question=Question.EXTRACTION,
    null_hypothesis="The group draws rich answers no more often than the reference customer at the 0.9 quantile.",
    assumptions=("under the null each answer is rich with at most the stated chance, given those before it",),
    method="output-harvest/v1",
)


def output_harvest_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count rich answers of the group."""
    study, rows = candidate.study, candidate.harvest_rows
    outputs = study.column("output_tokens")
    rows = rows[outputs.known[rows]]
    background = candidate.background
    if background.rich_bin is None or background.rich_rate is None or len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with output tokens in the group",
            f"output token counts of {LEAST_EXCHANGES} exchanges and of {LEAST_REFERENCE} reference accounts",
        )
    threshold = OUTPUT_EDGES[background.rich_bin - 1]
    count = int((np.searchsorted(OUTPUT_EDGES, outputs.values[rows], side="right") >= background.rich_bin).sum())
    null_rate = min(max(background.rich_rate, 0.05), 1.0)
    return PROCEDURE.from_log_e(
        bernoulli_log_e(count, len(rows), null_rate),
        statement=(
            f"{count} of {len(rows)} sampled answers ({count / len(rows):.0%}) have {threshold} tokens or more;"
            f" {REFERENCE_QUANTILE:.0%} of customers stay at or below {null_rate:.0%}."
        ),
        statistic_name="share of rich answers",
        statistic=count / len(rows),
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
