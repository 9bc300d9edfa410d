"""Ordinary work: is the group's traffic bulk work on its own material (translate, classify, label, summarise)?

Null: at least `WORK_RATE` of exchanges ask for ordinary work without any sign of harvesting. A low rate speaks against that
explanation; a high one leaves it standing.
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import EXTRACTION_SIGNS, Intent
from stillwatch.statistics.e_values import bernoulli_lower_log_e

WORK_RATE = 0.5
"""A firm that translates or labels in bulk does so in most of its exchanges."""

PROCEDURE = Procedure(
    name="not ordinary work",
    question=Question.EXTRACTION,
    null_hypothesis="At least half of the exchanges translate, classify, label or summarise the customer's own material.",
    assumptions=(
        "under the null each exchange is ordinary work with at least the stated chance, given those before it",
        "ordinary work names itself in the prompt or the system prompt",
    ),
    method="not-ordinary-work/v1",
)


def ordinary_work_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count exchanges that ask for ordinary work and for nothing else."""
    study, rows = candidate.study, candidate.harvest_rows
    rows = rows[study.column("prompt_words").known[rows]]
    if len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with prompt text", f"{LEAST_EXCHANGES} exchanges with prompt text"
        )
    intent = study.column("intent").values[rows]
    work = (intent & int(Intent.TRANSLATION | Intent.PROCESSING)) != 0
    count = int((work & ((intent & int(EXTRACTION_SIGNS)) == 0)).sum())
    return PROCEDURE.from_log_e(
        bernoulli_lower_log_e(count, len(rows), WORK_RATE),
        statement=f"{count} of {len(rows)} sampled exchanges ask for ordinary bulk work only.",
        statistic_name="share of ordinary work",
        statistic=count / len(rows),
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
