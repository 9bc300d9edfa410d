"""Ramp: one time of rising is seen, days of one's own are not, nor lives that merely fall into the same days."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from planted_histories import RUN_DAYS, histories_of, most_rejections, within_interval

from stillwatch.detection.campaigns.claims.ramp import near_p_values, ramp_claim
from stillwatch.detection.profiles.histories import DAY_US, MINUTE_US, rises
from stillwatch.records.claim import Claim, Inconclusive

ACCOUNTS, MEMBERS, DRAWS = 400, 20, 300
DAY = float(DAY_US)


def population(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Accounts with lives of their own, each with a rise anywhere in it."""
    first = rng.uniform(0.0, 10.0, ACCOUNTS) * DAY
    return {
        "first_us": first,
        "last_us": first + rng.uniform(10.0, 18.0, ACCOUNTS) * DAY,
        "rise": rng.uniform(0.1, 0.9, ACCOUNTS),
    }


def claim_of(given: dict[str, np.ndarray]) -> Claim | Inconclusive:
    return ramp_claim(candidate_of(range(MEMBERS), accounts=accounts_of(ACCOUNTS)), histories_of(ACCOUNTS, **given))


def rise_at(given: dict[str, np.ndarray], times: np.ndarray) -> None:
    lives = given["last_us"][:MEMBERS] - given["first_us"][:MEMBERS]
    given["rise"][:MEMBERS] = (times - given["first_us"][:MEMBERS]) / lives


def test_members_that_rise_within_hours_of_each_other_are_seen() -> None:
    rng = np.random.default_rng(11)
    given = population(rng)
    given["last_us"][:MEMBERS] = np.maximum(given["last_us"][:MEMBERS], 20.0 * DAY)
    rise_at(given, (14.0 + rng.uniform(-0.1, 0.1, MEMBERS)) * DAY)
    claim = claim_of(given)
    assert isinstance(claim, Claim)
    assert claim.log_e > math.log(1e6)


def test_customers_of_a_launch_that_ramp_over_a_week_are_not() -> None:
    """Each from the day on which it came, some days later: a product's customers."""
    given = population(np.random.default_rng(12))
    rng = np.random.default_rng(13)
    given["first_us"][:MEMBERS] = rng.uniform(8.0, 11.0, MEMBERS) * DAY
    given["last_us"][:MEMBERS] = 27.0 * DAY
    rise_at(given, given["first_us"][:MEMBERS] + rng.uniform(2.0, 9.0, MEMBERS) * DAY)
    claim = claim_of(given)
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_short_lives_in_the_same_days_are_no_common_rise() -> None:
    """A class of one week: wherever in it each rises, all rise within days of each other."""
    rng = np.random.default_rng(14)
    given = population(rng)
    given["first_us"][:MEMBERS] = 12.0 * DAY
    given["last_us"][:MEMBERS] = 17.0 * DAY
    claim = claim_of(given)
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_a_rush_that_moves_everybody_is_nobodys_ramp() -> None:
    rng = np.random.default_rng(15)
    given = population(rng)
    given["first_us"][:] = 0.0
    given["last_us"][:] = RUN_DAYS * DAY
    given["rise"][:] = 0.5 + rng.normal(0.0, 0.01, ACCOUNTS)
    claim = claim_of(given)
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.5])
def test_p_values_of_independent_rises_are_uniform(chance: float) -> None:
    rng = np.random.default_rng(16)
    small = 0
    for _ in range(DRAWS):
        first, life = rng.uniform(0.0, 10.0, 5), rng.uniform(5.0, 18.0, 5)
        p_values = near_p_values(first, life, rng.beta(2.0, 3.0, 5), np.sort(rng.beta(2.0, 3.0, 499)))
        small += bool(p_values[0] <= chance)
    assert within_interval(small, DRAWS, chance)


def test_the_null_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(17)
    claims = [claim_of(population(rng)) for _ in range(DRAWS)]
    rejected = sum(isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in claims)
    assert all(isinstance(claim, Claim) for claim in claims)
    assert rejected <= most_rejections(DRAWS, 0.05)


def test_too_few_rises_are_inconclusive() -> None:
    given = population(np.random.default_rng(18))
    given["rise"][2:MEMBERS] = np.nan
    claim = claim_of(given)
    assert isinstance(claim, Inconclusive)
    assert "2 members" in claim.reason


def columns_of(counted: int, before: int, waited_days: float, life_days: float) -> dict[str, np.ndarray]:
    minute = DAY_US // MINUTE_US
    values = {
        "counted": counted, "before": before, "first_minute": 0, "ramp_minute": int(waited_days * minute),
        "last_minute": int(life_days * minute),
    }  # fmt: skip
    return {name: np.array([value], dtype=np.int64) for name, value in values.items()}


def test_a_rise_is_twice_the_own_earlier_level_a_day_before_and_after() -> None:
    assert rises(columns_of(90, 30, 10.0, 20.0))[0] == pytest.approx(0.5)
    assert np.isnan(rises(columns_of(90, 31, 10.0, 20.0))[0])
    assert np.isnan(rises(columns_of(19, 2, 10.0, 20.0))[0])
    assert np.isnan(rises(columns_of(90, 1, 0.5, 20.0))[0])
    assert np.isnan(rises(columns_of(90, 30, 19.5, 20.0))[0])
