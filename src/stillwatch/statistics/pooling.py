"""Pooling of the rows and columns of a table of counts until no expected count is small.

Takes a table of counts. Gives a smaller table with the same grand total.

Method: greedy joining of lines with neighbouring totals. It reads the margins alone, given which the counts of a
homogeneous table keep their null distribution, so that a test of the pooled table stays a test; and it never parts lines
of equal total, so that the order of rows and columns cannot matter. Complexity: a sort of each margin for each of at most
33 numbers of row groups.

What it does not show: lines that were joined are no longer told apart; the test has no power between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stillwatch.statistics.arguments import FloatArray

_POOLINGS_TRIED = 32
"""Numbers of row groups tried, in geometric steps."""


def pool_small_cells(counts: FloatArray, smallest: float) -> FloatArray:
    """Join rows and columns until every expected count is at least `smallest`, keeping the most degrees of freedom.

    Args:
        counts: whole numbers of at least 0, [rows, columns], at least one of each.
        smallest: expected count that every cell must have, above 0.

    Returns:
        The pooled table, [row groups, column groups]; one row or one column where no finer pooling was found.
    """
    row_totals, column_totals = counts.sum(axis=1), counts.sum(axis=0)
    grand = float(row_totals.sum())
    best, best_degrees = (np.zeros_like(row_totals, dtype=np.int64), np.zeros_like(column_totals, dtype=np.int64)), 0
    if grand <= 0.0:
        return np.zeros((1, 1))
    present = int(np.count_nonzero(row_totals))
    numbers = np.unique(np.geomspace(2, max(2, present), _POOLINGS_TRIED).round())
    tried = [float(row_totals[row_totals > 0.0].min()), *(grand / numbers[::-1])]
    for needed in tried:
        row_groups, least = _groups(row_totals, needed)
        column_groups, _ = _groups(column_totals, smallest * grand / least)
        degrees = int(row_groups.max() * column_groups.max())
        if degrees > best_degrees:
            best, best_degrees = (row_groups, column_groups), degrees
    return _add_up(_add_up(counts, best[0]).T, best[1]).T


def _groups(totals: FloatArray, needed: float) -> tuple[NDArray[np.int64], float]:
    """Number lines by groups that add up to at least `needed` each; also give the smallest of the groups' sums.

    A line that reaches it alone stands alone. Smaller ones are joined by neighbouring totals, and those of equal total are
    never parted, so that their order cannot matter. One group is left where the grand total is less than needed.
    """
    distinct, inverse, sizes = np.unique(totals, return_inverse=True, return_counts=True)
    sums = np.cumsum(distinct * sizes)
    small = int(np.searchsorted(distinct, needed, side="left"))
    ends: list[int] = []
    reached = 0.0
    while small and sums[small - 1] - reached >= needed:
        ends.append(int(np.searchsorted(sums, reached + needed, side="left")))
        reached = float(sums[ends[-1]])
    if small and sums[small - 1] > reached:
        # What is left over after the last full group joins it, or else the next larger lines.
        small = small if ends else min(small + 1, distinct.size)
        ends = [*ends[:-1], small - 1]
    group_of_total = np.searchsorted(np.array(ends, dtype=np.int64), np.arange(distinct.size), side="left")
    groups = group_of_total[inverse].astype(np.int64)
    alone = inverse >= small
    groups[alone] = len(ends) + np.arange(int(alone.sum()))
    least = [*np.diff(sums[ends], prepend=0.0), *distinct[small:]]
    return groups, float(min(least))


def _add_up(counts: FloatArray, groups: NDArray[np.int64]) -> FloatArray:
    """Add up the rows of each group."""
    pooled = np.zeros((int(groups.max()) + 1, counts.shape[1]))
    np.add.at(pooled, groups, counts)
    return pooled
