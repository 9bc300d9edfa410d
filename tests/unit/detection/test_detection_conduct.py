"""Common conduct: one scheduler is seen, customers with lives of their own are not, and the promise holds for the null that is stated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from scipy import stats

from stillwatch.detection.campaigns.claims.conduct import (
    PRODUCT_FACTOR,
    THRESHOLDS,
    Conduct,
    conduct_claim,
    conduct_p_values,
    measure_conduct,
)
from stillwatch.detection.campaigns.claims.ranking import rank_p_values
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.records.claim import Claim, Inconclusive

CUSTOMERS, EXCHANGES = 1_500, 120


def life(rng: np.random.Generator, bins: int) -> np.ndarray:
    """Shares of somebody's own."""
    return rng.dirichlet(np.full(bins, 0.4))


def world(seed: int, workers: int, exchanges: int = EXCHANGES) -> Accounts:
    """Customers with lives of their own; the first `workers` accounts share one life."""
    rng = np.random.default_rng(seed)
    histograms = {
        name: np.zeros((CUSTOMERS, bins), np.int32) for name, bins in zip(FEATURES, FEATURE_BINS, strict=True)
    }
    days = rng.integers(4, 28, CUSTOMERS)
    days[:workers] = 9
    for name, total in (("hours", exchanges), ("gaps", exchanges - 1)):
        bins = histograms[name].shape[1]
        common = life(rng, bins)
        for number in range(CUSTOMERS):
            shares = common if number < workers else life(rng, bins)
            histograms[name][number] = rng.multinomial(total, shares)
    return accounts_of(CUSTOMERS, exchanges=exchanges, histograms=histograms, active_days=days)


def conduct_of(accounts: Accounts) -> Conduct:
    return measure_conduct(accounts, np.flatnonzero(accounts.exchanges >= 20))


def test_workers_of_one_scheduler_are_seen() -> None:
    accounts = world(1, workers=8)
    claim = conduct_claim(candidate_of(range(8), accounts=accounts), conduct_of(accounts))
    assert isinstance(claim, Claim)
    assert (claim.statistic, claim.n) == (8, 8)
    assert claim.log_e > 15.0


def test_they_are_seen_among_bystanders_as_long_as_they_are_the_most() -> None:
    accounts = world(2, workers=12)
    conduct = conduct_of(accounts)
    most = conduct_claim(candidate_of([*range(12), 500, 600, 700, 800], accounts=accounts), conduct)
    few = conduct_claim(candidate_of([*range(4), *range(500, 512)], accounts=accounts), conduct)
    assert isinstance(most, Claim)
    assert isinstance(few, Claim)
    assert most.log_e > 10.0
    assert few.log_e < 0.0


@pytest.mark.parametrize("members", [4, 10, 40])
def test_customers_with_lives_of_their_own_give_evidence_no_more_often_than_promised(members: int) -> None:
    accounts = world(3, workers=0)
    conduct = conduct_of(accounts)
    rng, runs = np.random.default_rng(4), 300
    found = [
        conduct_claim(candidate_of(rng.choice(CUSTOMERS, members, replace=False), accounts=accounts), conduct)
        for _ in range(runs)
    ]
    passed = sum(isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in found)
    assert passed <= stats.binom.isf(1e-6, runs, 0.05)


@pytest.mark.parametrize(("members", "reference"), [(6, 1_000), (12, 4_000), (40, 4_000)])
def test_customers_of_one_product_at_the_edge_of_the_null_do_neither(members: int, reference: int) -> None:
    """Members ten times as likely as the reference to lie below any threshold: the worst that the null allows."""
    seed, runs = 5, 3_000
    rng = np.random.default_rng(seed)
    passed = 0
    for _ in range(runs):
        ranked = np.sort(rng.random(reference))
        values = np.where(
            rng.random(members) < PRODUCT_FACTOR * 0.05, 0.05 * rng.random(members), 0.05 + 0.95 * rng.random(members)
        )
        p_values = (1.0 + np.searchsorted(ranked, values, side="right")) / (reference + 1.0)
        result = rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=PRODUCT_FACTOR)
        passed += result.log_e >= math.log(100.0)
    assert passed <= stats.binom.isf(1e-6, runs, 0.01), f"seed {seed}"


def test_a_member_is_left_out_of_its_own_centre_and_ranked_among_customers_of_like_volume() -> None:
    accounts = world(6, workers=5)
    conduct = conduct_of(accounts)
    p_values, reference = conduct_p_values(conduct, np.arange(5))
    assert reference == CUSTOMERS - 5
    assert p_values.max() <= 0.01
    alone, _ = conduct_p_values(conduct, np.array([0, 700, 800, 900]), np.array([700, 800, 900]))
    assert alone[0] > 0.01


def test_few_exchanges_or_members_or_customers_are_no_evidence() -> None:
    accounts = world(7, workers=6)
    conduct = conduct_of(accounts)
    assert isinstance(conduct_claim(candidate_of([0, 1], accounts=accounts), conduct), Inconclusive)
    quiet = accounts_of(CUSTOMERS, exchanges=5)
    assert isinstance(conduct_claim(candidate_of(range(6), accounts=quiet), conduct_of(quiet)), Inconclusive)
    few = accounts_of(18, exchanges=100)
    assert isinstance(conduct_claim(candidate_of(range(6), accounts=few), conduct_of(few)), Inconclusive)
