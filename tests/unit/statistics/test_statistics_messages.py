"""Golden texts of the refusals: each names the argument, what was got and what is allowed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.records.errors import StillwatchError
from stillwatch.statistics import conformal, dispersion, e_values, false_discovery, intervals, tails
from stillwatch.statistics.errors import ArgumentError, StatisticsError, TooLittleDataError

GOLDEN = [
    (lambda: tails.binomial_upper_log_p(5, 3, 0.1), "got successes=5, expected an integer in [0, 3]"),
    (lambda: tails.binomial_upper_log_p(-1, 3, 0.1), "got successes=-1, expected an integer in [0, 3]"),
    (
        lambda: tails.binomial_upper_log_p(1.0, 3, 0.1),
        "got successes of type float, expected an integer in [0, 3]; pass a count",
    ),
    (
        lambda: tails.binomial_lower_log_p(1, 3, 10),
        "got rate=10.0, expected a number in [0, 1]; pass a fraction, not a percentage",
    ),
    (
        lambda: tails.binomial_lower_log_p(1, 3, math.nan),
        "got rate=nan, expected a number in [0, 1]; pass a fraction, not a percentage",
    ),
    (lambda: tails.poisson_upper_log_p(-2, 1.0), "got count=-2, expected an integer at least 0"),
    (lambda: tails.poisson_lower_log_p(2, -1.0), "got mean=-1.0, expected a finite number of at least 0"),
    (lambda: tails.hypergeometric_upper_log_p(3, 10, 2, 5), "got hits=3, expected an integer in [0, 2]"),
    (lambda: tails.hypergeometric_upper_log_p(3, 10, 11, 5), "got marked=11, expected an integer in [0, 10]"),
    (lambda: tails.normal_upper_log_p(math.inf), "got z=inf, expected a finite number"),
    (lambda: tails.chi_square_upper_log_p(1.0, 0), "got degrees=0.0, expected a finite number above 0"),
    (
        lambda: e_values.calibrate_log_p(0.05),
        "got 0.05 at log_p[0], expected at most 0; pass natural logs of p-values",
    ),
    (lambda: e_values.mean_log_e([]), "got 0 values in log_es, expected at least 1; state Inconclusive"),
    (
        lambda: e_values.product_log_e([1.0, math.nan]),
        "got NaN at log_es[1], expected a number; leave missing values out",
    ),
    (lambda: e_values.mean_log_e([1.0], [0.0]), "got weights that are all 0, expected at least one above 0"),
    (lambda: e_values.mean_log_e([1.0], [1.0, 2.0]), "got 2 weights for 1 log_es, expected one weight for each"),
    (lambda: e_values.mean_log_e([1.0], [-2.0]), "got -2.0 at weights[0], expected a number of at least 0"),
    (
        lambda: false_discovery.e_benjamini_hochberg([1.0], 1.0),
        "got level=1.0, expected a number in (0, 1); pass a fraction, not a percentage",
    ),
    (
        lambda: false_discovery.q_values([-1.0], "negative"),
        "got dependence='negative', expected one of positive, any",
    ),
    (
        lambda: conformal.conformal_log_p(1.0, [math.inf]),
        "got inf at reference_scores[0], expected a finite number",
    ),
    (
        lambda: intervals.clopper_pearson(1, 2, 95),
        "got confidence=95.0, expected a number in (0, 1); pass a fraction, not a percentage",
    ),
    (lambda: intervals.wilson(0, 0, 0.95), "got trials=0, expected an integer at least 1"),
    (
        lambda: dispersion.entropy([0, 0]),
        "got counts that are all 0, expected at least one above 0; state Inconclusive",
    ),
    (
        lambda: dispersion.jensen_shannon([1.0], [1.0, 2.0]),
        "got 2 values in q, expected 1, one for each cell",
    ),
    (lambda: dispersion.entropy(np.ones((2, 2))), "got counts of 2 dimensions, expected one dimension"),
]


@pytest.mark.parametrize(("call", "message"), GOLDEN, ids=[message for _, message in GOLDEN])
def test_message(call, message):
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message


def test_one_tree_of_errors():
    assert issubclass(StatisticsError, StillwatchError)
    assert issubclass(ArgumentError, StatisticsError)
    assert issubclass(TooLittleDataError, StatisticsError)


def test_numpy_integers_are_counts():
    assert tails.binomial_upper_log_p(np.int64(1), np.int32(3), np.float32(0.5)) == tails.binomial_upper_log_p(
        1, 3, 0.5
    )
