"""Capability concentration: the members' prompts aim at one capability more than other customers' prompts do.

Public reports name concentration in few capability areas (coding, mathematics, tool use, grading, reasoning) as a mark of harvests
(signal 4). The group's capability is the one that most of its exchanges show; each member's share of it is ranked among the
reference accounts' shares of the same capability (`ranking.py`), times the number of capabilities. A single-purpose product is
concentrated too: this test alone says nothing about coordination.
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.detection.campaigns.candidate import LEAST_EXCHANGES, LEAST_REFERENCE, Candidate
from stillwatch.detection.campaigns.claims.elicitation import LEAST_RATE, LEAST_ROWS
from stillwatch.detection.campaigns.claims.ranking import rank_largest
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.sketch import CAPABILITY_SIGNS

PROCEDURE = Procedure(
    name="capability concentration",
    question=Question.EXTRACTION,
    null_hypothesis="The members' prompts aim at one capability no more than other customers' prompts do.",
    assumptions=(
        "under the null each member is exchangeable with the reference accounts, independently of the other members",
        "Bonferroni over the capabilities",
    ),
    method="capability-concentration/v1",
)


def concentration_claim(candidate: Candidate) -> Claim | Inconclusive:
    """Rank the members' shares of the group's main capability."""
    study, rows, accounts = candidate.study, candidate.harvest_rows, candidate.accounts
    rows = rows[study.column("prompt_words").known[rows]]
    intent = study.column("intent").values[rows]
    others = candidate.outsiders[accounts.prompts[candidate.outsiders] >= LEAST_EXCHANGES]
    members, owner, counts = np.unique(study.numbers[rows], return_inverse=True, return_counts=True)
    if not (counts >= LEAST_ROWS).any() or len(others) < LEAST_REFERENCE:
        return PROCEDURE.cannot(
            f"{len(members)} members and {len(others)} reference accounts have enough prompts",
            f"members with {LEAST_ROWS} prompts and {LEAST_REFERENCE} reference accounts with {LEAST_EXCHANGES} prompts each",
        )
    shown = [((intent & int(sign)) != 0) for sign in CAPABILITY_SIGNS]
    place = int(np.argmax([signs.sum() for signs in shown]))
    shares = (np.bincount(owner, weights=shown[place], minlength=len(members)) / counts)[counts >= LEAST_ROWS]
    shares[shares <= LEAST_RATE] = -1.0
    reference = accounts.capabilities[others, place] / accounts.prompts[others]
    ranked = rank_largest(shares, reference, candidate.group.searched + math.log(len(CAPABILITY_SIGNS)))
    title = str(CAPABILITY_SIGNS[place].name).lower().replace("_", " ")
    return PROCEDURE.from_log_e(
        ranked.log_e,
        statement=(
            f"{int(shown[place].sum())} of {len(rows)} sampled exchanges aim at {title}; {ranked.members} of {ranked.tested} members do"
            f" so more than {1 - ranked.threshold:.0%} of {ranked.reference} other customers."
        ),
        statistic_name=f"members in the top {ranked.threshold:.0%}",
        statistic=ranked.members,
        n=ranked.tested,
        n_unit="accounts",
        input_digest=candidate.input_digest,
    )
