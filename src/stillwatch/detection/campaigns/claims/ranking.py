"""Ranking: how far most members stand out among reference accounts in one number, as an e-value.

Each member's number is ranked among the reference accounts' numbers: a conformal p-value (Vovk, Gammerman, Shafer 2005), exact
when the member is exchangeable with the reference, ties counted against. All members are ranked in one reference, so how many of m
members have a p of at most t is beta-binomial under the null: with s = floor(t (n + 1)), the share of the population below the
s-th smallest of n reference numbers is Beta(s, n + 1 - s). The e-value for k such members is the likelihood ratio of a rate r
against that, averaged over `RATES` and over `THRESHOLDS`, which are fixed beforehand. It pays only when at least half of the
members stand out, so that a large group in which some do is no evidence, whatever its size (an e-value that is made smaller
stays one). When N subsets were searched for the members, the e-value is divided by N (the sum over all of them, each divided by
N, still has expectation at most 1).

A null may be weaker than exchangeability: members are at most `factor` times as likely as a reference account to lie below the
threshold. With B the share of the population below it, the chance of k among m is then at most factor^k B^k (1 - B)^(m - k), for
1 - factor B is less than 1 - B; k ln(factor) is taken from the log e-value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

from stillwatch.statistics.e_values import mean_log_e

THRESHOLDS = (0.02, 0.05, 0.1, 0.2)
NOTHING = -50.0
"""ln of an e-value that stands for none."""
RATES = (0.6, 0.7, 0.8, 0.9, 0.98)

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
    """Ask whether most members' numbers are smaller than the reference's.

    Args:
        values: [m] members' numbers.
        reference: [n] reference accounts' numbers.
        searched: ln of the number of subsets that were searched for the members.
    """
    ranked = np.sort(reference)
    below = np.searchsorted(ranked, values, side="right")
    p_values: Floats = np.asarray((1.0 + below) / (len(ranked) + 1.0), dtype=np.float64)
    return rank_p_values(p_values, len(ranked), searched=searched)


def rank_p_values(
    p_values: Floats,
    reference: int,
    *,
    searched: float = 0.0,
    thresholds: tuple[float, ...] = THRESHOLDS,
    factor: float = 1.0,
) -> Ranked:
    """Ask whether most members' conformal p-values are small.

    Args:
        p_values: [m] in (0, 1], all from one reference.
        reference: Reference accounts in which the members were ranked.
        searched: ln of the number of subsets that were searched for the members.
        thresholds: Over which the e-value is averaged.
        factor: How many times as likely as a reference account a member may be to pass a threshold under the null, at least 1.
    """
    near = [int((p_values <= threshold).sum()) for threshold in thresholds]
    log_es = [
        most_log_e(count, len(p_values), threshold, reference, factor)
        for count, threshold in zip(near, thresholds, strict=True)
    ]
    best = max(range(len(thresholds)), key=lambda place: (log_es[place], place))
    return Ranked(
        log_e=mean_log_e(log_es) - searched,
        threshold=thresholds[best],
        members=near[best],
        tested=len(p_values),
        reference=reference,
    )


def rank_largest(values: Floats, reference: Floats, searched: float = 0.0) -> Ranked:
    """Ask whether most members' numbers are larger than the reference's."""
    return rank_smallest(-values, -reference, searched)


def rank_largest_of(values: Floats, ascending: Floats, searched: float = 0.0) -> Ranked:
    """Ask the same as `rank_largest` of a reference that is in ascending order already."""
    larger = len(ascending) - np.searchsorted(ascending, values, side="left")
    p_values: Floats = np.asarray((1.0 + larger) / (len(ascending) + 1.0), dtype=np.float64)
    return rank_p_values(p_values, len(ascending), searched=searched)


def most_log_e(count: int, members: int, chance: float, reference: int, factor: float = 1.0) -> float:
    """E-value for H0: the members are exchangeable with the reference; the alternative is that most of them stand out.

    Args:
        count: Members with a conformal p of at most `chance`.
        members: Members ranked.
        chance: Threshold on p.
        reference: Reference accounts in which they were ranked.
        factor: How many times as likely as a reference account a member may be to stand out under the null.
    """
    below = math.floor(chance * (reference + 1) + 1e-9)
    if 2 * count < members or below < 1:
        return NOTHING
    null = float(betaln(below + count, reference + 1 - below + members - count) - betaln(below, reference + 1 - below))
    allowed = count * math.log(factor) + null
    return mean_log_e([count * math.log(rate) + (members - count) * math.log1p(-rate) - allowed for rate in RATES])
