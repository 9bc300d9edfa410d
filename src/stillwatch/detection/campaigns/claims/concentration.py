"""Capability concentration: the members' prompts aim at one capability more than other customers' prompts do.

Public reports name concentration in few capability areas (coding, mathematics, tool use, grading, reasoning) as a mark of harvests
(signal 4). The group's capability is the one that most of its exchanges show; each member's share of it is ranked among the
reference accounts' shares of the same capability (`ranking.py`), times the number of capabilities. A single-purpose product is
concentrated too: this test alone says nothing about coordination.
"""

from __future__ import annotations

import math

import numpy as np

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.sign_shares import share_claim
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
    accounts = candidate.accounts
    place = int(np.argmax(accounts.capabilities[candidate.members].sum(axis=0)))
    title = str(CAPABILITY_SIGNS[place].name).lower().replace("_", " ").replace("|", " or ")
    return share_claim(
        candidate,
        PROCEDURE,
        signed=accounts.capabilities[:, place],
        known=accounts.prompts,
        what=f"aim at {title}",
        tried=math.log(len(CAPABILITY_SIGNS)),
        number=f"aims at {title}",
    )
