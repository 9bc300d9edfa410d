"""Runs every test on a candidate, and says which innocent explanations could apply to it.

Takes a candidate. Gives test name -> claim or inconclusive, in a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.candidate import Background, Candidate
from stillwatch.detection.campaigns.claims.concealed_reasoning import concealed_reasoning_claim
from stillwatch.detection.campaigns.claims.concentration import concentration_claim
from stillwatch.detection.campaigns.claims.conduct import Conduct, conduct_claim
from stillwatch.detection.campaigns.claims.elicitation import elicitation_claim
from stillwatch.detection.campaigns.claims.end_users import end_users_claim
from stillwatch.detection.campaigns.claims.exploration import exploration_claim
from stillwatch.detection.campaigns.claims.infrastructure_lift import infrastructure_lift_claim
from stillwatch.detection.campaigns.claims.ordinary_work import ordinary_work_claim
from stillwatch.detection.campaigns.claims.output_harvest import output_harvest_claim
from stillwatch.detection.campaigns.claims.own_purses import own_purses_claim
from stillwatch.detection.campaigns.claims.pivot import PivotShares, pivot_claim
from stillwatch.detection.campaigns.claims.prompt_shift import prompt_shift_claim
from stillwatch.detection.campaigns.claims.ramp import ramp_claim
from stillwatch.detection.campaigns.claims.registration import registration_claim
from stillwatch.detection.campaigns.claims.repetition import repetition_claim
from stillwatch.detection.campaigns.claims.replacement import replacement_claim
from stillwatch.detection.campaigns.claims.response_side import inline_reasoning_claim, reasoning_claim, refusals_claim
from stillwatch.detection.campaigns.claims.sharding import sharding_claim
from stillwatch.detection.campaigns.claims.synchrony import MinuteCounts, synchrony_claim
from stillwatch.detection.campaigns.claims.template_lift import Degrees, template_lift_claim
from stillwatch.detection.campaigns.explanations import EXPLANATIONS, OWN_PRODUCT, Innocent, Result
from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.openness import openly_declaring
from stillwatch.detection.profiles.histories import Histories

ONE_OWNER_SHARE = 0.6
"""When this share of the members declare an organisation that another member declares too, the group is openly a customer's."""
ALONE = frozenset(
    {"regression suite", "bulk work on own material", "ordinary use", "one customer's product over several keys"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is measured once for all candidates."""

    background: Background
    degrees: Degrees
    pivots: tuple[PivotShares, ...]
    conduct: Conduct
    histories: Histories


def coordination_results(candidate: Candidate, measured: Measured, minutes: MinuteCounts) -> list[Result]:
    """Run the tests of whether the members act together; for two members or more."""
    return [
        template_lift_claim(candidate, measured.degrees),
        infrastructure_lift_claim(candidate),
        synchrony_claim(candidate, minutes),
        conduct_claim(candidate, measured.conduct),
        registration_claim(candidate),
        pivot_claim(candidate, measured.pivots),
        ramp_claim(candidate, measured.histories),
        replacement_claim(candidate, measured.histories),
        own_purses_claim(candidate),
    ]


def extraction_results(candidate: Candidate, histories: Histories) -> list[Result]:
    """Run the tests of whether the members harvest; those that compare members need two or more."""
    results = []
    if len(candidate.members) > 1:
        results = [sharding_claim(candidate), prompt_shift_claim(candidate), refusals_claim(candidate)]
    return [
        *results,
        repetition_claim(candidate),
        elicitation_claim(candidate),
        output_harvest_claim(candidate),
        concentration_claim(candidate),
        ordinary_work_claim(candidate),
        concealed_reasoning_claim(candidate),
        end_users_claim(candidate),
        exploration_claim(candidate, histories),
        inline_reasoning_claim(candidate, histories),
        reasoning_claim(candidate, histories),
    ]


def applicable_explanations(candidate: Candidate) -> tuple[Innocent, ...]:
    """Return the explanations that this candidate could have."""
    if len(candidate.members) == 1:
        return tuple(innocent for innocent in EXPLANATIONS if innocent.name in ALONE)
    if openly_one_customer(candidate.table, candidate.members):
        return EXPLANATIONS
    return tuple(innocent for innocent in EXPLANATIONS if innocent is not OWN_PRODUCT)


def openly_one_customer(table: AttributeTable, members: npt.NDArray[np.int64]) -> bool:
    """Tell whether most members declare an organisation in common with another member, which anything bears out.

    A common payment alone does not count: an operator pays for accounts that pretend to be strangers; an organisation is declared.
    """
    return int(openly_declaring(table, members).sum()) >= ONE_OWNER_SHARE * len(members)
