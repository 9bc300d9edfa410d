"""Scorer: which keys does a suspect bear, by what it predicts or writes?

Takes keys, and readings or written documents. Gives a result for each key, whose claim is about training and not about a text.

Reading asks more of the suspect and needs fewer texts: at each place of a served answer its prediction is known, not only one draw of it. Writing
needs nothing but text, and then only contexts that were served can bear the mark (`ServedContexts`).

How far the numbers hold. One text: given all before it, a place whose context is new scores like chance, so the sum over a text has its exact law.
Several marked texts: each pair is still counted once and scores like chance by itself, but two texts that hold two contexts in both orders could make
their scores hang together; how much is measured with unmarked students (docs/marks-radioactivity.md). Decoy keys know nothing of that, since they did
not mark the texts: they vouch for the tail, and a control that was never trained on the answers vouches for the texts. Where texts without the
mark are read, key and decoys are exchangeable, and the randomisation p-value is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Self

from stillwatch.records.claim import Claim, Question
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.records.progress import Progress
from stillwatch.watermark.detection import KeyResult, KeyScorer, Plan, conclude
from stillwatch.watermark.power import units_needed
from stillwatch.watermark.radioactivity.mass import MassScorer, has_mass
from stillwatch.watermark.radioactivity.places import Reading, ServedContexts, check_width, places_read, places_written
from stillwatch.watermark.scheme import Scheme, Tokens, Words
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.schemes.green_bernoulli import GreenBernoulli
from stillwatch.watermark.token_files import Document

NULL = "the suspect was made without answers that this key marked"


class Mode(StrEnum):
    """What is scored."""

    TOP = "likeliest token"
    """The suspect's likeliest token at each place that it reads; every scheme."""
    MASS = "probability mass"
    """All probability that is known at each place that it reads; independent green lists and Gumbel marks with one key."""
    WRITTEN = "written token"
    """What the suspect wrote."""


_METHODS = {Mode.TOP: "radioactivity-top/v1", Mode.MASS: "radioactivity-mass/v1", Mode.WRITTEN: "radioactivity-written/v1"}  # fmt: skip
_ASSUMPTIONS = {
    Mode.TOP: ("places whose context stood before them in the text or its prompt are left out", "scores of different texts are independent"),
    Mode.MASS: ("places whose context stood before them in the text or its prompt are left out", "scores of different texts are independent"),
    Mode.WRITTEN: ("the suspect wrote without sight of answers that the key marked; contexts that stand in its prompt are left out",),
}  # fmt: skip


def mode_of(keys: Sequence[MarkKey], *, probabilities: bool) -> Mode:
    """Choose what a reading is scored by, before anything is scored: mass where it is known and all schemes have it.

    Raises:
        SchemeError: for a scheme or parameter that is not known.
    """
    every = probabilities and all(has_mass(open_scheme(key.scheme, dict(key.parameters))) for key in keys)
    return Mode.MASS if every else Mode.TOP


class RadioactivityScorer:
    """Collects what a suspect said, then tests keys on it. Use as a context manager: its files end with it."""

    def __init__(self, keys: Sequence[MarkKey], mode: Mode, served: ServedContexts | None = None) -> None:
        """Begin.

        Args:
            keys: all keys ever issued for the model, one or more.
            mode: what is scored.
            served: contexts that can bear the mark; null where all that is read was served.

        Raises:
            MarkKeyError: for no key.
            SchemeError: for a scheme that is not known, has no context, or has no mass where mass is asked for.
        """
        for key in keys:
            check_width(open_scheme(key.scheme, dict(key.parameters)).context_width)
        self._keys = tuple(keys)
        self._mode = mode
        self._served = served
        self._pairs = KeyScorer(keys)
        self._mass = MassScorer(keys) if mode is Mode.MASS else None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: remove files."""
        self._pairs.close()

    def read(self, readings: Iterable[Reading]) -> int:
        """Add readings; returns how many."""
        count = 0
        for reading in readings:
            count += 1
            if self._mass is not None:
                self._mass.add(reading, self._served)
            else:
                self._pairs.add_places(partial(self._likeliest, reading))
        return count

    def write(self, documents: Iterable[Document]) -> int:
        """Add what the suspect wrote; returns how many documents."""
        count = 0
        for document in documents:
            count += 1
            self._pairs.add_places(partial(places_written, document, served=self._served))
        return count

    def results(self, plan: Plan, input_digest: str = "", progress: Progress | None = None) -> list[KeyResult]:
        """Score all keys and conclude.

        Args:
            plan: level, decoys and gate.
            input_digest: of what was read or written.
            progress: hears of keys scored, decoys included.

        Returns:
            One result for each key, in the order of the keys.
        """
        if self._mass is not None:
            results = conclude(self._keys, self._mass.measure(plan, progress), plan, input_digest)
        else:
            results = self._pairs.results(plan, input_digest, progress)
        return [_about_training(one, self._mode, len(self._keys), plan) for one in results]

    def _likeliest(self, reading: Reading, width: int) -> tuple[Words, Tokens]:
        contexts, rows = places_read(reading, width, self._served)
        return contexts, reading.alternatives[rows, 0]


def _about_training(result: KeyResult, mode: Mode, keys: int, plan: Plan) -> KeyResult:
    """Say of the suspect's training what was found of what it said."""
    question = Question.TRAINED_ON_ACCOUNT if result.key.level is MarkLevel.ACCOUNT else Question.TRAINED_ON_OUTPUTS
    name = f"training on answers with the mark of key {result.key.handle}"
    answer = result.answer
    if not isinstance(answer, Claim):
        restated = replace(answer, name=name, question=question, method=_METHODS[mode])
        return replace(result, answer=restated)
    claim = replace(
        answer, name=name, question=question, null_hypothesis=NULL, statement=_statement(result, mode, keys, plan),
        statistic_name=_statistic_name(result.scheme, mode), n_unit=_unit(mode),
        assumptions=(*answer.assumptions, *_ASSUMPTIONS[mode]), method=f"{_METHODS[mode]} {result.scheme.name}",
    )  # fmt: skip
    return replace(result, answer=claim)


def _unit(mode: Mode) -> str:
    return "distinct contexts" if mode is Mode.MASS else "distinct pairs of context and token"


def _statistic_name(scheme: Scheme, mode: Mode) -> str:
    if mode is not Mode.MASS:
        return scheme.statistic_name
    return "sum of green probability" if isinstance(scheme, GreenBernoulli) else "sum of p x -log(1 - u)"


def _statement(result: KeyResult, mode: Mode, keys: int, plan: Plan) -> str:
    """Say the result in a sentence."""
    whose = f"{result.key.level.value} key {result.key.handle} ({result.key.assigned_to})"
    numbers = (
        f"by {mode.value}, {result.statistic:,.1f} over {result.count:,} {_unit(mode)}, log10 p {result.log_p / math.log(10.0):.1f}, "
        f"adjusted p {result.adjusted_p:.3g}; {result.decoys_above} of {result.decoys} random keys score as much"
    )
    if result.found:
        return f"The suspect bears the mark of {whose}, as if trained on answers that it marked: {numbers}."
    needed = units_needed(result.scheme, keys, plan.alpha)
    return (
        f"No trace of {whose} in the suspect: {numbers}. A mean excess of {result.scheme.planned_excess:g} would have been found with 95 %, "
        f"as at most {needed:,} suffice for it; a student of few marked answers may keep less."
    )
