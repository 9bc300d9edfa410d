"""Explore, then exploit: techniques first and templates later are seen; either alone, as honest customers do, is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from planted_histories import histories_of, most_rejections

from stillwatch.detection.campaigns.claims.exploration import changes, exploration_claim
from stillwatch.records.claim import Claim, Inconclusive

ACCOUNTS, MEMBERS, DRAWS = 300, 12, 300
EARLY, LATE = 20, 40
Counts = dict[str, np.ndarray]


def population(rng: np.random.Generator) -> Counts:
    """Customers who try a technique now and then and have templates or not, early and late alike."""
    tries, templates = rng.beta(1.0, 9.0, ACCOUNTS), rng.beta(0.6, 0.6, ACCOUNTS)
    return {
        "early": np.full(ACCOUNTS, EARLY),
        "early_tried": rng.binomial(EARLY, tries),
        "early_templated": rng.binomial(EARLY, templates),
        "late": np.full(ACCOUNTS, LATE),
        "late_tried": rng.binomial(LATE, tries),
        "late_templated": rng.binomial(LATE, templates),
    }


def claim_of(tried: Counts, members: int = MEMBERS) -> Claim | Inconclusive:
    return exploration_claim(
        candidate_of(range(members), accounts=accounts_of(ACCOUNTS)), histories_of(ACCOUNTS, tried=tried)
    )


def planted(tried: Counts, rng: np.random.Generator, **rates: float) -> Counts:
    for name, rate in rates.items():
        tried[name][:MEMBERS] = rng.binomial(EARLY if name.startswith("early") else LATE, rate, MEMBERS)
    return tried


def test_techniques_first_and_templates_later_are_seen() -> None:
    rng = np.random.default_rng(21)
    claim = claim_of(
        planted(population(rng), rng, early_tried=0.8, late_tried=0.02, early_templated=0.05, late_templated=0.95)
    )
    assert isinstance(claim, Claim)
    assert claim.log_e > math.log(1e6)
    assert claim.statistic == MEMBERS


@pytest.mark.parametrize(
    "rates",
    [
        {"early_tried": 0.0, "late_tried": 0.0, "early_templated": 0.0, "late_templated": 1.0},
        {"early_tried": 0.8, "late_tried": 0.8, "early_templated": 0.05, "late_templated": 0.05},
        {"early_tried": 0.8, "late_tried": 0.05, "early_templated": 0.05, "late_templated": 0.05},
        {"early_tried": 0.02, "late_tried": 0.8, "early_templated": 0.95, "late_templated": 0.05},
    ],
    ids=["an application goes into production", "a red team", "a red team that ends", "the other way round"],
)
def test_look_alikes_are_not(rates: dict[str, float]) -> None:
    rng = np.random.default_rng(22)
    claim = claim_of(planted(population(rng), rng, **rates))
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_the_null_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(23)
    claims = [claim_of(population(rng), members=4) for _ in range(DRAWS)]
    assert all(isinstance(claim, Claim) for claim in claims)
    assert sum(isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in claims) <= most_rejections(
        DRAWS, 0.05
    )


def test_logs_without_prompts_are_inconclusive() -> None:
    claim = claim_of({name: np.zeros(ACCOUNTS, dtype=np.int64) for name in population(np.random.default_rng(24))})
    assert isinstance(claim, Inconclusive)
    assert "prompts" in claim.needed


def test_the_change_is_the_smaller_of_the_two() -> None:
    counts = {"early": 10, "early_tried": 8, "early_templated": 1, "late": 20, "late_tried": 2, "late_templated": 10}
    found = changes({name: np.array([count]) for name, count in counts.items()})
    assert found.tolist() == pytest.approx([min(0.8 - 0.1, 0.5 - 0.1)])
