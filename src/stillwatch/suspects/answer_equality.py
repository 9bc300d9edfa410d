"""The planned test of equal answers (T1): several samples of the suspect and of our model to each prompt, compared by `two_sample.py`.

Our model is the party of the role own and must be sampled as it is served: with its temperature, system prompt and filters. A further party
of the role positive is one that serves our model too and must not differ; one of the role negative is another model and must.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    ControlOutcome,
    ControlRole,
    Effect,
    Query,
    Series,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.arguments import FloatArray
from stillwatch.statistics.e_process import ever_log_p
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import (
    digest_of_texts,
    material_named,
    our_own,
    query_id,
    texts_of,
)
from stillwatch.suspects.prompt_file import read_prompts
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.two_sample import (
    LEAST_ANSWERS,
    LEAST_PROMPTS,
    Distance,
    distance,
    pair_bets_log_e,
    sameness_log_p,
)

METHOD: Final = "answer-equality/v1"
NAME: Final = "equal answers"
_KNOWN: Final[Mapping[str, object]] = {
    "prompts": "prompts",
    "samples": 10,
    "max_tokens": 64,
    "temperature": 1.0,
    "permutations": 999,
    "margin": 0.0,  # largest squared distance that counts as the same; 0 for no statement of sameness
    "stop_at": 0.0,  # evidence of the bets at which a run may end; 0 asks all samples and gives the p-value by permutation
}
_ASSUMPTIONS: Final = (
    "if the suspect serves our model, its answers and ours to a prompt are exchangeable: same version, system prompt, temperature and filters",
    "prompts, samples and the number of characters read were fixed before the suspect's answers were seen",
)

Texts = list[list[str]]


class AnswerEquality:
    """T1."""

    __slots__ = ()
    method = METHOD
    title = "Equality of answers"
    questions = (Question.SERVES,)
    needs = frozenset({Ability.ANSWER, Ability.SAMPLE})
    reach = Support.NONE

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give the samples round by round: in each round every prompt once, and of each prompt the parties in random order.

        Raises:
            SuspectError: where parameters, parties or prompts cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
        our_own(setting)
        parties = (SUSPECT, *(party.name for party in setting.controls))
        rng = np.random.default_rng(setting.seed)
        for sample in range(read.whole("samples", LEAST_ANSWERS, 1_000)):
            for place, prompt in enumerate(prompts):
                for at in rng.permutation(len(parties)).tolist():
                    yield Query(
                        id=query_id(setting, parties[at], f"{place}/{sample}"),
                        test=setting.planned.id,
                        party=parties[at],
                        prompt=prompt,
                        max_tokens=read.whole("max_tokens", 1, 4_096),
                        temperature=read.number("temperature", 0.0, 2.0),
                    )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell whether the bets have reached what the plan says."""
        stop_at = Parameters(setting.planned, _KNOWN).number("stop_at", 0.0, 1e30)
        if not stop_at:
            return False
        ours, theirs = _pairs(setting, observations)
        if not ours or min(len(one) for one in (*ours, *theirs)) < LEAST_ANSWERS:
            return False
        return float(pair_bets_log_e(ours, theirs).max()) >= math.log(stop_at)

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the answers differ, and whether they are the same within the margin.

        Raises:
            SuspectError: where parameters, parties or prompts cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        ours, theirs = _pairs(setting, observations)
        if len(ours) < LEAST_PROMPTS:
            missing = Inconclusive(
                name=NAME,
                question=Question.SERVES,
                reason=f"{len(ours)} prompts have {LEAST_ANSWERS} answers of the suspect and of our model",
                needed=f"at least {LEAST_PROMPTS} prompts",
                method=METHOD,
            )
            return TestResult(test=setting.planned.id, method=METHOD, stated=(Stated(claim=missing),))
        permutations = read.whole("permutations", 99, 1_000_000)
        found = distance(ours, theirs, permutations=permutations, rng=np.random.default_rng(setting.seed))
        digest = digest_of_texts([text for one in (*ours, *theirs) for text in one])
        path = pair_bets_log_e(ours, theirs)
        early = read.number("stop_at", 0.0, 1e30) > 0.0
        stated = [_difference(setting, found, path if early else None, digest)]
        margin = read.number("margin", 0.0, 2.0)
        if margin > 0.0:
            stated.append(_sameness(setting, found, margin, digest))
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=tuple(stated),
            controls=tuple(_controls(setting, observations, permutations)),
            series=(
                Series(
                    title="Bets on which of a pair is ours",
                    x_name="rounds",
                    y_name="log10 E",
                    points=tuple((index + 1.0, value / math.log(10)) for index, value in enumerate(path.tolist())),
                ),
            ),
            innocent=(
                "another system prompt, temperature, template or quantisation around our own model",
                "another version of our own model",
            ),
        )


def _difference(setting: Setting, found: Distance, path: FloatArray | None, digest: str) -> Stated:
    log_p = found.log_p if path is None else ever_log_p(path)
    return Stated(
        claim=Claim(
            name=f"{NAME}: difference",
            question=Question.SERVES,
            statement=(
                f"The suspect's answers lie at a squared distance of {found.squared:.4f} from ours ({found.prompts} prompts,"
                f" {found.answers} answers); the upper 95% bound is {found.high:.4f}."
            ),
            null_hypothesis="The suspect's answers to each prompt are drawn as our model's are.",
            statistic_name="squared maximum mean discrepancy",
            statistic=found.squared,
            log_p=log_p,
            log_e=calibrate_log_p(log_p) if path is None else float(path[-1]),
            n=found.answers,
            n_unit="answers",
            assumptions=(*_ASSUMPTIONS, "a difference is no statement about training"),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(name="squared distance", value=found.squared, low=found.low, high=found.high, confidence=0.9),
        against=True,
    )


def _sameness(setting: Setting, found: Distance, margin: float, digest: str) -> Stated:
    log_p = max(sameness_log_p(found.by_prompt, margin), -700.0)
    return Stated(
        claim=Claim(
            name=f"{NAME}: sameness",
            question=Question.SERVES,
            statement=f"The upper 95% bound of the squared distance is {found.high:.4f}; the margin was {margin:.4f}.",
            null_hypothesis=f"The suspect's answers lie at least {margin:.4f} from ours.",
            statistic_name="squared maximum mean discrepancy",
            statistic=found.squared,
            log_p=log_p,
            log_e=calibrate_log_p(log_p),
            n=found.prompts,
            n_unit="prompts",
            assumptions=(
                *_ASSUMPTIONS,
                "the margin is what our model and its nearest siblings differ by, measured before",
                "the mean of the prompts' distances is near a t-distribution after correction for skewness; p doubled",
            ),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest,
        ),
        effect=Effect(name="squared distance", value=found.squared, low=found.low, high=found.high, confidence=0.9),
    )


def _controls(setting: Setting, observations: Observations, permutations: int) -> Iterator[ControlOutcome]:
    """Compare each other control with our model as the suspect is."""
    for party in setting.controls:
        if party.role == ControlRole.OWN:
            continue
        ours, theirs = _pairs(setting, observations, party.name)
        if len(ours) < LEAST_PROMPTS:
            yield ControlOutcome(
                name=party.name, role=party.role, log_p=0.0, as_expected=False, remark="too few answers"
            )
            continue
        found = distance(ours, theirs, permutations=permutations, rng=np.random.default_rng(setting.seed))
        differs = found.log_p <= math.log(setting.alpha)
        yield ControlOutcome(
            name=party.name,
            # One that serves our model too must not differ: a calibration run, which voids a difference that was found.
            role=None if party.role == ControlRole.POSITIVE else party.role,
            log_p=found.log_p,
            as_expected=differs == (party.role == ControlRole.NEGATIVE),
            remark=f"squared distance {found.squared:.4f}, upper bound {found.high:.4f}",
        )


def _pairs(setting: Setting, observations: Observations, party: str = SUSPECT) -> tuple[Texts, Texts]:
    """Give our answers and the party's to each prompt that has enough of both."""
    read = Parameters(setting.planned, _KNOWN)
    prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
    own = our_own(setting)
    samples = read.whole("samples", LEAST_ANSWERS, 1_000)
    ours, theirs = [], []
    for place in range(len(prompts)):
        keys = [f"{place}/{sample}" for sample in range(samples)]
        mine = [text for text in texts_of(setting, observations, own, keys) if text is not None]
        other = [text for text in texts_of(setting, observations, party, keys) if text is not None]
        if min(len(mine), len(other)) >= LEAST_ANSWERS:
            ours.append(mine)
            theirs.append(other)
    return ours, theirs
