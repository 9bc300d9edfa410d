"""Committed secret challenges (T3): does a suspect answer as only our keyed answers could have taught it?

Takes a suspect's replies to questions that leave the choice among at least sixteen equally good answers open. Gives a claim that it knows the
targets, which were drawn after the questions were fixed and committed to before anybody was asked.

Under the null the suspect is independent of the draw. Then slot k is hit with chance 1/|A_k| whatever the suspect prefers, since its choice
is made without the target and the target is uniform. The number of hits has the Poisson-binomial law, and no reference model is needed.
One by one, hits are bet on (Krichevsky and Trofimov), and one may stop at any time. The counter-keys, drawn alike and served to nobody,
are the control: were they hit too often, targets could be guessed, and nothing is stated.

What it does not show: which way the answers took. Whoever published them may have taught the suspect; keys by account narrow that down.
Replies that were paraphrased beyond recognition, refused or filtered count as no hit: they cost power and cannot make a false claim.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.integrity.challenges import verify_material
from stillwatch.integrity.errors import ChallengeError
from stillwatch.records.challenge import (
    SERVED_ARM,
    ChallengeCommitment,
    ChallengeMaterial,
    ChallengeSlot,
    ChallengeTarget,
    ChallengeTargets,
)
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    Answer,
    ControlOutcome,
    Effect,
    Power,
    Query,
    Series,
    Stated,
    Support,
    TestResult,
    Unanswered,
)
from stillwatch.statistics.e_process import ever_log_p, hit_log_e_path
from stillwatch.statistics.poisson_binomial import known_share_interval, poisson_binomial_upper_log_p
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.test import Observations, Setting

METHOD = "committed-challenges/v1"
NAME = "committed challenges"
LEAST_SLOTS = 20
"""Replies below which nothing is stated."""
CONTROL_LEVEL = 1e-3
"""Level at which hits of counter-keys or of a control make the test void; shared by all of them."""
CONFIDENCE = 0.95
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Shares of known slots for which the power is stated."""
WANTED_POWER = 0.8
_QUESTIONS = (Question.SERVES, Question.DERIVED, Question.TRAINED_ON_OUTPUTS, Question.TRAINED_ON_ACCOUNT)
_NO_REPLY = frozenset({"refused", "filtered"})
"""Reasons that are the suspect's own choice, and so no hit; all others say nothing about it."""
_KNOWN: Mapping[str, object] = {
    "material": "challenges",
    "question": "",  # one of the four; must be said unless the targets are an account's
    "instruction": "",  # put after each context, the same for all
    "max_tokens": 16,
    "slots": (),  # ids of those that are asked; all where it is empty
    "stop_at": 0.0,  # evidence at which a run may end; 0 asks all slots and gives the exact p-value
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the plan makes of a material."""

    material: ChallengeMaterial
    places: tuple[int, ...]
    """Of the slots that are asked, in the order in which they are asked."""
    question: Question
    instruction: str
    max_tokens: int
    stop_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replies:
    """What a party chose, in the planned order, lost queries left out."""

    places: tuple[int, ...]
    choices: tuple[int | None, ...]
    lost: int


class CommittedChallenges:
    """T3."""

    __slots__ = ()
    method = METHOD
    title = "Committed secret challenges"
    questions = _QUESTIONS
    needs = frozenset({Ability.ANSWER})
    reach = Support.STRONGLY

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give one query for each slot and party, slots in random order, the parties of a slot together.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        asked = _asked(setting)
        for place in asked.places:
            slot = asked.material.slots[place]
            for party in (SUSPECT, *(control.name for control in setting.controls)):
                yield Query(
                    id=_query_id(setting, party, slot),
                    test=setting.planned.id,
                    party=party,
                    prompt=f"{slot.context}\n{asked.instruction}" if asked.instruction else slot.context,
                    max_tokens=asked.max_tokens,
                    temperature=0.0,
                )

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell whether the evidence has reached what the plan says, with the counter-keys silent."""
        asked = _asked(setting)
        if not asked.stop_at:
            return False
        replies = _replies(setting, asked, observations, SUSPECT)
        if len(replies.places) < LEAST_SLOTS:
            return False
        path = hit_log_e_path(_hits(asked, replies, SERVED_ARM), _rates(asked, replies))
        return float(path.max()) >= math.log(asked.stop_at)

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State whether the suspect knows the targets.

        Raises:
            SuspectError: where parameters or material cannot be used.
        """
        asked = _asked(setting)
        replies = _replies(setting, asked, observations, SUSPECT)
        controls = tuple(_controls(setting, asked, observations, replies))
        missing = _missing(asked, replies, controls)
        account = asked.material.targets.audience or None
        if missing is not None:
            return TestResult(
                test=setting.planned.id,
                method=METHOD,
                stated=(Stated(claim=missing, account=account),),
                controls=controls,
            )
        rates = _rates(asked, replies)
        path = hit_log_e_path(_hits(asked, replies, SERVED_ARM), rates)
        return TestResult(
            test=setting.planned.id,
            method=METHOD,
            stated=(_stated(setting, asked, replies, path, account),),
            controls=controls,
            power=_power(rates, setting.alpha),
            series=(
                Series(
                    title="Evidence after each slot",
                    x_name="slots",
                    y_name="log10 E",
                    points=tuple((index + 1.0, value / math.log(10)) for index, value in enumerate(path.tolist())),
                ),
            ),
            innocent=(
                "the keyed answers were published by somebody who received them, and the suspect read them there",
                "a third party trained on them, and the suspect on the third party's answers",
                "the suspect was licensed to use them",
            ),
        )


def choice_of(text: str, slot: ChallengeSlot) -> int | None:
    """Read which of a slot's answers a reply chose: the one that it says first, as whole words, letter case aside.

    Args:
        text: of the reply.
        slot: that was asked.

    Returns:
        Index into the answers, or null where the reply says none of them. Of two that begin at one place, the longer is meant.
    """
    said = " ".join(text.casefold().split())
    found = []
    for index, answer in enumerate(slot.answers):
        sought = re.escape(" ".join(answer.casefold().split()))
        match = re.search(rf"(?<!\w){sought}(?!\w)", said)
        if match:
            found.append((match.start(), -match.end(), index))
    return min(found)[2] if found else None


def read_material(path: Path) -> ChallengeMaterial:
    """Read slots and targets from a JSON file, and check that they are what was committed to.

    Raises:
        MaterialError: where it cannot be read, has another form, or does not match its commitments.
    """
    try:
        document = json.loads(path.read_bytes())
        material = ChallengeMaterial(
            commitment=ChallengeCommitment(**document["commitment"]),
            targets=ChallengeTargets(**document["targets"]),
            slots=tuple(ChallengeSlot(**{**slot, "answers": tuple(slot["answers"])}) for slot in document["slots"]),
            slot_salts=tuple(document["slot_salts"]),
            leaves=tuple(ChallengeTarget(**leaf) for leaf in document["leaves"]),
        )
    except OSError as error:
        raise MaterialError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MaterialError(
            f"{path}: holds no challenges ({type(error).__name__}); make it from the committed set"
        ) from None
    try:
        verify_material(material)
    except ChallengeError as error:
        raise MaterialError(f"{path}: {error}") from error
    return material


def material_document(material: ChallengeMaterial) -> dict[str, Any]:
    """Give a material as the JSON object that `read_material` reads."""
    return dataclasses.asdict(material)


def _asked(setting: Setting) -> _Asked:
    read = Parameters(setting.planned, _KNOWN)
    name = read.word("material")
    if name not in setting.materials:
        raise PlanError(f"test {setting.planned.id!a}: got no material {name!a}, expected the committed challenges")
    material = read_material(setting.materials[name])
    wanted = set(read.words("slots"))
    known = {slot.slot_id for slot in material.slots}
    if wanted - known:
        raise PlanError(
            f"test {setting.planned.id!a}: got {len(wanted - known)} slots that are not in the committed set"
        )
    places = [place for place, slot in enumerate(material.slots) if not wanted or slot.slot_id in wanted]
    order = np.random.default_rng(setting.seed).permutation(len(places))
    said = read.word("question") or (Question.TRAINED_ON_ACCOUNT.value if material.targets.audience else "")
    if said not in {question.value for question in _QUESTIONS}:
        raise PlanError(f"test {setting.planned.id!a}: got no question, expected one of {', '.join(_QUESTIONS)}")
    if said == Question.TRAINED_ON_ACCOUNT.value and not material.targets.audience:
        raise PlanError(
            f"test {setting.planned.id!a}: the targets are of no account; ask whether outputs were trained on"
        )
    return _Asked(
        material=material,
        places=tuple(places[index] for index in order),
        question=Question(said),
        instruction=read.word("instruction"),
        max_tokens=read.whole("max_tokens", 1, 4_096),
        stop_at=read.number("stop_at", 0.0, 1e30),
    )


def _query_id(setting: Setting, party: str, slot: ChallengeSlot) -> str:
    return f"{setting.planned.id}/{party}/{slot.slot_id}"


def _replies(setting: Setting, asked: _Asked, observations: Observations, party: str) -> _Replies:
    places, choices, lost = [], [], 0
    for place in asked.places:
        slot = asked.material.slots[place]
        observed = observations.get(_query_id(setting, party, slot))
        if isinstance(observed, Answer):
            places.append(place)
            choices.append(choice_of(observed.text, slot))
        elif isinstance(observed, Unanswered) and observed.reason in _NO_REPLY:
            places.append(place)
            choices.append(None)
        elif observed is not None:
            lost += 1
    return _Replies(places=tuple(places), choices=tuple(choices), lost=lost)


def _hits(asked: _Asked, replies: _Replies, arm: int) -> list[bool]:
    return [
        choice == asked.material.target(place, arm)
        for place, choice in zip(replies.places, replies.choices, strict=True)
    ]


def _rates(asked: _Asked, replies: _Replies) -> list[float]:
    return [1.0 / len(asked.material.slots[place].answers) for place in replies.places]


def _controls(
    setting: Setting, asked: _Asked, observations: Observations, replies: _Replies
) -> Iterator[ControlOutcome]:
    """Give the hits of each counter-key by the suspect, and of the served targets by each control."""
    arms = range(SERVED_ARM + 1, asked.material.commitment.counter_arms + 1)
    checked = len(arms) + len(setting.controls)
    level = math.log(CONTROL_LEVEL / checked)
    if replies.places:
        for arm in arms:
            hits = _hits(asked, replies, arm)
            log_p = poisson_binomial_upper_log_p(sum(hits), _rates(asked, replies))
            yield ControlOutcome(
                name=f"counter-key {arm}",
                role=None,
                log_p=log_p,
                as_expected=log_p > level,
                remark=f"{sum(hits)} hits of {len(hits)} by the suspect, {math.fsum(_rates(asked, replies)):.1f} expected by chance",
            )
    for control in setting.controls:
        theirs = _replies(setting, asked, observations, control.name)
        if not theirs.places:
            continue
        hits = _hits(asked, theirs, SERVED_ARM)
        log_p = poisson_binomial_upper_log_p(sum(hits), _rates(asked, theirs))
        positive = control.role is not None and control.role.value == "positive"
        yield ControlOutcome(
            name=control.name,
            role=control.role,
            log_p=log_p,
            as_expected=log_p <= math.log(setting.alpha) if positive else log_p > level,
            remark=f"{sum(hits)} hits of {len(hits)}, {math.fsum(_rates(asked, theirs)):.1f} expected by chance",
        )


def _missing(asked: _Asked, replies: _Replies, controls: Sequence[ControlOutcome]) -> Inconclusive | None:
    void = [one for one in controls if not one.as_expected]
    if void and any(one.role is None or one.role.value != "positive" for one in void):
        reason = f"{void[0].name} was hit more often than chance allows: {void[0].remark}"
        needed = "targets that nobody can guess; look at how slots and targets were drawn"
    elif len(replies.places) < LEAST_SLOTS:
        reason, needed = f"{len(replies.places)} slots were answered", f"at least {LEAST_SLOTS}"
    else:
        return None
    return Inconclusive(name=NAME, question=asked.question, reason=reason, needed=needed, method=METHOD)


def _stated(
    setting: Setting, asked: _Asked, replies: _Replies, path: np.ndarray[Any, np.dtype[np.float64]], account: str | None
) -> Stated:
    rates, hits = _rates(asked, replies), sum(_hits(asked, replies, SERVED_ARM))
    expected = math.fsum(rates)
    # A p-value of the count is valid where the plan asks every slot; where it may stop earlier, only the evidence's own is.
    log_p = ever_log_p(path) if asked.stop_at else poisson_binomial_upper_log_p(hits, rates)
    low, high = known_share_interval(hits, rates, CONFIDENCE)
    unsaid = sum(choice is None for choice in replies.choices)
    claim = Claim(
        name=NAME,
        question=asked.question,
        statement=(
            f"{hits} of {len(rates)} committed targets were hit, {expected:.1f} expected by chance "
            f"({unsaid} replies named none of the answers, {replies.lost} were lost)."
        ),
        null_hypothesis="the suspect is independent of the draw of the targets, so that each slot is hit with chance 1 in its answers",
        statistic_name="hits",
        statistic=float(hits),
        log_p=log_p,
        log_e=float(path[-1]),
        n=len(rates),
        n_unit="slots",
        assumptions=(
            "targets were drawn at random after the slots were committed to, and committed to before the first query",
            "targets became known to nobody but through the served answers",
            *(
                ()
                if asked.material.targets.beacon
                else ("the key was not picked with the slots in mind (there is no beacon)",)
            ),
        ),
        method=METHOD,
        seed=setting.seed,
        input_digest=f"sha256:{asked.material.targets.targets_root}",
    )
    known = max(0.0, (hits - expected) / (len(rates) - expected))
    effect = Effect(name="share of slots that it knows", value=known, low=low, high=high, confidence=CONFIDENCE)
    return Stated(claim=claim, account=account, effect=effect)


def _power(rates: Sequence[float], alpha: float) -> Power:
    """Say how often a suspect that knows a share of the slots, and guesses the others, reaches the level: exact."""
    critical = next(
        (hits for hits in range(len(rates) + 1) if poisson_binomial_upper_log_p(hits, rates) <= math.log(alpha)), None
    )
    if critical is None:
        return Power(statement=f"{len(rates)} slots cannot reach the level {alpha:g} even if all were hit.", curve=())
    values = np.array(rates)
    curve = tuple(
        (share, math.exp(poisson_binomial_upper_log_p(critical, values + share * (1.0 - values)))) for share in SHARES
    )
    found = next((share for share, chance in curve if chance >= WANTED_POWER), None)
    statement = (
        f"With these {len(rates)} slots, a suspect that knows {found:.0%} of them is found at level {alpha:g} with a chance of at least {WANTED_POWER:g}."
        if found is not None
        else f"With these {len(rates)} slots no share is found at level {alpha:g} with a chance of {WANTED_POWER:g}."
    )
    return Power(statement=statement, curve=curve)
