"""Permutation p-values: the counting rule, early stopping, seeds, and exact validity on a small set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.statistics.errors import ArgumentError
from stillwatch.statistics.permutation import permutation_log_p, sequential_permutation


def dealt(values):
    """Return a draw that deals the given values in turn, whatever the generator says."""
    turn = iter(values)
    return lambda rng: next(turn)


def generator():
    return np.random.default_rng(7)


def test_counts_itself_and_ties():
    draws = [0.0, 1.0, 2.0, 2.0, 3.0]
    assert math.exp(permutation_log_p(2.0, dealt(draws), 5, generator())) == pytest.approx(4 / 6)
    assert math.exp(permutation_log_p(9.0, dealt(draws), 5, generator())) == pytest.approx(1 / 6)
    assert permutation_log_p(-1.0, dealt(draws), 5, generator()) == 0.0


def test_sequential_stops_at_the_wanted_exceedance():
    outcome = sequential_permutation(2.0, dealt([0, 2, 1, 3, 5, 5]), exceedances=2, rounds=6, rng=generator())
    assert (outcome.rounds, outcome.exceedances) == (4, 2)
    assert math.exp(outcome.log_p) == pytest.approx(2 / 4)


def test_sequential_without_enough_exceedances_is_the_full_test():
    draws = [0, 0, 5, 0, 0, 0, 0, 0, 0]
    outcome = sequential_permutation(2.0, dealt(draws), exceedances=3, rounds=9, rng=generator())
    assert (outcome.rounds, outcome.exceedances) == (9, 1)
    assert outcome.log_p == permutation_log_p(2.0, dealt(draws), 9, generator())


def test_same_seed_same_answer():
    def draw(rng):
        return rng.normal()

    first, second = (permutation_log_p(1.0, draw, 200, np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert first != permutation_log_p(1.0, draw, 200, np.random.default_rng(4))


@pytest.mark.parametrize("exceedances", [1, 2, 5])
def test_sequential_p_is_valid_by_enumeration_of_ranks(exceedances):
    # With continuous scores the observed rank r among infinitely many is uniform; given U the draws exceed it
    # independently with probability U. Integrating the negative binomial gives P(p <= a) <= a at every attainable a.
    rounds, grid = 30, (np.arange(20_000) + 0.5) / 20_000
    below = np.stack([math.comb(rounds, k) * grid**k * (1 - grid) ** (rounds - k) for k in range(exceedances)])
    mass = {(k + 1) / (rounds + 1): float(below[k].mean()) for k in range(exceedances)}
    for made in range(exceedances, rounds + 1):
        stop = math.comb(made - 1, exceedances - 1) * grid**exceedances * (1 - grid) ** (made - exceedances)
        mass[exceedances / made] = mass.get(exceedances / made, 0.0) + float(stop.mean())
    assert math.fsum(mass.values()) == pytest.approx(1.0, abs=1e-6)
    for level in mass:
        assert sum(m for p, m in mass.items() if p <= level) <= level + 1e-6


def test_refuses_broken_statistics():
    with pytest.raises(ArgumentError, match="statistic drawn under the null=nan"):
        permutation_log_p(1.0, dealt([math.nan]), 1, generator())
    with pytest.raises(ArgumentError, match="rounds=0"):
        permutation_log_p(1.0, dealt([]), 0, generator())
    with pytest.raises(ArgumentError, match="exceedances=7"):
        sequential_permutation(1.0, dealt([]), exceedances=7, rounds=5, rng=generator())
