"""Common conduct: one scheduler is seen, customers with lives of their own are not, and the promise holds for the null that is stated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from planted_hours import by_habit, by_queue, queue_of, read
from scipy import stats

from stillwatch.detection.campaigns.claims.bursts import ActiveHours
from stillwatch.detection.campaigns.claims.conduct import (
    PRODUCT_FACTOR,
    THRESHOLDS,
    VIEWS,
    Conduct,
    conduct_claim,
    conduct_p_values,
    measure_conduct,
)
from stillwatch.detection.campaigns.claims.ranking import rank_p_values
from stillwatch.detection.errors import DetectionError
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import DAY_CYCLE, FEATURE_BINS, FEATURES
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.statistics.e_values import mean_log_e

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
    views, reference = conduct_p_values(conduct, np.arange(5))
    assert reference == CUSTOMERS - 5
    assert len(views) == len(VIEWS[:2])  # hours of the days are not read
    assert np.max(views) <= 0.01
    alone, _ = conduct_p_values(conduct, np.array([0, 700, 800, 900]), np.array([700, 800, 900]))
    assert min(p_values[0] for p_values in alone) > 0.01


def in_common(workers: int, *, days: bool, hours: bool) -> Accounts:
    """Workers that keep the same days, or the same hours and gaps, or both."""
    rng = np.random.default_rng(8)
    accounts = world(8, workers=workers if hours else 0)
    common = life(rng, DAY_CYCLE)
    for number in range(CUSTOMERS):
        shares = common if days and number < workers else life(rng, DAY_CYCLE)
        accounts.histograms["days"][number] = rng.multinomial(EXCHANGES, shares)
    return accounts


@pytest.mark.parametrize("members", [4, 10, 40])
def test_customers_with_lives_of_their_own_give_evidence_no_more_often_than_promised(members: int) -> None:
    accounts = in_common(0, days=False, hours=False)
    conduct = conduct_of(accounts)
    rng, runs = np.random.default_rng(4), 300
    found = [
        conduct_claim(candidate_of(rng.choice(CUSTOMERS, members, replace=False), accounts=accounts), conduct)
        for _ in range(runs)
    ]
    passed = sum(isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in found)
    assert passed <= stats.binom.isf(1e-6, runs, 0.05)


def test_common_days_are_seen_and_days_of_their_own_hide_no_common_clock() -> None:
    seen = {}
    for days, hours in ((True, True), (False, True), (True, False), (False, False)):
        accounts = in_common(4, days=days, hours=hours)
        claim = conduct_claim(candidate_of(range(4), accounts=accounts), conduct_of(accounts))
        assert isinstance(claim, Claim)
        seen[days, hours] = claim.log_e
    assert seen[True, True] >= seen[False, True] > 9.0
    assert max(seen[True, False], seen[False, False]) < 1.0  # the same days alone are a holiday, a course, a launch


def test_the_e_value_is_the_mean_over_the_views() -> None:
    accounts = in_common(6, days=True, hours=True)
    conduct = conduct_of(accounts).with_hours(acted(4, 6, queue=True))
    claim = conduct_claim(candidate_of(range(6), accounts=accounts), conduct)
    assert isinstance(claim, Claim)
    views, reference = conduct_p_values(conduct, np.arange(6))
    assert len(views) == len(VIEWS)
    log_es = [
        rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=PRODUCT_FACTOR).log_e for p_values in views
    ]
    assert claim.log_e == pytest.approx(mean_log_e(log_es))


def test_reference_traffic_of_other_days_says_nothing_of_the_days() -> None:
    accounts = in_common(6, days=True, hours=True)
    apart = replace(accounts, observed=np.arange(CUSTOMERS) < 6, reference=np.arange(CUSTOMERS) >= 6)
    hours = acted(4, 6, queue=True)
    conduct = measure_conduct(apart, np.flatnonzero(apart.reference))
    assert conduct.views == conduct.with_hours(hours).views == VIEWS[:1]
    assert len(conduct_p_values(conduct.with_hours(hours), np.arange(6))[0]) == 1
    same = measure_conduct(accounts, np.arange(6, CUSTOMERS))
    assert same.views == VIEWS[:2]
    assert same.with_hours(hours).views == VIEWS


def acted(seed: int, workers: int, *, queue: bool) -> ActiveHours:
    """Hours of the days of all accounts, 30 each: the workers' from one queue, or by habit like everybody's."""
    rng = np.random.default_rng(seed)
    work = queue_of(rng, 40)
    rows = []
    for number in range(CUSTOMERS):
        rows += by_queue(rng, number, 30, work) if queue and number < workers else by_habit(rng, number, 30)
    return read(CUSTOMERS, rows)


def volumes(seed: int, workers: int, *, alike: bool) -> np.ndarray:
    """Exchanges of every account, of one power of two; the workers' within a hundredth of each other, or like everybody's."""
    exchanges = np.random.default_rng(seed).integers(EXCHANGES // 2, 2 * EXCHANGES, CUSTOMERS)
    if alike:
        exchanges[:workers] = EXCHANGES + np.arange(workers) % 2
    return exchanges


def third_view(*, days: bool, queue: bool, alike: bool) -> tuple[float, float]:
    """Of six workers with hours, gaps and a pace of their own: (mean ln p in the third view, log e of the claim)."""
    accounts = replace(in_common(6, days=days, hours=False), exchanges=volumes(3, 6, alike=alike))
    conduct = conduct_of(accounts).with_hours(acted(4, 6, queue=queue))
    claim = conduct_claim(candidate_of(range(6), accounts=accounts), conduct)
    assert isinstance(claim, Claim)
    return float(np.log(conduct_p_values(conduct, np.arange(6))[0][2]).mean()), claim.log_e


def test_a_common_queue_and_a_common_volume_each_draw_members_nearer() -> None:
    near = {
        (queue, alike): third_view(days=True, queue=queue, alike=alike)[0]
        for queue in (True, False)
        for alike in (True, False)
    }
    assert near[True, True] < near[True, False] < near[False, False]
    assert near[True, True] < near[False, True] < near[False, False]


def test_the_first_two_views_know_neither_volume_nor_queue() -> None:
    accounts = in_common(6, days=True, hours=True)
    plain, _ = conduct_p_values(conduct_of(accounts), np.arange(6))
    queued, _ = conduct_p_values(conduct_of(accounts).with_hours(acted(4, 6, queue=True)), np.arange(6))
    assert len(queued) == len(VIEWS)
    assert all((with_hours == without).all() for with_hours, without in zip(queued, plain, strict=False))


def test_the_same_bursts_alone_are_a_launch_and_the_same_volume_alone_is_a_quota() -> None:
    assert third_view(days=False, queue=True, alike=False)[1] < 1.0
    assert third_view(days=False, queue=False, alike=True)[1] < 1.0


def test_a_course_in_the_same_hours_of_the_same_days_is_common_conduct_like_any_fleet() -> None:
    """What the claim does not show: that no lesson, shift or product holds the clock. Harvest is another question."""
    assert third_view(days=True, queue=True, alike=False)[1] > 9.0


def test_hours_are_read_of_those_that_are_compared_and_of_nobody_else() -> None:
    exchanges = np.full(CUSTOMERS, EXCHANGES)
    exchanges[700:] = 64 * EXCHANGES  # of another volume
    exchanges[5] = 10
    accounts = replace(world(9, workers=0), exchanges=exchanges)
    conduct = conduct_of(accounts)
    compared = conduct.compared([np.arange(4, 10), np.array([1_200])])
    assert compared.tolist() == [number for number in range(700) if number != 5]
    assert conduct.compared([np.array([1_200])]).tolist() == []
    hours = read(
        CUSTOMERS, [row for number in compared.tolist() for row in by_habit(np.random.default_rng(number), number, 9)]
    )
    assert isinstance(conduct_claim(candidate_of(range(4, 10), accounts=accounts), conduct.with_hours(hours)), Claim)
    with pytest.raises(DetectionError, match="active hours of"):
        conduct_claim(candidate_of(range(1_200, 1_206), accounts=accounts), conduct.with_hours(hours))


def test_few_exchanges_or_members_or_customers_are_no_evidence() -> None:
    accounts = world(7, workers=6)
    conduct = conduct_of(accounts)
    assert isinstance(conduct_claim(candidate_of([0, 1], accounts=accounts), conduct), Inconclusive)
    quiet = accounts_of(CUSTOMERS, exchanges=5)
    assert isinstance(conduct_claim(candidate_of(range(6), accounts=quiet), conduct_of(quiet)), Inconclusive)
    few = accounts_of(18, exchanges=100)
    assert isinstance(conduct_claim(candidate_of(range(6), accounts=few), conduct_of(few)), Inconclusive)
