"""Elicitation: the members ask for what trains a model more often than other customers do.

A member's number is the share of its sampled exchanges of the group's kind that carry a sign of harvesting (reasoning traces,
grading, task synthesis, tool trajectories, ...); it is ranked among the reference accounts' shares (`ranking.py`). A single sign
proves nothing, honest customers also ask for steps: what counts is that most members stand out, beside the evidence that they
act together. A single account can be ranked no better than one in (reference + 1).
"""

from __future__ import annotations

import numpy as np

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.ranking import rank_largest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import EXTRACTION_SIGNS

LEAST_ROWS = 3
"""Sampled exchanges of a member, at the least."""
LEAST_RATE = 0.1
"""Shares up to this are treated as none: they say more about the phrase list than about the customer."""

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
    study, rows, accounts = candidate.study, candidate.harvest_rows, candidate.accounts
    rows = rows[study.column("prompt_words").known[rows]]
    signs = (study.column("intent").values[rows] & int(EXTRACTION_SIGNS)) != 0
    members, owner, counts = np.unique(study.numbers[rows], return_inverse=True, return_counts=True)
    shares = np.bincount(owner, weights=signs, minlength=len(members)) / np.maximum(counts, 1)
    shares = shares[counts >= LEAST_ROWS]
    others = candidate.outsiders[accounts.prompts[candidate.outsiders] >= LEAST_EXCHANGES]
    if not len(shares) or len(others) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(shares)} members and {len(others)} reference accounts have enough prompts",
            f"members with {LEAST_ROWS} prompts and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} prompts each",
        )
    reference = accounts.extraction[others] / accounts.prompts[others]
    shares[shares <= LEAST_RATE] = -1.0
    ranked = rank_largest(shares, reference, candidate.group.searched)
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{int(signs.sum())} of {len(rows)} sampled exchanges carry a sign of harvesting; {ranked.members} of {ranked.tested}"
            f" members ask for it more than {1 - ranked.threshold:.0%} of {ranked.reference} other customers do."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
