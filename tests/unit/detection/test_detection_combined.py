"""A claim made of claims: one stream dealt out is never more than the weakest claim it rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_accounts import accounts_of, candidate_of, table_of

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.dealt_out import (
    CLOCK,
    EACH_ONCE,
    LEAST_MEMBERS,
    OWNERS,
    dealt_out_claim,
)
from stillwatch.detection.campaigns.claims.own_purses import own_purses_claim
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.claim import Claim, Inconclusive, Question

ACCOUNTS = 40
LOG_E = st.floats(-20.0, 80.0)


def claim(name: str, log_e: float) -> Claim:
    return Claim(
        name=name, question=Question.COORDINATION, statement="", null_hypothesis="nothing", n=1, n_unit="accounts",
        statistic_name="s", statistic=0.0, log_p=None, log_e=log_e, assumptions=("none",), method="planted/v1",
    )  # fmt: skip


def group(members: int = 6, carried: list[tuple[Kind, int, int, int]] | None = None) -> Candidate:
    return candidate_of(range(members), accounts=accounts_of(ACCOUNTS), table=table_of(ACCOUNTS, carried or []))


def claims(names: tuple[str, ...], log_e: float) -> dict[str, Claim | Inconclusive]:
    return {name: claim(name, log_e) for name in names}


@given(LOG_E, LOG_E, LOG_E, LOG_E)
def test_a_dealt_stream_is_no_more_than_its_clock_and_its_prompts_allow(
    clock: float, sharded: float, once: float, work: float
) -> None:
    results = claims(CLOCK, clock) | {
        name: claim(name, log_e) for name, log_e in zip(EACH_ONCE, (sharded, once, work), strict=True)
    }
    found = dealt_out_claim(group(), results)
    assert isinstance(found, Claim)
    assert found.log_e == pytest.approx(min(clock, sharded, once, work), abs=1e-9)


def test_who_pays_without_known_addresses_deals_openly() -> None:
    results = claims((*CLOCK, *EACH_ONCE, *OWNERS), 50.0)
    paid = [(Kind.PAYMENT, 1, number, 1) for number in range(3)]
    assert isinstance(dealt_out_claim(group(carried=paid), results), Inconclusive)
    assert isinstance(dealt_out_claim(group(carried=paid[:2]), results), Claim)


def declared(members: int) -> list[tuple[Kind, int, int, int]]:
    return [(Kind.ORGANIZATION, 1, number, 1) for number in range(members)]


@given(LOG_E, LOG_E)
def test_a_declared_organisation_is_no_more_open_than_its_purses_show(others: float, purses: float) -> None:
    results = claims((*CLOCK, *EACH_ONCE), others) | claims(OWNERS, purses)
    firm, strangers = (dealt_out_claim(group(carried=declared(members)), results) for members in (3, 2))
    assert isinstance(firm, Claim)
    assert isinstance(strangers, Claim)
    assert firm.log_e == pytest.approx(min(others, purses), abs=1e-9)
    assert strangers.log_e == pytest.approx(others, abs=1e-9)  # nothing is declared by most of them: nothing is asked


def test_an_organisation_whose_payments_are_unknown_stays_open() -> None:
    results = claims((*CLOCK, *EACH_ONCE), 50.0)
    found = dealt_out_claim(group(carried=declared(6)), results)
    assert isinstance(found, Inconclusive)
    assert "declared organisation's payments" in found.reason
    assert isinstance(dealt_out_claim(group(carried=declared(2)), results), Claim)


def test_purses_of_their_own_open_no_job_that_is_paid_from_one_place() -> None:
    results = claims((*CLOCK, *EACH_ONCE, *OWNERS), 50.0)
    one_card = [(Kind.PAYMENT, 1, number, 1) for number in range(4)]
    assert isinstance(dealt_out_claim(group(carried=declared(6) + one_card), results), Inconclusive)


@pytest.mark.parametrize("card", [False, True])
def test_the_purses_are_those_that_the_table_of_values_holds(*, card: bool) -> None:
    """Six accounts of one organisation with its mail, behind addresses of everybody, each with a purse of its own, or with one for all."""
    mail = [(Kind.EMAIL_DOMAIN, 1, number, 9) for number in range(6)]
    paid = [(Kind.PAYMENT, 1, number, 1) for number in range(6) if card]
    everybody = [(Kind.NETWORK, 1, number, 9) for number in range(30)]
    table = replace(table_of(ACCOUNTS, declared(6) + mail + paid + everybody), paying=np.ones(ACCOUNTS, dtype=bool))
    candidate = candidate_of(range(6), accounts=accounts_of(ACCOUNTS), table=table)
    own = own_purses_claim(candidate)
    assert isinstance(own, Claim)
    dealt = dealt_out_claim(candidate, claims((*CLOCK, *EACH_ONCE), 50.0) | {own.name: own})
    assert isinstance(dealt, Claim)
    assert dealt.log_e == pytest.approx(min(50.0, own.log_e))
    assert (dealt.log_e > 10.0) is not card


def test_one_purse_is_open_where_the_accounts_work_from_one_place_and_not_behind_addresses_of_everybody() -> None:
    results = claims((*CLOCK, *EACH_ONCE), 50.0)
    purse = [(Kind.PAYMENT, 1, number, 1) for number in range(6)]
    office = [(Kind.NETWORK, 1, number, 9) for number in range(4)]
    strangers = [(Kind.NETWORK, 1, number, 9) for number in range(4, 30)]
    assert isinstance(dealt_out_claim(group(carried=purse + office), results), Inconclusive)
    assert isinstance(dealt_out_claim(group(carried=purse + office + strangers), results), Claim)
    assert isinstance(dealt_out_claim(group(carried=purse + strangers), results), Claim)


def test_one_purse_in_one_place_is_open_under_mail_of_its_own_and_not_under_names_of_strangers() -> None:
    """What was reported in February 2026: accounts that pay together and send in step, and do not say whose they are."""
    results = claims((*CLOCK, *EACH_ONCE), 50.0)
    purse = [(kind, 1, number, 9) for kind in (Kind.PAYMENT, Kind.NETWORK) for number in range(6)]
    own = [(Kind.EMAIL_DOMAIN, 1, number, 9) for number in range(3)]
    service = [(Kind.EMAIL_DOMAIN, 2, number, 9) for number in range(30)]
    assert isinstance(dealt_out_claim(group(carried=purse), results), Inconclusive)
    assert isinstance(dealt_out_claim(group(carried=purse + own), results), Inconclusive)
    assert isinstance(dealt_out_claim(group(carried=purse + own[:2]), results), Claim)
    assert isinstance(dealt_out_claim(group(carried=purse + service), results), Claim)


def test_an_organisation_that_nothing_bears_out_is_asked_for_no_purses() -> None:
    results = claims((*CLOCK, *EACH_ONCE), 50.0)
    service = [(Kind.EMAIL_DOMAIN, 2, number, 9) for number in range(30)]
    assert isinstance(dealt_out_claim(group(carried=declared(6)), results), Inconclusive)
    assert isinstance(dealt_out_claim(group(carried=declared(6) + service), results), Claim)


def test_a_batch_of_registrations_is_no_clock() -> None:
    results = claims(EACH_ONCE, 50.0) | {"registration in batches": claim("registration in batches", 90.0)}
    assert isinstance(dealt_out_claim(group(), results), Inconclusive)


def test_few_members_or_a_missing_claim_are_no_dealt_stream() -> None:
    results = claims((*CLOCK, *EACH_ONCE), 50.0)
    assert isinstance(dealt_out_claim(group(LEAST_MEMBERS - 1), results), Inconclusive)
    for name in EACH_ONCE:
        assert isinstance(dealt_out_claim(group(), {k: v for k, v in results.items() if k != name}), Inconclusive)
