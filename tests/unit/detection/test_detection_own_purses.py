"""Purses of their own: who declares one organisation and pays each for itself is not one customer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, table_of

from stillwatch.detection.campaigns.claims.own_purses import LEAST_MEMBERS, OWN_RATE, own_purses_claim
from stillwatch.detection.campaigns.explanations import OWN_PRODUCT, weigh
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.statistics.intervals import binomial_acceptance

ACCOUNTS, FIRM = 60, range(10)
ORGANIZATION = [(Kind.ORGANIZATION, 1, number, 1) for number in FIRM]


def claim_of(
    purses: dict[int, int], *, unknown: frozenset[int] = frozenset(), members: range = FIRM
) -> Claim | Inconclusive:
    """Test a firm; account number -> purse shared with others. Who has none pays with a purse of its own, if it is known."""
    table = table_of(ACCOUNTS, ORGANIZATION + [(Kind.PAYMENT, purse, number, 1) for number, purse in purses.items()])
    paying = np.array([number not in unknown for number in range(ACCOUNTS)])
    return own_purses_claim(candidate_of(members, accounts=accounts_of(ACCOUNTS), table=replace(table, paying=paying)))


def test_a_firm_that_pays_is_one_customer() -> None:
    claim = claim_of(dict.fromkeys(FIRM, 7))
    assert isinstance(claim, Claim)
    assert claim.statistic == 0
    assert claim.log_e < 0.0


def test_departments_that_pay_are_one_customer() -> None:
    claim = claim_of({number: 7 + number // 2 for number in FIRM})
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_members_of_one_organisation_with_purses_of_their_own_are_not_one_customer() -> None:
    claim = claim_of({})
    assert isinstance(claim, Claim)
    assert (claim.statistic, claim.n) == (10, 10)
    assert claim.log_e > 20.0
    (own,) = weigh({claim.name: claim}, (OWN_PRODUCT,), 10.0)
    assert own.rejected


def test_an_unknown_payment_is_not_a_purse_of_its_own() -> None:
    claim = claim_of(dict.fromkeys(range(5), 7), unknown=frozenset(range(5, 10)))
    assert isinstance(claim, Claim)
    assert (claim.statistic, claim.n) == (0, 5)
    assert isinstance(claim_of({}, unknown=frozenset(FIRM)), Inconclusive)
    table = table_of(ACCOUNTS, ORGANIZATION)
    candidate = candidate_of(FIRM, accounts=accounts_of(ACCOUNTS), table=table)
    assert table.paying is None
    assert isinstance(own_purses_claim(candidate), Inconclusive)


def test_strangers_and_few_members_are_not_asked() -> None:
    assert isinstance(claim_of({}, members=range(20, 30)), Inconclusive)
    assert isinstance(claim_of({}, members=range(LEAST_MEMBERS - 1)), Inconclusive)


@pytest.mark.parametrize("members", [4, 6, 10])
def test_a_customer_at_the_edge_of_the_null_is_rejected_no_more_often_than_promised(members: int) -> None:
    rng, runs = np.random.default_rng(members), 1_000
    passed = 0
    for _ in range(runs):
        alone = rng.random(members) < OWN_RATE
        claim = claim_of(
            {number: 7 for number in range(members) if not alone[number]} | {50: 7}, members=range(members)
        )
        assert isinstance(claim, Claim)
        passed += claim.log_e >= math.log(20.0)
    assert passed <= binomial_acceptance(runs, 0.05, 1e-6)[1]
