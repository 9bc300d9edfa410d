"""Weight matching (T5): do a suspect's weights come from ours? Neurons are matched by their weights, and matches that agree are counted.

Takes the feed-forward weights of two models, layer by layer. Gives log p-values of two tests, and the share of neurons that are found again.

Method: S. Zhu, A. Ahmed, R. Kuditipudi and P. Liang, "Independence tests for language models" (ICML 2025). Two weight matrices that were drawn and
trained independently know nothing of each other's order of neurons: the order of a layer's neurons is arbitrary, at initialisation and, as
training is equivariant, at any time after. Hence the assignment (H. Kuhn 1955) that makes matched rows most alike is a uniformly random one.

- *Kept order*: neurons found in their own place. Their number in a uniformly random assignment has the law of fixed points, at most 1/k! for
  k of them: exact, and layers are independent, so that R. Fisher's sum is exact too. (Spearman's correlation of places was tried: it needs
  q^2 n / 2 nats where a share q of n neurons is found again, and counting earns q n ln(q n).)
- *Any order*: an owner who shuffles neurons shuffles gate, up and down projections together. So two assignments are made, by gate and by up, and
  neurons to which both give the same partner are counted. Its null needs that independent training does not tie gates to ups across models;
  assignments between layers that do not belong together show whether that holds (`crossed`).

Each layer of the suspect is compared with every layer of ours, and pays for that (Bonferroni); so layers may have been left out or moved, and
neurons removed. Complexity: layers^2 assignments, each of the order of neurons^3; `most_neurons` bounds it by a random choice of the suspect's.

What it does not show: distillation into a model with an initialisation of its own, or a copy whose residual basis was rotated. A common
ancestor of both models gives a positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize

from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.tails import chi_square_upper_log_p

Matrix = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]

MOST_NEURONS: Final = 1_024
"""Of the suspect's neurons in a layer that are matched; an assignment of 1,024 among 14,336 takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """The weights of one feed-forward block, a row for each neuron."""

    up: Matrix
    """[neurons, width]."""
    gate: Matrix
    """[neurons, width]; of a block without a gate, the transposed down projection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What was found of one layer of the suspect."""

    layer: int
    ours: int
    """The layer of ours with the smallest p-value in kept order or, if smaller, in any order."""
    neurons: int
    """Of the suspect's that were matched."""
    in_place: int
    """Found in their own place, in our layer of the same number or the nearest."""
    agreeing: int
    """Given the same partner by gate and by up, in `ours`."""
    log_p_kept: float
    log_p_any: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightMatch:
    """What two models' weights show."""

    layers: tuple[Matched, ...]
    log_p_kept: float
    """Fisher over layers, kept order: exact for independent initialisations."""
    log_p_any: float
    """Fisher over layers, any order."""
    crossed_agreeing: int
    """Neurons that gate and up agree on between layers that do not belong together: the test's own control."""
    crossed_expected: float
    """How many of them chance gives."""


def match_weights(
    suspect: Sequence[FeedForward], ours: Sequence[FeedForward], *, seed: int, most_neurons: int = MOST_NEURONS
) -> WeightMatch:
    """Match each layer of the suspect with each of ours.

    Args:
        suspect: its layers, in order, of the same width as ours.
        ours: our layers, in order.
        seed: of the choice of neurons where there are more than `most_neurons`.
        most_neurons: of a layer that are matched.

    Raises:
        ValueError: for no layer, or for other widths.
    """
    widths = {block.up.shape[1] for block in (*suspect, *ours)}
    if not suspect or not ours or len(widths) != 1:
        raise ValueError(
            f"got {len(suspect)} and {len(ours)} layers of widths {sorted(widths)}, expected one common width"
        )
    rng = np.random.default_rng(seed)
    layers = []
    crossed, expected = 0, 0.0
    for number, block in enumerate(suspect):
        chosen = _chosen(len(block.up), most_neurons, rng)
        counted = [_count(block, other, chosen) for other in ours]
        layers.append(_best(number, counted, len(chosen), [len(other.up) for other in ours]))
        for place, (_, agreeing) in enumerate(counted):
            if place not in (layers[-1].ours, number):
                crossed += agreeing
                expected += len(chosen) / max(len(ours[place].up), len(chosen))
    return WeightMatch(
        layers=tuple(layers),
        log_p_kept=fisher_log_p([one.log_p_kept for one in layers]),
        log_p_any=fisher_log_p([one.log_p_any for one in layers]),
        crossed_agreeing=crossed,
        crossed_expected=expected,
    )


def assignment(rows: Matrix, columns: Matrix) -> Places:
    """Return for each row the partner among the columns that makes the sum of absolute cosines largest.

    Args:
        rows: [n, width].
        columns: [m, width]; where m < n, rows without a partner get -1.
    """
    likeness = np.abs(_unit(rows) @ _unit(columns).T)
    left, right = optimize.linear_sum_assignment(likeness, maximize=True)
    partners = np.full(len(rows), -1, dtype=np.int64)
    partners[left] = right
    return partners


def agreement_log_p(agreeing: int, rows: int, columns: int) -> float:
    """Return the log of a bound on the chance that a uniformly random assignment agrees with a given one in so many rows.

    The chance that k given rows agree is (m - k)! / m!, m being the larger number; there are C(n, k) choices of k among the smaller
    number n. For n = m the bound is 1 / k!.

    Args:
        agreeing: at least 0, at most the smaller of `rows` and `columns`.
        rows: n, at least 1.
        columns: m, at least 1.
    """
    small, large = sorted((rows, columns))
    choices = math.lgamma(small + 1) - math.lgamma(agreeing + 1) - math.lgamma(small - agreeing + 1)
    placed = math.lgamma(large - agreeing + 1) - math.lgamma(large + 1)
    return min(0.0, choices + placed)


def fisher_log_p(log_ps: Sequence[float]) -> float:
    """Combine independent p-values: minus twice the sum of their logs is chi-square with twice their number of degrees (R. Fisher 1932)."""
    return chi_square_upper_log_p(-2.0 * math.fsum(log_ps), 2.0 * len(log_ps))


def _count(block: FeedForward, other: FeedForward, chosen: Places) -> tuple[int, int]:
    """Count neurons found in their own place by up, and neurons on whose partner gate and up agree."""
    by_up = assignment(block.up[chosen], other.up)
    by_gate = assignment(block.gate[chosen], other.gate)
    in_place = int((by_up == chosen).sum())
    return in_place, int(((by_up == by_gate) & (by_up >= 0)).sum())


def _best(number: int, counted: Sequence[tuple[int, int]], rows: int, columns: Sequence[int]) -> Matched:
    """Take the nearest of our layers and pay for having looked at all."""
    paid = math.log(len(counted))
    kept = [agreement_log_p(in_place, rows, size) for (in_place, _), size in zip(counted, columns, strict=True)]
    free = [agreement_log_p(agreeing, rows, size) for (_, agreeing), size in zip(counted, columns, strict=True)]
    at_kept, at_free = int(np.argmin(kept)), int(np.argmin(free))
    place = at_kept if kept[at_kept] <= free[at_free] else at_free
    return Matched(
        layer=number,
        ours=place,
        neurons=rows,
        in_place=counted[at_kept][0],
        agreeing=counted[at_free][1],
        log_p_kept=min(0.0, kept[at_kept] + paid),
        log_p_any=min(0.0, free[at_free] + paid),
    )


def _chosen(neurons: int, most: int, rng: np.random.Generator) -> Places:
    """Choose neurons at random, in ascending order; all of them where there are few."""
    if neurons <= most:
        return np.arange(neurons, dtype=np.int64)
    return np.sort(rng.permutation(neurons)[:most]).astype(np.int64)


def _unit(rows: Matrix) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = rows / np.where(lengths > 0.0, lengths, 1.0)
    return unit
