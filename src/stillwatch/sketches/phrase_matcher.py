"""A matcher of several hundred phrases in one pass over a folded text.

Takes a table of phrase families and pairs of weak families. Gives, per text, an `int32` of sign bits.

Only places where a word (or a character of a script without spaces) begins are looked at. The first four bytes there
choose a slot of a 32,768-bit filter that stays in the first-level cache; the few that pass are compared byte by byte. A
space in a phrase stands for one to three ASCII characters that are neither letter nor digit, so that `step by step`
also finds `Step-by-step`; a phrase matches inflected forms unless it ends with a space. Two weak families give a sign
when they occur within `PAIR_REACH` bytes of each other. Complexity: O(bytes) for any phrase table of sensible size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from stillwatch.sketches.characters import SEPARATOR, folded_characters
from stillwatch.sketches.errors import PhraseTableError
from stillwatch.sketches.hashing import load64
from stillwatch.sketches.kernels import inlined, kernel
from stillwatch.sketches.normalise import Scratch

KEY_BYTES: Final = 4
SLOT_BITS: Final = 15
MOST_FAMILIES: Final = 64
PAIR_REACH: Final = 400
"""Bytes of folded text between the beginnings of two weak phrases that still count as a pair."""
_KEY_MASK = np.uint64((1 << 8 * KEY_BYTES) - 1)
_SPREAD: Final = 0x9E3779B97F4A7C15
_SLOT_SPREAD = np.uint64(_SPREAD)
_SLOT_SHIFT = np.uint64(64 - SLOT_BITS)
_FOLDED: Final = folded_characters()
_SPACE_BEFORE_MARK: Final = re.compile(r" [\x00-\x2f\x3a-\x60\x7b-\x7f]")
_FAR: Final = -(1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseFamily:
    """Phrases that say the same thing."""

    name: str
    """Name by which a pair refers to it."""
    sign: int
    """Bits that one phrase gives; 0 for a weak family, which counts in pairs only."""
    signals: tuple[int, ...]
    """Numbers of the public signals that it serves; empty for ordinary work."""
    phrases: tuple[str, ...]
    """Lower-case phrases, 4 UTF-8 bytes or more, each beginning with a letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasePair:
    """Two families that give a sign together."""

    first: str
    second: str
    sign: int


class PhraseTable(NamedTuple):
    """The compiled table that a kernel reads."""

    slots: np.ndarray
    """uint8 [4096]: one bit per slot that has a phrase."""
    slot_offsets: np.ndarray
    """int32 [32769]: phrases of slot i are those from `slot_offsets[i]` to `slot_offsets[i + 1]`."""
    text: np.ndarray
    """uint8: all phrases, one after the other."""
    text_offsets: np.ndarray
    """int32 [phrases + 1]."""
    families: np.ndarray
    """int32 [phrases]: family of each phrase."""
    signs: np.ndarray
    """int32 [families]."""
    pairs: np.ndarray
    """int32 [pairs, 3]: both families and the sign."""


def compile_phrases(families: Sequence[PhraseFamily], pairs: Sequence[PhrasePair]) -> PhraseTable:
    """Return the table that `match_phrases` reads.

    Args:
        families: At most 64 families with distinct names.
        pairs: Pairs of these.

    Raises:
        PhraseTableError: for a phrase that could never match, a name used twice or not known, or too many families.
    """
    numbers = {family.name: number for number, family in enumerate(families)}
    if len(numbers) != len(families) or len(families) > MOST_FAMILIES:
        raise PhraseTableError(
            f"phrase table: got {len(families)} families with {len(numbers)} names, expected at most {MOST_FAMILIES}, "
            "each with its own name"
        )
    entries = sorted(
        (_slot(_phrase_bytes(family, index)), _phrase_bytes(family, index), numbers[family.name])
        for family in families
        for index in range(len(family.phrases))
    )
    slots = np.zeros(1 << SLOT_BITS, dtype=np.uint8)
    counts = np.zeros((1 << SLOT_BITS) + 1, dtype=np.int32)
    for slot, _, _ in entries:
        slots[slot] = 1
        counts[slot + 1] += 1
    return PhraseTable(
        slots=np.packbits(slots, bitorder="little"),
        slot_offsets=np.cumsum(counts, dtype=np.int32),
        text=np.frombuffer(b"".join(text for _, text, _ in entries), dtype=np.uint8).copy(),
        text_offsets=np.cumsum([0, *(len(text) for _, text, _ in entries)], dtype=np.int32),
        families=np.array([family for _, _, family in entries], dtype=np.int32),
        signs=np.array([family.sign for family in families], dtype=np.int32),
        pairs=np.array([_pair_numbers(pair, numbers) for pair in pairs], dtype=np.int32).reshape(-1, 3),
    )


def _phrase_bytes(family: PhraseFamily, index: int) -> bytes:
    """Return a phrase as it stands in folded text."""
    phrase = family.phrases[index]
    text = phrase.encode()
    folded = "".join(
        chr(int(_FOLDED[ord(character)])) if ord(character) < len(_FOLDED) else character for character in phrase
    )
    if len(text) < KEY_BYTES or phrase != folded or not phrase[0].isalpha() or _SPACE_BEFORE_MARK.search(phrase):
        raise PhraseTableError(
            f"phrase family {family.name!r}, entry {index}: expected the folded form (lower case, plain quotes), a letter "
            "first, single spaces with a letter or digit after them, and at least "
            f"{KEY_BYTES} bytes; got {len(text)} bytes"
        )
    return text


def _slot(text: bytes) -> int:
    """Return the slot of a phrase: a hash of its first four bytes."""
    key = int.from_bytes(text[:KEY_BYTES], "little")
    return (key * _SPREAD & (1 << 64) - 1) >> (64 - SLOT_BITS)


def _pair_numbers(pair: PhrasePair, numbers: Mapping[str, int]) -> tuple[int, int, int]:
    """Return a pair with family numbers for names."""
    for name in (pair.first, pair.second):
        if name not in numbers:
            raise PhraseTableError(f"phrase pair: got family {name!r}, expected one of {', '.join(sorted(numbers))}")
    return numbers[pair.first], numbers[pair.second], pair.sign


@inlined
def match_phrases(runs: int, scratch: Scratch, table: PhraseTable) -> int:
    """Return the sign bits of a folded text.

    Args:
        runs: Runs found in it.
        scratch: Read: `folded`, `runs`. Written: `last_seen`.
        table: Compiled phrases.

    Returns:
        Union of the signs of all phrases and pairs found.
    """
    folded, all_runs = scratch.folded, scratch.runs
    last_seen = scratch.last_seen
    fresh = True
    found = 0
    for run in range(runs):
        if all_runs[np.uint64(run)] & 3 == SEPARATOR:
            continue
        begin = all_runs[np.uint64(run)] >> 2
        key = load64(folded, begin) & _KEY_MASK
        slot = np.int64((key * _SLOT_SPREAD) >> _SLOT_SHIFT)
        if table.slots[np.uint64(slot >> 3)] >> (slot & 7) & 1 == 0:
            continue
        for phrase in range(table.slot_offsets[slot], table.slot_offsets[slot + 1]):
            if not _phrase_stands_at(folded, begin, table, phrase):
                continue
            family = table.families[phrase]
            found |= table.signs[family]
            if fresh:
                last_seen[:] = _FAR
                fresh = False
            last_seen[family] = begin
            for pair in range(table.pairs.shape[0]):
                first, second = table.pairs[pair, 0], table.pairs[pair, 1]
                if family in (first, second):
                    other = second if first == family else first
                    if last_seen[other] >= begin - PAIR_REACH:
                        found |= table.pairs[pair, 2]
    return found


@kernel
def _phrase_stands_at(folded: np.ndarray, begin: int, table: PhraseTable, phrase: int) -> bool:
    """Say whether a phrase stands at a place of the folded text."""
    place = begin
    for index in range(table.text_offsets[phrase], table.text_offsets[phrase + 1]):
        byte = table.text[index]
        if byte == 32:
            if not _is_gap(folded[place]):
                return False
            place += 1
            for _ in range(2):
                if _is_gap(folded[place]):
                    place += 1
        elif folded[place] != byte:
            return False
        else:
            place += 1
    return True


@kernel
def _is_gap(byte: int) -> bool:
    """Say whether a byte is ASCII and neither a lower-case letter nor a digit."""
    return byte < 48 or 57 < byte < 97 or 122 < byte < 128
