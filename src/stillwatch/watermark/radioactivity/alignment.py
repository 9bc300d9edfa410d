"""Alignment: a suspect with another tokenizer than the mark's, or one that is only known by the texts of its tokens.

Takes a text in the mark's tokens, and the suspect's tokens of the same text with alternatives. Gives a `Reading` in the mark's ids.

A prediction counts where a token of both begins at the same byte: there the context is whole in the mark's tokens, and the suspect says what comes
next. Of its alternatives those count whose bytes are a token of the mark's vocabulary too; the others are left out, whatever they would score
(ADFP, 2602.03812, aligns by offsets in the same way). Bytes know no key, so that nothing of this changes the null; it only costs places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.watermark.radioactivity.places import NO_TOKEN, Reading
from stillwatch.watermark.scheme import Tokens
from stillwatch.watermark.token_pieces import TokenPieces


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidToken:
    """A token of a text as the suspect cuts it, and what it would have said there."""

    piece: bytes
    alternatives: tuple[tuple[bytes, float], ...]
    """Bytes and log-probability, natural; the given token itself may be among them."""


def aligned(prompt: Tokens, answer: Tokens, said: Sequence[SaidToken], pieces: TokenPieces) -> Reading | None:
    """Lay the suspect's tokens over the mark's.

    Args:
        prompt: in the mark's ids; only seen, never scored.
        answer: in the mark's ids.
        said: the suspect's tokens; together they are the answer, though the first may reach back into the prompt.
        pieces: of the mark's tokenizer.

    Returns:
        The reading; null where the two texts differ, or no place can be scored.
    """
    cut = pieces.bytes_of(answer.tolist())
    text, heard = b"".join(cut), b"".join(one.piece for one in said)
    if not text or not heard.endswith((text, text.removeprefix(b" "))):
        return None
    starts, place = {}, 0
    for index, piece in enumerate(cut):
        if piece:
            starts[place] = index
        place += len(piece)
    rows: list[tuple[int, list[tuple[int, float]]]] = []
    # Below 0 where the first token reaches back into the prompt; above where the mark's tokenizer puts a space before every text.
    place = len(text) - len(heard)
    for one in said:
        if place in starts and (shared := _shared(one, pieces)):
            rows.append((len(prompt) + starts[place], shared))
        place += len(one.piece)
    return _reading(np.concatenate([prompt, answer]).astype(np.uint32), rows) if rows else None


def _shared(one: SaidToken, pieces: TokenPieces) -> list[tuple[int, float]]:
    """Give ids and probabilities of the alternatives that both vocabularies have, the likeliest first."""
    found: dict[int, float] = {}
    for piece, log_prob in one.alternatives:
        number = pieces.by_bytes.get(piece)
        if number is not None:
            found[number] = max(found.get(number, 0.0), math.exp(min(log_prob, 0.0)))
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def _reading(tokens: Tokens, rows: Sequence[tuple[int, Sequence[tuple[int, float]]]]) -> Reading:
    most = max(len(shared) for _, shared in rows)
    alternatives = np.full((len(rows), most), NO_TOKEN, dtype=np.uint32)
    probabilities = np.zeros((len(rows), most))
    for row, (_, shared) in enumerate(rows):
        for column, (number, chance) in enumerate(shared):
            alternatives[row, column], probabilities[row, column] = number, chance
    places = np.array([place for place, _ in rows], dtype=np.int64)
    return Reading(tokens=tokens, places=places, alternatives=alternatives, probabilities=probabilities)
