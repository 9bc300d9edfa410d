"""Ranking: how far the members stand out among reference accounts in one number, as an e-value.

Each member's number is ranked among the reference accounts' numbers: a conformal p-value (Vovk, Gammerman, Shafer 2005), exact
when the member is exchangeable with the reference, ties counted against. The number of members whose p is at most a threshold is
binomial when members are independent; e-values over `THRESHOLDS`, fixed beforehand, are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.statistics.e_values import calibrate_log_p, mean_log_e
from stillwatch.statistics.tails import binomial_upper_log_p

THRESHOLDS = (0.02, 0.05, 0.1, 0.2)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The result of a ranking."""

    log_e: float
    threshold: float
    """The threshold at which the members stand out most."""
    members: int
    """Members whose p is at most `threshold`."""
    tested: int
    reference: int


def rank_smallest(values: Floats, reference: Floats, searched: float = 0.0) -> Ranked:
    """Ask whether the members' numbers are smaller than the reference's.

    Args:
        values: [m] members' numbers.
        reference: [n] reference accounts' numbers.
        searched: ln of the number of subsets that were searched for the members.
    """
    ranked = np.sort(reference)
    p_values = (1.0 + np.searchsorted(ranked, values, side="right")) / (len(ranked) + 1.0)
    log_es = []
    best = (0.0, THRESHOLDS[-1], int((p_values <= THRESHOLDS[-1]).sum()))
    for threshold in THRESHOLDS:
        near = int((p_values <= threshold).sum())
        log_p = binomial_upper_log_p(near, len(p_values), threshold)
        log_es.append(calibrate_log_p(min(0.0, log_p + searched)))
        if log_p < best[0]:
            best = (log_p, threshold, near)
    return Ranked(
        log_e=mean_log_e(log_es), threshold=best[1], members=best[2], tested=len(p_values), reference=len(ranked)
    )


def rank_largest(values: Floats, reference: Floats, searched: float = 0.0) -> Ranked:
    """Ask whether the members' numbers are larger than the reference's."""
    return rank_smallest(-values, -reference, searched)
