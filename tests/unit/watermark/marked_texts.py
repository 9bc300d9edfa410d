"""What the tests of marking and scanning share: keys, and texts drawn with or without a mark from a seeded distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.scheme import key_row
from stillwatch.watermark.schemes import open_scheme

GREEN = "green-bernoulli@v1"
GUMBEL = "sglang-gumbel@murmur3-v1"
DUAL = "sglang-dual@murmur3-v1"


def mark_key(
    rng: np.random.Generator,
    handle: str,
    scheme: str = GREEN,
    level: MarkLevel = MarkLevel.CAMPAIGN,
    **parameters: float,
) -> MarkKey:
    """Make a key of random bytes."""
    opened = open_scheme(scheme, dict(parameters))
    return MarkKey(
        handle=handle, scheme=scheme, parameters=tuple(sorted(opened.parameters.items())), level=level, assigned_to=handle,
        key=rng.bytes(8 * opened.key_words), tokenizer_digest="sha256:" + "00" * 32, issued_us=1,
    )  # fmt: skip


def mark_keys(rng: np.random.Generator, count: int, scheme: str = GREEN, **parameters: float) -> tuple[MarkKey, ...]:
    """Make several."""
    return tuple(mark_key(rng, f"mk-{number:04d}", scheme, **parameters) for number in range(count))


def plain_text(rng: np.random.Generator, length: int, vocabulary: int = 2_000) -> NDArray[np.uint32]:
    """Draw tokens by Zipf's law, without a mark."""
    weights = 1.0 / np.arange(1, vocabulary + 1)
    return rng.choice(vocabulary, size=length, p=weights / weights.sum()).astype(np.uint32)


def marked_text(rng: np.random.Generator, key: MarkKey, length: int, vocabulary: int = 2_000) -> NDArray[np.uint32]:
    """Draw tokens with a green mark: of two tokens by Zipf's law the first green one, by the scheme's own reference."""
    scheme = open_scheme(key.scheme, dict(key.parameters))
    row = key_row(scheme, key)
    tokens = list(plain_text(rng, scheme.context_width, vocabulary))
    drawn = plain_text(rng, 2 * length, vocabulary)
    for place in range(length - scheme.context_width):
        pair = drawn[2 * place : 2 * place + 2]
        context = np.tile(np.array(tokens[-scheme.context_width :], dtype=np.uint32), (2, 1))
        values = scheme.values(scheme.units_of(context, pair).words, row)
        tokens.append(pair[int(np.argmax(values))])
    return np.array(tokens, dtype=np.uint32)


def log_ps(keys: Sequence[MarkKey], texts: Sequence[NDArray[np.uint32]]) -> list[float]:
    """Score texts under each key, every unit once."""
    from stillwatch.watermark.scheme import scheme_units  # noqa: PLC0415

    found = []
    for key in keys:
        scheme = open_scheme(key.scheme, dict(key.parameters))
        words = np.unique(np.concatenate([scheme_units(scheme, text).words for text in texts]), axis=0)
        totals = scheme.totals(np.ascontiguousarray(words), key_row(scheme, key)[np.newaxis])
        found.append(scheme.log_p(int(totals.counts[0]), float(totals.statistics[0])))
    return found
