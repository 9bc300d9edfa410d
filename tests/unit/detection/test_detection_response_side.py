"""Response side: inline reasoning, reasoning tokens and refusals that are taken elsewhere, and their look-alikes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, study_of
from planted_histories import histories_of, most_rejections

from stillwatch.detection.campaigns.claims.response_side import (
    first_pairs,
    inline_reasoning_claim,
    reasoning_claim,
    refusals_claim,
)
from stillwatch.detection.campaigns.claims.stating import SHOWN_ONLY
from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.sketch import ResponseSign

ACCOUNTS, MEMBERS, DRAWS, ANSWERS = 200, 8, 300, 100
REFUSED = int(ResponseSign.REFUSAL)


def answered(rng: np.random.Generator) -> dict[str, np.ndarray]:
    known = np.full(ACCOUNTS, ANSWERS)
    return {
        "answers": known,
        "inline": rng.binomial(ANSWERS, rng.beta(0.5, 2.0, ACCOUNTS)),
        "counted": known,
        "reasoning_tokens": (rng.lognormal(5.0, 1.0, ACCOUNTS) * ANSWERS).astype(np.int64),
    }


def claims_of(counts: dict[str, np.ndarray]) -> tuple[Claim | Inconclusive, Claim | Inconclusive]:
    candidate = candidate_of(range(MEMBERS), accounts=accounts_of(ACCOUNTS))
    histories = histories_of(ACCOUNTS, answered=counts)
    return inline_reasoning_claim(candidate, histories), reasoning_claim(candidate, histories)


def test_forced_inline_reasoning_and_long_reasoning_are_seen() -> None:
    counts = answered(np.random.default_rng(51))
    counts["inline"][:MEMBERS] = ANSWERS - 1
    counts["reasoning_tokens"][:MEMBERS] = 20_000 * ANSWERS
    for claim in claims_of(counts):
        assert isinstance(claim, Claim)
        assert claim.log_e > math.log(1e4)
        assert claim.statement.endswith(SHOWN_ONLY), "a reader must not take it for what decides"


def test_one_account_that_asks_for_tags_does_not_carry_the_group() -> None:
    counts = answered(np.random.default_rng(52))
    counts["inline"][1:MEMBERS] = 10
    counts["inline"][0] = ANSWERS
    counts["reasoning_tokens"][:MEMBERS] = 100 * ANSWERS
    counts["reasoning_tokens"][0] = 10_000_000
    for claim in claims_of(counts):
        assert isinstance(claim, Claim)
        assert claim.log_e < 0.0


def test_the_null_of_shares_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(53)
    rejected = np.zeros(2, dtype=np.int64)
    for _ in range(DRAWS):
        claims = claims_of(answered(rng))
        rejected += [isinstance(claim, Claim) and claim.log_e >= math.log(20.0) for claim in claims]
        assert all(isinstance(claim, Claim) for claim in claims)
    assert rejected.max() <= most_rejections(DRAWS, 0.05)


def test_logs_without_answers_or_counts_are_inconclusive() -> None:
    nothing = {name: np.zeros(ACCOUNTS, dtype=np.int64) for name in answered(np.random.default_rng(54))}
    assert all(isinstance(claim, Inconclusive) for claim in claims_of(nothing))


def refusals_of(sent: Sequence[tuple[int, int, int, bool | None]]) -> Claim | Inconclusive:
    """Rows of (account, prompt, time, refused)."""
    rows: list[dict[str, Any]] = [
        {
            "number": number,
            "exact": prompt,
            "time_us": time,
            "response_signs": None if refused is None else REFUSED * refused,
        }
        for number, prompt, time, refused in sent
    ]
    members = sorted({number for number, *_ in sent})
    return refusals_claim(candidate_of(members, accounts=accounts_of(50), study=study_of(50, rows)))


def test_refused_requests_that_others_repeat_are_seen() -> None:
    claim = refusals_of(
        [row for prompt in range(40) for row in ((0, prompt, 10, True), (1 + prompt % 3, prompt, 20, False))]
    )
    assert isinstance(claim, Claim)
    assert claim.statistic == 40
    assert claim.log_e > math.log(1e6)


def test_a_shared_set_of_which_some_items_are_refused_in_any_order_is_not() -> None:
    """A red team or a benchmark: the item decides, or chance does, never the order."""
    rng = np.random.default_rng(55)
    claim = refusals_of(
        [
            (number, prompt, time, bool(rng.random() < 0.5))
            for prompt in range(150)
            for time, number in enumerate(rng.permutation(4))
        ]
    )
    assert isinstance(claim, Claim)
    assert claim.log_e < math.log(20.0)


def test_the_null_of_refusals_is_rejected_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(56)
    rejected = 0
    for _ in range(DRAWS):
        refused = rng.random((60, 2)) < rng.random((60, 1))
        claim = refusals_of([(n, p, n, bool(refused[p, n])) for p in range(60) for n in range(2)])
        assert isinstance(claim, Claim)
        rejected += claim.log_e >= math.log(20.0)
    assert rejected <= most_rejections(DRAWS, 0.05)


@pytest.mark.parametrize("refused", [None, False])
def test_refusals_that_are_not_logged_or_not_there_are_inconclusive(refused: bool | None) -> None:
    claim = refusals_of([(number, prompt, number, refused) for prompt in range(30) for number in range(2)])
    assert isinstance(claim, Inconclusive)
    assert claim.reason.startswith("0 prompts")


def test_pairs_are_the_first_exchange_and_the_first_later_one_of_another_account() -> None:
    exact = np.array([7, 7, 7, 7, 9, 5, 5])
    owners = np.array([2, 1, 1, 3, 1, 4, 4])
    time_us = np.array([30, 10, 20, 40, 1, 1, 2])
    earlier, later = first_pairs(exact, owners, time_us, np.arange(7))
    assert earlier.tolist() == [1]
    assert later.tolist() == [0]
