"""Radioactivity: does a suspect predict, or write, what our mark favours where we served it?

Takes served answers that were marked, and what a suspect predicts at each of their places (`RadioactivityReading`) or writes for their prompts
(`RadioactivityWriting`). Gives claims that it was trained on our outputs, one for each key of provider or campaign, and on single accounts' outputs,
one for each account's key. All keys that were ever issued stand in the material; the plan holds its digest, so that no key is chosen afterwards.

Reading needs log-probabilities of given text, with alternatives: open weights, or an endpoint that echoes. Writing needs text alone, and more of it.
Whatever the suspect's tokenizer, texts are laid over the mark's tokens; only the shared vocabulary is scored.

The gate: every control but a positive one must not bear a key. A control reads the same texts, so it shows whether they give their mark away.

Sources: Sander et al., "Watermarking makes language models radioactive" (NeurIPS 2024; 2402.14904), sections 4 and 5; ADFP (2602.03812). What it does
not show: how the suspect came by the answers. Paraphrased answers, few of them, or long contexts leave no trace, and the power says what would.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from stillwatch.integrity.digest import digest_bytes
from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.records.suspect import (
    SUSPECT,
    Ability,
    Answer,
    ControlOutcome,
    ControlRole,
    Power,
    Query,
    Scored,
    Sensitivity,
    Stated,
    Support,
    TestResult,
)
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.parameters import Parameters
from stillwatch.suspects.test import Observations, Setting
from stillwatch.suspects.transcripts_file import Transcript, read_transcripts
from stillwatch.watermark.detection import KeyResult, Plan
from stillwatch.watermark.errors import WatermarkError
from stillwatch.watermark.key_file import read_key_file
from stillwatch.watermark.power import POWER
from stillwatch.watermark.radioactivity.alignment import SaidToken, aligned
from stillwatch.watermark.radioactivity.places import Reading, ServedContexts
from stillwatch.watermark.radioactivity.scorer import Mode, RadioactivityScorer, mode_of
from stillwatch.watermark.scheme import Tokens
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.token_pieces import TokenPieces, open_pieces
from stillwatch.watermark.tokenizers import open_tokenizer

NAME = "radioactivity"
_KNOWN: dict[str, object] = {
    "transcripts": "transcripts",  # material: served answers, as the served-transcript test reads them
    "keys": "keys",  # material: all keys that were ever issued for the model
    "tokenizer": "tokenizer",  # material: the mark's
    "accounts": (),  # whose answers are read; all where it is empty
    "alternatives": 20,  # asked for at each place; reading only
    "answers": 1,  # asked for each prompt; writing only
    "most_tokens": 128,  # of a written answer
    "temperature": 1.0,  # of writing
    "provider_first": True,  # whether a provider's key must be found before campaigns are concluded on
    "gate_level": 0.01,
}
LARGEST_LOG_E = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What the plan makes of the materials."""

    exchanges: tuple[Transcript, ...]
    keys: tuple[MarkKey, ...]
    pieces: TokenPieces
    prompts: tuple[Tokens, ...]
    """Of each exchange, in the mark's ids."""
    served: tuple[Tokens, ...]
    alternatives: int
    answers: int
    most_tokens: int
    temperature: float
    provider_first: bool
    gate_level: float
    digest: str


class _Radioactivity(ABC):
    """What both tests have in common."""

    __slots__ = ()
    questions = (Question.TRAINED_ON_OUTPUTS, Question.TRAINED_ON_ACCOUNT)
    reach = Support.STRONGLY
    method: ClassVar[str]
    title: ClassVar[str]

    def enough(self, setting: Setting, observations: Observations) -> bool:  # noqa: ARG002  # the protocol's
        """Tell that all queries are needed."""
        return False

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State for each key whether the suspect bears it.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        plan = _prepared(setting)
        mode = self._mode(plan)
        results = self._results(setting, plan, observations, SUSPECT, mode)
        controls = tuple(
            _outcome(control.name, control.role, self._results(setting, plan, observations, control.name, mode), setting, plan)
            for control in setting.controls
        )  # fmt: skip
        failed = [one for one in controls if one.role is not ControlRole.POSITIVE and not one.as_expected]
        if failed:
            why = f"{failed[0].name} bears a key though it was trained on no marked answer ({failed[0].remark})"
            need = "controls that are no suspects, and texts that do not show their mark"
            nothing = tuple(
                Stated(claim=Inconclusive(name=NAME, question=question, reason=why, needed=need, method=self.method))
                for question in self.questions
            )
            return TestResult(test=setting.planned.id, method=self.method, stated=nothing, controls=controls)
        return TestResult(
            test=setting.planned.id, method=self.method, stated=tuple(self._stated(results, setting, plan)),
            controls=controls, sensitivity=tuple(self._sensitivity(setting, plan, observations, results, mode)),
            power=_power(results, setting),
            innocent=(
                "the marked answers were published by whoever received them, and the suspect read them there",
                "a third party harvested them, and the suspect was trained on the third party's data",
                "the suspect was licensed to train on them",
            ),
        )  # fmt: skip

    @abstractmethod
    def _mode(self, plan: _Prepared) -> Mode:
        """Say by what the suspect is scored."""

    @abstractmethod
    def _heard(
        self, setting: Setting, plan: _Prepared, observations: Observations, party: str
    ) -> tuple[list[Reading], list[Document]]:
        """Give what a party predicted and what it wrote."""

    def _results(
        self, setting: Setting, plan: _Prepared, observations: Observations, party: str, mode: Mode
    ) -> list[KeyResult]:
        """Score all keys on what a party said."""
        readings, documents = self._heard(setting, plan, observations, party)
        try:
            with RadioactivityScorer(plan.keys, mode, ServedContexts(plan.served)) as scorer:
                scorer.read(readings)
                scorer.write(documents)
                return scorer.results(
                    Plan(alpha=setting.alpha, seed=setting.seed, gate=plan.provider_first), plan.digest
                )
        except WatermarkError as error:
            raise PlanError(f"test {setting.planned.id!a}: {error}") from error

    def _stated(self, results: Sequence[KeyResult], setting: Setting, plan: _Prepared) -> Iterator[Stated]:
        """State each key; p and evidence carry a factor for the number of keys, since keys without a claim are left out of a mean."""
        for one in results:
            account = one.key.assigned_to if one.key.level is MarkLevel.ACCOUNT else None
            claim = one.answer
            if isinstance(claim, Claim):
                factor = math.log(len(plan.keys))
                log_p = min(0.0, one.log_p + factor)
                claim = replace(
                    claim, log_p=log_p, log_e=min(calibrate_log_p(one.log_p), LARGEST_LOG_E) - factor, seed=setting.seed,
                    statement=f"{claim.statement} p and evidence are those of {len(plan.keys)} keys together.",
                    method=f"{self.method} {claim.method}",
                )  # fmt: skip
            yield Stated(claim=claim, account=account)
        present = {stated.key.level is MarkLevel.ACCOUNT for stated in results}
        if True not in present:
            yield Stated(
                claim=Inconclusive(
                    name=NAME, question=Question.TRAINED_ON_ACCOUNT, reason="no key was issued to a single account",
                    needed="keys of accounts, which mark from then on", method=self.method,
                )
            )  # fmt: skip

    def _sensitivity(
        self, setting: Setting, plan: _Prepared, observations: Observations, results: Sequence[KeyResult], mode: Mode
    ) -> Iterator[Sensitivity]:
        """Give the best key by random keys instead of the tail, and by the likeliest token instead of mass."""
        best = min(results, key=lambda one: one.log_p)
        if best.decoys:
            log_p = min(0.0, best.decoy_log_p + math.log(len(results)))
            yield Sensitivity(
                change=f"key {best.key.handle} ranked among {best.decoys} random keys", log_p=log_p,
                log_e=calibrate_log_p(log_p),
            )  # fmt: skip
        if mode is Mode.MASS:
            others = self._results(setting, plan, observations, SUSPECT, Mode.TOP)
            log_p = min(0.0, min(one.log_p for one in others) + math.log(len(others)))
            yield Sensitivity(
                change="the likeliest token alone instead of all probability", log_p=log_p, log_e=calibrate_log_p(log_p)
            )


class RadioactivityReading(_Radioactivity):
    """Feeds served answers, and scores what the suspect predicts."""

    __slots__ = ()
    method = "radioactivity-reading/v1"
    title = "Radioactivity, reading served answers"
    needs = frozenset({Ability.SCORE, Ability.LOGPROBS})

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give the queries: served answers in random order, by every party.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        plan = _prepared(setting)
        for exchange in _shuffled(setting, plan):
            for party in _parties(setting):
                yield Query(
                    id=f"{setting.planned.id}/{party}/{exchange.exchange_id}", test=setting.planned.id, party=party,
                    prompt=exchange.prompt, system=exchange.system, continuation=exchange.served, max_tokens=1,
                    top_logprobs=plan.alternatives,
                )  # fmt: skip

    def _mode(self, plan: _Prepared) -> Mode:
        return mode_of(plan.keys, probabilities=True)

    def _heard(
        self, setting: Setting, plan: _Prepared, observations: Observations, party: str
    ) -> tuple[list[Reading], list[Document]]:
        found = []
        for exchange, prompt, served in zip(plan.exchanges, plan.prompts, plan.served, strict=True):
            one = observations.get(f"{setting.planned.id}/{party}/{exchange.exchange_id}")
            if isinstance(one, Scored):
                said = [
                    SaidToken(
                        piece=token.text.encode(),
                        alternatives=tuple((other.token.encode(), other.log_prob) for other in token.alternatives),
                    )
                    for token in one.tokens
                ]
                reading = aligned(prompt, served, said, plan.pieces)
                if reading is not None:
                    found.append(reading)
        return found, []


class RadioactivityWriting(_Radioactivity):
    """Asks served prompts again, and scores what the suspect writes after contexts that were served."""

    __slots__ = ()
    method = "radioactivity-writing/v1"
    title = "Radioactivity, answers to served prompts"
    needs = frozenset({Ability.ANSWER, Ability.SAMPLE})

    def prepare(self, setting: Setting) -> Iterator[Query]:
        """Give the queries: served prompts in random order, each as often as the plan says, by every party.

        Raises:
            SuspectError: where parameters or materials cannot be used.
        """
        plan = _prepared(setting)
        for exchange in _shuffled(setting, plan):
            for party in _parties(setting):
                for number in range(plan.answers):
                    yield Query(
                        id=f"{setting.planned.id}/{party}/{exchange.exchange_id}/{number}", test=setting.planned.id,
                        party=party, prompt=exchange.prompt, system=exchange.system, max_tokens=plan.most_tokens,
                        temperature=plan.temperature,
                    )  # fmt: skip

    def _mode(self, plan: _Prepared) -> Mode:  # noqa: ARG002  # text alone, whatever the keys
        return Mode.WRITTEN

    def _heard(
        self, setting: Setting, plan: _Prepared, observations: Observations, party: str
    ) -> tuple[list[Reading], list[Document]]:
        encode = open_tokenizer(_material(setting, Parameters(setting.planned, _KNOWN), "tokenizer")).encode
        texts, prompts = [], []
        for exchange, prompt in zip(plan.exchanges, plan.prompts, strict=True):
            for number in range(plan.answers):
                one = observations.get(f"{setting.planned.id}/{party}/{exchange.exchange_id}/{number}")
                if isinstance(one, Answer) and one.text:
                    texts.append(one.text)
                    prompts.append(prompt)
        tokens = encode(texts) if texts else []
        return [], [Document(tokens=one, prompt=prompt) for one, prompt in zip(tokens, prompts, strict=True)]


def _prepared(setting: Setting) -> _Prepared:
    """Read parameters and materials."""
    read = Parameters(setting.planned, _KNOWN)
    files = {name: _material(setting, read, name) for name in ("transcripts", "keys", "tokenizer")}
    chosen = frozenset(read.words("accounts"))
    exchanges = tuple(
        one for one in read_transcripts(files["transcripts"], 0).kept if not chosen or one.account in chosen
    )
    if not exchanges:
        raise MaterialError(f"{files['transcripts']}: holds no exchange of the accounts that the plan names")
    try:
        keys, tokenizer = read_key_file(files["keys"]), open_tokenizer(files["tokenizer"])
        pieces = open_pieces(files["tokenizer"])
    except WatermarkError as error:
        raise MaterialError(f"test {setting.planned.id!a}: {error}") from error
    strange = [one for one in keys if one.tokenizer_digest and one.tokenizer_digest != tokenizer.digest]
    if strange:
        raise MaterialError(
            f"key {strange[0].handle} was used under another tokenizer than {files['tokenizer']}; give that one"
        )
    return _Prepared(
        exchanges=exchanges, keys=tuple(keys), pieces=pieces,
        prompts=tuple(tokenizer.encode([one.system + one.prompt for one in exchanges])),
        served=tuple(tokenizer.encode([one.served for one in exchanges])),
        alternatives=read.whole("alternatives", 1, 1_000), answers=read.whole("answers", 1, 1_000),
        most_tokens=read.whole("most_tokens", 1, 100_000), temperature=read.number("temperature", 0.0, 2.0),
        provider_first=_switch(setting, "provider_first"), gate_level=read.number("gate_level", 1e-6, 0.1),
        digest=digest_bytes(files["transcripts"].read_bytes()),
    )  # fmt: skip


def _switch(setting: Setting, name: str) -> bool:
    value = setting.planned.parameters.get(name, _KNOWN[name])
    if not isinstance(value, bool):
        raise PlanError(
            f"test {setting.planned.id!a}: got {name} of kind {type(value).__name__}, expected true or false"
        )
    return value


def _material(setting: Setting, read: Parameters, name: str) -> Path:
    called = read.word(name)
    if called not in setting.materials:
        raise PlanError(f"test {setting.planned.id!a}: got no material {called!a}, expected the {name}")
    return setting.materials[called]


def _parties(setting: Setting) -> list[str]:
    return [SUSPECT, *(control.name for control in setting.controls)]


def _shuffled(setting: Setting, plan: _Prepared) -> Iterable[Transcript]:
    order = np.random.default_rng(setting.seed).permutation(len(plan.exchanges))
    return (plan.exchanges[place] for place in order.tolist())


def _outcome(
    name: str, role: ControlRole | None, results: Sequence[KeyResult], setting: Setting, plan: _Prepared
) -> ControlOutcome:
    """Say whether a control is as it must be: a positive one bears a key, any other bears none."""
    best = min(results, key=lambda one: one.log_p)
    log_p = min(0.0, best.log_p + math.log(len(results)))
    negative = sum(control.role is not ControlRole.POSITIVE for control in setting.controls)
    as_expected = (
        log_p <= math.log(setting.alpha)
        if role is ControlRole.POSITIVE
        else log_p > math.log(plan.gate_level / max(1, negative))
    )
    remark = f"key {best.key.handle} scores {best.statistic:,.1f} over {best.count:,}, the most of {len(results)} keys"
    return ControlOutcome(name=name, role=role, log_p=log_p, as_expected=as_expected, remark=remark)


def _power(results: Sequence[KeyResult], setting: Setting) -> Power | None:
    """Say what excess would have been found, by the normal approximation that `watermark.power` inverts."""
    from scipy import special  # noqa: PLC0415  # slow to load, and only needed here

    count = min((one.count for one in results), default=0)
    if not count:
        return None
    spread = max(one.scheme.spread for one in results)
    excess = (float(special.ndtri(POWER)) - float(special.ndtri(setting.alpha / len(results)))) * spread / math.sqrt(count)  # fmt: skip
    return Power(
        statement=(
            f"With {count:,} places and {len(results)} keys, a mean excess of {excess:.2g} a place would have been found with chance {POWER:.0%} at "
            f"{setting.alpha:g}; in answers marked in the usual way it is 0.1 to 0.5, and a suspect keeps a part of that."
        ),
        curve=(),
    )
