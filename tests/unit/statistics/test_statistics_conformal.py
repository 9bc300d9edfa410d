"""Conformal p- and e-values: exact validity by letting every score take its turn, ties, and the vectorised form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.statistics.conformal import conformal_log_e, conformal_log_p, conformal_log_ps
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError

SCORES = st.lists(st.integers(0, 12).map(float), min_size=2, max_size=20)


def test_counts_ties_against_the_score():
    assert math.exp(conformal_log_p(5.0, [1.0, 5.0, 5.0, 9.0])) == pytest.approx(4 / 5)
    assert math.exp(conformal_log_p(5.1, [1.0, 5.0, 5.0, 9.0])) == pytest.approx(2 / 5)
    assert math.exp(conformal_log_p(10.0, [1.0, 5.0, 5.0, 9.0])) == pytest.approx(1 / 5)
    assert conformal_log_p(0.0, [1.0, 5.0]) == 0.0


@given(SCORES)
def test_p_value_is_valid_when_every_score_takes_its_turn(scores):
    # Exchangeability: given the bag of scores, each is the tested one with equal probability.
    ps = [math.exp(conformal_log_p(s, scores[:i] + scores[i + 1 :])) for i, s in enumerate(scores)]
    for level in {*ps, 0.05, 0.1, 0.5}:
        assert sum(p <= level + 1e-12 for p in ps) <= level * len(scores) + 1e-9


@given(SCORES)
def test_e_value_has_mean_one_when_every_score_takes_its_turn(scores):
    es = [math.exp(conformal_log_e(s, scores[:i] + scores[i + 1 :])) for i, s in enumerate(scores)]
    assert math.fsum(es) / len(es) == pytest.approx(1.0, rel=1e-12)


@given(SCORES, SCORES)
def test_vectorised_equals_one_by_one_and_ignores_order(scores, reference):
    together = conformal_log_ps(scores, reference)
    assert list(together) == [conformal_log_p(score, reference) for score in scores]
    assert list(together) == list(conformal_log_ps(scores, reference[::-1]))
    assert np.all(together >= -math.log(len(reference) + 1) - 1e-15)


@given(SCORES, st.floats(0, 20), st.floats(0, 20))
def test_stranger_scores_have_smaller_p_and_larger_e(reference, one, other):
    low, high = sorted((one, other))
    assert conformal_log_p(high, reference) <= conformal_log_p(low, reference)
    assert conformal_log_e(high, reference) >= conformal_log_e(low, reference) - 1e-12


def test_e_value_at_the_ends():
    assert conformal_log_e(0.0, [0.0, 0.0]) == 0.0
    assert conformal_log_e(0.0, [1.0]) == -math.inf
    assert conformal_log_e(1e308, [1e308, 1e308]) == pytest.approx(0.0, abs=1e-12)
    assert conformal_log_e(3.0, [1.0, 2.0]) == pytest.approx(math.log(1.5))


def test_no_reference_is_no_answer():
    with pytest.raises(TooLittleDataError, match="reference_scores"):
        conformal_log_p(1.0, [])
    with pytest.raises(TooLittleDataError, match="reference_scores"):
        conformal_log_e(1.0, [])
    with pytest.raises(ArgumentError):
        conformal_log_e(-1.0, [1.0])
