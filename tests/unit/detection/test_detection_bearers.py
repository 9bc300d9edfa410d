"""Who of a campaign's members is flagged: those who send its text as chance allows, and bear half of its candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_accounts import accounts_of, candidate_of, study_of, table_of
from scipy import stats

from stillwatch.detection.campaigns import assemble
from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.selection import Selection
from stillwatch.detection.links.kinds import Kind
from stillwatch.detection.links.openness import declares_one_organization, pays_in_its_own_name

ACCOUNTS, TEXT = 40, 900


def sending(sent: list[tuple[int, int]], seed: str = "text") -> Candidate:
    """Members that sent the text in so many of so many sampled exchanges, (with the text, all) for each."""
    rows = [
        {"number": number, "shape": TEXT if place < with_text else 5_000 + place}
        for number, (with_text, all_sent) in enumerate(sent)
        for place in range(all_sent)
    ]
    carried = [(Kind.SHAPE, TEXT, number, with_text) for number, (with_text, _) in enumerate(sent) if with_text]
    return candidate_of(
        range(len(sent)),
        accounts=accounts_of(ACCOUNTS),
        table=table_of(ACCOUNTS, carried),
        study=study_of(ACCOUNTS, rows),
        seed=seed,
        places=[0],
    )


def senders(sent: list[tuple[int, int]], seed: str = "text") -> list[int]:
    return assemble._senders(sending(sent, seed)).tolist()


def test_who_sends_a_quarter_as_much_of_the_text_as_the_median_member_does_is_one_of_them() -> None:
    usual = [(400, 1_000)] * 5
    assert senders([*usual, (100, 1_000), (99, 1_000), (0, 1_000)]) == [0, 1, 2, 3, 4, 5]


def test_a_small_sample_may_lack_a_text_by_chance_and_a_large_one_may_not() -> None:
    usual = [(200, 1_000)] * 5  # a fifth of the exchanges of each
    assert stats.binom.logcdf(0, 30, 0.2) > assemble.SENT_BY_CHANCE > stats.binom.logcdf(0, 31, 0.2)
    assert senders([*usual, (0, 30), (0, 31)]) == [0, 1, 2, 3, 4, 5]
    assert senders([*usual, (0, 5), (1, 40), (1, 60)]) == [0, 1, 2, 3, 4, 5, 6]


def test_who_sends_as_much_as_the_others_is_cut_no_more_often_than_one_in_a_thousand() -> None:
    """A fifth of thirty exchanges each: a quarter of the median alone would cut one in a hundred."""
    seed, runs, members = 3, 300, 12
    rng = np.random.default_rng(seed)
    cut = 0
    for _ in range(runs):
        sent = [(one, 30) for one in rng.binomial(30, 0.2, members).tolist()]
        cut += members - len(senders(sent))
    assert cut <= stats.binom.isf(1e-6, runs * members, np.exp(assemble.SENT_BY_CHANCE)), f"seed {seed}: {cut}"


def test_without_a_common_text_nobody_is_asked_for_it() -> None:
    assert senders([(40, 100)] * 4 + [(0, 400)], seed="infrastructure") == [0, 1, 2, 3, 4]


def candidates(*members: range) -> list[assemble.Tested]:
    return [
        assemble.Tested(
            candidate=candidate_of(one, accounts=accounts_of(ACCOUNTS)), results={}, explanations=(), log_e=20.0, coordinated=True
        )
        for one in members
    ]  # fmt: skip


def bearing(tested: list[assemble.Tested], *standing: list[int]) -> list[int]:
    """Find the members of a campaign of all these candidates, in which these bear the evidence."""
    every = np.unique(np.concatenate([np.array(one, dtype=np.int64) for one in standing]))
    by_place = {place: np.array(one, dtype=np.int64) for place, one in enumerate(standing)}
    return assemble._mostly_bearing(every, list(range(len(tested))), tested, by_place).tolist()


def test_who_bears_half_of_the_candidates_that_it_belongs_to_is_a_member_and_who_bears_fewer_is_not() -> None:
    tested = candidates(range(8), range(8), range(8))
    all_of_them = [0, 1, 2, 3]
    assert bearing(tested, [*all_of_them, 6], [*all_of_them, 6, 7], all_of_them) == [*all_of_them, 6]
    assert bearing(tested[:2], [*all_of_them, 6], all_of_them) == [*all_of_them, 6]  # half is enough


def test_candidates_that_an_account_does_not_belong_to_are_not_held_against_it() -> None:
    tested = candidates(range(4), range(4), range(6))
    assert bearing(tested, [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 4, 5]) == [0, 1, 2, 3, 4, 5]


def test_other_campaigns_candidates_do_not_count() -> None:
    tested = candidates(range(6), range(6), range(6))
    standing = {0: np.arange(6), 1: np.arange(3), 2: np.arange(3)}
    assert assemble._mostly_bearing(np.arange(6), [0], tested, standing).tolist() == [0, 1, 2, 3, 4, 5]
    assert assemble._mostly_bearing(np.arange(6), [0, 1, 2], tested, standing).tolist() == [0, 1, 2]


def test_a_campaign_of_fewer_than_the_least_group_is_none() -> None:
    """Each candidate has four bearers of eight; only three accounts bear half of the candidates."""
    tested = candidates(range(8), range(8), range(8))
    standing = {0: np.array([0, 1, 2, 3]), 1: np.array([0, 1, 4, 5]), 2: np.array([0, 4, 6, 7])}
    selection = Selection(q_values=np.zeros(3), kept=(0, 1, 2), needed=np.full(3, 5.0))
    assert assemble._discoveries(tested, selection, standing, standing, ACCOUNTS) == []
    standing[2] = np.array([2, 4, 6, 7])
    ((_, members, _),) = assemble._discoveries(tested, selection, standing, standing, ACCOUNTS)
    assert members.tolist() == [0, 1, 2, 4]


@given(st.data())
def test_one_candidate_keeps_who_bears_it_and_a_campaign_of_halves_keeps_somebody(data: st.DataObject) -> None:
    """In every candidate that is merged at least half of the members bear the evidence, and then somebody bears half of his."""
    drawn = data.draw(
        st.lists(st.lists(st.integers(0, 11), min_size=4, max_size=12, unique=True), min_size=1, max_size=5)
    )
    standing = [
        data.draw(st.permutations(sorted(members)))[: data.draw(st.integers((len(members) + 1) // 2, len(members)))]
        for members in drawn
    ]
    tested = candidates(*drawn)
    kept = bearing(tested, *[sorted(one) for one in standing])
    assert kept
    if len(drawn) == 1:
        assert kept == sorted(standing[0])


@pytest.mark.parametrize("kind", [Kind.ORGANIZATION, Kind.PAYMENT])
def test_what_is_declared_and_who_pays_in_its_own_name_are_two_questions(kind: Kind) -> None:
    table, members = table_of(ACCOUNTS, [(kind, 1, number, 1) for number in range(3)]), np.arange(6)
    assert declares_one_organization(table, members) is (kind is Kind.ORGANIZATION)
    assert pays_in_its_own_name(table, members) is (kind is Kind.PAYMENT)
    assert not declares_one_organization(table, np.arange(7))
    assert not pays_in_its_own_name(table, np.arange(7))
