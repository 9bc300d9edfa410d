"""What stands behind a candidate: victims, resellers, licensed accounts, and candidates that were not selected."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from planted_accounts import DAY_US, accounts_of, candidate_of, study_of, table_of

from stillwatch.detection.campaigns import findings
from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.explanations import NOT_ASKED
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


def with_group(*parts: list[dict[str, Any]], **columns: int) -> list[int]:
    """Find victims among four accounts: the parts are the first one's, the other three work with these columns throughout."""
    group = [row for number in (1, 2, 3) for row in exchanges(number, 60, 0, **{"tls": 1, "user_agent": 11, **columns})]
    return victims(group_of([*group, *(row for part in parts for row in part)])).tolist()


OLDER, GROUPS_OWN = {"tls": 5, "user_agent": 15}, {"tls": 1, "user_agent": 11}


def test_with_two_hands_client_and_network_change() -> None:
    own = exchanges(0, 60, 0, **OLDER, network=20)
    assert with_group(own, exchanges(0, 60, 15, **GROUPS_OWN, network=30), network=30) == [0]


def test_an_operators_older_client_at_the_same_place_is_one_hand() -> None:
    own = exchanges(0, 60, 0, **OLDER, network=30)
    assert with_group(own, exchanges(0, 60, 15, **GROUPS_OWN, network=30), network=30) == []


def test_a_machine_that_moved_with_its_client_is_one_hand() -> None:
    own = exchanges(0, 60, 0, **GROUPS_OWN, network=20)
    assert with_group(own, exchanges(0, 60, 15, **GROUPS_OWN, network=30), network=30) == []


def residential(rows: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """Give each exchange an exit of its own."""
    return [row | {"network": first + place} for place, row in enumerate(rows)]


def test_residential_exits_on_both_sides_show_no_second_hand() -> None:
    own, later = exchanges(0, 60, 0, **OLDER), exchanges(0, 60, 15, **GROUPS_OWN)
    assert with_group(residential(own, 1_000), residential(later, 2_000), network=30) == []
    assert with_group(exchanges(0, 60, 0, **OLDER, network=20), residential(later, 2_000), network=30) == [0]


def test_what_is_sent_tells_two_hands_apart_where_only_the_client_changes() -> None:
    own = exchanges(0, 60, 0, **OLDER, network=30)
    later = exchanges(0, 60, 15, **GROUPS_OWN, network=30, intent=int(Intent.REASONING_TRACE))
    assert with_group(own, later, network=30, **HARVEST) == [0]
    # Registered long before, and abused from the first day of the logs: only what is sent tells.
    created = np.full(ACCOUNTS, -100.0 * DAY_US)
    group = [row for number in (1, 2, 3) for row in exchanges(number, 60, 0, **GROUPS_OWN, network=30, **HARVEST)]
    at_once = exchanges(0, 60, 0, **GROUPS_OWN, network=30, **HARVEST)
    assert victims(group_of([*group, *own, *at_once], created_us=created)).tolist() == [0]
    plain = exchanges(0, 60, 0, **GROUPS_OWN, network=30)
    assert victims(group_of([*group, *own, *plain], created_us=created)).tolist() == []


def test_where_the_logs_have_one_kind_of_column_that_one_has_to_do() -> None:
    assert with_group(exchanges(0, 60, 0, **OLDER), exchanges(0, 60, 15, **GROUPS_OWN)) == [0]
    group = [row for number in (1, 2, 3) for row in exchanges(number, 60, 0, network=30)]
    moved = exchanges(0, 60, 0, network=20) + exchanges(0, 60, 15, network=30)
    assert victims(group_of(group + moved)).tolist() == [0]
    # A configuration is what a program sends, and no client: an operator's own changes too.
    group = [row for number in (1, 2, 3) for row in exchanges(number, 60, 0, configuration=7)]
    changed = exchanges(0, 60, 0, configuration=5) + exchanges(0, 60, 15, configuration=7)
    assert victims(group_of(group + changed)).tolist() == []


@pytest.mark.parametrize(("behind", "found"), [(5, []), (18, []), (20, [0])])
def test_two_sides_are_told_apart_at_one_in_ten_thousand_over_all_networks(behind: int, found: list[int]) -> None:
    """Sixty exchanges on each side, one network behind some of the later ones: Fisher's test times 2 x networks: 18 give p = 1.8e-4, and 20 give 2.9e-5.

    One exit is on both sides, so that only this network speaks.
    """
    own = residential(exchanges(0, 60, 0, **OLDER), 1_000)
    later = residential(exchanges(0, 60, 15, **GROUPS_OWN), 2_000)
    own[-1]["network"] = later[-1]["network"]
    later = [row | {"network": 30} if place < behind else row for place, row in enumerate(later)]
    assert with_group(own, later, network=31) == found


@pytest.mark.parametrize(("behind", "found"), [(4, []), (5, [0])])
def test_a_network_that_is_seen_four_times_tells_nothing(behind: int, found: list[int]) -> None:
    """Of two hundred exchanges and six later ones it would be far from chance, yet so are a traveller's hotels."""
    own = residential(exchanges(0, 200, 0, **OLDER), 1_000)
    later = residential(exchanges(0, 6, 15, **GROUPS_OWN), 2_000)
    later = [row | {"network": 30} if place < behind else row for place, row in enumerate(later)]
    assert with_group(own, later, network=31) == found


def shared_key(owners: list[dict[str, Any]], thiefs: list[dict[str, Any]]) -> list[int]:
    """Find victims where the owner's client is the commonest in the group, and every network is a machine's own."""
    group = [
        row
        for number in (1, 2, 3)
        for row in exchanges(number, 60, 0, tls=1, user_agent=11, network=30 + number, **HARVEST)
    ]
    group += [
        row
        for number in (1, 2, 3)
        for row in exchanges(number, 30, 0, tls=1, user_agent=12, network=30 + number, **HARVEST)
    ]
    return victims(group_of([*group, *owners, *thiefs])).tolist()


def test_an_owner_with_the_groups_own_client_is_told_by_two_clients_with_networks_of_their_own() -> None:
    owner = exchanges(0, 40, 0, tls=1, user_agent=11, network=20, **HARVEST)
    assert shared_key(owner, exchanges(0, 9, 15, tls=1, user_agent=12, network=40, **HARVEST)) == [0]
    assert shared_key(owner, exchanges(0, 9, 15, tls=1, user_agent=12, network=20, **HARVEST)) == []  # one machine
    assert shared_key(owner, exchanges(0, 9, 15, tls=1, user_agent=11, network=40, **HARVEST)) == []  # it moved
    assert shared_key(owner, exchanges(0, 4, 15, tls=1, user_agent=12, network=40, **HARVEST)) == []  # too few to tell


def test_networks_that_are_few_exchanges_each_tell_two_hands_apart_when_none_is_on_both_sides() -> None:
    def from_networks(count: int, first_day: int, user_agent: int, networks: list[int]) -> list[dict[str, Any]]:
        rows = exchanges(0, count, first_day, tls=1, user_agent=user_agent, **HARVEST)
        return [row | {"network": networks[place % len(networks)]} for place, row in enumerate(rows)]

    owner = from_networks(16, 0, 11, [20, 21, 22, 23])
    assert shared_key(owner, from_networks(16, 15, 12, [40, 41, 42, 43])) == [0]
    assert shared_key(owner, from_networks(16, 15, 12, [23, 40, 41, 42])) == []  # one of them is the owner's
    singles = from_networks(16, 0, 11, list(range(100, 116)))
    assert (
        shared_key(singles, from_networks(16, 15, 12, list(range(200, 216)))) == []
    )  # residential exits on both sides


@pytest.mark.parametrize(
    ("counts", "drawn", "ways"), [([4, 4], 4, 2), ([1, 1, 1], 2, 3), ([3, 2, 1], 3, 2), ([5], 5, 1)]
)
def test_the_chance_that_no_network_is_on_both_sides_is_counted(counts: list[int], drawn: int, ways: int) -> None:
    assert np.exp(findings._apart_log_p(counts, drawn)) == pytest.approx(ways / math.comb(sum(counts), drawn))


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


def test_what_was_not_asked_is_not_what_could_not_be_tested() -> None:
    unasked = replace(explanation("public prompt set", 0.0, tested=False), remark=NOT_ASKED)
    missing = explanation("product", 0.0, tested=False)
    found = unselected_finding([explanation("chance", 90.0), unasked, missing], coordinated=True, members=4)
    assert found == (Finding.UNRESOLVED, "The explanation 'product' could not be tested. about product.")


def test_a_single_account_that_stands_out_is_unresolved_and_says_what_would_settle_it() -> None:
    found = unselected_finding([explanation("ordinary use", 1.7)], coordinated=False, members=1)
    assert found is not None
    assert found[0] is Finding.UNRESOLVED
    assert "reference traffic" in found[1]
