"""The promises of the statistics, by simulation: counts of rejections lie in binomial intervals at 1e-6 error.

Seeds are fixed and printed with a failure. A valid p-value rejects at level a with probability at most a, so its count
must not exceed the upper end of the interval for (runs, a); an exact one must reach the lower end as well.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from stillwatch.statistics.conformal import conformal_log_e, conformal_log_ps
from stillwatch.statistics.dispersion import (
    homogeneity,
    index_of_dispersion_log_p,
    over_dispersion_log_e,
    under_dispersion_log_e,
)
from stillwatch.statistics.e_values import bernoulli_log_e, calibrate_log_p
from stillwatch.statistics.false_discovery import (
    benjamini_hochberg,
    benjamini_yekutieli,
    e_benjamini_hochberg,
    holm,
)
from stillwatch.statistics.intervals import binomial_acceptance, clopper_pearson
from stillwatch.statistics.permutation import permutation_log_p, sequential_permutation
from stillwatch.statistics.tails import (
    binomial_upper_log_p,
    chi_square_upper_log_p,
    hypergeometric_upper_log_p,
    normal_upper_log_p,
    poisson_lower_log_p,
    poisson_upper_log_p,
)

ERROR = 1e-6
LEVELS = (0.1, 0.01, 0.001)


def assert_at_most(rejections: int, runs: int, level: float, seed: int) -> None:
    _, high = binomial_acceptance(runs, level, ERROR)
    assert rejections <= high, f"seed {seed}: {rejections} of {runs} at level {level}, expected at most {high}"


def assert_exact(rejections: int, runs: int, level: float, seed: int) -> None:
    low, high = binomial_acceptance(runs, level, ERROR)
    assert low <= rejections <= high, f"seed {seed}: {rejections} of {runs} at {level}, expected {low} to {high}"


def assert_valid(log_ps: list[float], seed: int) -> None:
    for level in LEVELS:
        assert_at_most(sum(log_p <= math.log(level) for log_p in log_ps), len(log_ps), level, seed)


def test_discrete_tails_reject_at_most_as_often_as_stated():
    seed, runs = 101, 4_000
    rng = np.random.default_rng(seed)
    assert_valid([binomial_upper_log_p(int(x), 60, 0.07) for x in rng.binomial(60, 0.07, runs)], seed)
    assert_valid([poisson_upper_log_p(int(x), 3.5) for x in rng.poisson(3.5, runs)], seed)
    assert_valid([poisson_lower_log_p(int(x), 40.0) for x in rng.poisson(40.0, runs)], seed)
    draws = rng.hypergeometric(30, 170, 25, runs)
    assert_valid([hypergeometric_upper_log_p(int(x), 200, 30, 25) for x in draws], seed)


def test_discrete_tails_reject_as_often_as_their_own_attainable_levels():
    # At an attainable level the exact tail is neither conservative nor too bold.
    seed, runs = 102, 20_000
    draws = np.random.default_rng(seed).binomial(60, 0.07, runs)
    for count in (6, 8, 10):
        level = math.exp(binomial_upper_log_p(count, 60, 0.07))
        assert_exact(int((draws >= count).sum()), runs, level, seed)


def test_continuous_tails_are_exact():
    seed, runs = 103, 4_000
    rng = np.random.default_rng(seed)
    normal = [normal_upper_log_p(z) for z in rng.normal(size=runs)]
    chi_square = [chi_square_upper_log_p(x, 7.5) for x in rng.chisquare(7.5, runs)]
    for level in LEVELS:
        for log_ps in (normal, chi_square):
            assert_exact(sum(log_p <= math.log(level) for log_p in log_ps), runs, level, seed)


def test_calibrated_p_values_keep_markovs_promise():
    seed, runs = 104, 20_000
    log_ps = np.log(np.random.default_rng(seed).uniform(size=runs))
    log_es = [calibrate_log_p(log_p) for log_p in log_ps]
    for level in LEVELS:
        assert_at_most(sum(log_e >= -math.log(level) for log_e in log_es), runs, level, seed)


def test_bernoulli_e_value_keeps_its_promise_at_any_stopping_time():
    # Ville: the chance that the e-value ever reaches 1 / level is at most level, though we stop when we like.
    seed, runs, length, null_rate = 105, 400, 120, 0.2
    rng = np.random.default_rng(seed)
    table = np.array([[bernoulli_log_e(min(s, n), n, null_rate) for s in range(length + 1)] for n in range(length + 1)])
    paths = (rng.uniform(size=(50 * runs, length)) < null_rate).cumsum(axis=1)
    largest = table[np.arange(1, length + 1), paths].max(axis=1)
    for level in LEVELS:
        assert_at_most(int((largest >= -math.log(level)).sum()), 50 * runs, level, seed)


def one_in_selection(indices: tuple[int, ...], null: np.ndarray, rng: np.random.Generator) -> bool:
    """Draw one of the selected and tell whether it is false: true with probability equal to the discovery rate."""
    return bool(indices) and bool(null[rng.choice(indices)])


@pytest.mark.parametrize("dependence", ["independent", "shared factor", "opposed"])
def test_e_bh_keeps_the_false_discovery_rate_under_dependence(dependence):
    seed, runs, nulls, others, level = 106, 1_500, 40, 10, 0.1
    rng = np.random.default_rng(seed)
    null = np.arange(nulls + others) < nulls
    false = powerful = 0
    for _ in range(runs):
        noise = rng.normal(size=nulls + others)
        if dependence == "shared factor":
            noise = math.sqrt(0.9) * rng.normal() + math.sqrt(0.1) * noise
        elif dependence == "opposed":
            noise = np.where(null, -1.0, 1.0) * rng.normal() * math.sqrt(0.9) + math.sqrt(0.1) * noise
        # Likelihood ratio of mean 3 against mean 0: expectation 1 under the null.
        log_es = 3.0 * (noise + np.where(null, 0.0, 3.5)) - 4.5
        chosen = e_benjamini_hochberg(log_es, level).indices
        false += one_in_selection(chosen, null, rng)
        powerful += any(not null[index] for index in chosen)
    assert_at_most(false, runs, level * nulls / (nulls + others), seed)
    assert powerful > runs // 2


def test_e_bh_reaches_its_level_under_the_worst_dependence():
    # All e-values equal 1 / level together with probability level and are 0 otherwise: everything is selected or nothing.
    seed, runs, level = 107, 3_000, 0.05
    rng = np.random.default_rng(seed)
    large = rng.uniform(size=runs) < level
    selected = [e_benjamini_hochberg([-math.log(level) + 1e-12 if hit else -math.inf] * 20, level) for hit in large]
    assert_exact(sum(len(chosen) > 0 for chosen in selected), runs, level, seed)


def test_p_value_procedures_keep_their_rates():
    seed, runs, nulls, others, level = 108, 1_500, 40, 10, 0.1
    rng = np.random.default_rng(seed)
    null = np.arange(nulls + others) < nulls
    false = {benjamini_hochberg: 0, benjamini_yekutieli: 0}
    family = 0
    for _ in range(runs):
        shared = math.sqrt(0.5) * rng.normal() + math.sqrt(0.5) * rng.normal(size=nulls + others)
        log_ps = special.log_ndtr(-(shared + np.where(null, 0.0, 3.5)))
        for procedure in false:
            false[procedure] += one_in_selection(procedure(log_ps, level).indices, null, rng)
        family += any(null[index] for index in holm(log_ps, level).indices)
    for count in false.values():
        assert_at_most(count, runs, level * nulls / (nulls + others), seed)
    assert_at_most(family, runs, level, seed)


def test_benjamini_hochberg_over_conformal_p_values_of_one_reference():
    seed, runs, level = 109, 1_200, 0.2
    rng = np.random.default_rng(seed)
    null = np.arange(30) < 24
    false = 0
    for _ in range(runs):
        scores = rng.normal(size=30) + np.where(null, 0.0, 4.0)
        chosen = benjamini_hochberg(conformal_log_ps(scores, rng.normal(size=99)), level)
        false += one_in_selection(chosen.indices, null, rng)
    assert_at_most(false, runs, level * 24 / 30, seed)


def test_conformal_values_under_exchangeability():
    seed, runs = 110, 4_000
    rng = np.random.default_rng(seed)
    scores = rng.standard_cauchy(size=(runs, 100)) ** 2
    log_ps = [float(conformal_log_ps(row[:1], row[1:])[0]) for row in scores]
    for level in (0.1, 0.01):
        assert_exact(sum(log_p <= math.log(level) + 1e-12 for log_p in log_ps), runs, level, seed)
    log_es = [conformal_log_e(float(row[0]), row[1:]) for row in scores]
    assert_at_most(sum(log_e >= math.log(20) for log_e in log_es), runs, 0.05, seed)


def test_permutation_values_under_exchangeability():
    seed, runs = 111, 1_500
    rng = np.random.default_rng(seed)

    def draw(generator: np.random.Generator) -> float:
        return float(generator.integers(0, 50))

    full = [permutation_log_p(draw(rng), draw, 39, rng) for _ in range(runs)]
    early = [sequential_permutation(draw(rng), draw, exceedances=4, rounds=99, rng=rng).log_p for _ in range(runs)]
    for log_ps in (full, early):
        for level in (0.5, 0.1, 0.025):
            assert_at_most(sum(log_p <= math.log(level) for log_p in log_ps), runs, level, seed)


@pytest.mark.parametrize(("cells", "mean"), [(24, 0.2), (24, 5.0), (168, 1.0), (168, 8.0)])
def test_index_of_dispersion_under_poisson(cells, mean):
    seed, runs = 112, 1_500
    rng = np.random.default_rng(seed)
    outcomes = [index_of_dispersion_log_p(counts) for counts in rng.poisson(mean, (runs, cells)) if counts.any()]
    for log_ps in ([o.over_log_p for o in outcomes], [o.under_log_p for o in outcomes]):
        assert_valid(log_ps, seed)


def test_index_of_dispersion_finds_bursts_and_even_dealing():
    seed, runs = 113, 200
    rng = np.random.default_rng(seed)
    bursts = rng.negative_binomial(2.0, 2.0 / 12.0, (runs, 168))
    assert all(over_dispersion_log_e(counts) > math.log(1e6) for counts in bursts)
    dealt = 10 + rng.integers(-1, 2, (runs, 168))
    assert all(under_dispersion_log_e(counts) > math.log(1e6) for counts in dealt)


def test_homogeneity_of_homogeneous_tables():
    seed, runs = 114, 800
    rng = np.random.default_rng(seed)
    rows, columns = rng.gamma(1.0, 1.0, (30, 1)), rng.gamma(0.5, 1.0, 40)
    means = rows * columns
    means *= 1.0 / means.mean()
    log_ps = [chi_square_upper_log_p(*homogeneity(rng.poisson(means))) for _ in range(runs)]
    for level in (0.1, 0.01):
        assert_at_most(sum(log_p <= math.log(level) for log_p in log_ps), runs, level, seed)


def test_clopper_pearson_covers():
    seed, runs = 115, 4_000
    draws = np.random.default_rng(seed).binomial(50, 0.03, runs)
    intervals = {int(x): clopper_pearson(int(x), 50, 0.9) for x in np.unique(draws)}
    missed = sum(not intervals[int(x)][0] <= 0.03 <= intervals[int(x)][1] for x in draws)
    assert_at_most(missed, runs, 0.1, seed)
