"""Sharding and repetition: divided prompt sets, public prompt sets and suites, planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of, study_of
from scipy import stats

from stillwatch.detection.campaigns.candidate import Candidate
from stillwatch.detection.campaigns.claims.repetition import repetition_claim
from stillwatch.detection.campaigns.claims.sharding import POOL_FACTOR, recurring_exchanges, sharding_claim
from stillwatch.records.claim import Claim, Inconclusive

MEMBERS, EACH = 10, 40
TEMPLATE = [1, 2, 3]
"""Spans of a scaffold that all prompts of all members have."""


def planted(items: dict[int, list[int]], **columns: Any) -> Candidate:
    """Members that sent these items, each inside the scaffold; item k has spans 100 k to 100 k + 3, and is prompt k."""
    sent = [
        {
            "number": number,
            "exact": item,
            "spans": sorted([*TEMPLATE, *range(100 * item, 100 * item + 4)]),
            "prompt_words": 40,
            **columns,
        }
        for number, mine in items.items()
        for item in mine
    ]
    accounts = accounts_of(30, exchanges=max(len(mine) for mine in items.values()))
    return candidate_of(sorted(items), accounts=accounts, study=study_of(30, sent))


def drawn(pool: int, seed: int) -> dict[int, list[int]]:
    """Each member draws for itself, with replacement, from one set."""
    rng = np.random.default_rng(seed)
    return {number: (rng.integers(pool, size=EACH) + 10).tolist() for number in range(MEMBERS)}


def test_a_set_divided_among_members_is_seen_behind_its_common_scaffold() -> None:
    shards = {number: list(range(10 + EACH * number, 10 + EACH * (number + 1))) for number in range(MEMBERS)}
    claim = sharding_claim(planted(shards))
    assert isinstance(claim, Claim)
    assert claim.statistic == 0
    assert claim.log_e > 50.0


@pytest.mark.parametrize("pool", [EACH, 200, MEMBERS * EACH])
def test_users_of_a_public_set_are_not(pool: int) -> None:
    claim = sharding_claim(planted(drawn(pool, seed=11)))
    assert isinstance(claim, Claim)
    assert claim.log_e <= 0.0


def worked_off(passes: int, *, in_turns: bool) -> Candidate:
    """One set of 120 items that ten members send `passes` times: as one queue that begins again, or each member for itself at any time."""
    rng = np.random.default_rng(17)
    items = np.concatenate([rng.permutation(120) for _ in range(passes)])
    if not in_turns:
        items = rng.permutation(items)
    sent = [
        {"number": place % MEMBERS, "exact": int(item) + 10, "time_us": place, "prompt_words": 40}
        | {"spans": sorted([*TEMPLATE, *range(100 * int(item), 100 * int(item) + 4)])}
        for place, item in enumerate(items)
    ]
    accounts = accounts_of(30, exchanges=len(items) // MEMBERS)
    return candidate_of(range(MEMBERS), accounts=accounts, study=study_of(30, sent))


def test_a_queue_that_begins_again_is_told_from_a_public_set_by_the_times_of_its_repeats() -> None:
    turns, mixed = sharding_claim(worked_off(3, in_turns=True)), sharding_claim(worked_off(3, in_turns=False))
    assert isinstance(turns, Claim)
    assert isinstance(mixed, Claim)
    assert turns.log_e > 5.0
    assert mixed.log_e <= 0.0


def test_a_class_that_meets_its_sheet_in_one_week_keeps_its_explanation() -> None:
    """Ten pupils with one sheet of 40 in the second third of the time, and questions of their own before and after."""
    rng = np.random.default_rng(19)
    sent = []
    for number in range(MEMBERS):
        sheet = (rng.permutation(40) + 10).tolist()
        own = [1_000 + 100 * number + place for place in range(80)]
        for place, item in enumerate([*own[:40], *sheet, *own[40:]]):
            spans = sorted([*TEMPLATE, *range(100 * item, 100 * item + 4)])
            sent.append({"number": number, "exact": item, "time_us": place, "prompt_words": 40, "spans": spans})
    candidate = candidate_of(range(MEMBERS), accounts=accounts_of(30, exchanges=120), study=study_of(30, sent))
    claim = sharding_claim(candidate)
    assert isinstance(claim, Claim)
    assert claim.log_e <= 0.0


WORKERS = 20


def short_and_long(sheet: int, *, phrases: bool) -> Candidate:
    """Twenty members send 60 short prompts of one span and 30 long ones each, no prompt word for word what another sends.

    The short ones are of a sheet of that many exercises that each member goes through in words of its own, or items of a queue of which one
    in two has a phrase in common with the item of one other member.
    """
    rng = np.random.default_rng(23)
    sent = []
    for number in range(WORKERS):
        picked = rng.permutation(sheet)[:60].tolist()
        for place in range(90):
            exact, mine = 1_000 * number + place + 10, 1_000_000 + 10_000 * number + 10 * place
            spans = [mine] if place < 60 else list(range(mine, mine + 5))
            if place < 60 and not phrases:
                spans = [500 + picked[place]]
            elif place < 60 and place % 2 == 0:
                spans = [50_000 + 60 * (number // 2) + place]
            sent.append({"number": number, "exact": exact, "time_us": place, "prompt_words": 40, "spans": spans})
    accounts = accounts_of(30, exchanges=90)
    return candidate_of(range(WORKERS), accounts=accounts, study=study_of(30, sent))


def test_short_prompts_with_a_phrase_in_common_are_no_common_set() -> None:
    """Recurrences by one span alone are as many as a common set makes them, if one counts what cannot be told apart."""
    candidate = short_and_long(60, phrases=True)
    found = recurring_exchanges(candidate, candidate.rows)
    assert found.recurring.sum() == WORKERS * 30
    assert found.told_apart.sum() == WORKERS * 30
    claim = sharding_claim(candidate)
    assert isinstance(claim, Claim)
    assert claim.log_e > 20.0


@pytest.mark.parametrize("sheet", [60, 90, 200])
def test_a_class_that_puts_short_exercises_in_words_of_its_own_keeps_its_explanation(sheet: int) -> None:
    """What is told apart are each pupil's own long questions, which nobody else has; the sheet is on many of them."""
    claim = sharding_claim(short_and_long(sheet, phrases=False))
    assert isinstance(claim, Claim)
    assert claim.log_e <= 0.0


def test_the_stated_chance_holds_for_the_largest_set_that_the_null_allows() -> None:
    """Recurrences over many draws from a set of that size are not fewer than stated, by a binomial interval at 1e-6."""
    seeds, recurring, exchanges, chance = range(40), 0, 0, 0.0
    for seed in seeds:
        candidate = planted(drawn(POOL_FACTOR * MEMBERS * EACH, seed))
        recurring += int(recurring_exchanges(candidate, candidate.rows).recurring.sum())
        exchanges += len(candidate.rows)
        chance = 1.0 - np.exp(-(1.0 - 1.0 / MEMBERS) / POOL_FACTOR)
    assert recurring >= stats.binom.ppf(1e-6, exchanges, chance)


def test_draws_from_that_set_give_evidence_no_more_often_than_promised() -> None:
    found = [sharding_claim(planted(drawn(POOL_FACTOR * MEMBERS * EACH, seed))) for seed in range(200)]
    assert all(isinstance(claim, Claim) for claim in found)
    passed = sum(claim.log_e >= np.log(20.0) for claim in found if isinstance(claim, Claim))
    assert passed <= stats.binom.isf(1e-6, 200, 0.05)


def test_an_item_in_other_words_recurs_and_a_common_scaffold_does_not() -> None:
    """Members 0 and 1 send item 50 with one span of four changed; nobody else's item is met."""
    sent = [
        {"number": 0, "exact": 1, "spans": [*TEMPLATE, 51, 52, 53, 54]},
        {"number": 1, "exact": 2, "spans": [*TEMPLATE, 51, 52, 53, 99]},
        {"number": 0, "exact": 3, "spans": [*TEMPLATE, 61, 62, 63, 64]},
        {"number": 1, "exact": 4, "spans": [*TEMPLATE, 71, 72, 73, 74]},
    ]
    candidate = candidate_of([0, 1], accounts=accounts_of(30), study=study_of(30, sent))
    assert recurring_exchanges(candidate, candidate.rows).recurring.tolist() == [True, False, True, False]


def test_without_text_or_a_second_member_there_is_no_claim() -> None:
    nothing = study_of(30, [{"number": number, "exact": None} for number in (0, 1) for _ in range(40)])
    assert isinstance(sharding_claim(candidate_of([0, 1], accounts=accounts_of(30), study=nothing)), Inconclusive)
    assert isinstance(sharding_claim(planted({0: list(range(10, 90))})), Inconclusive)


@pytest.mark.parametrize(("runs", "standing"), [(1, False), (2, True), (8, True)])
def test_a_suite_that_runs_again_keeps_its_explanation(runs: int, *, standing: bool) -> None:
    claim = repetition_claim(planted({number: (list(range(10, 10 + 80 // runs)) * runs)[:80] for number in range(5)}))
    assert isinstance(claim, Claim)
    assert (claim.log_e <= 0.0) is standing
    assert standing or claim.log_e > 20.0


@pytest.mark.xfail(
    strict=True,
    reason="what each member tries again is in several prompts of each, so that a common exercise is taken for the template, and the"
    " member's own words for the item: nothing recurs; tries of one member would have to count once",
)
def test_students_who_try_their_homework_again_are_no_workers_of_one_queue() -> None:
    """Twenty students, forty exercises: each student tries an exercise three times, in words of its own that change a little.

    What the tries have in common lies within one student far more often than dealing out at random would bring about.
    """
    rng = np.random.default_rng(12)
    sent = []
    for number in range(20):
        for exercise in rng.choice(40, size=6, replace=False).tolist():
            own = [100_000 + 1_000 * number + 10 * exercise + word for word in range(5)]
            sent += [
                {
                    "number": number,
                    "exact": len(sent) + attempt,
                    "spans": sorted([10 * exercise + 5_000, 10 * exercise + 5_001, *own]),
                }
                for attempt in range(3)
            ]
    candidate = candidate_of(range(20), accounts=accounts_of(40, exchanges=18), study=study_of(40, sent))
    claim = sharding_claim(candidate)
    assert isinstance(claim, Claim)
    assert claim.log_e < np.log(20.0)
