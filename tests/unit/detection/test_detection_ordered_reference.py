"""Leaving members out of an ordered reference gives what sorting the others gives; so do the other short cuts of the tests."""

from __future__ import annotations

import numpy as np
import pytest
from planted_accounts import accounts_of, candidate_of

from stillwatch.detection.campaigns.claims.conduct import _left_out_medians
from stillwatch.detection.campaigns.claims.infrastructure_lift import _sequential
from stillwatch.detection.campaigns.claims.ranking import rank_largest, rank_largest_of
from stillwatch.detection.campaigns.claims.sign_shares import share_claim
from stillwatch.detection.campaigns.claims.stating import Procedure
from stillwatch.detection.campaigns.ordered_reference import OrderedReference
from stillwatch.records.claim import Claim, Question

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_members_are_left_out_with_ties_and_gaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = np.sort(rng.choice(60, size=rng.integers(0, 40), replace=False))
    numbers = np.where(rng.random(len(reference)) < 0.2, np.nan, rng.integers(0, 5, len(reference)) / 4)
    members = np.sort(rng.choice(60, size=rng.integers(1, 20), replace=False))
    others = numbers[~np.isin(reference, members) & ~np.isnan(numbers)]
    assert OrderedReference.of(reference, numbers).without(members).tolist() == np.sort(others).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_outsiders_are_the_reference_without_the_members(seed: int) -> None:
    rng = np.random.default_rng(seed)
    accounts = accounts_of(50, reference=rng.random(50) < 0.7)
    members = np.sort(rng.choice(50, size=rng.integers(1, 20), replace=False))
    candidate = candidate_of(members.tolist(), accounts=accounts)
    assert candidate.outsiders.tolist() == sorted(set(np.flatnonzero(accounts.reference)) - set(members))


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_in_an_ordered_reference_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, reference = rng.integers(0, 9, 12) / 8, rng.integers(0, 9, 300) / 8
    assert rank_largest_of(values, np.sort(reference), 1.5) == rank_largest(values, reference, 1.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kept_share_gives_the_claim_of_one_that_is_computed_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 120, 200)
    signed = rng.binomial(known, rng.random(200))
    procedure = Procedure(
        name="signs", question=Question.EXTRACTION, null_hypothesis="none", assumptions=("none",), method="signs/v1"
    )
    candidate = candidate_of(range(0, 40, 4), accounts=accounts_of(200))
    claims = [
        share_claim(candidate, procedure, signed=signed, known=known, what="are signed", number=number)
        for number in (None, "signs", "signs")
    ]
    assert isinstance(claims[0], Claim)
    assert claims[1] == claims[0]
    assert claims[2] == claims[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_medians_of_the_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, rng.integers(3, 12)) / 4
    central = rng.random(len(values)) < 0.7
    central[:2] = True
    expected = [np.median(np.delete(values, place)[np.delete(central, place)]) for place in range(len(values))]
    assert _left_out_medians(values, central).tolist() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_coincidences_in_turn_are_those_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    members, accounts = int(rng.integers(2, 12)), 500
    degrees_of = rng.integers(2, 80, 30)
    carried = [np.sort(rng.choice(30, size=rng.integers(0, 6), replace=False)) for _ in range(members)]
    owner = np.repeat(np.arange(members), [len(values) for values in carried])
    held = np.concatenate(carried).astype(np.int64)
    outcomes, chances = _sequential(owner, held, degrees_of[held], members, accounts)
    present: set[int] = set()
    expected = []
    for values in carried:
        mass = sum(int(degrees_of[value]) for value in present)
        chance = min(max(mass, 1) / accounts * max(len(values), 1), 0.999)
        expected.append((bool(present & set(values.tolist())), chance))
        present |= set(values.tolist())
    assert list(zip(outcomes.tolist(), chances.tolist(), strict=True)) == expected[1:]
