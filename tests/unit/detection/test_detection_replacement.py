"""Replacement: a pool that goes on in other accounts after a ban is seen; churn, a launch and a closed class are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from planted_histories import RUN_DAYS, histories_of, most_rejections, within_interval

from stillwatch.detection.campaigns.claims.replacement import after_p_values, replacement_claim, together_p_values
from stillwatch.detection.profiles.histories import DAY_US, starts_and_ends
from stillwatch.records.claim import Claim, Inconclusive

ACCOUNTS, MEMBERS, DRAWS = 600, 40, 300
HALF = MEMBERS // 2
DAY = float(DAY_US)
Times = dict[str, np.ndarray]


def population(rng: np.random.Generator, closed: bool) -> Times:
    """Half of the accounts begin in the run, on days of their own; half end in it."""
    started = np.where(rng.random(ACCOUNTS) < 0.5, rng.uniform(4.0, RUN_DAYS - 2.0, ACCOUNTS) * DAY, np.nan)
    ended = np.where(rng.random(ACCOUNTS) < 0.5, rng.uniform(4.0, RUN_DAYS - 4.0, ACCOUNTS) * DAY, np.nan)
    return {"started_us": started, "closed_us" if closed else "silent_us": ended}


def claim_of(times: Times, members: int = MEMBERS) -> Claim | Inconclusive:
    return replacement_claim(
        candidate_of(range(members), accounts=accounts_of(ACCOUNTS)), histories_of(ACCOUNTS, **times)
    )


def plant(times: Times, ended: np.ndarray, started: np.ndarray) -> Times:
    """The first half of the members end, the others begin."""
    column = "closed_us" if "closed_us" in times else "silent_us"
    times[column][:MEMBERS] = np.concatenate([ended, np.full(HALF, np.nan)])
    times["started_us"][:MEMBERS] = np.concatenate([np.full(HALF, np.nan), started])
    return times


@pytest.mark.parametrize("closed", [True, False])
def test_a_pool_that_goes_on_in_other_accounts_is_seen(closed: bool) -> None:
    rng = np.random.default_rng(41)
    claim = claim_of(
        plant(population(rng, closed), (12.0 + 0.4 * rng.random(HALF)) * DAY, (12.6 + 1.5 * rng.random(HALF)) * DAY)
    )
    assert isinstance(claim, Claim)
    assert claim.log_e > math.log(100.0)
    assert claim.statistic == HALF


def test_customers_of_a_launch_are_not() -> None:
    """They begin within days of each other; others of them end on days of their own."""
    rng = np.random.default_rng(42)
    claim = claim_of(
        plant(population(rng, False), rng.uniform(5.0, 24.0, HALF) * DAY, (13.0 + 2.0 * rng.random(HALF)) * DAY)
    )
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_a_class_that_ends_is_not() -> None:
    """It ends in one week; later members come on days of their own."""
    rng = np.random.default_rng(43)
    claim = claim_of(
        plant(population(rng, False), (10.0 + 0.5 * rng.random(HALF)) * DAY, rng.uniform(10.6, 26.0, HALF) * DAY)
    )
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


@pytest.mark.parametrize("closed", [True, False])
def test_the_null_is_rejected_no_more_often_than_promised(closed: bool) -> None:
    rng = np.random.default_rng(44)
    claims = [claim_of(population(rng, closed), members=16) for _ in range(DRAWS)]
    tested = [claim for claim in claims if isinstance(claim, Claim)]
    assert len(tested) > 0.8 * DRAWS
    assert sum(claim.log_e >= math.log(20.0) for claim in tested) <= most_rejections(len(tested), 0.05)


@pytest.mark.parametrize("chance", [0.05, 0.2, 0.5])
def test_p_values_of_independent_customers_are_uniform(chance: float) -> None:
    rng = np.random.default_rng(45)
    together, after = 0, 0
    for _ in range(DRAWS):
        ends, starts = rng.uniform(0.0, 20.0, 8) * DAY, rng.uniform(20.0, 28.0, 1) * DAY
        together += bool(together_p_values(ends, rng.uniform(0.0, 20.0, 399) * DAY)[0] <= chance)
        after += bool(after_p_values(ends, starts, rng.uniform(20.0, 28.0, 399) * DAY)[0] <= chance)
    assert within_interval(together, DRAWS, chance)
    assert within_interval(after, DRAWS, chance)


def test_members_that_all_go_on_are_inconclusive() -> None:
    claim = claim_of({"started_us": np.full(ACCOUNTS, 5.0 * DAY)})
    assert isinstance(claim, Inconclusive)
    assert claim.reason.startswith("0 members end")


def test_a_run_without_other_starts_is_inconclusive() -> None:
    times = plant(population(np.random.default_rng(46), True), np.full(HALF, 5.0 * DAY), np.full(HALF, 6.0 * DAY))
    times["started_us"][MEMBERS:] = np.nan
    assert isinstance(claim_of(times), Inconclusive)


def test_who_may_have_been_there_before_or_go_on_after_neither_begins_nor_ends() -> None:
    days = np.array([[0, 28], [3, 25], [5, 20]], dtype=np.int64) * DAY_US
    started, silent = starts_and_ends(days[:, 0], days[:, 1])
    assert np.isnan(started[:2]).all()
    assert started[2] == 5 * DAY
    assert np.isnan(silent[:2]).all()
    assert silent[2] == 20 * DAY
