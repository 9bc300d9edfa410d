"""Equality of answers: against a slow computation, exact permutation, bets, sameness and the planned test."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from observing import concluded, prompt_file, refused, said, setting_of

from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.suspect import ControlRole, Observation, Query
from stillwatch.suspects.answer_equality import AnswerEquality
from stillwatch.suspects.two_sample import (
    READ_CHARACTERS,
    distance,
    largest_distance,
    matches,
    pair_bets_log_e,
    sameness_log_p,
)

OPENINGS = [
    ["".join(np.random.default_rng(7 * prompt + one).choice(list("abcdef "), 50)) for one in range(6)]
    for prompt in range(20)
]


def sampled(seed: int, tilt: float, answers: int = 10) -> list[list[str]]:
    """Answers of a model whose habits lie `tilt` away from the first model's."""
    rng, base = np.random.default_rng(seed), np.random.default_rng(0)
    habits = [base.dirichlet(np.ones(6)) for _ in OPENINGS]
    other = [base.dirichlet(np.ones(6)) for _ in OPENINGS]
    mixed = [(1 - tilt) * one + tilt * two for one, two in zip(habits, other, strict=True)]
    return [[texts[pick] for pick in rng.choice(6, answers, p=one)] for texts, one in zip(OPENINGS, mixed, strict=True)]


def slow_distance(ours: list[list[str]], theirs: list[list[str]]) -> float:
    def alike(a: str, b: str) -> float:
        one, two = a[:READ_CHARACTERS].ljust(READ_CHARACTERS, "\0"), b[:READ_CHARACTERS].ljust(READ_CHARACTERS, "\0")
        return sum(x == y for x, y in zip(one, two, strict=True)) / READ_CHARACTERS

    within = [[alike(a, b) for texts in side for a, b in combinations(texts, 2)] for side in (ours, theirs)]
    across = [alike(a, b) for mine, other in zip(ours, theirs, strict=True) for a in mine for b in other]
    return float(np.mean(within[0]) + np.mean(within[1]) - 2 * np.mean(across))


def test_the_distance_is_what_its_formula_says_also_for_unequal_numbers() -> None:
    ours, theirs = sampled(1, 0.0, 4), [texts[:3] for texts in sampled(2, 0.5, 4)]
    found = distance(ours, theirs, permutations=9, rng=np.random.default_rng(0))
    assert found.squared == pytest.approx(slow_distance(ours, theirs))
    assert (found.prompts, found.answers) == (20, 140)


def test_matches_count_places_and_pad_the_end() -> None:
    counted = matches(["abc", "abd"], ["ab"])
    assert counted.tolist() == [[0, 199, 199], [199, 0, 199], [199, 199, 0]]


def test_permutation_is_exact_where_all_can_be_listed() -> None:
    """One prompt with two and two answers has six arrangements; the p-value must be a multiple of a sixth in the limit."""
    ours, theirs = [["aaaa", "aaab"]], [["zzzz", "zzzy"]]
    found = distance(ours, theirs, permutations=20_000, rng=np.random.default_rng(3))
    assert math.exp(found.log_p) == pytest.approx(2 / 6, abs=0.015)


def test_a_difference_is_found_and_sameness_is_not_its_absence() -> None:
    same = distance(sampled(11, 0.0), sampled(12, 0.0), permutations=199, rng=np.random.default_rng(0))
    apart = distance(sampled(1, 0.0), sampled(2, 0.8), permutations=199, rng=np.random.default_rng(0))
    assert same.log_p > math.log(0.05)
    assert apart.log_p == pytest.approx(math.log(1 / 200))
    assert sameness_log_p(same.by_prompt, 0.05) < math.log(0.05)
    assert sameness_log_p(same.by_prompt, 0.0005) > math.log(0.05)
    assert sameness_log_p(apart.by_prompt, 0.02) > math.log(0.05)
    assert sameness_log_p(same.by_prompt, largest_distance(same.by_prompt)) == pytest.approx(math.log(0.05), abs=1e-6)


def test_bets_do_not_depend_on_who_is_called_ours() -> None:
    ours, theirs = sampled(1, 0.0), sampled(2, 0.8)
    assert pair_bets_log_e(ours, theirs) == pytest.approx(pair_bets_log_e(theirs, ours))
    assert pair_bets_log_e(ours, theirs)[0] == 0.0


def test_bets_are_fair_in_each_pair() -> None:
    """Swapping one pair changes the sign of its payoff: the mean of the two capitals is what was there before."""
    ours, theirs = sampled(1, 0.0, 4)[:1], sampled(2, 0.5, 4)[:1]
    swapped = [[*ours[0][:3], theirs[0][3]]], [[*theirs[0][:3], ours[0][3]]]
    before = pair_bets_log_e(ours, theirs)
    after = pair_bets_log_e(*swapped)
    assert np.mean(np.exp([before[3], after[3]])) == pytest.approx(math.exp(before[2]))


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 answers"):
        distance([["a"]], [["b", "c"]], permutations=9, rng=np.random.default_rng(0))


PLANNED_CONTROLS = {"ours": ControlRole.OWN, "other": ControlRole.NEGATIVE, "reseller": ControlRole.POSITIVE}


class TestPlanned:
    """The test as a plan runs it."""

    def run(self, folder: Path, tilt: float, *, dead: bool = False, **parameters: object):
        drawn = {
            "suspect": sampled(3, tilt),
            "ours": sampled(4, 0.0),
            "other": sampled(5, 0.9),
            "reseller": sampled(6, 0.0),
        }

        def reply(query: Query) -> Observation:
            if dead and query.party == "suspect":
                return refused(query)
            _, party, place, sample = query.id.split("/")
            return said(query, drawn[party][int(place)][int(sample)])

        materials = {"prompts": prompt_file(folder, [f"prompt {place}" for place in range(len(OPENINGS))])}
        setting = setting_of(AnswerEquality(), parameters=parameters, materials=materials, controls=PLANNED_CONTROLS)
        return concluded(AnswerEquality(), setting, reply)

    def test_our_own_model_behind_another_name(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, 0.0, margin=0.05)
        difference, sameness = found.stated
        assert isinstance(difference.claim, Claim)
        assert difference.against
        assert difference.claim.log_p > math.log(0.05)
        assert sameness.claim.log_p < math.log(0.05)
        assert not sameness.against
        assert all(one.as_expected for one in found.controls)

    def test_another_model(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, 0.8)
        assert found.stated[0].claim.log_p == pytest.approx(math.log(1 / 1000))
        assert len(found.stated) == 1

    def test_with_bets_the_p_value_is_one_over_the_evidence(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, 1.0, stop_at=20.0)
        path = [value * math.log(10) for _, value in found.series[0].points]
        assert found.stated[0].claim.log_p == pytest.approx(-max(path))
        assert found.stated[0].claim.log_e == pytest.approx(path[-1])

    def test_a_suspect_that_does_not_answer(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, 0.0, dead=True)
        assert isinstance(found.stated[0].claim, Inconclusive)
        assert found.stated[0].claim.needed == "at least 10 prompts"

    def test_it_ends_early_only_if_the_plan_says_so(self, tmp_path: Path) -> None:
        drawn = {"suspect": sampled(3, 1.0), "ours": sampled(4, 0.0)}
        materials = {"prompts": prompt_file(tmp_path, [f"prompt {place}" for place in range(len(OPENINGS))])}
        for stop_at, expected in ((0.0, False), (2.0, True)):
            setting = setting_of(
                AnswerEquality(),
                parameters={"stop_at": stop_at},
                materials=materials,
                controls={"ours": ControlRole.OWN},
            )
            observations = {}
            for query in AnswerEquality().prepare(setting):
                _, party, place, sample = query.id.split("/")
                observations[query.id] = said(query, drawn[party][int(place)][int(sample)])
            assert AnswerEquality().enough(setting, observations) is expected
