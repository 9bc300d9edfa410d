"""Distances from a profile are free of the noise of small counts: by simulation, and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detection.profiles.closeness import LEAST_COUNT, shares, squared_distances

UNIFORM = np.full(24, 1.0 / 24.0)
PEAKED = np.concatenate([np.full(8, 0.1), np.full(16, 0.0125)])


@pytest.mark.parametrize("count", [LEAST_COUNT, 60, 500])
@pytest.mark.parametrize(("name", "truth", "profile"), [("same", PEAKED, PEAKED), ("other", PEAKED, UNIFORM)])
def test_the_estimate_has_no_bias_at_any_count(count: int, name: str, truth: np.ndarray, profile: np.ndarray) -> None:
    """Mean over accounts with one true profile: within six standard errors (two in 10^9) of the true squared distance."""
    seed, accounts = 20, 20_000
    counts = np.random.default_rng(seed).multinomial(count, truth, size=accounts).astype(np.int32)
    estimates = squared_distances(counts, profile)
    expected = float(((truth - profile) ** 2).sum())
    error = float(estimates.std() / np.sqrt(accounts))
    assert abs(float(estimates.mean()) - expected) < 6.0 * error, f"{name}, seed {seed}"
    raw = float(((shares(counts) - profile) ** 2).sum(axis=1).mean())
    assert raw - expected > 6.0 * error, "without the correction the bias would be seen"


def test_too_few_counts_have_no_distance() -> None:
    counts = np.zeros((2, 24), dtype=np.int32)
    counts[0, 0], counts[1, 0] = LEAST_COUNT - 1, LEAST_COUNT
    assert np.isnan(squared_distances(counts, UNIFORM)).tolist() == [True, False]


def test_each_account_may_have_a_profile_of_its_own() -> None:
    counts = np.random.default_rng(4).multinomial(100, UNIFORM, size=5).astype(np.int32)
    profiles = np.stack([np.roll(PEAKED, shift) for shift in range(5)])
    each = [float(squared_distances(counts[[place]], profiles[place])[0]) for place in range(5)]
    assert squared_distances(counts, profiles).tolist() == pytest.approx(each)
