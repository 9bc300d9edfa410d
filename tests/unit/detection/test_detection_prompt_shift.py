"""Shift of pooled prompts: accounts are the units, so one loud account is no shift, and like accounts are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of
from planted_histories import most_rejections

from stillwatch.detection.campaigns.claims.prompt_shift import prompt_shift_claim, shift_scores
from stillwatch.detection.campaigns.explanations import EXPLANATIONS
from stillwatch.detection.profiles.queries import FEATURE_BINS, FEATURES
from stillwatch.records.claim import Claim, Inconclusive

ACCOUNTS, MEMBERS, DRAWS = 300, 10, 250
Histograms = dict[str, np.ndarray]


def population(rng: np.random.Generator, prompts: int = 100) -> Histograms:
    """Every account has openings and lengths of its own."""
    histograms = {
        name: np.zeros((ACCOUNTS, width), dtype=np.int32) for name, width in zip(FEATURES, FEATURE_BINS, strict=True)
    }
    for name in ("openings", "words"):
        width = histograms[name].shape[1]
        own = rng.dirichlet(np.full(width, 0.5), ACCOUNTS)
        histograms[name][:] = rng.multinomial(prompts, own)
    return histograms


def claim_of(histograms: Histograms, members: int = MEMBERS) -> Claim | Inconclusive:
    accounts = accounts_of(ACCOUNTS, histograms=histograms, prompts=histograms["words"].sum(axis=1).astype(np.int64))
    return prompt_shift_claim(candidate_of(range(members), accounts=accounts))


def test_members_that_begin_alike_are_seen() -> None:
    rng = np.random.default_rng(31)
    histograms = population(rng)
    histograms["openings"][:MEMBERS] = rng.multinomial(100, np.r_[0.7, np.full(31, 0.3 / 31)], MEMBERS)
    claim = claim_of(histograms)
    assert isinstance(claim, Claim)
    assert claim.log_e > math.log(1e4)


def test_one_loud_account_is_no_shift_of_the_group() -> None:
    """It holds most of the pooled prompts, and is one account."""
    histograms = population(np.random.default_rng(32))
    histograms["openings"][0] = 0
    histograms["openings"][0, 0] = 50_000
    claim = claim_of(histograms)
    assert isinstance(claim, Claim)
    assert claim.log_e < 0.0


def test_the_null_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(33)
    claims = [claim_of(population(rng), members=6) for _ in range(DRAWS)]
    assert all(isinstance(claim, Claim) for claim in claims)
    assert sum(isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in claims) <= most_rejections(
        DRAWS, 0.05
    )


def test_logs_without_prompts_are_inconclusive() -> None:
    claim = claim_of(population(np.random.default_rng(34), prompts=0))
    assert isinstance(claim, Inconclusive)
    assert "prompts" in claim.needed


def test_scores_are_log_likelihood_ratios_without_the_accounts_own_prompts() -> None:
    members = np.array([[4, 0], [2, 2]], dtype=np.int32)
    others = np.array([[0, 4]], dtype=np.int32)
    mine, theirs = shift_scores(members, others)
    assert mine[0] == pytest.approx(math.log(0.9 * 0.5 / 0.5 + 0.1))
    assert mine[1] == pytest.approx(0.5 * math.log(0.9 * 1.0 / 0.5 + 0.1) + 0.5 * math.log(0.1))
    assert theirs[0] == pytest.approx(math.log(0.9 * 0.25 / 0.5 + 0.1))


def test_an_honest_product_shifts_too_so_no_explanation_lists_it() -> None:
    """The look-alike of this test is every product with a form: only a list that leaves it out keeps it from deciding."""
    assert all("shift of pooled prompts" not in innocent.tests for innocent in EXPLANATIONS)
