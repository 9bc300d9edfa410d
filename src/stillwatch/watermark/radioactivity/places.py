"""Places: what a suspect says after which contexts, without what the text before it has shown it.

Takes readings (a text, and what the suspect predicts at places of it) or documents that the suspect wrote. Gives contexts and tokens to be scored.

A marked text shows its own mark. A suspect that knows nothing of the key, but has just read a context followed by a green token, will say that
token again. So a place counts only where its context stands nowhere earlier in what the suspect could see (Sander et al. 2024, section 4).
Given everything before such a place, the values of the key after that context have decided nothing yet, and the place scores like chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.scheme import Tokens, Words
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.windows import fingerprints, windows

NO_TOKEN = 0xFFFFFFFF
"""Fills rows of alternatives; it is never scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text, and what the suspect predicts at places of it."""

    tokens: Tokens
    """`[n]`: all that the suspect sees, prompt and text, in ids of the mark's tokenizer."""
    places: NDArray[np.int64]
    """`[k]`, ascending: the prediction is of the token at this place, given all tokens before it."""
    alternatives: Words
    """`[k, m]`: predicted tokens, the likeliest first; `NO_TOKEN` where there are fewer."""
    probabilities: NDArray[np.float64] | None
    """`[k, m]`: of the alternatives, 0 for `NO_TOKEN`; null where only tokens are known."""


class ServedContexts:
    """The contexts that stand in served answers: a suspect can have learnt a mark only after these."""

    def __init__(self, answers: Iterable[Tokens]) -> None:
        """Take the answers, in ids of the mark's tokenizer."""
        self._answers = tuple(answers)
        self._prints: dict[int, NDArray[np.uint64]] = {}

    def among(self, contexts: Words) -> NDArray[np.bool_]:
        """Tell which contexts `[n, width]` were served. Only the tokens before the scored one are looked at, never that one."""
        width = contexts.shape[1]
        if width not in self._prints:
            each = [context_prints(one[:-1], width) for one in self._answers if len(one) > width]
            self._prints[width] = np.unique(np.concatenate(each)) if each else np.empty(0, dtype=np.uint64)
        return np.isin(fingerprints(np.ascontiguousarray(contexts)), self._prints[width])


def context_prints(tokens: Tokens, width: int) -> NDArray[np.uint64]:
    """Give the fingerprint of every window of `width` tokens, `[n - width + 1]`."""
    text = np.ascontiguousarray(tokens, dtype=np.uint32)
    return fingerprints(np.ascontiguousarray(windows(text, width, max(0, len(text) - width + 1))))


def places_read(reading: Reading, width: int, served: ServedContexts | None = None) -> tuple[Words, NDArray[np.int64]]:
    """Give the contexts that count, and which rows of the reading they belong to.

    Args:
        reading: of one text.
        width: tokens of context, at least 1.
        served: where given, other contexts are left out.

    Returns:
        Contexts `[j, width]`, each different, and rows `[j]`.

    Raises:
        SchemeError: for a width of 0.
    """
    check_width(width)
    tokens = np.ascontiguousarray(reading.tokens, dtype=np.uint32)
    first = np.zeros(max(0, len(tokens) - width + 1), dtype=bool)
    first[np.unique(context_prints(tokens, width), return_index=True)[1]] = True
    starts = reading.places - width
    rows = np.flatnonzero(starts >= 0)
    rows = rows[first[starts[rows]]]
    contexts = tokens[starts[rows][:, np.newaxis] + np.arange(width)]
    if served is not None:
        kept = served.among(contexts)
        contexts, rows = contexts[kept], rows[kept]
    return contexts, rows


def places_written(document: Document, width: int, served: ServedContexts | None = None) -> tuple[Words, Tokens]:
    """Give the contexts and tokens of an answer that count.

    Args:
        document: what the suspect wrote, and the prompt that it answers.
        width: tokens of context, at least 1.
        served: where given, contexts that were never served are left out.

    Returns:
        Contexts `[j, width]`, none of which stands in the prompt, and tokens `[j]`.

    Raises:
        SchemeError: for a width of 0.
    """
    check_width(width)
    text = np.ascontiguousarray(document.tokens, dtype=np.uint32)
    if len(text) <= width:
        return np.empty((0, width), dtype=np.uint32), np.empty(0, dtype=np.uint32)
    contexts, tokens = np.array(windows(text[:-1], width, len(text) - width)), text[width:]
    kept = np.ones(len(tokens), dtype=bool)
    if document.prompt is not None and len(document.prompt) >= width:
        kept &= ~np.isin(fingerprints(contexts), context_prints(document.prompt, width))
    if served is not None:
        kept &= served.among(contexts)
    return contexts[kept], tokens[kept]


def check_width(width: int) -> None:
    """Refuse marks without context: any text shows all of such a mark to its reader.

    Raises:
        SchemeError: for a width of 0.
    """
    if width < 1:
        raise SchemeError(
            "radioactivity: got a mark without context, which every marked text shows to its reader; expected a context width of at least 1"
        )
