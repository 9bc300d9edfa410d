"""The planned test of kinship (T2): one answer of every party to each prompt, and what `kinship.py` makes of them.

Parties: the suspect; our model, of the role own; at least twenty models of the role negative that have nothing to do with ours; if there are
any, known relatives of ours of the role positive. Every party answers every prompt, in one random order, so that no party is asked at another time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from stillwatch.records.claim import Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    ControlOutcome,
    ControlRole,
    Power,
    Query,
    Series,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.conformal import conformal_log_p
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.kinship import (
    METHOD,
    Kinship,
    Roster,
    dilution_power,
    kinship,
    kinship_by_prompt,
    power_statement,
)
from stillwatch.suspects.likeness import FEATURE_SETS, Likeness, likeness
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import controls_of, material_named, our_own, query_id, texts_of
from stillwatch.suspects.prompt_file import read_prompts
from stillwatch.suspects.test import Observations, Setting

MOST_UNANSWERED: Final = 0.1
"""Share of prompts that a control may leave unanswered; one that leaves more is left out, whatever it answered."""
CONTROL_LEVEL: Final = 0.05
DILUTIONS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
_QUESTIONS: Final = (Question.DERIVED, Question.TRAINED_ON_OUTPUTS)
_KNOWN: Final[Mapping[str, object]] = {
    "prompts": "prompts",  # name of the material
    "question": Question.DERIVED.value,
    "families": (),  # "party=family" for each party that has relatives among the others
    "max_tokens": 256,
    "temperature": 0.0,
}
_INNOCENT: Final = (
    "the suspect was trained on the same public data as our model, and the controls were not",
    "the suspect was trained on public text that our model had written",
    "our model was trained on the suspect's answers, or on those of a common teacher",
    "the suspect answers in the format, length or language of ours for reasons of its own",
)


class KinshipScreen:
    """T2."""

    __slots__ = ()
    method = METHOD
    title = "Kinship of answers"
    questions = _QUESTIONS
    needs = frozenset({Ability.ANSWER})
    reach = Support.LEAD

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give one query for each prompt and party; prompts in random order, the parties of a prompt in another.

        Raises:
            SuspectError: where parameters, parties or prompts cannot be used.
        """
        read = _parameters(setting)
        prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
        parties = (SUSPECT, *(party.name for party in setting.controls))
        our_own(setting)
        rng = np.random.default_rng(setting.seed)
        for place in rng.permutation(len(prompts)).tolist():
            for at in rng.permutation(len(parties)).tolist():
                yield Query(
                    id=query_id(setting, parties[at], str(place)),
                    test=setting.planned.id,
                    party=parties[at],
                    prompt=prompts[place],
                    max_tokens=read.whole("max_tokens", 1, 4_096),
                    temperature=read.number("temperature", 0.0, 2.0),
                )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell that all prompts are needed: the p-value is valid only with those that were planned."""
        del setting, observations
        return False

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State how near the suspect is to our model among the controls.

        Raises:
            SuspectError: where parameters, parties or prompts cannot be used.
        """
        read = _parameters(setting)
        question = Question(read.word("question"))
        prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
        answers = {
            party: texts_of(setting, observations, party, [str(place) for place in range(len(prompts))])
            for party in (SUSPECT, *(control.name for control in setting.controls))
        }
        kept, left_out = _who_answered(setting, answers)
        roster = Roster(
            suspect=SUSPECT,
            teacher=our_own(setting),
            controls=tuple(name for name in controls_of(setting, ControlRole.NEGATIVE) if name in kept),
            kin=_families(setting, read),
        )
        likenesses = [likeness({party: answers[party] for party in kept}, one) for one in FEATURE_SETS]
        found = kinship(likenesses, roster, question, setting.seed)
        outcomes = tuple(_control_outcomes(likenesses[0], roster, setting, kept)) if _stated(found) else ()
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=tuple(
                Stated(claim=one) if isinstance(one, Inconclusive) else Stated(claim=one.claim, effect=one.effect)
                for one in found
            ),
            controls=(*outcomes, *left_out),
            sensitivity=tuple(row for one in found if isinstance(one, Kinship) for row in one.sensitivity),
            power=_power(likenesses[0], roster, setting, kept) if _stated(found) else None,
            series=tuple(_picture(one) for one in found if isinstance(one, Kinship)),
            innocent=_INNOCENT,
        )


def _parameters(setting: Setting) -> Parameters:
    read = Parameters(setting.planned, _KNOWN)
    if read.word("question") not in {question.value for question in _QUESTIONS}:
        raise PlanError(
            f"test {setting.planned.id!a}: got another question than kinship can be a lead for, expected one of"
            f" {', '.join(question.value for question in _QUESTIONS)}"
        )
    return read


def _families(setting: Setting, read: Parameters) -> dict[str, str]:
    """Read who belongs to whose family."""
    families = {}
    names = {SUSPECT, *(party.name for party in setting.controls)}
    for one in read.words("families"):
        party, found, family = one.partition("=")
        if not found or not family or party not in names:
            raise PlanError(
                f"test {setting.planned.id!a}: got a family {one!a}, expected PARTY=FAMILY with a party of the plan"
            )
        families[party] = family
    return families


def _who_answered(setting: Setting, answers: Mapping[str, list[str | None]]) -> tuple[set[str], list[ControlOutcome]]:
    """Tell who answered enough, and name the controls that did not."""
    kept, left_out = {SUSPECT, our_own(setting)}, []
    for party in setting.controls:
        missing = sum(text is None for text in answers[party.name])
        if party.name in kept or missing <= MOST_UNANSWERED * len(answers[party.name]):
            kept.add(party.name)
        else:
            left_out.append(
                ControlOutcome(
                    name=party.name,
                    role=party.role,
                    log_p=0.0,
                    as_expected=False,
                    remark=f"left out: {missing} of {len(answers[party.name])} prompts without an answer",
                )
            )
    return kept, left_out


def _stated(found: tuple[Kinship | Inconclusive, ...]) -> bool:
    return all(isinstance(one, Kinship) for one in found)


def _control_outcomes(
    likeness_: Likeness, roster: Roster, setting: Setting, kept: set[str]
) -> Iterator[ControlOutcome]:
    """Let each control take the suspect's place among the others, and each known relative too."""
    heights = kinship_by_prompt(likeness_, roster.controls, roster.teacher).mean(axis=0)
    for place, name in enumerate(roster.controls):
        log_p = conformal_log_p(float(heights[place]), np.delete(heights, place))
        yield ControlOutcome(
            name=name,
            role=ControlRole.NEGATIVE,
            log_p=log_p,
            as_expected=True,
            remark="in the suspect's place, the other controls as controls; one of them is always first",
        )
    for name in controls_of(setting, ControlRole.POSITIVE):
        if name in kept:
            means = kinship_by_prompt(likeness_, (name, *roster.controls), roster.teacher).mean(axis=0)
            log_p = conformal_log_p(float(means[0]), means[1:])
            yield ControlOutcome(
                name=name,
                role=ControlRole.POSITIVE,
                log_p=log_p,
                as_expected=log_p <= math.log(CONTROL_LEVEL),
                remark="a known relative of our model, in the suspect's place",
            )


def _power(likeness_: Likeness, roster: Roster, setting: Setting, kept: set[str]) -> Power:
    """Dilute the first known relative that answered; without one nothing is known of the power."""
    relatives = [name for name in controls_of(setting, ControlRole.POSITIVE) if name in kept]
    if not relatives:
        return Power(
            statement="The plan names no known relative of our model, so that it is not known what this test would have found.",
            curve=(),
        )
    curve = dilution_power(likeness_, roster, relatives[0], setting.alpha, DILUTIONS)
    return power_statement(curve, len(likeness_.values), len(roster.controls), setting.alpha)


def _picture(found: Kinship) -> Series:
    points = [(float(rank), height) for rank, (_, height) in enumerate(found.controls, start=1)]
    return Series(
        title=f"{found.claim.name}: the suspect at 0, then the controls from the nearest on",
        x_name="place",
        y_name="hub-corrected kinship h",
        points=((0.0, found.claim.statistic), *points),
    )
