"""Common conduct keeps its promise with all its views: e-values of groups under its nulls are at most 1 on average.

Two nulls, both exact by how the traffic is made. Any customers: members are drawn like the reference, and the claim is asked with a factor of 1.
One product's customers: there are as many trades as `PRODUCT_FACTOR` says, of one size, each with hours, gaps, days, volumes and
bursts in common, and all members are of one trade; whatever is near to them is then at most `PRODUCT_FACTOR` times as likely among
them as among all. The mean is judged by a bootstrap over the groups, the chance of a large e-value by a binomial interval (Markov).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.detection.campaigns.claims.bursts import active_hours
from stillwatch.detection.campaigns.claims.conduct import (
    PRODUCT_FACTOR,
    THRESHOLDS,
    VIEWS,
    Conduct,
    conduct_p_values,
    measure_conduct,
)
from stillwatch.detection.campaigns.claims.ranking import rank_p_values
from stillwatch.detection.campaigns.queries import HOURS
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.records.sketch import CAPABILITY_SIGNS
from stillwatch.statistics.e_values import mean_log_e
from stillwatch.statistics.intervals import binomial_acceptance

ERROR = 1e-6
SEEDS = (1, 2, 3)
ACCOUNTS, DAYS, TRADES = 1_500, 28, int(PRODUCT_FACTOR)
GROUPS = 400
"""Of each seed and size."""
OWN = 4.0
"""How much an account's own life weighs against its trade's, as counts: the smaller, the more it is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Customers of trades."""

    conduct: Conduct
    trade: np.ndarray
    """[accounts]"""


def population(seed: int, exchanges: int) -> Population:
    """Customers whose lives vary around their trade's: its hours, gaps, days, volume, and the hours of the days in which it has work."""
    rng = np.random.default_rng(seed)
    trade = rng.integers(0, TRADES, ACCOUNTS)
    volumes = np.round(
        exchanges * np.exp(0.2 * rng.standard_normal(TRADES)[trade] + 0.3 * rng.standard_normal(ACCOUNTS))
    )
    volumes = np.maximum(volumes, 25).astype(np.int64)
    histograms = {name: np.zeros((ACCOUNTS, bins), np.int32) for name, bins in zip(FEATURES, FEATURE_BINS, strict=True)}
    for name in ("hours", "gaps", "days"):
        usual = rng.dirichlet(np.full(histograms[name].shape[1], 0.5), TRADES) + 1e-3
        for number in range(ACCOUNTS):
            shares = rng.dirichlet(OWN * usual[trade[number]])
            histograms[name][number] = rng.multinomial(volumes[number], shares)
    accounts = accounts_of(volumes, histograms, rng.integers(4, DAYS, ACCOUNTS))
    conduct = measure_conduct(accounts, np.arange(ACCOUNTS))
    work = rng.dirichlet(np.full(24 * DAYS, 0.3), TRADES) + 1e-5
    rows = [
        (int(accounts.hashes[number]), int(hour), int(minutes))
        for number in range(ACCOUNTS)
        for hour, minutes in minutes_of(rng, work[trade[number]], int(volumes[number]))
    ]
    columns = {column.name: pa.array([row[place] for row in rows]) for place, column in enumerate(HOURS.gives.columns)}
    hours = pa.table(columns).cast(arrow_schema(HOURS.gives))
    return Population(conduct=conduct.with_hours(active_hours(hours, accounts.hashes)), trade=trade)


def minutes_of(rng: np.random.Generator, work: np.ndarray, exchanges: int) -> list[tuple[int, int]]:
    """An account's hours of the log and its active minutes in each, at most 60."""
    counts = rng.multinomial(exchanges, rng.dirichlet(20.0 * work / work.sum()))
    acting = np.flatnonzero(counts)
    return list(zip(acting.tolist(), np.minimum(counts[acting], 60).tolist(), strict=True))


def accounts_of(volumes: np.ndarray, histograms: dict[str, np.ndarray], active_days: np.ndarray) -> Accounts:
    zeros, everybody = np.zeros(ACCOUNTS, np.int64), np.ones(ACCOUNTS, dtype=bool)
    return Accounts(
        hashes=10 * np.arange(ACCOUNTS, dtype=np.int64) + 7,
        ids=tuple(f"account-{number:04d}" for number in range(ACCOUNTS)),
        exchanges=volumes, sampled=volumes, prompts=volumes, extraction=zeros,
        first_us=zeros, last_us=zeros, created_us=np.full(ACCOUNTS, np.nan), active_days=active_days,
        capabilities=np.zeros((ACCOUNTS, len(CAPABILITY_SIGNS)), np.int64),
        licensed=~everybody, reference=everybody, observed=everybody, histograms=histograms,
    )  # fmt: skip


def log_e_of(conduct: Conduct, members: np.ndarray, factor: float) -> float:
    """The claim's e-value, by the claim's own steps with another factor."""
    views, reference = conduct_p_values(conduct, members)
    assert len(views) == len(VIEWS)
    return mean_log_e(
        [rank_p_values(p_values, reference, thresholds=THRESHOLDS, factor=factor).log_e for p_values in views]
    )


def lower_mean(values: np.ndarray, rng: np.random.Generator) -> float:
    """The lower end of a bootstrapped interval of the mean, one in a thousand."""
    drawn = rng.choice(values, (2_000, len(values)))
    return float(np.quantile(drawn.mean(axis=1), 0.001))


@pytest.fixture(scope="module", params=[50, 200], ids=["50 exchanges", "200 exchanges"])
def populations(request: pytest.FixtureRequest) -> list[Population]:
    return [population(seed, request.param) for seed in SEEDS]


def e_values(populations: list[Population], members: int, factor: float, *, one_trade: bool) -> np.ndarray:
    found = []
    for seed, made in zip(SEEDS, populations, strict=True):
        rng = np.random.default_rng([seed, members])
        for _ in range(GROUPS):
            who = np.flatnonzero(made.trade == rng.integers(TRADES)) if one_trade else np.arange(ACCOUNTS)
            found.append(log_e_of(made.conduct, np.sort(rng.choice(who, members, replace=False)), factor))
    return np.exp(np.array(found))


def assert_e_values(values: np.ndarray, seed: int) -> None:
    assert lower_mean(values, np.random.default_rng(seed)) <= 1.0, f"mean {values.mean():.2f}, seeds {SEEDS}"
    for bound in (10.0, 100.0):
        above = int((values >= bound).sum())
        assert above <= binomial_acceptance(len(values), 1.0 / bound, ERROR)[1], (
            f"{above} of {len(values)} above {bound}"
        )


@pytest.mark.parametrize("members", [4, 8, 20])
def test_any_customers_are_no_common_conduct_with_a_factor_of_one(populations: list[Population], members: int) -> None:
    assert_e_values(e_values(populations, members, 1.0, one_trade=False), members)


@pytest.mark.parametrize("members", [4, 8, 20])
def test_customers_of_one_product_are_no_common_conduct_with_the_claims_factor(
    populations: list[Population], members: int
) -> None:
    values = e_values(populations, members, PRODUCT_FACTOR, one_trade=True)
    assert_e_values(values, members)


def test_one_product_would_be_common_conduct_with_a_factor_of_one(populations: list[Population]) -> None:
    """The trades have something in common: without the factor their customers would often be accused."""
    values = e_values(populations, 8, 1.0, one_trade=True)
    assert int((values >= 100.0).sum()) > binomial_acceptance(len(values), 0.01, ERROR)[1]
