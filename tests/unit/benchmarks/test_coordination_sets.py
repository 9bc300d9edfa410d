from __future__ import annotations

import pytest
from benchmarks.real_world.coordination import (
    HOP_ACCOUNTS,
    CoordinationSet,
    candidate_groups,
    compare,
    component_baseline,
    coortweet,
    hop,
    linked,
)


@pytest.fixture(scope="module")
def sybils(shared) -> CoordinationSet:
    return hop(shared)


def test_the_baseline_reaches_what_the_notes_of_the_data_say(shared, sybils):
    figures = compare(sybils, component_baseline(shared))
    assert figures.accounts == HOP_ACCOUNTS
    assert figures.coordinated == 14_195
    assert figures.precision == pytest.approx(0.80, abs=0.005)
    assert figures.recall == pytest.approx(0.59, abs=0.005)


def test_a_looser_hub_limit_changes_the_baseline(shared):
    assert component_baseline(shared, most_neighbours=5) != component_baseline(shared)


def test_hop_attributes_name_accounts_only(sybils):
    table = sybils.attributes
    assert table.column_names == ["account", "kind", "value", "count"]
    assert set(table.column("account").to_pylist()) <= set(sybils.coordinated)
    assert min(table.column("count").to_pylist()) >= 1
    triples = list(zip(*(table.column(name).to_pylist() for name in ("account", "kind", "value")), strict=True))
    assert len(set(triples)) == len(triples)


def test_confirmed_groups_hold_sybils_mostly(sybils):
    members = list(sybils.groups)
    assert len(members) > 1_000
    assert sum(sybils.coordinated[account] for account in members) > 0.5 * len(members)


def test_coortweet_is_unlabelled_and_refuses_to_be_scored(shared):
    posts = coortweet(shared)
    assert posts.attributes.num_rows > 100_000
    assert set(posts.attributes.column("kind").to_pylist()) == {"link", "hashtag", "domain", "image"}
    with pytest.raises(ValueError, match="no verdicts"):
        compare(posts, {"fb_1"})


def test_comparison_counts(sybils):
    right = [account for account, verdict in sybils.coordinated.items() if verdict][:3]
    wrong = [account for account, verdict in sybils.coordinated.items() if not verdict][:1]
    figures = compare(sybils, {*right, *wrong, "never seen"})
    assert (figures.flagged, figures.true_positives) == (4, 3)
    assert figures.precision == pytest.approx(0.75)
    assert compare(sybils, set()).precision == 0.0


def test_the_groups_that_stillwatch_would_test_first_hold_sybils_much_more_often_than_the_set(sybils):
    """Fewer than plain components hold: a chain of transfers is no common value, and linking never follows chains."""
    seeded = candidate_groups(sybils)
    figures = compare(sybils, linked(sybils, seeded))
    assert seeded.considered > len(seeded.groups) > 50
    assert figures.flagged > 1_000
    assert figures.precision > 1.8 * figures.coordinated / figures.accounts
