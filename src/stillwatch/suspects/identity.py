"""Identity leaks: does a suspect say that it is our model? An annotation, at most a lead.

Material: `prompts`, neutral questions about the model itself in several languages; no system prompt is sent. Answers that name us are counted, and
compared with those of models of the same time by Fisher's exact test.

What it does not show: the web is full of our model's name, and models that never saw our answers say it too; a proxy may say anything. Answers
of one model hang together, so that the p-value is no more than a description: it is stated with an e-value of 1, which moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    ControlOutcome,
    ControlRole,
    Effect,
    Query,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.intervals import clopper_pearson
from stillwatch.statistics.tails import hypergeometric_upper_log_p
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import controls_of, digest_of_texts, material_named, query_id, texts_of
from stillwatch.suspects.prompt_file import read_prompts
from stillwatch.suspects.test import Observations, Setting

METHOD: Final = "identity/v1"
NAME: Final = "identity"
LEAST_CONTROLS: Final = 5
_KNOWN: Final[Mapping[str, object]] = {
    "prompts": "prompts",
    "names": (),  # by which an answer names us; letter case aside, as whole words
    "samples": 1,
    "max_tokens": 64,
    "temperature": 1.0,
}


class IdentityLeak:
    """Annotation: whose model it says it is."""

    __slots__ = ()
    method = METHOD
    title = "Identity leaks"
    questions = (Question.SERVES, Question.TRAINED_ON_OUTPUTS)
    needs = frozenset({Ability.ANSWER})
    reach = Support.LEAD

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give each prompt to each party, as often as the plan says.

        Raises:
            SuspectError: where parameters or prompts cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        _pattern(setting, read.words("names"))
        for key, prompt in _asked(setting):
            for party in (SUSPECT, *(control.name for control in setting.controls)):
                yield Query(
                    id=query_id(setting, party, key),
                    test=setting.planned.id,
                    party=party,
                    prompt=prompt,
                    max_tokens=read.whole("max_tokens", 1, 1_024),
                    temperature=read.number("temperature", 0.0, 2.0),
                )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell that all prompts are needed."""
        del setting, observations
        return False

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State how often the suspect names us, beside the controls.

        Raises:
            SuspectError: where parameters or prompts cannot be used.
        """
        pattern = _pattern(setting, Parameters(setting.planned, _KNOWN).words("names"))
        keys = [key for key, _ in _asked(setting)]
        said = {
            party: _named(texts_of(setting, observations, party, keys), pattern)
            for party in (SUSPECT, *(control.name for control in setting.controls))
        }
        controls = controls_of(setting, ControlRole.NEGATIVE)
        hits, answers = said[SUSPECT]
        if len(controls) < LEAST_CONTROLS or not answers:
            missing = Inconclusive(
                name=NAME,
                question=Question.SERVES,
                reason=f"{answers} answers of the suspect and {len(controls)} controls",
                needed=f"answers, and at least {LEAST_CONTROLS} controls of the same time",
                method=METHOD,
            )
            return TestResult(test=setting.planned.id, method=METHOD, stated=(Stated(claim=missing),))
        theirs = (sum(said[name][0] for name in controls), sum(said[name][1] for name in controls))
        digest = digest_of_texts(texts_of(setting, observations, SUSPECT, keys))
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_stated(setting, (hits, answers), theirs, digest),),
            controls=tuple(
                ControlOutcome(
                    name=party.name, role=party.role, log_p=0.0, as_expected=True,
                    remark=f"names us in {said[party.name][0]} of {said[party.name][1]} answers",
                )
                for party in setting.controls
            ),
            innocent=("the web is full of our model's name", "a proxy or system prompt says so", "a third party's data carried the name"),
        )  # fmt: skip


def _asked(setting: Setting) -> list[tuple[str, str]]:
    read = Parameters(setting.planned, _KNOWN)
    prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
    samples = range(read.whole("samples", 1, 1_000))
    return [(f"{place}/{sample}", prompt) for sample in samples for place, prompt in enumerate(prompts)]


def _pattern(setting: Setting, names: Sequence[str]) -> re.Pattern[str]:
    if not names or not all(names):
        raise PlanError(f"test {setting.planned.id!a}: got no names, expected those by which an answer names our model")
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(name) for name in names) + r")(?!\w)", re.IGNORECASE)


def _named(texts: Sequence[str | None], pattern: re.Pattern[str]) -> tuple[int, int]:
    """Count the answers that name us, and all answers."""
    came = [text for text in texts if text is not None]
    return sum(pattern.search(text) is not None for text in came), len(came)


def _stated(setting: Setting, ours: tuple[int, int], theirs: tuple[int, int], digest: str) -> Stated:
    hits, answers = ours
    low, high = clopper_pearson(hits, answers, 0.95)
    return Stated(
        claim=Claim(
            name=NAME,
            question=Question.SERVES,
            statement=f"The suspect names us in {hits} of {answers} answers; the controls do in {theirs[0]} of {theirs[1]}. An annotation only.",
            null_hypothesis="The suspect names us as often as the controls of its time.",
            statistic_name="answers that name us",
            statistic=float(hits),
            log_p=hypergeometric_upper_log_p(hits, answers + theirs[1], hits + theirs[0], answers),
            log_e=0.0,
            n=answers,
            n_unit="answers",
            assumptions=(
                "answers of one model are independent, which they are not: the p-value describes, and the e-value is 1",
                "the controls are of the suspect's time and saw as much of the web",
            ),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(name="share of answers that name us", value=hits / answers, low=low, high=high, confidence=0.95),
    )
