"""Unattended harvest: training material is asked for at all hours, by a job that no end user stands behind.

One customer may openly run a product over several keys, and a tutor's product asks for worked steps all day; it follows the day of its
pupils. A customer's unattended job runs at all hours, and asks for no training material. Null: the stream follows its end users, or its
members ask for training material no more than other customers do. The e-value is the smaller of `round the clock` and `elicitation`:
it is an e-value when either of them is true.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import minimum_log_e

BOTH = ("round the clock", "elicitation")

PROCEDURE = Procedure(
    name="unattended harvest",
    question=Question.EXTRACTION,
    null_hypothesis="The stream follows the day of its end users, or asks for training material no more than others do.",
    assumptions=("the smallest e-value of claims whose own assumptions hold",),
    method="unattended-harvest/v1",
)


def unattended_claim(candidate: Candidate, results: Mapping[str, Claim | Inconclusive]) -> Claim | Inconclusive:
    """Combine the two claims; `results` holds all other claims of the candidate."""
    both = [claim for name in BOTH if isinstance(claim := results.get(name), Claim)]
    if len(both) < len(BOTH):
        return PROCEDURE.cannot("round the clock or elicitation could not be tested", "prompts, and 200 exchanges")
    exchanges = int(candidate.accounts.exchanges[candidate.members].sum())
    return PROCEDURE.from_log_e(
        minimum_log_e([claim.log_e for claim in both]),
        statement=f"{exchanges} exchanges with no day of end users behind them ask for training material.",
        statistic_name="exchanges",
        statistic=exchanges,
        n=exchanges,
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
