"""What stands behind a candidate: victims, resellers, licensed accounts, and candidates that were not selected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted_accounts import DAY_US, accounts_of, candidate_of, study_of, table_of

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.findings import selected_finding, unselected_finding, victims
from stillwatch.detection.links.kinds import Kind
from stillwatch.records.campaign import FLAGGED_FINDINGS, Explanation, Finding
from stillwatch.records.sketch import Intent

ACCOUNTS = 30
HARVEST = {"intent": int(Intent.REASONING_TRACE), "shape": 900}
TEXT = [(Kind.SHAPE, 900, number, 40) for number in range(4)]


def exchanges(number: int, count: int, first_day: int, **columns: Any) -> list[dict[str, Any]]:
    """Exchanges spread over ten days, from a day on."""
    return [
        {"number": number, "time_us": (first_day * 10 + place % 100) * DAY_US // 10 + place, **columns}
        for place in range(count)
    ]


def group_of(sent: list[dict[str, Any]], members: range = range(4), **given: Any) -> Candidate:
    accounts = accounts_of(ACCOUNTS, **given)
    return candidate_of(
        members,
        accounts=accounts,
        table=table_of(ACCOUNTS, TEXT),
        study=study_of(ACCOUNTS, sent),
        seed="text",
        places=[0],
    )


def test_a_key_that_is_used_from_elsewhere_for_the_harvest_was_stolen() -> None:
    owner = exchanges(0, 60, 0, tls=1, user_agent=11, network=21)
    thief = exchanges(0, 60, 15, tls=2, user_agent=12, network=22, **HARVEST)
    mixed = exchanges(1, 60, 0, tls=3, user_agent=13, network=23) + exchanges(
        1, 60, 0, tls=3, user_agent=13, network=23, **HARVEST
    )
    assert victims(group_of(owner + thief + mixed)).tolist() == [0]


def at_work(number: int, configuration: int, network: int, count: int = 60, first_day: int = 0) -> list[dict[str, Any]]:
    """Exchanges of one client string, without any sign, by one configuration from one network."""
    return exchanges(number, count, first_day, tls=1, user_agent=11, network=network, configuration=configuration)


def test_a_thief_with_the_owners_client_is_told_by_configuration_and_network() -> None:
    group = [row for number in (1, 2, 3) for row in at_work(number, 7, 30 + number)]
    stolen = at_work(0, 5, 20) + at_work(0, 7, 33, first_day=15)
    candidate = group_of(group + stolen)
    assert victims(candidate).tolist() == [0]


def test_a_resellers_customers_bring_configurations_through_the_resellers_network() -> None:
    group = [row for number in (1, 2, 3) for row in at_work(number, 7, 30 + number)]
    resold = at_work(0, 5, 20) + at_work(0, 7, 20, first_day=15)
    assert victims(group_of(group + resold)).tolist() == []


def test_one_client_for_both_parts_is_nobodys_theft_whenever_the_harvest_began() -> None:
    later = exchanges(0, 60, 0, tls=1, user_agent=11, network=21) + exchanges(
        0, 60, 15, tls=1, user_agent=11, network=21, **HARVEST
    )
    assert victims(group_of(later)).tolist() == []


def test_addresses_that_change_with_every_exchange_show_nothing() -> None:
    rotating = [
        row | {"network": 100 + place}
        for place, row in enumerate(exchanges(0, 60, 0) + exchanges(0, 60, 15, **HARVEST))
    ]
    assert victims(group_of(rotating)).tolist() == []


def test_without_client_columns_nobody_is_called_a_victim() -> None:
    assert victims(group_of(exchanges(0, 60, 0) + exchanges(0, 60, 15, **HARVEST))).tolist() == []


def test_an_account_that_only_harvests_is_nobodys_victim() -> None:
    assert victims(group_of(exchanges(0, 120, 0, tls=1, **HARVEST))).tolist() == []


@pytest.mark.parametrize(("other", "finding"), [(0, Finding.OPERATOR), (10, Finding.OPERATOR), (120, Finding.RESELLER)])
def test_a_harvest_that_rides_on_much_other_traffic_is_a_resellers(other: int, finding: Finding) -> None:
    sent = [row for number in range(4) for row in exchanges(number, other, 0) + exchanges(number, 40, 0, **HARVEST)]
    candidate = group_of(sent)
    assert selected_finding(candidate, candidate.members)[0] is finding


def test_an_agreement_covers_a_group_when_most_of_it_has_one() -> None:
    sent = [row for number in range(4) for row in exchanges(number, 40, 0, **HARVEST)]
    licensed = np.zeros(ACCOUNTS, dtype=bool)
    licensed[:4] = True
    all_of_it, half = group_of(sent, licensed=licensed), group_of(sent, licensed=licensed & (np.arange(ACCOUNTS) < 2))
    assert selected_finding(all_of_it, all_of_it.members)[0] is Finding.LICENSED
    assert selected_finding(half, half.members)[0] is Finding.OPERATOR


def test_a_group_of_victims_only_is_theirs() -> None:
    candidate = group_of(exchanges(0, 40, 0, **HARVEST))
    assert selected_finding(candidate, np.zeros(0, dtype=np.int64))[0] is Finding.VICTIM


def explanation(name: str, log_e: float, *, tested: bool = True) -> Explanation:
    return Explanation(
        name=name,
        says=f"{name}.",
        log_e=log_e,
        rejected=log_e >= 4.6,
        against=(),
        remark=f"about {name}.",
        tested=tested,
    )


def test_what_is_not_coordinated_has_no_finding() -> None:
    assert unselected_finding([explanation("chance", 0.1)], coordinated=False, members=4) is None


@pytest.mark.parametrize(
    ("weakest", "finding"),
    [
        (explanation("regression suite", -3.0), Finding.LOOK_ALIKE),
        (explanation("regression suite", 0.0, tested=False), Finding.UNRESOLVED),
        (explanation("regression suite", 5.0), Finding.UNRESOLVED),
    ],
)
def test_a_coordinated_candidate_that_was_not_selected_is_named_by_its_weakest_explanation(
    weakest: Explanation, finding: Finding
) -> None:
    found = unselected_finding(
        [explanation("chance", 90.0), weakest, explanation("ordinary use", 8.0)], coordinated=True, members=4
    )
    assert found is not None
    assert found[0] is finding
    assert "regression suite" in found[1]
    assert found[0] not in FLAGGED_FINDINGS


def test_a_single_account_that_stands_out_is_unresolved_and_says_what_would_settle_it() -> None:
    found = unselected_finding([explanation("ordinary use", 1.7)], coordinated=False, members=1)
    assert found is not None
    assert found[0] is Finding.UNRESOLVED
    assert "reference traffic" in found[1]
