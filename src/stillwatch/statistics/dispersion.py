"""How counts spread: against expected counts, over the rows of a table, against Poisson, and between distributions.

Takes counts. Gives chi-square statistics with their degrees of freedom, log p-values, log e-values and entropies.

Method: Pearson's chi-square; R. Fisher's index of dispersion; likelihood ratios against the multinomial distribution of
the Dirichlet-multinomial (more spread) and of drawing without replacement (less spread), mixed over fixed grids.
Assumption: under the null counts are independent Poisson, hence multinomial given their total. The likelihood ratios
are exact e-values for all counts. Chi-square is an approximation: from a mean of 5 its rejection rate is right down to
about 1e-3; further out it claims too much, so that there the p-values rest on the e-values instead. Complexity: linear,
or a sort.

What it does not show: bursts, weekends and one busy user spread counts innocently; spread is never evidence alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stillwatch.statistics.arguments import (
    FloatArray,
    Floats,
    count_vector,
    finite_vector,
    non_negative_vector,
    positive,
)
from stillwatch.statistics.e_values import markov_log_p, mean_log_e
from stillwatch.statistics.errors import ArgumentError, TooLittleDataError
from stillwatch.statistics.pooling import pool_small_cells
from stillwatch.statistics.tails import chi_square_lower_log_p, chi_square_upper_log_p

SMALLEST_EXPECTED = 5.0
"""W. Cochran's rule (Biometrics 10, 1954): from an expected count of 5 the chi-square approximation is good."""

_CHI_SQUARE_DOWN_TO = math.log(1e-3)
"""Log p below which the chi-square approximation is not relied on."""

_CONCENTRATIONS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Dirichlet parameters per cell: from nearly everything in one cell to a variance barely above Poisson's."""

_CAPACITIES = (1.0, 1.25, 1.5, 2.0, 3.0, 6.0)
"""Capacity of a cell in multiples of the mean count: from exactly equal counts to nearly Poisson."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOfDispersion:
    """Variance over mean of counts, and how surprising it is on either side under Poisson."""

    index: float
    """Sample variance over mean, at least 0; 1 is expected under Poisson."""
    degrees: int
    """Number of counts less one."""
    over_log_p: float
    """Log p against "no more spread than Poisson", natural, at most 0."""
    under_log_p: float
    """Log p against "no less spread than Poisson", natural, at most 0."""


def pearson_dispersion(counts: Floats, expected: Floats) -> float:
    """Return the mean of (count - expected)^2 / expected, whose expectation is 1 if each count is Poisson.

    Args:
        counts: whole numbers of at least 0, [n], n at least 1.
        expected: finite, above 0, [n], not fitted to the counts.

    Returns:
        Dispersion, at least 0; n times it is a chi-square statistic with n degrees of freedom.

    Raises:
        TooLittleDataError: for no count.
        ArgumentError: for other lengths, broken counts or an expectation of 0.
    """
    observed = count_vector("counts", counts)
    means = finite_vector("expected", expected)
    _require_same_length("expected", means, observed)
    empty = np.flatnonzero(means <= 0.0)
    if empty.size:
        raise ArgumentError(f"got {means[empty[0]]} at expected[{empty[0]}], expected a number above 0; drop the cell")
    return math.fsum((observed - means) ** 2 / means) / observed.size


def homogeneity(table: ArrayLike, smallest_expected: float = SMALLEST_EXPECTED) -> tuple[float, int]:
    """Return Pearson's chi-square for "all rows are drawn from one distribution over the columns".

    Cells with small expectations are pooled: rows with neighbouring totals are added up, and so are columns, until every
    expected count is at least `smallest_expected`; of the poolings tried the one with the most degrees of freedom is
    taken. It depends on the margins alone, given which the counts keep their null distribution, and not on the order of
    rows and columns. Like every chi-square it claims too much in the far tail: a decision should rest on a permutation.

    Args:
        table: counts, whole numbers of at least 0, [rows, columns].
        smallest_expected: expected count that every cell must have after pooling.

    Returns:
        (statistic, degrees). Degrees are 0, and the statistic 0, where pooling leaves one row or one column: then there is
        no test, state `Inconclusive`.

    Raises:
        ArgumentError: for another shape or broken counts.
    """
    counts = np.array(table, dtype=np.float64)
    if counts.ndim != 2:
        raise ArgumentError(f"got table of {counts.ndim} dimensions, expected [rows, columns]")
    if counts.size == 0:
        return 0.0, 0
    count_vector("table (row by row)", counts.ravel())
    pooled = pool_small_cells(counts, positive("smallest_expected", smallest_expected))
    degrees = (pooled.shape[0] - 1) * (pooled.shape[1] - 1)
    if degrees <= 0:
        return 0.0, 0
    expected = np.outer(pooled.sum(axis=1), pooled.sum(axis=0)) / pooled.sum()
    return math.fsum(((pooled - expected) ** 2 / expected).ravel()), degrees


def index_of_dispersion_log_p(counts: Floats) -> IndexOfDispersion:
    """Test both whether counts spread more and whether they spread less than Poisson counts of one mean.

    From a mean of 5 the p-values are those of chi-square down to 1e-3; below that, and for smaller means throughout,
    they are never smaller than Markov's bound on the exact e-value, so that they stay valid in the far tail.

    Args:
        counts: whole numbers of at least 0, [n], n at least 2, not all 0.

    Returns:
        The index with both p-values, each one-sided.

    Raises:
        TooLittleDataError: for fewer than 2 counts or counts that are all 0.
        ArgumentError: for broken counts.
    """
    observed = count_vector("counts", counts, least=2)
    total = _positive_total(observed)
    mean = total / observed.size
    degrees = observed.size - 1
    statistic = math.fsum((observed - mean) ** 2) / mean
    over = markov_log_p(over_dispersion_log_e(observed))
    under = markov_log_p(under_dispersion_log_e(observed))
    if mean >= SMALLEST_EXPECTED:
        over = max(chi_square_upper_log_p(statistic, degrees), min(_CHI_SQUARE_DOWN_TO, over))
        under = max(chi_square_lower_log_p(statistic, degrees), min(_CHI_SQUARE_DOWN_TO, under))
    return IndexOfDispersion(index=statistic / degrees, degrees=degrees, over_log_p=over, under_log_p=under)


def over_dispersion_log_e(counts: Floats, shares: Floats | None = None) -> float:
    """E-value for H0: given their total, the counts are multinomial with these shares; large if they spread more.

    The mean over a fixed grid of Dirichlet-multinomial likelihoods over the multinomial one. Each is a ratio of two
    probability distributions on the same set, so that its expectation under H0 is 1 for all counts, small or large.

    Args:
        counts: whole numbers of at least 0, [n], n at least 2.
        shares: finite, at least 0, [n], not all 0, scaled to sum 1; not fitted to the counts. Equal if left out.

    Returns:
        log e, natural; plus infinity for a count in a cell of share 0.

    Raises:
        TooLittleDataError: for fewer than 2 counts.
        ArgumentError: for other lengths, broken counts or shares.
    """
    observed = count_vector("counts", counts, least=2)
    weights = np.ones_like(observed) if shares is None else non_negative_vector("shares", shares)
    _require_same_length("shares", weights, observed)
    if not weights.any():
        raise ArgumentError("got shares that are all 0, expected at least one above 0")
    if bool(np.any(observed[weights == 0.0] > 0.0)):
        return math.inf
    observed, weights = observed[weights > 0.0], weights[weights > 0.0]
    fractions = weights / math.fsum(weights)
    multinomial = math.fsum(observed * np.log(fractions))
    total = math.fsum(observed)
    ratios = []
    for concentration in _CONCENTRATIONS:
        alphas = concentration * observed.size * fractions
        rising = math.fsum(special.gammaln(observed + alphas) - special.gammaln(alphas))
        whole = concentration * observed.size
        ratios.append(rising - float(special.gammaln(total + whole) - special.gammaln(whole)) - multinomial)
    return mean_log_e(ratios)


def under_dispersion_log_e(counts: Floats) -> float:
    """E-value for H0: given their total, the counts are multinomial with equal shares; large if they spread less.

    The mean over a fixed grid of capacities of the likelihood of drawing the total without replacement from cells of
    that capacity, over the multinomial likelihood: exact for all counts. It finds loads that are dealt out evenly.

    Args:
        counts: whole numbers of at least 0, [n], n at least 2.

    Returns:
        log e, natural; minus infinity where a count exceeds every capacity, which is 6 times the mean, rounded up.

    Raises:
        TooLittleDataError: for fewer than 2 counts.
        ArgumentError: for broken counts.
    """
    observed = count_vector("counts", counts, least=2)
    total = math.fsum(observed)
    multinomial = float(special.gammaln(total + 1.0)) - total * math.log(observed.size)
    ratios = []
    for multiple in _CAPACITIES:
        capacity = math.ceil(multiple * total / observed.size)
        if observed.max() > capacity:
            ratios.append(-math.inf)
            continue
        # C(capacity, x) x! is a falling factorial: the factorials of the counts cancel against the multinomial's.
        falling = math.fsum(special.gammaln(capacity + 1.0) - special.gammaln(capacity - observed + 1.0))
        every = observed.size * capacity
        ways = special.gammaln(every + 1.0) - special.gammaln(total + 1.0) - special.gammaln(every - total + 1.0)
        ratios.append(falling - float(ways) - multinomial)
    return mean_log_e(ratios)


def entropy(counts: Floats) -> float:
    """Return the plug-in entropy of counts or weights.

    Args:
        counts: finite, at least 0, [n], not all 0.

    Returns:
        Entropy in nats, in [0, log n]; biased low by about (cells - 1) / (2 total).

    Raises:
        TooLittleDataError: for no count or counts that are all 0.
        ArgumentError: for NaN, infinity or a negative number.
    """
    weights = non_negative_vector("counts", counts)
    shares = weights / _positive_total(weights)
    return max(0.0, -math.fsum(special.xlogy(shares, shares)))


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Return the Jensen-Shannon divergence of two distributions over the same cells.

    Args:
        p: finite, at least 0, [n], not all 0; scaled to sum 1.
        q: finite, at least 0, [n], not all 0; scaled to sum 1.

    Returns:
        Divergence in nats, in [0, log 2]; 0 only for equal distributions.

    Raises:
        TooLittleDataError: for no cell or a distribution that is all 0.
        ArgumentError: for other lengths, NaN, infinity or a negative number.
    """
    first = non_negative_vector("p", p)
    second = non_negative_vector("q", q)
    _require_same_length("q", second, first)
    first = first / _positive_total(first)
    second = second / _positive_total(second)
    middle = 0.5 * (first + second)
    terms = np.concatenate([special.rel_entr(first, middle), special.rel_entr(second, middle)])
    return min(math.log(2.0), max(0.0, 0.5 * math.fsum(terms)))


def _positive_total(weights: FloatArray) -> float:
    total = math.fsum(weights)
    if total <= 0.0:
        raise TooLittleDataError("got counts that are all 0, expected at least one above 0; state Inconclusive")
    return total


def _require_same_length(name: str, values: FloatArray, others: FloatArray) -> None:
    if values.size != others.size:
        raise ArgumentError(f"got {values.size} values in {name}, expected {others.size}, one for each cell")
