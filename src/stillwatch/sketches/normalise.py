"""Fold a text and find its runs: the one pass over the bytes that all sketches of it share.

Takes the UTF-8 bytes of one text. Gives, in scratch memory, the folded text (case, whitespace, full-width forms,
typographic quotes, invisible characters), the places where its character class changes, and the places of characters
that may open or close a span to be masked. Complexity: O(bytes), a few operations for each ASCII byte and no
unpredictable branch among them.

Of a text over 64 kB only the first and the last 32 kB are read; the full length then goes into the exact hash.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from stillwatch.sketches.ascii_block import BLOCK, fold_block, lowest_bit
from stillwatch.sketches.characters import (
    DIGIT,
    DROPPED,
    IDEOGRAPH,
    LETTER,
    SEPARATOR,
    SPACE,
    ascii_table,
    character_classes,
    folded_characters,
)
from stillwatch.sketches.hashing import domain_seed, hash_span, load64, mix64
from stillwatch.sketches.kernels import inlined, kernel

READ_WHOLE: Final = 65_536
"""Bytes up to which a text is read whole."""
READ_HALF: Final = READ_WHOLE // 2
"""Bytes read at each end of a longer text."""
PADDING: Final = 64
"""Spaces after the folded text, so that kernels may read ahead."""

FoldState = tuple[Any, Any, Any, Any, Any]
"""int64: folded bytes, runs, special characters, class of the last run, and 1 after a space or at the beginning."""

EXACT_SEED = np.uint64(domain_seed("exact/v1"))
_ASCII = np.uint8(0x80)
_ONE = np.uint64(1)
_HIGH_BITS = np.uint64(0x8080808080808080)


class Characters(NamedTuple):
    """The tables that a kernel reads."""

    ascii_entries: np.ndarray
    """uint16 [128]: folded byte, class, special flag."""
    classes: np.ndarray
    """uint8 [65536]."""
    folded: np.ndarray
    """uint16 [65536]."""


class Scratch(NamedTuple):
    """Memory for one text at a time, made once for a batch."""

    folded: np.ndarray
    """uint8: the folded text, followed by `PADDING` spaces."""
    runs: np.ndarray
    """int32: first byte of each run times 4, plus its class; one more entry marks the end."""
    specials: np.ndarray
    """int32: places of special characters."""
    words: np.ndarray
    """uint64: hash of each masked word."""
    spans: np.ndarray
    """int32 [k, 3]: first byte, end and kind of each masked span."""
    last_seen: np.ndarray
    """int32 [64]: where each phrase family was seen last."""


CHARACTERS: Final = Characters(ascii_entries=ascii_table(), classes=character_classes(), folded=folded_characters())


@kernel
def make_scratch() -> Scratch:
    """Return memory that fits every text."""
    size = READ_WHOLE + 2 * PADDING
    return Scratch(
        np.empty(size, dtype=np.uint8),
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.uint64),
        np.empty((size // 2, 3), dtype=np.int32),
        np.empty(64, dtype=np.int32),
    )


@inlined
def fold_text(data: np.ndarray, begin: int, end: int, characters: Characters, scratch: Scratch) -> tuple[int, int, int]:
    """Fold one text into scratch memory.

    Args:
        data: uint8 [bytes], valid UTF-8.
        begin: First byte of the text.
        end: One past its last byte.
        characters: Character tables.
        scratch: Written: `folded`, `runs`, `specials`.

    Returns:
        Folded bytes, runs, and special characters.
    """
    state = (0, 0, 0, SEPARATOR, 1)
    if end - begin <= READ_WHOLE:
        state = _fold_piece(data, begin, end, characters, scratch, state)
    else:
        cut = begin + READ_HALF
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        state = _fold_piece(data, begin, cut, characters, scratch, state)
        out, runs, specials, kind, after_space = state
        if after_space == 0:
            # The two ends are not neighbours: no word reaches over the gap.
            if kind != SEPARATOR:
                scratch.runs[runs] = out << 2
                runs += 1
            scratch.folded[out] = 32
            state = (out + 1, runs, specials, SEPARATOR, 1)
        cut = end - READ_HALF
        while data[cut] & 0xC0 == 0x80:
            cut += 1
        state = _fold_piece(data, cut, end, characters, scratch, state)
    out, runs, specials, _, after_space = state
    if after_space == 1 and out > 0:
        out -= 1
    scratch.runs[runs] = out << 2
    for index in range(out, out + PADDING):
        scratch.folded[index] = 32
    return out, runs, specials


@inlined
def exact_hash(folded_bytes: int, text_bytes: int, scratch: Scratch) -> np.uint64:
    """Return the hash of the folded text; of a text that was not read whole, with its length mixed in."""
    value: np.uint64 = hash_span(scratch.folded, 0, folded_bytes, EXACT_SEED)
    if text_bytes > READ_WHOLE:
        value = mix64(value, np.uint64(text_bytes) ^ EXACT_SEED)
    return value


@inlined
def _fold_piece(
    data: np.ndarray,
    begin: int,
    end: int,
    characters: Characters,
    scratch: Scratch,
    state: FoldState,
) -> FoldState:
    """Fold bytes that hold whole characters, and go on where the state stands."""
    folded, all_runs, all_specials = scratch.folded, scratch.runs, scratch.specials
    out, runs, specials, kind, after_space = state
    position = begin
    while position < end:
        size = min(BLOCK, end - position)
        if position + BLOCK <= data.shape[0]:
            beyond, space, letter, digit, special = fold_block(data, position, folded, out)
            if size < BLOCK:
                # The rest of the block is another text's.
                own = (_ONE << np.uint64(size)) - _ONE
                beyond, space, letter, digit, special = (
                    beyond & own,
                    space & own,
                    letter & own,
                    digit & own,
                    special & own,
                )
            if beyond == 0 and space & (space << _ONE | np.uint64(after_space)) == 0:
                # A block of ASCII without two spaces in a row keeps its length.
                letter_before, digit_before = np.uint64(kind == LETTER), np.uint64(kind == DIGIT)
                changes = letter ^ (letter << _ONE | letter_before) | digit ^ (digit << _ONE | digit_before)
                changes |= np.uint64(kind == IDEOGRAPH)
                while changes != 0:
                    place = lowest_bit(changes)
                    shift = np.uint64(place)
                    kind_here = np.int64(letter >> shift & _ONE) | np.int64(digit >> shift & _ONE) << 1
                    all_runs[np.uint64(runs)] = (out + place) << 2 | kind_here
                    runs += 1
                    changes &= changes - _ONE
                while special != 0:
                    all_specials[np.uint64(specials)] = out + lowest_bit(special)
                    specials += 1
                    special &= special - _ONE
                last = np.uint64(size - 1)
                kind = np.int64(letter >> last & _ONE) | np.int64(digit >> last & _ONE) << 1
                after_space = np.int64(space >> last & _ONE)
                out += size
                position += size
                continue
        state = (out, runs, specials, kind, after_space)
        position, state = _fold_slowly(data, position, position + size, characters, scratch, state)
        out, runs, specials, kind, after_space = state
    return out, runs, specials, kind, after_space


@kernel
def _fold_slowly(
    data: np.ndarray, begin: int, end: int, characters: Characters, scratch: Scratch, state: FoldState
) -> tuple[int, FoldState]:
    """Fold characters one by one; the last one may reach beyond the end. Return the place after it, and the state."""
    entries, folded, all_runs, all_specials = (
        characters.ascii_entries,
        scratch.folded,
        scratch.runs,
        scratch.specials,
    )
    out, runs, specials, kind, after_space = state
    position = begin
    while position < end:
        ascii_end = _end_of_ascii(data, position, end)
        # Unsigned indices spare the check for negative ones.
        for place in range(position, ascii_end):
            entry = np.int64(entries[data[np.uint64(place)]])
            space = entry >> 10 & 1
            kind_here = entry >> 8 & 3  # a space counts as a separator
            folded[np.uint64(out)] = entry & 0xFF
            all_runs[np.uint64(runs)] = out << 2 | kind_here
            runs += np.int64(kind_here != kind)
            kind = kind_here
            all_specials[np.uint64(specials)] = out
            specials += entry >> 11
            out += 1 - (space & after_space)
            after_space = space
        position = ascii_end
        while position < end and data[position] >= _ASCII:
            position, point, code = _read_character(data, position, characters)
            if code == DROPPED:
                continue
            if code == SPACE:
                if after_space == 0:
                    if kind != SEPARATOR:
                        all_runs[runs] = out << 2
                        runs += 1
                    folded[out] = 32
                    out += 1
                kind, after_space = SEPARATOR, 1
                continue
            if code == IDEOGRAPH or code != kind:
                all_runs[runs] = out << 2 | code
                runs += 1
            kind, after_space = code, 0
            if point < 0x80:
                all_specials[specials] = out
                specials += np.int64(entries[point] >> 11)
            out = _write_character(folded, out, point)
    return position, (out, runs, specials, kind, after_space)


@kernel
def _end_of_ascii(data: np.ndarray, begin: int, end: int) -> int:
    """Return the place of the first byte beyond ASCII, or the end."""
    place = begin
    while place + 8 <= end and load64(data, place) & _HIGH_BITS == 0:
        place += 8
    while place < end and data[place] < _ASCII:
        place += 1
    return place


@kernel
def _read_character(data: np.ndarray, position: int, characters: Characters) -> tuple[int, Any, Any]:
    """Return the place after a multi-byte character, its folded code point and its class."""
    lead = np.int64(data[position])
    if lead < 0xE0:
        point = (lead & 0x1F) << 6 | (data[position + 1] & 0x3F)
        return position + 2, np.int64(characters.folded[point]), np.int64(characters.classes[point])
    if lead < 0xF0:
        point = (lead & 0x0F) << 12 | np.int64(data[position + 1] & 0x3F) << 6 | (data[position + 2] & 0x3F)
        return position + 3, np.int64(characters.folded[point]), np.int64(characters.classes[point])
    point = (
        (lead & 0x07) << 18
        | np.int64(data[position + 1] & 0x3F) << 12
        | np.int64(data[position + 2] & 0x3F) << 6
        | (data[position + 3] & 0x3F)
    )
    if 0x20000 <= point < 0x40000:
        return position + 4, point, IDEOGRAPH
    if 0x1F000 <= point < 0x20000 or point >= 0xE0000:
        return position + 4, point, SEPARATOR
    return position + 4, point, LETTER


@kernel
def _write_character(folded: np.ndarray, out: int, point: int) -> int:
    """Write a code point as UTF-8; return the place after it."""
    if point < 0x80:
        folded[out] = point
        return out + 1
    if point < 0x800:
        folded[out] = 0xC0 | point >> 6
        folded[out + 1] = 0x80 | (point & 0x3F)
        return out + 2
    if point < 0x10000:
        folded[out] = 0xE0 | point >> 12
        folded[out + 1] = 0x80 | (point >> 6 & 0x3F)
        folded[out + 2] = 0x80 | (point & 0x3F)
        return out + 3
    folded[out] = 0xF0 | point >> 18
    folded[out + 1] = 0x80 | (point >> 12 & 0x3F)
    folded[out + 2] = 0x80 | (point >> 6 & 0x3F)
    folded[out + 3] = 0x80 | (point & 0x3F)
    return out + 4
