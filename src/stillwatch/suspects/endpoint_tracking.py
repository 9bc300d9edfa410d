"""The planned test of change (T5): an endpoint that should serve our model is asked for one token again and again.

Material: `prompts`. Each round asks every prompt for the log-probability of its first token; `logprob_tracking.py` bets that later rounds
are stranger than earlier ones, and may be looked at after every round.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    Answer,
    ControlOutcome,
    ControlRole,
    Query,
    Series,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.e_process import ever_log_p
from stillwatch.statistics.errors import TooLittleDataError
from stillwatch.suspects.logprob_tracking import CENTRE_ROUNDS, LEAST_ROUNDS, Tracked, track
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.parties import digest_of_texts, material_named, query_id
from stillwatch.suspects.prompt_file import read_prompts
from stillwatch.suspects.test import Observations, Setting

METHOD: Final = "endpoint-tracking/v1"
NAME: Final = "change of the endpoint"
MOST_MISSING: Final = 0.2
"""Share of prompts that a round may lack; a round that lacks more is left out."""
_KNOWN: Final[Mapping[str, object]] = {
    "prompts": "prompts",
    "rounds": 60,
    "alternatives": 5,
    "stop_at": 0.0,  # evidence at which a run may end; 0 asks all rounds
}


class EndpointTracking:
    """T5, tracking."""

    __slots__ = ()
    method = METHOD
    title = "Change of an endpoint"
    questions = (Question.SERVES,)
    needs = frozenset({Ability.LOGPROBS})
    reach = Support.NONE

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give the rounds in order; in each, every prompt once to every party.

        Raises:
            SuspectError: where parameters or prompts cannot be used.
        """
        read = Parameters(setting.planned, _KNOWN)
        prompts = read_prompts(setting.materials[material_named(setting, read.word("prompts"))])
        for number in range(read.whole("rounds", CENTRE_ROUNDS + LEAST_ROUNDS, 100_000)):
            for place, prompt in enumerate(prompts):
                for party in (SUSPECT, *(control.name for control in setting.controls)):
                    yield Query(
                        id=query_id(setting, party, f"{number}/{place}"),
                        test=setting.planned.id,
                        party=party,
                        prompt=prompt,
                        max_tokens=1,
                        temperature=0.0,
                        top_logprobs=read.whole("alternatives", 1, 20),
                    )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell whether the evidence has reached what the plan says."""
        stop_at = Parameters(setting.planned, _KNOWN).number("stop_at", 0.0, 1e30)
        found = _tracked(setting, observations, SUSPECT) if stop_at else None
        return found is not None and float(found.log_e_path.max()) >= math.log(stop_at)

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the endpoint changed.

        Raises:
            SuspectError: where parameters or prompts cannot be used.
        """
        found = _tracked(setting, observations, SUSPECT)
        if found is None:
            missing = Inconclusive(
                name=NAME,
                question=Question.SERVES,
                reason="too few rounds have log-probabilities",
                needed=f"{CENTRE_ROUNDS + LEAST_ROUNDS} rounds, each with log-probabilities for {1 - MOST_MISSING:.0%} of the prompts",
                method=METHOD,
            )
            return TestResult(test=setting.planned.id, method=METHOD, stated=(Stated(claim=missing),))
        points = [(index + 1.0 + CENTRE_ROUNDS, value) for index, value in enumerate(found.strangeness.tolist())]
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_stated(found, setting),),
            controls=tuple(_controls(setting, observations)),
            series=(
                Series(title="Distance from the first rounds", x_name="round", y_name="nats", points=tuple(points)),
            ),
            innocent=(
                "other hardware, precision or batching behind the same model",
                "another template or system prompt around the same model",
            ),
        )


def _stated(found: Tracked, setting: Setting) -> Stated:
    path = found.log_e_path
    rounds = len(path)
    return Stated(
        claim=Claim(
            name=NAME,
            question=Question.SERVES,
            statement=(
                f"In {rounds} rounds after the first {CENTRE_ROUNDS}, evidence of a change reached e^{float(path.max()):.1f};"
                f" the last round lies {found.strangeness[-1]:.3f} nats from the first."
            ),
            null_hypothesis="The endpoint did not change: rounds after the first are exchangeable.",
            statistic_name="largest distance from the first rounds, nats",
            statistic=float(found.strangeness.max()),
            log_p=ever_log_p(path),
            log_e=float(path[-1]),
            n=rounds,
            n_unit="rounds",
            assumptions=(
                "while nothing changes, rounds are exchangeable: noise does not grow with the hour or the load",
                "the p-value is 1 over the largest evidence so far (Ville), and may be read at any time",
            ),
            method=METHOD,
            seed=setting.seed,
            input_digest=digest_of_texts([repr(value) for value in found.strangeness.tolist()]),
        ),
        against=True,
    )


def _controls(setting: Setting, observations: Observations) -> Iterator[ControlOutcome]:
    for party in setting.controls:
        found = _tracked(setting, observations, party.name)
        if found is None:
            yield ControlOutcome(
                name=party.name, role=party.role, log_p=0.0, as_expected=False, remark="too few rounds"
            )
            continue
        log_p = ever_log_p(found.log_e_path)
        quiet = log_p > math.log(setting.alpha)
        yield ControlOutcome(
            name=party.name,
            role=party.role,
            log_p=log_p,
            as_expected=quiet != (party.role == ControlRole.POSITIVE),
            remark="asked in the same rounds; a positive control is one that was changed on purpose",
        )


def _tracked(setting: Setting, observations: Observations, party: str) -> Tracked | None:
    """Track a party over the rounds that came so far; none where they are too few."""
    read = Parameters(setting.planned, _KNOWN)
    prompts = len(read_prompts(setting.materials[material_named(setting, read.word("prompts"))]))
    rounds = []
    for number in range(read.whole("rounds", CENTRE_ROUNDS + LEAST_ROUNDS, 100_000)):
        found = [observations.get(query_id(setting, party, f"{number}/{place}")) for place in range(prompts)]
        answered = [one if isinstance(one, Answer) and one.tokens else None for one in found]
        if sum(one is None for one in answered) <= MOST_MISSING * prompts:
            rounds.append(answered)
    if len(rounds) < CENTRE_ROUNDS + LEAST_ROUNDS:
        return None
    table = np.array([_column([one[place] for one in rounds]) for place in range(prompts)]).T
    try:
        return track(table, np.random.default_rng(setting.seed))
    except TooLittleDataError:
        return None


def _column(answers: list[Answer | None]) -> list[float]:
    """Give the log-probability, round by round, of the token that the first rounds began with.

    Where it is not among the alternatives, it is at most as likely as the last of them.
    """
    first = Counter(one.tokens[0].text for one in answers[:CENTRE_ROUNDS] if one is not None)
    if not first:
        return [math.nan] * len(answers)
    wanted = min(token for token, count in first.items() if count == max(first.values()))
    values = []
    for one in answers:
        token = one.tokens[0] if one is not None else None
        if token is None or token.log_prob is None:
            values.append(math.nan)
            continue
        known = {token.text: token.log_prob, **{other.token: other.log_prob for other in token.alternatives}}
        values.append(known.get(wanted, min(known.values())))
    return values
