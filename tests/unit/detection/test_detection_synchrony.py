"""Synchrony: mean and variance under rotation against every rotation there is, and what it says of planted habits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of

from stillwatch.detection.campaigns.claims.synchrony import LEAST_HOURS, MinuteCounts, _moments, synchrony_claim
from stillwatch.records.claim import Claim, Inconclusive


def coincidences(rows: np.ndarray) -> float:
    return float(sum((first * second).sum() for first, second in itertools.combinations(rows, 2)))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_moments_are_those_of_all_rotations(seed: int) -> None:
    """Two hours, of three members and of two: each member but the first is rotated by each of 60 offsets."""
    rng = np.random.default_rng(seed)
    hours = [(rng.random((members, 60)) < busy).astype(np.float64) for members, busy in ((3, 0.2), (2, 0.5))]
    observed, mean, spread = _moments(np.concatenate(hours), np.array([0, 3]))
    for place, rows in enumerate(hours):
        counted = [
            coincidences(np.stack([np.roll(row, offset) for row, offset in zip(rows, (0, *offsets), strict=True)]))
            for offsets in itertools.product(range(60), repeat=len(rows) - 1)
        ]
        assert observed[place] == pytest.approx(coincidences(rows))
        assert mean[place] == pytest.approx(np.mean(counted))
        assert spread[place] == pytest.approx(np.var(counted))


def minutes_of(active: dict[int, set[int]]) -> MinuteCounts:
    rows = sorted((number, minute) for number, minutes in active.items() for minute in minutes)
    numbers, minutes = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return MinuteCounts(numbers=numbers, minutes=minutes.astype(np.int32))


def claim_of(active: dict[int, set[int]]) -> Claim | Inconclusive:
    return synchrony_claim(candidate_of(sorted(active), accounts=accounts_of(40)), minutes_of(active))


def test_workers_of_one_dispatcher_are_seen() -> None:
    rng = np.random.default_rng(8)
    dispatched = rng.integers(0, 24 * 60 * 5, size=600)
    claim = claim_of({number: {int(minute) for minute in dispatched[rng.random(600) < 0.5]} for number in range(8)})
    assert isinstance(claim, Claim)
    assert claim.statistic > 10.0
    assert claim.log_e > 20.0


def test_unrelated_accounts_with_the_same_working_hours_are_not() -> None:
    """The same busy hours every day, minutes of their own: z over seeds is that of a standard normal variable."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        claim = claim_of(
            {
                number: {
                    24 * 60 * day + 60 * hour + int(rng.integers(60))
                    for day in range(6)
                    for hour in range(9, 17)
                    for _ in range(6)
                }
                for number in range(8)
            }
        )
        assert isinstance(claim, Claim)
        found.append(claim.statistic)
    assert max(found) < 5.0
    # Six standard errors of the mean; the allowance for common habits of the minute may only lower it.
    assert float(np.mean(found)) < 6.0 / np.sqrt(len(found))


def test_jobs_that_all_start_on_the_full_hour_are_not() -> None:
    rng = np.random.default_rng(9)
    claim = claim_of({number: {60 * hour + int(rng.integers(0, 2)) for hour in range(24 * 6)} for number in range(8)})
    assert isinstance(claim, Claim)
    assert claim.statistic < 3.0


def test_too_few_common_hours_are_inconclusive() -> None:
    short = {
        number: {60 * hour + minute for hour in range(LEAST_HOURS - 1) for minute in range(0, 60, 2)}
        for number in range(4)
    }
    assert isinstance(claim_of(short), Inconclusive)
    assert isinstance(claim_of({1: {5, 65}, 2: {700, 800}}), Inconclusive)
    assert isinstance(claim_of({1: {5, 65}}), Inconclusive)
