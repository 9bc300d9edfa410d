"""E-processes and Poisson-binomial tails: against their definitions, and their promise under optional stopping."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import integrate

from stillwatch.statistics.e_process import (
    EXPONENTS,
    ever_log_p,
    first_crossing,
    hit_log_e_path,
    rank_log_e_path,
)
from stillwatch.statistics.errors import ArgumentError
from stillwatch.statistics.intervals import binomial_acceptance, clopper_pearson
from stillwatch.statistics.poisson_binomial import (
    known_share_interval,
    poisson_binomial_lower_log_p,
    poisson_binomial_upper_log_p,
)
from stillwatch.statistics.tails import binomial_upper_log_p


def test_the_path_of_ranks_is_the_mean_of_products():
    ranks = [0.02, 0.9, 0.3]
    products = [math.prod(power * rank ** (power - 1) for rank in ranks) for power in EXPONENTS]
    assert rank_log_e_path(ranks)[-1] == pytest.approx(math.log(sum(products) / len(products)))
    assert rank_log_e_path([0.0])[0] == math.inf


def test_each_bet_on_a_rank_is_fair():
    for power in (0.05, 0.3, 0.95):
        earned, _ = integrate.quad(lambda rank, power=power: math.exp(rank_log_e_path([rank], [power])[0]), 0, 1)
        assert earned == pytest.approx(1.0, abs=1e-6)


def test_the_path_of_hits_is_a_fair_game():
    # Over all outcomes of six trials, weighed by their chance under the null, the evidence has mean 1 or less.
    rates = [0.1, 0.5, 0.0625, 0.25, 0.1, 0.3]
    mean = math.fsum(
        math.exp(hit_log_e_path(hits, rates)[-1])
        * math.prod(rate if hit else 1 - rate for hit, rate in zip(hits, rates, strict=True))
        for hits in itertools.product([False, True], repeat=6)
    )
    assert mean == pytest.approx(1.0)


def test_evidence_ever_reaches_its_threshold_as_seldom_as_ville_says():
    rng, runs = np.random.default_rng(77), 4_000
    ranks = [ever_log_p(rank_log_e_path(rng.random(150))) for _ in range(runs)]
    rates = np.full(60, 1 / 16)
    hits = [ever_log_p(hit_log_e_path(rng.random(60) < rates, rates)) for _ in range(runs)]
    for log_ps, level in itertools.product((ranks, hits), (0.1, 0.01)):
        _, high = binomial_acceptance(runs, level, 1e-6)
        assert sum(log_p <= math.log(level) for log_p in log_ps) <= high


def test_crossing_and_anytime_p():
    path = [0.0, 3.5, -2.0]
    assert first_crossing(path, 3.0) == 2
    assert first_crossing(path, 4.0) is None
    assert ever_log_p(path) == -3.5
    assert ever_log_p([-2.0]) == 0.0


def test_the_poisson_binomial_tail_by_enumeration():
    rates = [0.1, 0.5, 0.0625, 0.25, 0.9]
    for least in range(6):
        chance = math.fsum(
            math.prod(rate if hit else 1 - rate for hit, rate in zip(hits, rates, strict=True))
            for hits in itertools.product([False, True], repeat=5)
            if sum(hits) >= least
        )
        assert poisson_binomial_upper_log_p(least, rates) == pytest.approx(math.log(chance), abs=1e-12)
        if least:
            lower = poisson_binomial_lower_log_p(least - 1, rates)
            assert math.exp(lower) + chance == pytest.approx(1.0)


def test_equal_rates_give_the_binomial_tail_however_deep():
    for hits in (1, 12, 40, 200):
        expected = binomial_upper_log_p(hits, 200, 1 / 16)
        assert poisson_binomial_upper_log_p(hits, [1 / 16] * 200) == pytest.approx(expected, rel=1e-10)


def test_figures_of_forty_slots_of_sixteen():
    # Eight of forty: 3e-3; twelve of forty: 4e-6.
    assert math.exp(poisson_binomial_upper_log_p(8, [1 / 16] * 40)) == pytest.approx(3e-3, rel=0.2)
    assert math.exp(poisson_binomial_upper_log_p(12, [1 / 16] * 40)) == pytest.approx(4e-6, rel=0.3)


def test_the_interval_of_the_known_share_is_that_of_the_rate():
    low, high = clopper_pearson(12, 40, 0.95)
    rate = 1 / 16
    expected = tuple(max(0.0, (end - rate) / (1 - rate)) for end in (low, high))
    assert known_share_interval(12, [rate] * 40, 0.95) == pytest.approx(expected, abs=1e-9)
    assert known_share_interval(0, [rate] * 40, 0.95)[0] == 0.0
    assert known_share_interval(40, [rate] * 40, 0.95)[1] == 1.0


def test_arguments_are_refused():
    with pytest.raises(ArgumentError, match="got a rank outside"):
        rank_log_e_path([1.2])
    with pytest.raises(ArgumentError, match=r"got exponents=1\.0"):
        rank_log_e_path([0.5], [1.0])
    with pytest.raises(ArgumentError, match="got no exponent"):
        rank_log_e_path([0.5], [])
    with pytest.raises(ArgumentError, match="got 1 hits for 2 null rates"):
        hit_log_e_path([True], [0.5, 0.5])
    with pytest.raises(ArgumentError, match=r"got null_rates=1\.0"):
        hit_log_e_path([True], [1.0])
    with pytest.raises(ArgumentError, match=r"got hits=3, expected an integer in \[0, 2\]"):
        poisson_binomial_upper_log_p(3, [0.5, 0.5])
