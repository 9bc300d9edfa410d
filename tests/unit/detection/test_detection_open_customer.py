"""A candidate whose bearers openly are one customer needs evidence against that customer's own product, bystanders or not."""

from __future__ import annotations

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, table_of

from stillwatch.detection.campaigns import assemble
from stillwatch.detection.campaigns.testing import ONE_OWNER_SHARE, openly_one_customer
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.claim import Claim, Question

FIRM, BYSTANDERS = range(6), range(10, 16)
FIRM_S = [(Kind.ORGANIZATION, 1, number, 1) for number in FIRM]


def after_tests(**log_es: float) -> assemble.Tested:
    """Six accounts of one organisation among six bystanders, with claims by name (underscores for spaces)."""
    candidate = candidate_of((*FIRM, *BYSTANDERS), accounts=accounts_of(40), table=table_of(40, FIRM_S))
    results = {
        name.replace("_", " "): Claim(
            name=name, question=Question.EXTRACTION, statement="", null_hypothesis="nothing", n=1, n_unit="accounts",
            statistic_name="s", statistic=0.0, log_p=None, log_e=log_e, assumptions=("none",), method="planted/v1",
        )
        for name, log_e in log_es.items()
    }  # fmt: skip
    return assemble.Tested(candidate=candidate, results=results, explanations=(), log_e=20.0, coordinated=True)


def test_most_members_of_one_organisation_are_openly_one_customer() -> None:
    table = table_of(40, FIRM_S)
    assert openly_one_customer(table, np.array(FIRM))
    most = int(len(FIRM) / ONE_OWNER_SHARE)
    assert openly_one_customer(table, np.array([*FIRM, *range(20, 20 + most - len(FIRM))]))
    assert not openly_one_customer(table, np.array([*FIRM, *BYSTANDERS]))


@pytest.mark.parametrize(
    ("log_es", "standing"),
    [
        ({}, True),
        ({"elicitation": 90.0, "concealed_reasoning": -50.0}, True),
        ({"elicitation": -5.0, "concealed_reasoning": 30.0}, False),
    ],
)
def test_what_is_left_of_a_candidate_is_asked_about_its_own_product(
    log_es: dict[str, float], *, standing: bool
) -> None:
    assert assemble._stands_as_one_customer(after_tests(**log_es), np.array(FIRM), 10.0) is standing


def test_strangers_are_not_asked() -> None:
    assert not assemble._stands_as_one_customer(after_tests(), np.array([0, *BYSTANDERS]), 10.0)
