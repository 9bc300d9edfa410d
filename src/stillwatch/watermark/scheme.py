"""Scheme: what a mark is, so far as a detector must know it.

A scheme turns tokens into *units*, once for all keys, and scores units under keys. A unit is all that the scheme's
pseudorandom function reads besides the key: two places of a corpus with equal units have the same score under every key, so
they are one piece of evidence and are counted once. A unit is also the least that must be kept of a token.

Tokens are unsigned 32-bit. Keys are rows of 64-bit words. Nothing here needs an engine, a tokenizer or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.mark import MarkKey
from stillwatch.watermark.errors import MarkKeyError, SchemeError
from stillwatch.watermark.windows import fingerprints, windows

Tokens: TypeAlias = NDArray[np.uint32]
Words: TypeAlias = NDArray[np.uint32]
Keys: TypeAlias = NDArray[np.uint64]
"""`[keys, key_words]`"""
Parameters: TypeAlias = dict[str, int | float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Scorable places of a text, in order."""

    words: Words
    """`[n, unit_words]`: what the pseudorandom function reads besides the key."""
    contexts: NDArray[np.uint64]
    """`[n]`: fingerprint of the tokens that a prompt must not hold, if the place is to count although it was prompted."""
    groups: NDArray[np.uint64]
    """`[n]`: units that may share a seed under some key share this value; a store keeps them together."""

    def __len__(self) -> int:
        """Give the number of places."""
        return len(self.words)

    def take(self, which: NDArray[Any]) -> Units:
        """Give some of the places."""
        return Units(words=self.words[which], contexts=self.contexts[which], groups=self.groups[which])


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What each of several keys scores on the same units."""

    counts: NDArray[np.int64]
    """`[keys]`: units that count for this key."""
    statistics: NDArray[np.float64]
    """`[keys]`: sum over these units."""

    def plus(self, other: Totals) -> Totals:
        """Add the totals of other units under the same keys."""
        return Totals(counts=self.counts + other.counts, statistics=self.statistics + other.statistics)


class Scheme(Protocol):
    """A mark. Every implementation is immutable, and names in its docstring the code that it agrees with bit for bit."""

    @property
    def name(self) -> str:
        """`name@version`; the version changes whenever one bit of a score could."""

    @property
    def parameters(self) -> Parameters:
        """All parameters that the mark depends on."""

    @property
    def context_width(self) -> int:
        """Tokens before the scored one that the mark depends on, 0 or more."""

    @property
    def unit_words(self) -> int:
        """32-bit words of a unit."""

    @property
    def key_words(self) -> int:
        """64-bit words of a key."""

    @property
    def shared_words(self) -> int:
        """Words at the end of a key that belong to the provider, and that a campaign's random keys therefore share."""

    @property
    def statistic_name(self) -> str:
        """What `totals` adds up."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What must hold for `log_p` to be valid, besides that the text was made without the key."""

    @property
    def spread(self) -> float:
        """Standard deviation of one unit's part of the statistic without the key."""

    @property
    def planned_excess(self) -> float:
        """Mean excess of one unit's part that a test is planned for: about what a mark leaves in ordinary answers, diluted tenfold."""

    @property
    def decoys(self) -> int:
        """Random keys that a randomisation test takes unless told otherwise: as many as stay cheap."""

    def units_of(self, contexts: Words, tokens: Tokens) -> Units:
        """Make units from contexts `[n, context_width]`, the oldest token first, and the tokens `[n]` that follow them."""

    def values(self, words: Words, key: Keys) -> NDArray[np.float64]:
        """Give the pseudorandom value of every unit under one key `[key_words]`: the reference, in NumPy, `[n]` or `[n, depth]`.

        Uniform in (0, 1) for Gumbel marks; 1 for green and 0 for not green; the g-values of SynthID.
        """

    def totals(self, words: Words, keys: Keys) -> Totals:
        """Score units that are distinct under many keys `[keys, key_words]`, by compiled kernels."""

    def log_p(self, count: int, statistic: float) -> float:
        """Give the natural log of the p-value: so large a statistic over so many units of text made without the key."""


class SharedTableScheme(Scheme, Protocol):
    """A scheme whose keys are not independent of each other, so that `log_p` and tests of many keys mean little."""

    @property
    def distinct_units(self) -> int:
        """Number of different units that there are at all."""


def scheme_units(scheme: Scheme, tokens: Tokens) -> Units:
    """Make the units of one text. The first tokens, whose context is not whole, are no units.

    Args:
        scheme: the mark.
        tokens: `[n]`.

    Returns:
        `max(0, n - context_width)` units.
    """
    width = scheme.context_width
    text = np.ascontiguousarray(tokens, dtype=np.uint32)
    if len(text) <= width:
        return scheme.units_of(np.empty((0, width), dtype=np.uint32), np.empty(0, dtype=np.uint32))
    return scheme.units_of(windows(text[:-1], width, len(text) - width), text[width:])


def units_of_texts(scheme: Scheme, texts: Sequence[Tokens]) -> Units:
    """Make the units of many texts at once; no context reaches from one text into the next.

    Args:
        scheme: the mark.
        texts: each `[n]`.

    Returns:
        The units of the first text, then those of the second, and so on, as `scheme_units` gives them.
    """
    width, lengths = scheme.context_width, np.array([len(text) for text in texts], dtype=np.int64)
    if len(texts) == 1 or not (lengths > width).any():
        return scheme_units(scheme, texts[0] if texts else np.empty(0, dtype=np.uint32))
    joined = np.concatenate(texts).astype(np.uint32, copy=False)
    within = np.arange(len(joined)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.flatnonzero(within >= width)
    return scheme.units_of(windows(joined, width, len(joined) - width)[places - width], joined[places])


def plain_units(contexts: Words, words: Words) -> Units:
    """Make units whose seed comes from the context alone."""
    prints = fingerprints(contexts)
    return Units(words=words, contexts=prints, groups=prints)


def key_row(scheme: Scheme, key: MarkKey) -> Keys:
    """Read the words of a key.

    Returns:
        `[key_words]`.

    Raises:
        MarkKeyError: for another number of bytes than the scheme needs.
    """
    needed = 8 * scheme.key_words
    if len(key.key) != needed:
        raise MarkKeyError(
            f"key {key.handle}: got {len(key.key)} bytes, expected {needed} for {scheme.name}; issue the key for this scheme"
        )
    return np.frombuffer(key.key, dtype=">u8").astype(np.uint64)


def whole(parameters: Parameters, name: str, low: int, high: int, default: int | None = None) -> int:
    """Read a whole number from parameters.

    Raises:
        SchemeError: where it is missing or out of range.
    """
    value = parameters.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SchemeError(f"parameter {name}: got {value!r}, expected a whole number from {low} to {high}")
    return value


def device_threads(parameters: Parameters) -> int:
    """Read how many threads the GPU runs at once that marked: multiprocessors times threads of each, 0 for text marked on a CPU.

    Raises:
        SchemeError: where it is no multiple of a block's 256 threads.
    """
    threads = whole(parameters, "device_threads", 0, 2**24, 0)
    if threads % 256:
        raise SchemeError(
            f"parameter device_threads: got {threads}, expected multiprocessors times threads of each, such as 270336 for an H100"
        )
    return threads


def share(parameters: Parameters, name: str, default: float | None = None) -> float:
    """Read a number strictly between 0 and 1 from parameters.

    Raises:
        SchemeError: where it is missing or out of range.
    """
    value = parameters.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.0 < value < 1.0:
        raise SchemeError(f"parameter {name}: got {value!r}, expected a number between 0 and 1")
    return float(value)


def choice(parameters: Parameters, name: str, allowed: tuple[str, ...]) -> str:
    """Read one of several words from parameters; the first is the default.

    Raises:
        SchemeError: for another word.
    """
    value = parameters.get(name, allowed[0])
    if value not in allowed:
        raise SchemeError(f"parameter {name}: got {value!r}, expected one of {', '.join(allowed)}")
    return str(value)
