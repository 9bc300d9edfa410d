"""Selection of many hypotheses with a stated error rate.

Takes log p-values or log e-values, one for each hypothesis. Gives the selected indices, or for each hypothesis the
smallest level at which it is selected.

Method: e-BH (R. Wang and A. Ramdas, "False discovery rate control with e-values", JRSS-B 84, 2022: false
discovery rate at most level x m0 / m under any dependence of the e-values); Benjamini and Hochberg, JRSS-B 57 (1995), for
independent or positively regression dependent p-values; Benjamini and Yekutieli, Annals of Statistics 29 (2001), Theorem
1.3, for any dependence; S. Holm, Scandinavian Journal of Statistics 6 (1979), for the family-wise error rate under any
dependence. Complexity: a sort.

What it does not show: the rate is an expectation over repetitions, so that the share of false ones in a single
selection can be larger; and it counts hypotheses, not accounts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from stillwatch.statistics.arguments import FloatArray, Floats, log_p_vector, open_probability, vector
from stillwatch.statistics.errors import ArgumentError


class Dependence(StrEnum):
    """What may be assumed of the joint distribution of the p-values."""

    POSITIVE = "positive"
    """Independent, or positively regression dependent on the subset of true nulls: Benjamini-Hochberg holds."""
    ANY = "any"
    """Nothing: Benjamini-Yekutieli holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSet:
    """The hypotheses that a procedure rejects."""

    indices: tuple[int, ...]
    """Positions in the input, ascending."""
    level: float
    """Error rate that the procedure controls, in (0, 1)."""
    tested: int
    """Number of hypotheses that entered, at least 1."""
    method: str
    """`name/vN`."""

    def __contains__(self, index: object) -> bool:
        """Tell whether the hypothesis at that position is selected."""
        return index in self.indices

    def __len__(self) -> int:
        """Return the number of selected hypotheses."""
        return len(self.indices)


def e_benjamini_hochberg(log_es: Floats, level: float) -> SelectedSet:
    """Select by e-BH: the k largest e-values for the largest k such that each of them is at least m / (k level).

    Args:
        log_es: natural logs of e-values, [m]; each valid for its own null, under any dependence.
        level: false-discovery rate, in (0, 1).

    Returns:
        The selected set: exactly those whose `e_q_values` is at most `level`.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN or a level outside (0, 1).
    """
    return _at_most(e_q_values(log_es), level, "e-benjamini-hochberg/v1")


def e_q_values(log_es: Floats) -> FloatArray:
    """Return for each hypothesis the smallest level at which e-BH selects it.

    Args:
        log_es: natural logs of e-values, [m]; each valid for its own null, under any dependence.

    Returns:
        q-values in [0, 1], [m], in the order of the input; 1 means that no level below 1 selects it.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN.
    """
    # 1 / e takes the place of p in Benjamini-Hochberg; it may exceed 1, which the clip below restores.
    return _step_up(-vector("log_es", log_es), 0.0)


def benjamini_hochberg(log_ps: Floats, level: float) -> SelectedSet:
    """Select by Benjamini-Hochberg: valid for independent or positively regression dependent p-values.

    Args:
        log_ps: natural logs of p-values, [m].
        level: false-discovery rate, in (0, 1).

    Returns:
        The selected set; the false-discovery rate is at most level x (true nulls) / m.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN, a positive log p or a level outside (0, 1).
    """
    return _at_most(q_values(log_ps, Dependence.POSITIVE), level, "benjamini-hochberg/v1")


def benjamini_yekutieli(log_ps: Floats, level: float) -> SelectedSet:
    """Select by Benjamini-Yekutieli: valid under any dependence, at the price of a factor 1 + 1/2 + ... + 1/m.

    Args:
        log_ps: natural logs of p-values, [m].
        level: false-discovery rate, in (0, 1).

    Returns:
        The selected set; the false-discovery rate is at most level x (true nulls) / m.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN, a positive log p or a level outside (0, 1).
    """
    return _at_most(q_values(log_ps, Dependence.ANY), level, "benjamini-yekutieli/v1")


def q_values(log_ps: Floats, dependence: Dependence | Literal["positive", "any"]) -> FloatArray:
    """Return for each hypothesis the smallest level at which it is selected.

    Args:
        log_ps: natural logs of p-values, [m].
        dependence: what may be assumed; `positive` is Benjamini-Hochberg, `any` is Benjamini-Yekutieli.

    Returns:
        q-values in [0, 1], [m], in the order of the input.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN, a positive log p or an unknown dependence.
    """
    values = log_p_vector("log_ps", log_ps)
    if dependence not in set(Dependence):
        raise ArgumentError(f"got dependence={dependence!r}, expected one of {', '.join(Dependence)}")
    price = math.fsum(1.0 / k for k in range(1, values.size + 1)) if dependence == Dependence.ANY else 1.0
    return _step_up(values, math.log(price))


def holm(log_ps: Floats, level: float) -> SelectedSet:
    """Select by Holm's step-down procedure: the chance of any false selection is at most `level`, any dependence.

    Args:
        log_ps: natural logs of p-values, [m].
        level: family-wise error rate, in (0, 1).

    Returns:
        The selected set: exactly those whose `holm_adjusted` is at most `level`.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN, a positive log p or a level outside (0, 1).
    """
    return _at_most(holm_adjusted(log_ps), level, "holm/v1")


def holm_adjusted(log_ps: Floats) -> FloatArray:
    """Return for each hypothesis the smallest family-wise level at which Holm's procedure selects it.

    Args:
        log_ps: natural logs of p-values, [m].

    Returns:
        Adjusted p-values in [0, 1], [m], in the order of the input.

    Raises:
        TooLittleDataError: for no hypothesis.
        ArgumentError: for NaN or a positive log p.
    """
    values = log_p_vector("log_ps", log_ps)
    order = np.argsort(values, kind="stable")
    left = np.log(np.arange(values.size, 0, -1, dtype=np.float64))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] + left)
    return np.exp(np.minimum(adjusted, 0.0))


def _step_up(values: FloatArray, log_price: float) -> FloatArray:
    """Smallest level of a step-up procedure: min over k >= rank of m x price x value(k) / k, cut at 1."""
    order = np.argsort(values, kind="stable")
    ranks = np.log(np.arange(1, values.size + 1, dtype=np.float64))
    scaled = values[order] + (math.log(values.size) + log_price) - ranks
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.exp(np.minimum(adjusted, 0.0))


def _at_most(adjusted: FloatArray, level: float, method: str) -> SelectedSet:
    level = open_probability("level", level)
    chosen = tuple(int(index) for index in np.flatnonzero(adjusted <= level))
    return SelectedSet(indices=chosen, level=level, tested=adjusted.size, method=method)
