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


@pytest.mark.parametrize("kind", [Kind.PAYMENT, Kind.NETWORK, Kind.EMAIL_DOMAIN])
def test_any_one_thing_of_its_own_bears_an_organisation_out(kind: Kind) -> None:
    firm = np.array(FIRM)
    kinds = (Kind.PAYMENT, Kind.NETWORK, Kind.EMAIL_DOMAIN)
    elsewhere = [(other, 9, number, 1) for other in kinds for number in (38, 39)]  # all three are known
    own = [(kind, 1, number, 1) for number in FIRM[:3]]
    assert openly_one_customer(table_of(40, FIRM_S + elsewhere + own), firm)
    assert not openly_one_customer(table_of(40, FIRM_S + elsewhere + own[:2]), firm)
    assert not openly_one_customer(table_of(40, FIRM_S + elsewhere), firm)
    assert openly_one_customer(table_of(40, FIRM_S), firm)  # nothing is known of anybody


def test_networks_and_mail_of_everybody_bear_nothing_out() -> None:
    shared = [(kind, 1, number, 1) for kind in (Kind.NETWORK, Kind.EMAIL_DOMAIN) for number in range(40)]
    assert not openly_one_customer(table_of(40, FIRM_S + shared), np.array(FIRM))


def test_each_organisation_is_borne_out_by_its_own_and_two_seats_of_a_large_one_by_the_whole() -> None:
    """Three firms with an invoice each are no less open than one; a firm's mail is its own for two of its eight seats too."""
    firms = [(Kind.ORGANIZATION, firm, 2 * firm + seat, 1) for firm in range(3) for seat in range(2)]
    invoices = [(Kind.PAYMENT, firm, 2 * firm + seat, 1) for firm in range(3) for seat in range(2)]
    assert openly_one_customer(table_of(40, firms + invoices), np.arange(6))
    assert not openly_one_customer(table_of(40, firms + invoices[:2]), np.arange(6))
    seats = [(kind, 1, number, 1) for kind in (Kind.ORGANIZATION, Kind.EMAIL_DOMAIN) for number in range(8)]
    assert openly_one_customer(table_of(40, seats), np.array([2, 7]))


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
