"""Concealed reasoning: the group forces hidden reasoning into the answer, or steers its language, or cleans captured traces.

Null: at most `NULL_RATE` of exchanges carry such a sign (signals 8 to 12, 14 and 16 of the public reports). Products with end users ask for
answers; only somebody who collects traces needs the trace.
"""

from __future__ import annotations

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import Intent
from stillwatch.statistics.e_values import bernoulli_log_e

NULL_RATE = 0.1
SIGNS = Intent.REASONING_TRACE | Intent.THINKING_LANGUAGE | Intent.CLEANING | Intent.PROBING

PROCEDURE = Procedure(
    name="concealed reasoning",
    question=Question.EXTRACTION,
    null_hypothesis="At most a tenth of the exchanges try to bring out reasoning that the model does not show.",
    assumptions=(
        "under the null each exchange carries such a sign with at most the stated chance, given those before it",
    ),
    method="concealed-reasoning/v1",
)


def concealed_reasoning_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count exchanges with a sign of trace harvesting."""
    study, rows = candidate.study, candidate.harvest_rows
    rows = rows[study.column("prompt_words").known[rows]]
    if len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with prompt text", f"{LEAST_EXCHANGES} exchanges with prompt text"
        )
    count = int(((study.column("intent").values[rows] & int(SIGNS)) != 0).sum())
    return PROCEDURE.from_log_e(
        bernoulli_log_e(count, len(rows), NULL_RATE),
        statement=f"{count} of {len(rows)} sampled exchanges try to bring out hidden reasoning.",
        statistic_name="share with a sign of trace harvesting",
        statistic=count / len(rows),
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
