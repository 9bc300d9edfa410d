"""Selection against the published example, against direct definitions, and by its invariants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stillwatch.statistics.e_values import minimum_log_e
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError
from stillwatch.statistics.false_discovery import (
    Dependence,
    benjamini_hochberg,
    benjamini_yekutieli,
    e_benjamini_hochberg,
    e_q_values,
    holm,
    holm_adjusted,
    q_values,
)

# Y. Benjamini and Y. Hochberg (1995), Section 4.1: thrombolysis, 15 hypotheses.
THROMBOLYSIS = np.log(
    [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
)
LOG_PS = st.lists(st.floats(-50, 0), min_size=1, max_size=25)
LOG_ES = st.lists(st.floats(-5, 30), min_size=1, max_size=25)
LEVELS = st.floats(1e-4, 0.999)


def test_published_example():
    assert benjamini_hochberg(THROMBOLYSIS, 0.05).indices == (0, 1, 2, 3)
    assert holm(THROMBOLYSIS, 0.05).indices == (0, 1, 2)
    # The price 1 + 1/2 + ... + 1/15 = 3.318 turns 0.05 into 0.0151: the third needs p <= 0.0030, the fourth 0.0040.
    assert benjamini_yekutieli(THROMBOLYSIS, 0.05).indices == (0, 1, 2)


@given(LOG_PS)
def test_q_values_equal_scipys(log_ps):
    ps = np.exp(log_ps)
    assert q_values(log_ps, "positive") == pytest.approx(stats.false_discovery_control(ps, method="bh"), rel=1e-9)
    assert q_values(log_ps, Dependence.ANY) == pytest.approx(stats.false_discovery_control(ps, method="by"), rel=1e-9)


@given(LOG_ES, LEVELS)
def test_e_bh_equals_its_definition(log_es, level):
    ordered = sorted(log_es, reverse=True)
    ranks = [k for k, log_e in enumerate(ordered, 1) if k * math.exp(log_e) / len(log_es) >= 1 / level]
    expected = {i for i, log_e in enumerate(log_es) if ranks and log_e >= ordered[max(ranks) - 1]}
    assert set(e_benjamini_hochberg(log_es, level).indices) == expected


@given(LOG_ES, LEVELS)
def test_every_selected_e_value_is_large_enough(log_es, level):
    # Self-consistency (Wang and Ramdas 2022): e >= m / (level x selected) is all that the proof needs.
    selected = e_benjamini_hochberg(log_es, level)
    needed = math.log(len(log_es)) - math.log(level) - math.log(max(1, len(selected)))
    assert all(log_es[index] >= needed - 1e-9 for index in selected.indices)
    assert selected.tested == len(log_es)


@given(LOG_ES, LEVELS)
def test_selected_are_those_whose_q_value_is_at_most_the_level(log_es, level):
    q = e_q_values(log_es)
    assert np.all((q >= 0) & (q <= 1))
    selected = e_benjamini_hochberg(log_es, level)
    assert [index in selected for index in range(len(log_es))] == list(q <= level)


@given(LOG_ES, st.randoms(use_true_random=False))
def test_order_does_not_matter(log_es, random):
    places = list(range(len(log_es)))
    random.shuffle(places)
    shuffled = e_q_values([log_es[place] for place in places])
    assert list(shuffled) == [e_q_values(log_es)[place] for place in places]


@given(LOG_ES, st.integers(0, 24), st.floats(0, 20), LEVELS)
def test_more_evidence_never_deselects(log_es, place, gain, level):
    before = set(e_benjamini_hochberg(log_es, level).indices)
    stronger = list(log_es)
    stronger[place % len(log_es)] += gain
    assert before <= set(e_benjamini_hochberg(stronger, level).indices)


@given(LOG_PS, LEVELS)
def test_any_dependence_costs_and_holm_is_stricter_than_benjamini_hochberg(log_ps, level):
    chosen = set(benjamini_hochberg(log_ps, level).indices)
    assert set(benjamini_yekutieli(log_ps, level).indices) <= chosen
    assert set(holm(log_ps, level).indices) <= chosen
    bonferroni = {index for index, log_p in enumerate(log_ps) if math.exp(log_p) * len(log_ps) <= level * (1 - 1e-12)}
    assert bonferroni <= set(holm(log_ps, level).indices)


@given(LOG_PS, LEVELS)
def test_holm_equals_its_definition(log_ps, level):
    ps = sorted(math.exp(log_p) for log_p in log_ps)
    kept = 0
    while kept < len(ps) and ps[kept] <= level / (len(ps) - kept):
        kept += 1
    assert len(holm(log_ps, level)) == kept
    assert np.all(holm_adjusted(log_ps) <= 1.0)


def test_e_bh_with_one_hypothesis_is_markov():
    assert e_benjamini_hochberg([math.log(101)], 0.01).indices == (0,)
    assert e_benjamini_hochberg([math.log(99)], 0.01).indices == ()
    assert e_q_values([math.log(40), -3.0]) == pytest.approx([0.05, 1.0])


def test_infinite_evidence_and_none():
    assert list(e_q_values([math.inf, -math.inf])) == [0.0, 1.0]
    assert e_benjamini_hochberg([math.inf, -math.inf], 0.01).indices == (0,)
    assert list(q_values([-math.inf, 0.0], "any")) == [0.0, 1.0]
    assert list(e_q_values([1e6, 1e6])) == [0.0, 0.0]


def test_the_smallest_explanation_decides_a_campaign():
    explained = [minimum_log_e([50.0, -0.3]), minimum_log_e([50.0, 40.0])]
    assert e_benjamini_hochberg(explained, 0.01).indices == (1,)


def test_refuses_what_it_cannot_select_from():
    with pytest.raises(TooLittleDataError):
        e_q_values([])
    with pytest.raises(ArgumentError):
        q_values([-1.0], "none")  # type: ignore[arg-type]
