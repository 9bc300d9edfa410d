"""Logs of the regularised incomplete beta and gamma functions, exact in the far tail.

Takes real parameters. Gives natural logs, finite wherever the function is not 0 itself.

Method: scipy's functions while their value is far from underflow; beyond that, the mass at the boundary
(`log_mass`) times the continued fraction of the incomplete beta function (DLMF 8.17.22), the ascending series of
the lower incomplete gamma function (DLMF 8.7.1) or Legendre's continued fraction of the upper one (DLMF 8.9.2), each
evaluated by the modified Lentz algorithm. In the far tail all three converge in a number of steps of the order of the
standard deviation or fewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from scipy import special

from stillwatch.statistics.log_mass import log_binomial_mass, log_poisson_mass

_TRUSTED = 1e-250
"""Values of scipy at or above this keep their digits; near 1e-285 its intermediate products already underflow."""
_PRECISION = 2e-16


def log_incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return log of I_x(a, b), the probability that a Beta(a, b) variable is at most x.

    Args:
        a: above 0.
        b: above 0.
        x: in [0, 1].
        y: 1 - x, passed apart because it may hold digits that 1 - x would lose.

    Returns:
        Natural log, at most 0; minus infinity for x = 0.
    """
    if x <= 0.0:
        return -math.inf
    if y <= 0.0:
        return 0.0
    # Both the value and its complement are read from the smaller of x and y, which holds the digits.
    small = x <= y
    value = float(special.betainc(a, b, x) if small else special.betaincc(b, a, y))
    if value > 0.5:
        return math.log1p(-float(special.betaincc(a, b, x) if small else special.betainc(b, a, y)))
    if value >= _TRUSTED:
        return math.log(value)
    mass = log_binomial_mass(a, b, x, y)
    return mass + math.log(b) - math.log(a + b) + math.log(_continued_fraction(1.0, _beta_coefficients(a, b, x)))


def log_incomplete_gamma_lower(a: float, x: float) -> float:
    """Return log of P(a, x), the probability that a Gamma(a, 1) variable is at most x.

    Args:
        a: above 0.
        x: at least 0.

    Returns:
        Natural log, at most 0; minus infinity for x = 0.
    """
    if x <= 0.0:
        return -math.inf
    value = float(special.gammainc(a, x))
    if value > 0.5:
        return math.log1p(-float(special.gammaincc(a, x)))
    if value >= _TRUSTED:
        return math.log(value)
    total = term = 1.0
    order = a
    while term > _PRECISION * total:
        order += 1.0
        term *= x / order
        total += term
    return log_poisson_mass(a, x) + math.log(total)


def log_incomplete_gamma_upper(a: float, x: float) -> float:
    """Return log of Q(a, x), the probability that a Gamma(a, 1) variable is above x.

    Args:
        a: above 0.
        x: at least 0.

    Returns:
        Natural log, at most 0, finite.
    """
    if x <= 0.0:
        return 0.0
    value = float(special.gammaincc(a, x))
    if value > 0.5:
        return math.log1p(-float(special.gammainc(a, x)))
    if value >= _TRUSTED:
        return math.log(value)
    fraction = _continued_fraction(x + 1.0 - a, _gamma_coefficients(a, x))
    return log_poisson_mass(a, x) + math.log(a) + math.log(fraction)


def _beta_coefficients(a: float, b: float, x: float) -> Iterator[tuple[float, float]]:
    step = 0
    while True:
        even = a + 2 * step
        yield -(a + step) * (a + b + step) * x / (even * (even + 1.0)), 1.0
        step += 1
        even = a + 2 * step
        yield step * (b - step) * x / ((even - 1.0) * even), 1.0


def _gamma_coefficients(a: float, x: float) -> Iterator[tuple[float, float]]:
    step = 0
    while True:
        step += 1
        yield -step * (step - a), x + 2.0 * step + 1.0 - a


def _continued_fraction(first: float, coefficients: Iterator[tuple[float, float]]) -> float:
    """Return 1 / (first + n1 / (d1 + n2 / (d2 + ...))) by the modified Lentz algorithm.

    The guards against a denominator of 0 that the general algorithm needs are left out: in the far tail, where alone it is
    called, every denominator of both fractions is above 0.
    """
    value = upper = first
    lower = 0.0
    for numerator, addend in coefficients:
        lower = 1.0 / (addend + numerator * lower)
        upper = addend + numerator / upper
        change = upper * lower
        value *= change
        if abs(change - 1.0) <= _PRECISION:
            break
    return 1.0 / value
