"""Ranking members among reference accounts: what the e-value promises, counted out rather than simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from stillwatch.detection.campaigns.claims.ranking import THRESHOLDS, most_log_e, rank_largest, rank_smallest

MEMBERS = (3, 4, 5, 8, 13, 20, 40, 100, 400)


@pytest.mark.parametrize("chance", THRESHOLDS)
@pytest.mark.parametrize("members", MEMBERS)
def test_more_members_that_stand_out_are_more_evidence(members: int, chance: float) -> None:
    """So a chance below the stated one, as ties give it, only lowers the average."""
    found = [most_log_e(count, members, chance, 2_000) for count in range(members + 1)]
    assert found == sorted(found)


def test_a_minority_that_stands_out_is_no_evidence_however_large_the_group() -> None:
    assert rank_smallest(np.repeat([0.0, 9.0], [400, 600]), np.linspace(1.0, 9.0, 999)).log_e < -10.0


def test_a_group_of_which_all_stand_out_is_strong_evidence() -> None:
    ranked = rank_smallest(np.zeros(20), np.linspace(1.0, 9.0, 999))
    assert (ranked.members, ranked.tested, ranked.reference) == (20, 20, 999)
    assert ranked.log_e > 20.0 * math.log(0.98 / 0.02) - math.log(len(THRESHOLDS) * 5) - 12.0


def test_a_single_account_cannot_do_better_than_its_rank_among_the_reference() -> None:
    few = rank_smallest(np.zeros(1), np.linspace(1.0, 9.0, 30))
    many = rank_smallest(np.zeros(1), np.linspace(1.0, 9.0, 3_000))
    assert few.log_e < many.log_e <= math.log(1.0 / min(THRESHOLDS))


def test_ties_count_against_the_members() -> None:
    reference = np.zeros(500)
    assert rank_smallest(np.zeros(10), reference).members == 0
    assert rank_largest(np.zeros(10), reference).members == 0


def test_largest_is_smallest_of_the_opposites_and_order_is_nothing() -> None:
    rng = np.random.default_rng(7)
    values, reference = rng.normal(1.5, 1.0, 25), rng.normal(0.0, 1.0, 400)
    assert rank_largest(values, reference) == rank_smallest(-values[::-1], -reference[::-1])


def test_a_search_is_paid_for_in_full() -> None:
    values, reference = np.zeros(12), np.linspace(1.0, 9.0, 999)
    paid = rank_smallest(values, reference, searched=math.log(1_000.0)).log_e
    assert paid == pytest.approx(rank_smallest(values, reference).log_e - math.log(1_000.0))


@pytest.mark.parametrize(("members", "reference"), [(10, 40), (40, 200), (40, 3_000)])
def test_exchangeable_members_pass_the_levels_no_more_often_than_promised(members: int, reference: int) -> None:
    """Members and reference from one distribution, so that all members share the accident of one reference."""
    seed, runs = 31, 4_000
    rng = np.random.default_rng(seed)
    found = np.array([rank_smallest(rng.random(members), rng.random(reference)).log_e for _ in range(runs)])
    for level in (0.1, 0.01, 0.001):
        highest = int(stats.binom.isf(1e-6, runs, level))
        assert int((found >= -math.log(level)).sum()) <= highest, f"seed {seed}, level {level}"


@pytest.mark.parametrize(
    ("members", "reference"), [(members, reference) for members in MEMBERS for reference in (60, 300, 3_000)]
)
def test_the_e_value_is_at_most_one_on_average_for_members_exchangeable_with_one_reference(
    members: int, reference: int
) -> None:
    """The exact sum over all counts: how many members lie below the s-th smallest of the reference is beta-binomial."""
    for chance in THRESHOLDS:
        below = math.floor(chance * (reference + 1) + 1e-9)
        if below:
            count = stats.betabinom(members, below, reference + 1 - below)
            log_mean = special.logsumexp(
                [count.logpmf(k) + most_log_e(k, members, chance, reference) for k in range(members + 1)]
            )
            assert log_mean <= 1e-9
