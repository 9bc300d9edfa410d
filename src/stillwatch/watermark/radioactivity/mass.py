"""Mass: how much probability a suspect gives to what the key favours, over distinct contexts.

Takes readings with probabilities. Gives numbers for each key. A prediction is more than its likeliest token: the statistic is the sum of
p(v | text) times the key's score of (context, v), over all alternatives that are known. It has less chance in it than the likeliest token alone,
and needs no whole distribution: what is not among the alternatives is left out, whatever its score.

Each context counts once, at its first place. Given contexts and probabilities the scores are independent, so the tail of their weighted sum is
bounded exactly (`weighted_sums`); for green lists that is below the Hoeffding bound on the mean green mass (ADFP, 2602.03812).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.mark import MarkKey
from stillwatch.records.progress import Progress, Silent
from stillwatch.statistics.weighted_sums import bernoulli_sum_log_p, exponential_sum_log_p
from stillwatch.watermark.detection import Measured, Plan, decoy_keys
from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.radioactivity.places import NO_TOKEN, Reading, ServedContexts, places_read
from stillwatch.watermark.scheme import Keys, Scheme, Words, key_row
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.schemes.green_bernoulli import GreenBernoulli
from stillwatch.watermark.schemes.sglang_gumbel import SglangGumbel
from stillwatch.watermark.schemes.vllm_gumbel import VllmGumbel

MOST_DECOYS = 199
"""Random keys, unless told otherwise: each is scored by the reference code."""
_TRUST_LEVEL = math.log(0.01)
Tail = Callable[[NDArray[np.float64], float], float]


def has_mass(scheme: Scheme) -> bool:
    """Tell whether the law of a scheme's score of each single pair is known and independent of all others."""
    return isinstance(scheme, (GreenBernoulli, SglangGumbel, VllmGumbel))


@dataclass(slots=True, kw_only=True)
class _Group:
    """What the keys of one scheme are scored on."""

    scheme: Scheme
    rows: list[int]
    """Places of its keys."""
    seen: set[int] = field(default_factory=set)
    """Contexts, by what the scheme makes of them."""
    words: list[Words] = field(default_factory=list)
    weights: list[NDArray[np.float64]] = field(default_factory=list)


class MassScorer:
    """Collects readings for a set of keys, then scores them."""

    def __init__(self, keys: Sequence[MarkKey]) -> None:
        """Begin.

        Args:
            keys: all keys ever issued for the model.

        Raises:
            SchemeError: for a scheme whose scores hang together, so that a weighted sum has no known law.
        """
        self._keys = tuple(keys)
        self._groups: dict[tuple[object, ...], _Group] = {}
        for place, key in enumerate(self._keys):
            scheme = open_scheme(key.scheme, dict(key.parameters))
            if not has_mass(scheme):
                raise SchemeError(
                    f"key {key.handle}: {scheme.name} has no known law of a weighted sum; score the likeliest tokens instead"
                )
            group = self._groups.setdefault((key.scheme, key.parameters), _Group(scheme=scheme, rows=[]))
            group.rows.append(place)

    def add(self, reading: Reading, served: ServedContexts | None = None) -> None:
        """Add a reading.

        Raises:
            SchemeError: where it has no probabilities.
        """
        if reading.probabilities is None:
            raise SchemeError("a reading has no probabilities; score the likeliest tokens instead")
        for group in self._groups.values():
            contexts, rows = places_read(reading, group.scheme.context_width, served)
            seeds = group.scheme.units_of(contexts, np.zeros(len(rows), dtype=np.uint32)).groups.tolist()
            fresh = []
            for place, seed in enumerate(seeds):
                if seed not in group.seen:
                    group.seen.add(seed)
                    fresh.append(place)
            if not fresh:
                continue
            tokens, weights = reading.alternatives[rows[fresh]], reading.probabilities[rows[fresh]]
            known = (tokens != NO_TOKEN) & (weights > 0.0)
            repeated = np.repeat(contexts[fresh], known.sum(axis=1), axis=0)
            group.words.append(group.scheme.units_of(repeated, tokens[known]).words)
            group.weights.append(weights[known])

    def measure(self, plan: Plan, progress: Progress | None = None) -> list[Measured]:
        """Score all keys and their decoys; one `Measured` for each key, in the order of the keys."""
        measured: dict[int, Measured] = {}
        rng = np.random.default_rng(plan.seed)
        listener = progress or Silent()
        listener.begin("scoring keys", None)
        for group in self._groups.values():
            rows = np.stack([key_row(group.scheme, self._keys[place]) for place in group.rows])
            number = min(group.scheme.decoys, MOST_DECOYS) if plan.decoys is None else plan.decoys
            every = np.concatenate([rows, decoy_keys(group.scheme, rows, number, rng)])
            measured.update(zip(group.rows, _measure(group, every, len(rows), listener), strict=True))
        listener.end()
        return [measured[place] for place in range(len(self._keys))]


def _measure(group: _Group, every: Keys, keys: int, progress: Progress) -> list[Measured]:
    """Rank each of the first keys among the decoys, which come after them."""
    if not group.words:
        nothing = Measured(
            scheme=group.scheme, count=0, statistic=0.0, log_p=0.0, decoys=len(every) - keys, above=0, rejected=0
        )
        return [nothing] * keys
    words, weights = np.concatenate(group.words), np.concatenate(group.weights)
    sums = np.empty(len(every))
    for row, key in enumerate(every):
        sums[row] = math.fsum(weights * _scores(group.scheme, words, key))
        progress.advance(1)
    tail, ranked = _tail(group.scheme), np.sort(sums[keys:])
    return [
        Measured(
            scheme=group.scheme, count=len(group.seen), statistic=float(value), log_p=tail(weights, float(value)),
            decoys=len(ranked), above=int(len(ranked) - np.searchsorted(ranked, value, side="left")),
            rejected=_rejected(tail, weights, ranked),
        )
        for value in sums[:keys]
    ]  # fmt: skip


def _scores(scheme: Scheme, words: Words, key: Keys) -> NDArray[np.float64]:
    """Give what each pair adds for a unit of probability `[n]`."""
    values = scheme.values(words, key)
    return values if isinstance(scheme, GreenBernoulli) else -np.log1p(-values)


def _tail(scheme: Scheme) -> Tail:
    if isinstance(scheme, GreenBernoulli):
        chance = scheme.threshold / 2**32
        return lambda weights, statistic: bernoulli_sum_log_p(weights, chance, statistic)
    return exponential_sum_log_p


def _rejected(tail: Tail, weights: NDArray[np.float64], ranked: NDArray[np.float64]) -> int:
    """Count decoys whose bound is at most 1 %, from the largest sum down: the bound falls as the sum grows."""
    for count, value in enumerate(ranked[::-1].tolist()):
        if tail(weights, value) > _TRUST_LEVEL:
            return count
    return len(ranked)
