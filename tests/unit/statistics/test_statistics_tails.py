"""Tails against exact sums of fractions, down to p = 1e-100000 and beyond, and against identities between them."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.statistics.tails import (
    binomial_lower_log_p,
    binomial_upper_log_p,
    chi_square_lower_log_p,
    chi_square_upper_log_p,
    hypergeometric_lower_log_p,
    hypergeometric_upper_log_p,
    normal_upper_log_p,
    poisson_lower_log_p,
    poisson_upper_log_p,
)


def log_of(p: Fraction) -> float:
    """Natural log of an exact fraction; near 1 through its complement, which would otherwise round away."""
    if p > Fraction(1, 2):
        return math.log1p(-float(1 - p))
    return math.log(p.numerator) - math.log(p.denominator)


def binomial_mass(successes: int, trials: int, rate: Fraction) -> Fraction:
    return math.comb(trials, successes) * rate**successes * (1 - rate) ** (trials - successes)


def hypergeometric_mass(hits: int, population: int, marked: int, drawn: int) -> Fraction:
    ways = math.comb(marked, hits) * math.comb(population - marked, drawn - hits)
    return Fraction(ways, math.comb(population, drawn))


@pytest.mark.parametrize("rate", [2**-40, 2**-10, 0.125, 0.5, 0.8125, 1 - 2**-12])
@pytest.mark.parametrize("trials", [1, 2, 7, 60])
def test_binomial_tails_equal_exact_sums(trials, rate):
    masses = [binomial_mass(k, trials, Fraction(rate)) for k in range(trials + 1)]
    for successes in range(trials + 1):
        upper = log_of(sum(masses[successes:], Fraction(0)))
        lower = log_of(sum(masses[: successes + 1], Fraction(0)))
        assert binomial_upper_log_p(successes, trials, rate) == pytest.approx(upper, rel=1e-12, abs=1e-200)
        assert binomial_lower_log_p(successes, trials, rate) == pytest.approx(lower, rel=1e-12, abs=1e-200)


@pytest.mark.parametrize(
    ("successes", "trials", "rate"),
    [(400, 500, 2**-4), (1995, 2000, 2**-2), (300, 2000, 2**-8), (39_990, 40_000, 2**-10), (120, 130, 2**-900)],
)
def test_binomial_far_tail_equals_exact_sum(successes, trials, rate):
    exact = sum(binomial_mass(k, trials, Fraction(rate)) for k in range(successes, min(trials, successes + 99) + 1))
    if trials > successes + 99:
        # The terms left out fall at least as fast as their first ratio: less than 1e-12 of the sum.
        ratio = Fraction(trials - successes, successes) * Fraction(rate) / (1 - Fraction(rate))
        assert ratio**99 < Fraction(1, 10**12)
    log_p = binomial_upper_log_p(successes, trials, rate)
    assert log_p == pytest.approx(log_of(Fraction(exact)), rel=1e-12)
    if Fraction(1.0 - rate) == 1 - Fraction(rate):
        assert binomial_lower_log_p(trials - successes, trials, 1.0 - rate) == pytest.approx(log_p, rel=1e-12)
    assert log_p < -300 * math.log(10)


def test_a_p_of_1e_minus_100000_is_finite():
    exact = sum(binomial_mass(k, 40_000, Fraction(1, 1024)) for k in range(39_990, 40_001))
    log_p = binomial_upper_log_p(39_990, 40_000, 1 / 1024)
    assert log_p < -100_000 * math.log(10)
    assert log_p == pytest.approx(log_of(Fraction(exact)), rel=1e-13)


@pytest.mark.parametrize(("count", "mean"), [(3, 0.5), (150, 1.0), (400, 64.0), (5_000, 2.0**-20), (40_000, 16.0)])
def test_poisson_upper_tail_equals_exact_series(count, mean):
    exact_mean = Fraction(mean)
    term = total = Fraction(1)
    for k in range(count + 1, count + 80):
        term *= exact_mean / k
        total += term
    # exp(-mean) is no fraction; its log is exact.
    exact = log_of(exact_mean**count / math.factorial(count)) if count > 3 else math.log(mean**count / 6)
    assert poisson_upper_log_p(count, mean) == pytest.approx(exact - mean + math.log(total), rel=1e-12)


@pytest.mark.parametrize(("count", "mean"), [(0, 5e5), (3, 900.0), (20, 5_000.0), (2, 0.25), (500, 300_000.0)])
def test_poisson_lower_tail_equals_exact_sum(count, mean):
    exact_mean = Fraction(mean)
    total = sum((exact_mean**k / math.factorial(k) for k in range(count + 1)), Fraction(0))
    log_total = math.log(total.numerator) - math.log(total.denominator)
    assert poisson_lower_log_p(count, mean) == pytest.approx(log_total - mean, rel=1e-11)


@pytest.mark.parametrize(
    ("population", "marked", "drawn"), [(8, 4, 4), (50, 10, 10), (40, 35, 30), (300, 150, 2), (90, 0, 5), (30, 30, 7)]
)
def test_hypergeometric_tails_equal_exact_sums(population, marked, drawn):
    low, high = max(0, drawn + marked - population), min(marked, drawn)
    masses = {k: hypergeometric_mass(k, population, marked, drawn) for k in range(low, high + 1)}
    for hits in range(high + 1):
        upper = sum((mass for k, mass in masses.items() if k >= hits), Fraction(0))
        got = hypergeometric_upper_log_p(hits, population, marked, drawn)
        assert got == pytest.approx(log_of(upper), rel=1e-12, abs=1e-200)
        lower = sum((mass for k, mass in masses.items() if k <= hits), Fraction(0))
        got = hypergeometric_lower_log_p(hits, population, marked, drawn)
        if lower:
            assert got == pytest.approx(log_of(lower), rel=1e-12, abs=1e-200)
        else:
            assert got == -math.inf


@pytest.mark.parametrize(
    ("hits", "population", "marked", "drawn"),
    [(900, 20_000, 1_000, 1_000), (49_000, 10**6, 50_000, 50_000), (260, 10**6, 10_000, 10_000)],
)
def test_hypergeometric_far_tail_equals_exact_sum(hits, population, marked, drawn):
    mass = hypergeometric_mass(hits, population, marked, drawn)
    series = term = 1.0
    for k in range(hits, min(marked, drawn)):
        term *= (marked - k) * (drawn - k) / ((k + 1) * (population - marked - drawn + k + 1))
        series += term
    expected = log_of(mass) + math.log(series)
    assert hypergeometric_upper_log_p(hits, population, marked, drawn) == pytest.approx(expected, rel=1e-11)


def test_fisher_tasted_tea():
    # R. A. Fisher, The Design of Experiments (1935): 8 cups, 4 with milk first.
    assert math.exp(hypergeometric_upper_log_p(4, 8, 4, 4)) == pytest.approx(1 / 70, rel=1e-13)
    assert math.exp(hypergeometric_upper_log_p(3, 8, 4, 4)) == pytest.approx(17 / 70, rel=1e-13)


@pytest.mark.parametrize(
    ("z", "p"), [(0.0, 0.5), (1.959963984540054, 0.025), (3.090232306167813, 0.001), (-1.6448536269514722, 0.95)]
)
def test_normal_tail_equals_the_table(z, p):
    assert math.exp(normal_upper_log_p(z)) == pytest.approx(p, rel=1e-13)


@pytest.mark.parametrize("z", [40.0, 700.0, 1e6])
def test_normal_far_tail_lies_between_mills_bounds(z):
    density = -0.5 * z * z - 0.5 * math.log(2 * math.pi)
    # z / (1 + z^2) < Mills ratio < 1 / z (R. Gordon 1941).
    rounding = 1e-15 * abs(density)
    log_p = normal_upper_log_p(z)
    assert density + math.log(z / (1 + z * z)) - rounding <= log_p <= density - math.log(z) + rounding


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [(3.841458820694124, 1, 0.05), (18.307038053275146, 10, 0.05), (6.634896601021213, 1, 0.01)],
)
def test_chi_square_equals_the_table(statistic, degrees, p):
    assert math.exp(chi_square_upper_log_p(statistic, degrees)) == pytest.approx(p, rel=1e-12)
    assert math.exp(chi_square_lower_log_p(statistic, degrees)) == pytest.approx(1 - p, rel=1e-12)


@given(st.floats(0, 1e7))
def test_chi_square_with_two_degrees_is_exponential(statistic):
    assert chi_square_upper_log_p(statistic, 2) == pytest.approx(-statistic / 2, rel=1e-12, abs=1e-200)


@given(st.floats(1e-3, 1e4))
def test_chi_square_with_one_degree_is_a_squared_normal(z):
    expected = math.log(2.0) + normal_upper_log_p(z)
    assert chi_square_upper_log_p(z * z, 1) == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(("statistic", "half"), [(1e-300, 3), (1e-9, 40), (50.0, 4_000), (3.0, 200)])
def test_chi_square_lower_far_tail_is_a_poisson_upper_tail(statistic, half):
    assert chi_square_lower_log_p(statistic, 2 * half) == pytest.approx(
        poisson_upper_log_p(half, statistic / 2), rel=1e-12
    )


COUNTS = st.integers(0, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RATES = st.floats(0, 1)


@given(COUNTS, RATES)
def test_binomial_tails_are_log_probabilities_that_cover_everything(count, rate):
    successes, trials = count
    upper, lower = binomial_upper_log_p(successes, trials, rate), binomial_lower_log_p(successes, trials, rate)
    assert upper <= 0.0
    assert lower <= 0.0
    # Both contain the observed count, so that together they exceed 1 by its mass.
    assert math.exp(upper) + math.exp(lower) >= 1.0 - 1e-9


@given(COUNTS, RATES, RATES)
def test_binomial_upper_tail_grows_with_the_rate(count, one, other):
    successes, trials = count
    low, high = sorted((one, other))
    smaller, larger = (binomial_upper_log_p(successes, trials, rate) for rate in (low, high))
    assert smaller <= larger + 1e-9 * max(1.0, abs(larger) if math.isfinite(larger) else 1.0)


@given(COUNTS.filter(lambda count: count[0] < count[1]), st.floats(1e-6, 1 - 1e-6))
def test_binomial_upper_tail_falls_with_the_count(count, rate):
    successes, trials = count
    more, fewer = (binomial_upper_log_p(k, trials, rate) for k in (successes + 1, successes))
    assert more <= fewer + 1e-9 * max(1.0, abs(fewer))


@given(st.integers(0, 100_000), st.floats(1e-3, 1e5))
def test_poisson_tails_cover_everything_and_fall(count, mean):
    upper, following = poisson_upper_log_p(count, mean), poisson_upper_log_p(count + 1, mean)
    assert following <= upper + 1e-9 * max(1.0, abs(upper))
    complement = math.exp(following) + math.exp(poisson_lower_log_p(count, mean))
    assert complement == pytest.approx(1.0, abs=1e-9)


@given(st.integers(1, 10**9), st.floats(1e-9, 1.0), st.floats(1e-9, 1.0), st.floats(0, 1))
def test_hypergeometric_upper_and_lower_are_complements(population, share, fraction, place):
    marked, drawn = int(population * share), int(population * fraction)
    low, high = max(0, drawn + marked - population), min(marked, drawn)
    hits = low + int((high - low) * place)
    if hits == high:
        assert hypergeometric_lower_log_p(hits, population, marked, drawn) == 0.0
        return
    total = math.exp(hypergeometric_lower_log_p(hits, population, marked, drawn))
    total += math.exp(hypergeometric_upper_log_p(hits + 1, population, marked, drawn))
    assert total == pytest.approx(1.0, abs=1e-6)


def test_the_tail_is_continuous_where_the_method_changes():
    # Ratio of neighbouring tails falls smoothly through the point at which scipy would underflow.
    logs = [binomial_upper_log_p(k, 3_000, 0.01) for k in range(200, 900)]
    steps = [later - earlier for earlier, later in pairwise(logs)]
    assert all(later < earlier < 0 for earlier, later in pairwise(steps))
    poisson = [poisson_upper_log_p(k, 30.0) for k in range(100, 600)]
    steps = [later - earlier for earlier, later in pairwise(poisson)]
    assert all(later < earlier < 0 for earlier, later in pairwise(steps))
    chi = [chi_square_upper_log_p(float(x), 9) for x in range(500, 2_000)]
    steps = [later - earlier for earlier, later in pairwise(chi)]
    assert all(later == pytest.approx(earlier, abs=1e-3) for earlier, later in pairwise(steps))


def test_impossible_and_certain_events():
    assert binomial_upper_log_p(0, 0, 0.3) == 0.0
    assert binomial_upper_log_p(1, 5, 0.0) == -math.inf
    assert binomial_upper_log_p(5, 5, 1.0) == 0.0
    assert binomial_lower_log_p(4, 5, 1.0) == -math.inf
    assert poisson_upper_log_p(1, 0.0) == -math.inf
    assert poisson_lower_log_p(0, 0.0) == 0.0
    assert chi_square_lower_log_p(0.0, 3) == -math.inf
    assert chi_square_upper_log_p(0.0, 3) == 0.0
    assert hypergeometric_upper_log_p(0, 0, 0, 0) == 0.0
    assert hypergeometric_lower_log_p(1, 4, 4, 2) == -math.inf


def test_a_billion_trials():
    # Cramer's bound: -n KL(k/n, rate) is the exponential part, the rest is of the order of log n.
    n, k, rate = 10**9, 510_000_000, 0.5
    share = k / n
    bound = -n * (share * math.log(share / rate) + (1 - share) * math.log((1 - share) / (1 - rate)))
    assert bound - 10 * math.log(n) < binomial_upper_log_p(k, n, rate) < bound
