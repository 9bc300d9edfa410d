"""Repetition: do the members send the same prompts again, as regression suites, CI fleets and retries do?

Null: an account's exchange repeats an earlier prompt of the same account with a chance of at least `SUITE_RATE`. A harvest pays
for each answer once. Judged on the sample; the chance that a repeated prompt's twin is in the sample too is accounted for by
the square of the sampled share, at worst.
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import bernoulli_lower_log_e

SUITE_RATE = 0.25
"""A suite that runs its items at least twice repeats half of its exchanges; half of that is the null."""
LEAST_EXCHANGES = 20

PROCEDURE = Procedure(
    name="no repetition",
    question=Question.EXTRACTION,
    null_hypothesis="The members send their prompts again: at least a quarter of exchanges repeat one of the same account.",
    assumptions=(
        "under the null each exchange repeats with at least the stated chance, given those before it",
        "a suite runs each item at least twice within the traffic seen",
    ),
    method="no-repetition/v1",
)


def repetition_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Count exchanges whose prompt the same account sent more than once."""
    study, rows = candidate.study, candidate.harvest_rows
    exact = study.column("exact")
    rows = rows[exact.known[rows]]
    if len(rows) < LEAST_EXCHANGES:
        return PROCEDURE.cannot(
            f"{len(rows)} exchanges with prompt text", f"{LEAST_EXCHANGES} exchanges with prompt text"
        )
    pairs = np.stack([study.numbers[rows], exact.values[rows]])
    inverse, counts = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)[1:]
    repeated = int((counts[inverse.ravel()] >= 2).sum())
    chance = SUITE_RATE * candidate.sampled_share
    return PROCEDURE.from_log_e(
        bernoulli_lower_log_e(repeated, len(rows), chance),
        statement=f"{repeated} of {len(rows)} sampled exchanges repeat a prompt of the same account; a suite would repeat {chance * len(rows):.0f} or more.",
        statistic_name="repeating exchanges",
        statistic=repeated,
        n=len(rows),
        n_unit="exchanges",
        input_digest=candidate.input_digest,
    )
