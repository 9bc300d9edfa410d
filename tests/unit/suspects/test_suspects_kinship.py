"""Likeness and kinship: against a slow computation, on planted relatives, and what is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from observing import concluded, prompt_file, refused, said, setting_of

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import SUSPECT, ControlRole, Observation, Query
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.kinship import (
    Kinship,
    Roster,
    dilution_power,
    kinship,
    kinship_by_prompt,
    possible_parents,
    power_statement,
    rank_log_e,
)
from stillwatch.suspects.kinship_screen import KinshipScreen
from stillwatch.suspects.likeness import FEATURE_SETS, FIRST_WORD, RARE_WORDS, first_word, likeness, rare_words

PROMPTS = 60
WORDS = [f"word{number}" for number in range(120)]
CONTROLS = tuple(f"control-{number:02d}" for number in range(24))


def writer(seed: int) -> list[list[float]]:
    """The habits of a model: for each prompt how likely it takes each word."""
    rng = np.random.default_rng(seed)
    return [list(rng.dirichlet(np.full(len(WORDS), 0.15))) for _ in range(PROMPTS)]


def answers_of(habits: Sequence[Sequence[float]], seed: int, words: int = 25) -> list[str | None]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words, p=one)) for one in habits]


def a_world(*, kin: bool, share: float = 1.0) -> dict[str, list[str | None]]:
    ours = writer(1_000)
    world = {name: answers_of(writer(number), number) for number, name in enumerate(CONTROLS)}
    world["ours"] = answers_of(ours, 500)
    own = writer(2_000)
    taken = round(share * PROMPTS) if kin else 0
    world[SUSPECT] = [*answers_of(ours, 501)[:taken], *answers_of(own, 502)[taken:]]
    return world


def roster_of(**changes: object) -> Roster:
    facts = {"suspect": SUSPECT, "teacher": "ours", "controls": CONTROLS, "kin": {}, **changes}
    return Roster(**facts)


def test_rare_words_is_the_cosine_of_rarity_weighted_words_and_pairs() -> None:
    texts = ["The cat sat.", "the cat ran off", "A dog sat", ""]
    features = []
    for text in texts:
        words = re.findall(r"\w+", text.lower())
        features.append({*words, *pairwise(words)})
    every = set().union(*features)
    weight = {one: math.log((1 + len(texts)) / sum(one in mine for mine in features)) for one in every}
    norm = [math.sqrt(sum(weight[one] ** 2 for one in mine)) for mine in features]
    expected = [
        [
            sum(weight[o] ** 2 for o in a & b) / (na * nb) if na and nb else 0.0
            for b, nb in zip(features, norm, strict=True)
        ]
        for a, na in zip(features, norm, strict=True)
    ]
    assert rare_words(texts) == pytest.approx(np.array(expected), abs=1e-6)


def test_first_word_looks_at_the_first_word_alone() -> None:
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert first_word(["Sure, here", "  **sure** thing", "Surely", "?!"]).tolist() == expected


def test_prompts_that_somebody_did_not_answer_are_left_out_and_empty_answers_count() -> None:
    found = likeness({"a": ["x y", None, ""], "b": ["x z", "q", "w"]}, RARE_WORDS)
    assert found.models == ("a", "b")
    assert found.values.shape == (2, 2, 2)
    assert found.values[1].tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert found.input_digest != likeness({"a": ["x y", "", ""], "b": ["x z", "q", "w"]}, RARE_WORDS).input_digest


def test_h_is_what_its_formula_says() -> None:
    found = likeness(a_world(kin=True), RARE_WORDS)
    judged = (SUSPECT, *CONTROLS)
    heights = kinship_by_prompt(found, judged, "ours")
    places = {model: place for place, model in enumerate(found.models)}
    for column, name in ((0, SUSPECT), (3, CONTROLS[2])):
        pool = [places[one] for one in judged if one != name]
        s = found.values.astype(float)
        own, ours = places[name], places["ours"]
        expected = s[:, own, ours] - s[:, own, pool].mean(axis=1) - s[:, ours, pool].mean(axis=1)
        assert heights[:, column] == pytest.approx(expected, abs=1e-9)


def test_the_order_of_controls_does_not_matter() -> None:
    found = likeness(a_world(kin=False), RARE_WORDS)
    one = kinship([found], roster_of(), Question.DERIVED, 1)[0]
    other = kinship([found], roster_of(controls=CONTROLS[::-1]), Question.DERIVED, 1)[0]
    assert isinstance(one, Kinship)
    assert isinstance(other, Kinship)
    assert one.claim.log_p == other.claim.log_p
    assert dict(one.controls) == pytest.approx(dict(other.controls))


def test_a_relative_is_a_lead_and_a_stranger_is_none() -> None:
    for kin in (True, False):
        found = kinship([likeness(a_world(kin=kin), one) for one in FEATURE_SETS], roster_of(), Question.DERIVED, 1)
        rare = found[0]
        assert isinstance(rare, Kinship)
        assert (rare.claim.log_p == pytest.approx(math.log(1 / 25))) is kin
        assert (rare.rank == 1) is kin
        assert (rare.effect.low > 3.0) is kin
        assert any("exchangeable with the controls" in one for one in rare.claim.assumptions)
        assert "A lead at most" in rare.claim.statement


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"controls": CONTROLS[:19]}, "19 controls answered"),
        ({"kin": {"control-03": "line", "ours": "line"}}, "siblings: control-03 (of the family of our model)"),
        ({"kin": {"control-03": "line", SUSPECT: "line"}}, "siblings: control-03 (of the family of the suspect)"),
        ({"controls": (*CONTROLS, "ours")}, "siblings: ours (of the family of our model)"),
    ],
)
def test_a_comparison_that_would_not_be_valid_is_inconclusive(changes: dict[str, object], reason: str) -> None:
    found = kinship(
        [likeness(a_world(kin=True), one) for one in FEATURE_SETS], roster_of(**changes), Question.DERIVED, 1
    )
    assert all(isinstance(one, Inconclusive) and reason in one.reason for one in found)


def test_too_few_prompts_are_inconclusive() -> None:
    few = {name: texts[:49] for name, texts in a_world(kin=True).items()}
    (found,) = kinship([likeness(few, RARE_WORDS)], roster_of(), Question.DERIVED, 1)
    assert isinstance(found, Inconclusive)
    assert found.reason == "49 prompts were answered by all"


def test_the_rank_e_value_has_mean_one_over_ranks() -> None:
    for controls in (20, 61):
        values = [math.exp(rank_log_e(rank, controls)) for rank in range(1, controls + 2)]
        assert math.fsum(values) / (controls + 1) == pytest.approx(1.0)
        assert values == sorted(values, reverse=True)


def test_parents_of_the_teachers_family_are_judged_without_it() -> None:
    world = a_world(kin=True)
    world["sibling"] = answers_of(writer(1_000), 900)
    found = likeness(world, RARE_WORDS)
    ranked = possible_parents(found, roster_of(candidates=("sibling",), kin={"sibling": "o", "ours": "o"}))
    assert {ranked[0][0], ranked[1][0]} == {"ours", "sibling"}
    assert len(ranked) == len(CONTROLS) + 2


def test_power_grows_with_dilution_and_is_said() -> None:
    found = likeness({**a_world(kin=False), "again": answers_of(writer(1_000), 777)}, RARE_WORDS)
    curve = dilution_power(found, roster_of(), "again", 0.05, (0.05, 0.3, 1.0))
    assert [share for share, _ in curve] == [0.05, 0.3, 1.0]
    assert curve[0][1] <= curve[1][1] <= curve[2][1] == 1.0
    assert "0.8 or more" in power_statement(curve, PROMPTS, 24, 0.05).statement
    assert "nothing could have been found" in power_statement(curve, PROMPTS, 24, 0.01).statement


PLANNED_CONTROLS = {
    **dict.fromkeys(CONTROLS, ControlRole.NEGATIVE),
    "ours": ControlRole.OWN,
    "again": ControlRole.POSITIVE,
}


class TestPlanned:
    """The screen as a plan runs it."""

    def run(self, folder: Path, *, kin: bool, silent: str = "", **parameters: object):
        world = {**a_world(kin=kin), "again": answers_of(writer(1_000), 777)}
        prompts = [f"prompt {number}" for number in range(PROMPTS)]

        def reply(query: Query) -> Observation:
            if query.party == silent:
                return refused(query)
            return said(query, world[query.party][int(query.id.rsplit("/", 1)[1])] or "")

        setting = setting_of(
            KinshipScreen(),
            parameters=parameters,
            materials={"prompts": prompt_file(folder, prompts)},
            controls=PLANNED_CONTROLS,
        )
        return concluded(KinshipScreen(), setting, reply)

    def test_a_relative(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, kin=True)
        claims = [one.claim for one in found.stated]
        assert all(isinstance(one, Claim) for one in claims)
        assert [one.name for one in claims] == ["kinship: rare words", "kinship: first word"]
        assert claims[0].log_p == pytest.approx(math.log(1 / 25))
        assert found.power is not None
        assert found.power.curve[-1][1] == 1.0
        (relative,) = [one for one in found.controls if one.role is ControlRole.POSITIVE]
        assert relative.as_expected
        assert sum(one.role is ControlRole.NEGATIVE for one in found.controls) == len(CONTROLS)
        assert found.innocent[0].startswith("the suspect was trained on the same public data")
        assert found.series[0].points[0] == (0.0, claims[0].statistic)

    def test_a_silent_control_is_named_and_left_out(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, kin=True, silent="control-07")
        assert found.controls[-1].name == "control-07"
        assert "60 of 60 prompts without an answer" in found.controls[-1].remark
        assert found.stated[0].claim.n == len(CONTROLS) - 1

    def test_a_control_of_our_family_makes_it_inconclusive(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, kin=True, families=["control-01=line", "ours=line"])
        assert all(isinstance(one.claim, Inconclusive) for one in found.stated)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"families": ["nobody=line"]}, "expected PARTY=FAMILY"),
            ({"question": "serves our model"}, "expected one of weights derived, trained on our outputs"),
            ({"featurs": 2}, "got the parameter 'featurs'"),
            ({"prompts": "other"}, "got no material 'other', expected one of prompts"),
        ],
    )
    def test_what_a_plan_may_not_say(self, tmp_path: Path, parameters: dict[str, object], message: str) -> None:
        with pytest.raises(PlanError, match=re.escape(message)):
            self.run(tmp_path, kin=False, **parameters)

    def test_a_prompt_file_is_refused_by_line_without_its_text(self, tmp_path: Path) -> None:
        path = tmp_path / "broken.jsonl"
        path.write_text('{"prompt": "fine"}\n{"prompt": 3, "secret": "do not show"}\n', encoding="utf-8")
        setting = setting_of(KinshipScreen(), materials={"prompts": path}, controls=PLANNED_CONTROLS)
        with pytest.raises(MaterialError, match=r"broken.jsonl:2: expected a JSON object") as caught:
            list(KinshipScreen().prepare(setting))
        assert "do not show" not in str(caught.value)


def test_both_feature_sets_have_their_own_method() -> None:
    found = kinship(
        [likeness(a_world(kin=True), one) for one in (RARE_WORDS, FIRST_WORD)],
        roster_of(),
        Question.TRAINED_ON_OUTPUTS,
        1,
    )
    assert [one.claim.method for one in found if isinstance(one, Kinship)] == [
        "kinship/v1+rare-words/v1",
        "kinship/v1+first-word/v1",
    ]
    assert {one.claim.question for one in found if isinstance(one, Kinship)} == {Question.TRAINED_ON_OUTPUTS}
