"""Detection: which of the keys that were ever issued does this corpus bear?

Takes keys and documents. Gives for each key what it scores, and a `Claim`, or an `Inconclusive` with what would be needed.

1. Each distinct unit of the corpus is scored once under every key (`unit_store`, `scheme`), and the exact tail gives log p.
2. The same is done with random decoy keys. Under the null the text knows no key, so the key and its decoys are exchangeable and
   (1 + decoys at or above) / (1 + decoys) is a p-value on any text, however it repeats itself. It cannot fall below 1 / (1 + decoys); so
   it does not replace the tail but vouches for it: where too many decoys are rejected at 1 %, no conclusion is drawn at all.
3. The provider's keys are tested first (Holm). Only if one is found are the campaigns' and accounts' keys concluded on, by Holm over all
   of them that were ever issued: closed testing, so that the chance of any false name is at most alpha. Where campaign keys mark *instead*
   of the provider's key, the gate is left out and all keys are one family.
4. A key that is not found is `Inconclusive` until so many units were scored that the planned excess would have been found with 95 %.

What it does not show: that a model was trained on the text, or who put the text there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.records.progress import Progress, Silent
from stillwatch.statistics.e_values import calibrate_log_p
from stillwatch.statistics.false_discovery import holm_adjusted
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.watermark.errors import MarkKeyError
from stillwatch.watermark.power import units_needed
from stillwatch.watermark.scheme import Keys, Scheme, Tokens, Totals, Words, key_row, scheme_units, units_of_texts
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.unit_store import DEFAULT_MEMORY, UnitStore

METHOD = "mark-detection/v1"
NULL = "the text was made without knowledge of this key"
LARGEST_LOG_E = 1e6
_KEYS_AT_ONCE = 256
_TOKENS_AT_ONCE = 1 << 18
_TRUST_LEVEL = 0.01
_TRUST_ERROR = 1e-6
_SHARED_TABLE_SHARE = 0.01
"""Above this share of all units that there are, scores under a shared table hang together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to test."""

    alpha: float
    """Chance of naming any key that the text does not know, in (0, 1)."""
    seed: int
    """Of the decoy keys."""
    decoys: int | None = None
    """For each scheme; null for what the scheme proposes."""
    gate: bool = True
    """Whether the provider's keys, where there are any, must be found first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyResult:
    """What one key scores, and what follows."""

    key: MarkKey
    scheme: Scheme
    count: int
    """Distinct units scored under this key."""
    statistic: float
    log_p: float
    """Natural, of the exact tail."""
    decoys: int
    decoys_above: int
    """Decoy keys that score at least as much."""
    decoys_rejected: int
    """Decoy keys whose own p-value is at most 1 %; about one in a hundred if the tail holds on this text."""
    adjusted_p: float
    """By Holm within the key's family, in [0, 1]."""
    found: bool
    answer: Claim | Inconclusive

    @property
    def decoy_log_p(self) -> float:
        """Natural log of the randomisation p-value."""
        return math.log1p(self.decoys_above) - math.log1p(self.decoys)


class KeyScorer:
    """Collects a corpus for a set of keys, then scores it."""

    def __init__(self, keys: Sequence[MarkKey], *, memory_bytes: int = DEFAULT_MEMORY) -> None:
        """Begin.

        Args:
            keys: all keys ever issued for the model, one or more.
            memory_bytes: for the units of all schemes together.

        Raises:
            MarkKeyError: for no key.
            SchemeError: for a scheme or parameter that is not known.
        """
        if not keys:
            raise MarkKeyError("got no key, expected all keys that were ever issued for the model")
        self.keys = tuple(keys)
        self._groups: dict[tuple[object, ...], tuple[Scheme, list[int]]] = {}
        for index, key in enumerate(self.keys):
            scheme = open_scheme(key.scheme, dict(key.parameters))
            mark = (key.scheme, key.parameters, key.key[len(key.key) - 8 * scheme.shared_words :])
            if mark not in self._groups:
                self._groups[mark] = (scheme, [])
            self._groups[mark][1].append(index)
        share = memory_bytes // len(self._groups)
        self._stores = {
            mark: UnitStore(scheme.unit_words, memory_bytes=share) for mark, (scheme, _) in self._groups.items()
        }

    def close(self) -> None:
        """Remove the stores' files."""
        for store in self._stores.values():
            store.close()

    def add(self, documents: Iterable[Document]) -> int:
        """Add documents; places whose context stands in the document's own prompt are left out.

        Returns:
            Tokens added.
        """
        tokens, waiting, held = 0, [], 0
        for document in documents:
            tokens += len(document.tokens)
            if document.prompt is not None:
                for mark, (scheme, _) in self._groups.items():
                    prompt = scheme_units(scheme, document.prompt).contexts
                    self._stores[mark].add(scheme_units(scheme, document.tokens), unless_in=prompt)
                continue
            waiting.append(document.tokens)
            held += len(document.tokens)
            if held >= _TOKENS_AT_ONCE:
                self._add_texts(waiting)
                waiting, held = [], 0
        self._add_texts(waiting)
        return tokens

    def _add_texts(self, texts: Sequence[Tokens]) -> None:
        """Add texts without prompts together, which costs less than one by one where they are short."""
        if texts:
            for mark, (scheme, _) in self._groups.items():
                self._stores[mark].add(units_of_texts(scheme, texts))

    def add_places(self, places: Callable[[int], tuple[Words, Tokens]]) -> None:
        """Add chosen places instead of whole documents.

        Args:
            places: gives, for a width of context, the contexts `[n, width]` and the tokens `[n]` that are to be scored after them.
        """
        for mark, (scheme, _) in self._groups.items():
            self._stores[mark].add(scheme.units_of(*places(scheme.context_width)))

    def results(self, plan: Plan, input_digest: str = "", progress: Progress | None = None) -> list[KeyResult]:
        """Score all keys and conclude.

        Args:
            plan: level, decoys and gate.
            input_digest: of the corpus, for the claims.
            progress: hears of keys scored, decoys included; null where nobody listens.

        Returns:
            One result for each key, in the order of the keys.
        """
        measured: list[Measured | None] = [None] * len(self.keys)
        rng = np.random.default_rng(plan.seed)
        listener = progress or Silent()
        listener.begin("scoring keys", None)
        for mark, (scheme, places) in self._groups.items():
            rows = np.stack([key_row(scheme, self.keys[place]) for place in places])
            number = scheme.decoys if plan.decoys is None else plan.decoys
            decoys = decoy_keys(scheme, rows, number, rng)
            every = _score(scheme, self._stores[mark].parts(), np.concatenate([rows, decoys]), listener)
            for row, one in enumerate(_measure(scheme, every, len(rows))):
                measured[places[row]] = one
        listener.end()
        return conclude(self.keys, [one for one in measured if one is not None], plan, input_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Numbers of one key before any conclusion."""

    scheme: Scheme
    count: int
    """Distinct units."""
    statistic: float
    log_p: float
    """Natural."""
    decoys: int
    above: int
    """Decoys that score at least as much."""
    rejected: int
    """Decoys whose own p-value is at most 1 %."""


def decoy_keys(scheme: Scheme, rows: Keys, number: int, rng: np.random.Generator) -> Keys:
    """Draw random keys `[number, key_words]`. Where keys have a part that belongs to the provider, decoys share it."""
    decoys = rng.integers(0, 2**64, size=(number, scheme.key_words), dtype=np.uint64)
    own = scheme.key_words - scheme.shared_words
    decoys[:, own:] = rows[0, own:]
    return decoys


def _score(scheme: Scheme, parts: Iterable[Words], keys: Keys, progress: Progress) -> Totals:
    """Score keys and decoys over all parts, each part read once."""
    sums = Totals(counts=np.zeros(len(keys), dtype=np.int64), statistics=np.zeros(len(keys)))
    for words in parts:
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = slice(start, start + _KEYS_AT_ONCE)
            one = scheme.totals(words, keys[some])
            sums.counts[some] += one.counts
            sums.statistics[some] += one.statistics
            progress.advance(len(one.counts))
    return sums


def _measure(scheme: Scheme, every: Totals, keys: int) -> list[Measured]:
    """Rank each of the first keys among the decoys, which come after them."""
    counts, statistics = every.counts, every.statistics
    if (counts == counts[0]).all():
        # Equal counts: the statistic alone ranks, and the tail falls with it.
        ranked, own = np.sort(statistics[keys:]), statistics[:keys]
        rejected = _rejected(scheme, int(counts[0]), ranked)
    else:
        scores = -np.array(
            [scheme.log_p(int(count), float(value)) for count, value in zip(counts, statistics, strict=True)]
        )
        ranked, own = np.sort(scores[keys:]), scores[:keys]
        rejected = int((ranked >= -math.log(_TRUST_LEVEL)).sum())
    return [
        Measured(
            scheme=scheme,
            count=int(counts[row]),
            statistic=float(statistics[row]),
            log_p=scheme.log_p(int(counts[row]), float(statistics[row])),
            decoys=len(ranked),
            above=int(len(ranked) - np.searchsorted(ranked, own[row], side="left")),
            rejected=rejected,
        )
        for row in range(keys)
    ]


def _rejected(scheme: Scheme, count: int, ranked: NDArray[np.float64]) -> int:
    """Count decoys whose p-value is at most 1 %, by halving: the tail falls as the statistic grows."""
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high) // 2
        if scheme.log_p(count, float(ranked[middle])) <= math.log(_TRUST_LEVEL):
            high = middle
        else:
            low = middle + 1
    return len(ranked) - low


def conclude(keys: Sequence[MarkKey], measured: Sequence[Measured], plan: Plan, input_digest: str) -> list[KeyResult]:
    """Test the provider's keys, then the others behind their gate.

    Args:
        keys: all keys.
        measured: numbers of each, in the same order.
        plan: level and gate.
        input_digest: of what was scored.

    Returns:
        One result for each key, in the order of the keys.
    """
    providers = [place for place, key in enumerate(keys) if key.level is MarkLevel.PROVIDER]
    others = [place for place in range(len(keys)) if place not in set(providers)]
    gated = plan.gate and bool(providers) and bool(others)
    families = [providers, others] if gated else [list(range(len(keys)))]
    results: dict[int, KeyResult] = {}
    is_open = True
    for family in families:
        adjusted = holm_adjusted([measured[place].log_p for place in family])
        for place, adjusted_p in zip(family, adjusted, strict=True):
            results[place] = _result(
                keys[place], measured[place], float(adjusted_p), len(family), is_open, plan, input_digest
            )
        is_open = any(results[place].found for place in family)
    return [results[place] for place in range(len(keys))]


def _result(
    key: MarkKey, one: Measured, adjusted_p: float, family: int, is_open: bool, plan: Plan, input_digest: str
) -> KeyResult:
    """State what follows for one key."""
    refusal = _refusal(one, family, is_open, plan)
    needed = units_needed(one.scheme, family, plan.alpha)
    found = refusal is None and adjusted_p <= plan.alpha
    if refusal is None and not found and one.count < needed:
        refusal = (
            f"{one.count:,} distinct units scored; a mean excess of {one.scheme.planned_excess:g} a unit would be missed too often",
            f"about {needed:,} distinct scored tokens, so that such an excess is found with 95 % among {family:,} keys",
        )
    answer: Claim | Inconclusive
    name = f"mark of key {key.handle}"
    if refusal is not None:
        answer = Inconclusive(name=name, question=Question.MARKED, reason=refusal[0], needed=refusal[1], method=METHOD)
    else:
        answer = Claim(
            name=name, question=Question.MARKED, statement=_statement(key, one, adjusted_p, family, found, needed),
            null_hypothesis=NULL, statistic_name=one.scheme.statistic_name, statistic=one.statistic, log_p=one.log_p,
            log_e=min(calibrate_log_p(one.log_p), LARGEST_LOG_E), n=one.count, n_unit="distinct scored units",
            assumptions=(*one.scheme.assumptions, "the key was drawn at random, and the text's author did not know it"),
            method=f"{METHOD} {one.scheme.name}", seed=plan.seed, input_digest=input_digest,
        )  # fmt: skip
    return KeyResult(
        key=key, scheme=one.scheme, count=one.count, statistic=one.statistic, log_p=one.log_p, decoys=one.decoys,
        decoys_above=one.above, decoys_rejected=one.rejected, adjusted_p=adjusted_p, found=found, answer=answer,
    )  # fmt: skip


def _refusal(one: Measured, family: int, is_open: bool, plan: Plan) -> tuple[str, str] | None:
    """Say why nothing may be concluded about a key, and what would be needed; null where something may."""
    if one.count == 0:
        return "the corpus has no place that this scheme scores", "documents longer than the scheme's context"
    if not is_open:
        return (
            "no key of the provider was found, so campaigns are not concluded on",
            "text in which the provider's mark is found, or --no-gate where campaign keys mark in its place",
        )
    table: int | None = getattr(one.scheme, "distinct_units", None)
    if table is not None and (family > 1 or one.count > _SHARED_TABLE_SHARE * table):
        return (
            f"{one.scheme.name} has {table:,} different units at all and its keys share one table: neither a corpus nor several keys can be told apart",
            f"at most {int(_SHARED_TABLE_SHARE * table)} distinct units and one key, or text marked with the repaired hash",
        )
    if one.decoys and one.rejected > binomial_acceptance(one.decoys, _TRUST_LEVEL, _TRUST_ERROR)[1]:
        return (
            f"{one.rejected} of {one.decoys} random keys have p <= 1 % on this text, so its p-values do not hold",
            "text of which the scheme's assumptions hold; the randomisation p-value is shown beside",
        )
    if table is not None:
        return (
            "the scheme has no p-value beyond the randomisation p-value that is shown",
            "text marked with the repaired hash",
        )
    if one.decoys and one.above and math.exp(one.log_p) <= plan.alpha:
        return (
            f"the exact tail finds the key, but {one.above} of {one.decoys} random keys score as much",
            "text of which the scheme's assumptions hold",
        )
    return None


def _statement(key: MarkKey, one: Measured, adjusted_p: float, family: int, found: bool, needed: int) -> str:
    """Say the result in a sentence."""
    whose = f"{key.level.value} key {key.handle} ({key.assigned_to})"
    numbers = (
        f"{one.statistic:,.1f} over {one.count:,} distinct units, log10 p {one.log_p / math.log(10.0):.1f}, "
        f"adjusted over {family:,} keys {adjusted_p:.3g}; {one.above} of {one.decoys} random keys score as much"
    )
    if found:
        return f"The text bears the mark of {whose}: {numbers}."
    return (
        f"No mark of {whose}: {numbers}. A mean excess of {one.scheme.planned_excess:g} a unit would have been found "
        f"with 95 %, as {needed:,} units suffice for it."
    )
