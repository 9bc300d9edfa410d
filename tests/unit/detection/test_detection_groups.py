"""Candidate groups: planted ones are found, and merging agrees with plain set arithmetic and with networkx."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from planted_accounts import table_of

from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.groups import (
    COVERAGES,
    LARGEST_INFRASTRUCTURE_SHARE,
    LEAST_MEMBERS,
    LEAST_PART,
    MOST_GROUPS,
    PROMISING,
    SETS_PER_ACCOUNT,
    Group,
    Seeded,
    _incidence,
    _leaders,
)
from stillwatch.detection.links.groups import seed_groups as seed_observed_groups
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind

SEEDS = (1, 2, 3, 4, 5, 6)


def seeded(table: AttributeTable) -> Seeded:
    return seed_observed_groups(table, np.ones(table.accounts, dtype=bool))


def seed_groups(table: AttributeTable) -> tuple[Group, ...]:
    return seeded(table).groups


def random_table(seed: int, accounts: int = 60) -> AttributeTable:
    """Values with carriers drawn from a few overlapping neighbourhoods."""
    rng = np.random.default_rng(seed)
    carried = []
    for value in range(40):
        kind = [Kind.SPAN, Kind.SHAPE, Kind.SYSTEM, Kind.NETWORK, Kind.PAYMENT, Kind.BEHAVIOUR][int(rng.integers(6))]
        start, width = int(rng.integers(accounts)), int(rng.integers(2, 14))
        near = (start + np.arange(width)) % accounts
        chosen = near[rng.random(width) < 0.8]
        carried += [(kind, value, int(number), 90) for number in chosen]
    return table_of(accounts, carried)


def eligible(table: AttributeTable, seed: str) -> list[set[int]]:
    """The carrier sets that may seed groups of a kind."""
    kinds = {
        "text": {int(kind) for kind in (*TEXT_KINDS, Kind.SYSTEM)},
        "infrastructure": {int(Kind.NETWORK), int(Kind.PAYMENT)},
        "parameters": {int(Kind.BEHAVIOUR)},
    }[seed]
    widest = max(LEAST_MEMBERS, LARGEST_INFRASTRUCTURE_SHARE * table.accounts) if seed != "text" else math.inf
    sets = [
        set(table.carriers_of(place).tolist()) for place in range(len(table.values)) if int(table.kinds[place]) in kinds
    ]
    return [found for found in sets if LEAST_MEMBERS <= len(found) <= widest]


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_lie_within_connected_components(seed: int) -> None:
    """networkx: accounts and values as a bipartite graph. No group crosses a component, and every carrier is in a group."""
    table = random_table(seed)
    groups = seed_groups(table)
    for kind in ("text", "infrastructure", "parameters"):
        graph = nx.Graph()
        for place, carriers in enumerate(eligible(table, kind)):
            graph.add_edges_from((("value", place), number) for number in carriers)
        components = [
            {node for node in component if not isinstance(node, tuple)} for component in nx.connected_components(graph)
        ]
        mine = [set(group.members.tolist()) for group in groups if group.seed == kind]
        assert all(any(members <= component for component in components) for members in mine)
        # A set of members that another seed brings too stands under one seed only.
        every = [set(group.members.tolist()) for group in groups]
        assert set().union(*components) <= set().union(*every)


def leaders_by_sets(sets: list[set[int]], coverage: float) -> list[int]:
    """The same by plain set arithmetic: the widest first, of equal ones the first."""
    leader = [-1] * len(sets)
    for place in sorted(range(len(sets)), key=lambda place: (-len(sets[place]), place)):
        if leader[place] < 0:
            for other, carriers in enumerate(sets):
                if leader[other] < 0 and len(carriers & sets[place]) >= coverage * len(sets[place]):
                    leader[other] = place
            leader[place] = place
    return leader


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("coverage", COVERAGES)
def test_a_set_joins_the_widest_set_that_it_covers_enough_of(seed: int, coverage: float) -> None:
    table = random_table(seed)
    places = np.arange(len(table.values))
    sets = [set(table.carriers_of(place).tolist()) for place in places]
    assert max(len(table.held_by(np.array([number]))[1]) for number in range(table.accounts)) <= SETS_PER_ACCOUNT
    assert _leaders(_incidence(table, places), coverage).tolist() == leaders_by_sets(sets, coverage)


def test_values_with_the_same_carriers_are_one_group() -> None:
    carried = [(Kind.SPAN, value, number, 90) for value in (1, 2, 3) for number in (4, 5, 6, 7)]
    carried += [(Kind.SPAN, 9, number, 90) for number in (20, 21, 22, 23)]
    groups = seed_groups(table_of(30, carried))
    assert sorted((group.members.tolist(), group.places.tolist()) for group in groups) == [
        ([4, 5, 6, 7], [0, 1, 2]),
        ([20, 21, 22, 23], [3]),
    ]


def test_a_planted_campaign_is_a_group_although_no_text_is_at_all_of_its_accounts() -> None:
    rng = np.random.default_rng(3)
    members = range(100, 140)
    carried = [(Kind.SPAN, value, number, 30) for value in range(12) for number in members if rng.random() < 0.95]
    carried += [(Kind.SPAN, 1_000 + pair, number, 30) for pair in range(40) for number in (pair, pair + 40)]
    texts = [group for group in seed_groups(table_of(200, carried)) if group.seed == "text"]
    assert list(members) in [group.members.tolist() for group in texts]
    assert all(len(group.members) > LEAST_MEMBERS for group in texts)


def test_a_chain_of_overlapping_sets_does_not_become_one_group() -> None:
    """Each set shares a third of its accounts with the next; transitive merging would join everybody."""
    carried = [(Kind.PAYMENT, start, number, 1) for start in range(0, 90, 6) for number in range(start, start + 9)]
    groups = seed_groups(table_of(300, carried))
    assert len(groups) > 10
    assert max(len(group.members) for group in groups) == 9


def test_common_infrastructure_seeds_nothing() -> None:
    accounts = 100
    widest = int(LARGEST_INFRASTRUCTURE_SHARE * accounts)
    carried = [(Kind.NETWORK, 1, number, 90) for number in range(widest + 1)]
    carried += [(Kind.NETWORK, 2, number, 90) for number in range(widest)]
    assert [len(group.members) for group in seed_groups(table_of(accounts, carried))] == [widest]


def test_users_of_a_common_text_are_parted_by_rare_infrastructure_and_every_part_is_counted() -> None:
    carried = [(Kind.SPAN, 1, number, 90) for number in range(40)]
    carried += [(Kind.PAYMENT, value, number, 1) for value in range(4) for number in range(10 * value, 10 * value + 6)]
    found = seeded(table_of(400, carried))
    parts = [group.members.tolist() for group in found.groups if len(group.members) == 6]
    assert sorted(parts) == [list(range(10 * value, 10 * value + 6)) for value in range(4)]
    # The text, four cards, and the four parts, although a part has the members of its card.
    assert found.considered == 1 + 4 + 4


def test_the_smallest_part_has_the_stated_size() -> None:
    carried = [(Kind.SPAN, 1, number, 90) for number in range(40)]
    for value, size in ((1, LEAST_PART), (2, LEAST_PART - 1)):
        carried += [(Kind.PAYMENT, value, 10 * value + number, 1) for number in range(size)]
        carried += [(Kind.PAYMENT, value, 100 + 10 * value + number, 1) for number in range(2)]
    parts = [len(group.members) for group in seed_groups(table_of(400, carried)) if len(group.places) == 2]
    assert parts == [LEAST_PART]


def test_groups_with_many_kinds_in_common_come_before_groups_with_one() -> None:
    rng = np.random.default_rng(5)
    carried = [(Kind.SPAN, value, int(number), 90) for value in range(200) for number in rng.choice(380, 30, False)]
    members = range(385, 393)
    carried += [
        (kind, 999, number, 90) for kind in (Kind.SPAN, Kind.BAND, Kind.PREFIX, Kind.PAYMENT) for number in members
    ]
    assert seed_groups(table_of(400, carried))[0].members.tolist() == list(members)


def test_what_is_promising_does_not_depend_on_cards_addresses_and_size() -> None:
    """The tests of one hand look at cards and addresses: who has most of them in common may have no larger share for it."""
    rng = np.random.default_rng(6)
    accounts = 1_500
    carried = [
        (Kind.SPAN, value, int(number), 90)
        for value in range(PROMISING + 60)
        for number in rng.choice(accounts, 6, replace=False)
    ]
    few = range(accounts - 4, accounts)
    carried += [(kind, 9_999, number, 90) for kind in (Kind.SPAN, Kind.PREFIX, Kind.CONFIGURATION) for number in few]
    paid = [
        (kind, 100 + value, number, 1)
        for kind in (Kind.PAYMENT, Kind.NETWORK, Kind.EMAIL_DOMAIN, Kind.ORGANIZATION)
        for value in range(30)
        for number in sorted({one for _, text, one, _ in carried if text == value})
    ]
    without, with_cards = (seeded(table_of(accounts, more)) for more in (carried, carried + paid))
    texts = []
    for found in (without, with_cards):
        assert found.promising.sum() <= found.promised <= 4 * PROMISING
        texts.append(
            {
                tuple(group.members.tolist())
                for group, promising in zip(found.groups, found.promising, strict=True)
                if promising and group.seed == "text" and len(group.places) <= 2
            }
        )
    assert tuple(few) in texts[0]
    assert texts[0] == texts[1]


def test_no_more_groups_of_a_seed_than_stated_are_tested_and_all_are_counted() -> None:
    most = MOST_GROUPS["infrastructure"]
    carried = [(Kind.PAYMENT, value, 5 * value + number, 1) for value in range(most + 50) for number in range(5)]
    found = seeded(table_of(5 * (most + 50), carried))
    assert (len(found.groups), found.considered) == (most, most + 50)


def test_accounts_that_are_not_judged_are_in_no_group() -> None:
    carried = [(Kind.SPAN, 1, number, 90) for number in range(10)]
    observed = np.arange(30) >= 3
    assert [group.members.tolist() for group in seed_observed_groups(table_of(30, carried), observed).groups] == [
        list(range(3, 10))
    ]


def test_three_accounts_are_no_group() -> None:
    carried = [(kind, 1, number, 90) for kind in (Kind.SPAN, Kind.PAYMENT, Kind.BEHAVIOUR) for number in (3, 4, 5)]
    assert seed_groups(table_of(30, carried)) == ()
