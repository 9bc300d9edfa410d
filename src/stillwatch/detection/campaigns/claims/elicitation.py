"""Elicitation: the group asks for what trains a model more often than nine of ten customers do.

Null: an exchange carries a sign of harvesting (reasoning traces, grading, task synthesis, tool trajectories, ...) with a chance of
at most the rate of the reference account at the 0.9 quantile. A single sign proves nothing; honest customers also ask for
steps. What counts is a rate over many exchanges, beside the evidence that the accounts act together.
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, REFERENCE_QUANTILE, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import EXTRACTION_SIGNS
from stillwatch.statistics.e_values import bernoulli_log_e

FLOOR = 0.05
"""Null rate at the least: below it a rate says more about the phrase list than about the customer."""

PROCEDURE = Procedure(
    name="elicitation",
    question=Question.EXTRACTION,
    null_hypothesis="The group asks for training material no more often than the reference customer at the 0.9 quantile.",
    assumptions=(
        "under the null each exchange carries a sign with at most the stated chance, given those before it",
        "signs are phrases in nine languages; a harvest without such phrases is not seen by this test",
    ),
    method="elicitation/v1",
)


def elicitation_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count exchanges of the group that carry a sign."""
    study, rows = candidate.study, candidate.harvest_rows
    rows = rows[study.column("prompt_words").known[rows]]
    rate = candidate.background.elicitation_rate
    if rate is None or len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with prompt text in the group; null rate {'unknown' if rate is None else f'{rate:.2f}'}",
            f"{LEAST_EXCHANGES} exchanges with prompts, and {LEAST_REFERENCE} reference accounts with prompts",
        )
    null_rate = min(max(rate, FLOOR), 1.0)
    count = int(((study.column("intent").values[rows] & int(EXTRACTION_SIGNS)) != 0).sum())
    return PROCEDURE.from_log_e(
        bernoulli_log_e(count, len(rows), null_rate),
        statement=(
            f"{count} of {len(rows)} sampled exchanges ({count / len(rows):.0%}) carry a sign of harvesting;"
            f" {REFERENCE_QUANTILE:.0%} of customers stay at or below {null_rate:.0%}."
        ),
        statistic_name="share with a sign",
        statistic=count / len(rows),
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
