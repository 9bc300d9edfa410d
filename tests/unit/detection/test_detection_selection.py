"""Selection and explanations: e-BH by its definition, and evidence that is never more than the weakest explanation gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detection.campaigns.explanations import EXPLANATIONS, NOT_ASKED, weigh
from stillwatch.detection.campaigns.selection import PROMISING_SHARE, select
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.statistics.intervals import binomial_acceptance

LOG_ES = st.lists(st.floats(-20.0, 60.0), min_size=1, max_size=30)
LEVEL = 0.01
ALL_TESTS = sorted({name for innocent in EXPLANATIONS for name in innocent.tests})


def groups(count: int) -> list[np.ndarray]:
    return [np.arange(place, place + 3) for place in range(count)]


def e_bh(log_es: list[float], considered: int, level: float) -> set[int]:
    """By the definition: the largest k for which the k-th largest e-value is at least K / (k level)."""
    order = sorted(range(len(log_es)), key=lambda place: -log_es[place])
    best = 0
    for k in range(1, len(order) + 1):
        if log_es[order[k - 1]] >= math.log(considered / (k * level)):
            best = k
    return {place for place in range(len(log_es)) if best and log_es[place] >= log_es[order[best - 1]]}


@given(LOG_ES, st.sampled_from([0, 1, 50]), st.sampled_from([0.001, 0.01, 0.05, 0.2]))
def test_what_is_kept_is_what_e_bh_selects_of_all_that_were_considered(
    log_es: list[float], untested: int, level: float
) -> None:
    considered = len(log_es) + untested
    assert set(select(log_es, groups(len(log_es)), considered, level).kept) == e_bh(log_es, considered, level)


@given(LOG_ES)
def test_a_looser_level_keeps_more_and_the_strongest_come_first(log_es: list[float]) -> None:
    strict, loose = (select(log_es, groups(len(log_es)), len(log_es), level) for level in (0.01, 0.2))
    assert set(strict.kept) <= set(loose.kept)
    kept = [log_es[place] for place in loose.kept]
    assert kept == sorted(kept, reverse=True)


def test_a_candidate_alone_needs_one_over_the_level_and_of_a_hundred_a_hundred_times_as_much() -> None:
    enough = math.log(1.0 / LEVEL)
    assert select([enough + 1e-9], groups(1), 1, LEVEL).kept == (0,)
    assert select([enough - 1e-9], groups(1), 1, LEVEL).kept == ()
    assert select([enough + 1e-9] + [0.0] * 99, groups(100), 100, LEVEL).kept == ()
    assert select([enough + math.log(100.0) + 1e-9] + [0.0] * 99, groups(100), 100, LEVEL).kept == (0,)


def test_of_equal_candidates_the_smaller_is_first_and_no_candidate_is_no_error() -> None:
    assert select([50.0, 50.0, 60.0], [np.arange(9), np.arange(3), np.arange(5)], 3, LEVEL).kept == (2, 1, 0)
    assert select([], [], 0, LEVEL).kept == ()


def claim(name: str, log_e: float) -> Claim:
    return Claim(
        name=name, question=Question.COORDINATION, statement=f"{name} says {log_e}.", null_hypothesis="nothing", n=1, n_unit="accounts",
        statistic_name="s", statistic=0.0, log_p=None, log_e=log_e, assumptions=("none",), method="planted/v1",
    )  # fmt: skip


def missing(name: str) -> Inconclusive:
    return Inconclusive(
        name=name, question=Question.COORDINATION, reason="no column", needed="a column", method="planted/v1"
    )


@given(st.fixed_dictionaries({name: st.one_of(st.none(), st.floats(-30.0, 200.0)) for name in ALL_TESTS}))
def test_evidence_against_an_explanation_is_the_mean_of_the_tests_that_ran(log_es: dict[str, float | None]) -> None:
    results = {name: missing(name) if log_e is None else claim(name, log_e) for name, log_e in log_es.items()}
    weighed = weigh(results, EXPLANATIONS, -math.log(LEVEL))
    assert [explanation.name for explanation in weighed] == [innocent.name for innocent in EXPLANATIONS]
    for explanation, innocent in zip(weighed, EXPLANATIONS, strict=True):
        ran = [log_es[name] for name in innocent.tests if log_es[name] is not None]
        assert explanation.tested is bool(ran)
        largest = max(ran, default=0.0)
        mean = largest + math.log(math.fsum(math.exp(log_e - largest) for log_e in ran) / len(ran)) if ran else 0.0
        assert explanation.log_e == pytest.approx(mean, abs=1e-9)
        assert explanation.rejected is (explanation.log_e >= -math.log(LEVEL))
        assert set(explanation.against) == {name for name in innocent.tests if (log_es[name] or 0.0) > 0.0}


def test_an_explanation_that_no_test_could_examine_stands() -> None:
    strong = {name: claim(name, 500.0) for name in ALL_TESTS}
    for innocent in EXPLANATIONS:
        results = strong | {name: missing(name) for name in innocent.tests}
        (alone,) = (
            explanation for explanation in weigh(results, EXPLANATIONS, 4.6) if explanation.name == innocent.name
        )
        assert (alone.log_e, alone.rejected, alone.tested) == (0.0, False, False)
        assert "missing" in alone.remark


def test_an_explanation_whose_tests_were_not_asked_does_not_blame_the_logs() -> None:
    results = {name: claim(name, 1.0) for name in EXPLANATIONS[0].tests}
    first, *others = weigh(results, EXPLANATIONS, 4.6)
    assert first.remark == EXPLANATIONS[0].stands
    unasked = [
        one for one, innocent in zip(others, EXPLANATIONS[1:], strict=True) if not results.keys() & set(innocent.tests)
    ]
    assert len(unasked) > 2
    assert {one.remark for one in unasked} == {NOT_ASKED}
    assert not any(one.tested or one.rejected for one in unasked)


def test_every_explanation_names_tests_that_exist_and_what_it_says_when_it_stands() -> None:
    assert len({innocent.name for innocent in EXPLANATIONS}) == len(EXPLANATIONS)
    for innocent in EXPLANATIONS:
        assert innocent.tests
        assert len(set(innocent.tests)) == len(innocent.tests)
        assert innocent.says.endswith(".")
        assert innocent.stands.endswith(".")


@given(LOG_ES, st.lists(st.booleans(), min_size=30, max_size=30), st.integers(0, 5), st.sampled_from([0, 50]))
def test_the_shares_of_the_level_add_up_to_no_more_than_one(
    log_es: list[float], drawn: list[bool], more: int, untested: int
) -> None:
    """An e-value that selects its candidate alone is 1 / (level x share): the shares are read off, and added up."""
    promising = np.array(drawn[: len(log_es)])
    considered = len(log_es) + untested
    promised = min(int(promising.sum()) + more, considered)
    alone = [-30.0] * len(log_es)
    needed = select(alone, groups(len(log_es)), considered, LEVEL, promising=promising, promised=promised).needed
    shares = np.exp(-needed) / LEVEL
    assert shares.sum() <= 1.0 + 1e-9
    if promised:
        assert (shares[promising] >= PROMISING_SHARE / promised - 1e-12).all()
    assert (shares >= (1.0 - PROMISING_SHARE) / considered - 1e-12).all()


@given(LOG_ES, st.lists(st.booleans(), min_size=30, max_size=30))
def test_what_is_kept_has_what_it_needed_and_what_is_not_kept_has_not(log_es: list[float], drawn: list[bool]) -> None:
    promising = np.array(drawn[: len(log_es)])
    found = select(
        log_es, groups(len(log_es)), len(log_es), 0.1, promising=promising, promised=max(int(promising.sum()), 1)
    )
    for place, log_e in enumerate(log_es):
        if place in found.kept:
            assert log_e >= found.needed[place] - 1e-9
        elif found.kept:
            assert log_e < found.needed[place] + 1e-9


def test_a_promising_candidate_needs_less_and_any_other_twice_as_much() -> None:
    promising = np.arange(1_000) < 10
    found = select([0.0] * 1_000, groups(1_000), 1_000, LEVEL, promising=promising, promised=10)
    assert np.exp(found.needed[0]) == pytest.approx(1.0 / (LEVEL * (0.5 / 10 + 0.5 / 1_000)))
    assert np.exp(found.needed[-1]) == pytest.approx(2 * 1_000 / LEVEL)


@pytest.mark.parametrize("together", [False, True])
def test_of_true_nulls_alone_any_is_selected_no_more_often_than_promised(*, together: bool) -> None:
    """Every selection is false then: the rate is the chance of one, with e-values that are independent or all the same."""
    rng, runs, level = np.random.default_rng(9), 4_000, 0.05
    promising = np.arange(40) < 6
    passed = 0
    for _ in range(runs):
        p_values = np.repeat(rng.random(), 40) if together else rng.random(40)
        log_es = [calibrate_log_p(math.log(p_value)) for p_value in p_values.tolist()]
        passed += bool(select(log_es, groups(40), 60, level, promising=promising, promised=8).kept)
    assert passed <= binomial_acceptance(runs, level, 1e-6)[1]
