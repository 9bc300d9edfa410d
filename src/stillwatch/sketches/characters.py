"""What each character counts as, and what it is folded to.

Takes nothing. Gives two tables over the code points below 65,536 and rules for those above. The ranges are written out
here rather than asked of `unicodedata`, because that would tie every hash to the Unicode version of the interpreter;
tests pin the digest of the tables. Case is folded for ASCII, Latin, Greek and Cyrillic, full-width forms become ASCII,
typographic quotes and dashes become plain ones. What this does not do: compose or strip accents, or fold look-alikes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

SEPARATOR: Final = 0
"""Punctuation and symbols: between words."""
LETTER: Final = 1
"""Part of a word that spaces delimit."""
DIGIT: Final = 2
"""Part of a number."""
IDEOGRAPH: Final = 3
"""A word by itself, as the script has no spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer, Tibetan)."""
SPACE: Final = 4
"""Whitespace and controls; a run becomes one space."""
DROPPED: Final = 5
"""Invisible; taken out, also within a word."""

CLASS_BITS: Final = 7
"""Mask of the class in an entry of the ASCII table, after shifting by 8."""
SPECIAL: Final = 1 << 11
"""Flag of the ASCII table: a character that may open or close a masked span."""
SPECIAL_CHARACTERS: Final = '"`{}[]@:'

_SEPARATORS: Final = (
    (0x80, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7), (0x37E, 0x37E), (0x387, 0x387), (0x55A, 0x55F), (0x589, 0x58A),
    (0x5BE, 0x5BE), (0x5C0, 0x5C0), (0x5C3, 0x5C3), (0x5F3, 0x5F4), (0x600, 0x60F), (0x61B, 0x61F), (0x66A, 0x66D),
    (0x6D4, 0x6D4), (0x700, 0x70D), (0x964, 0x965), (0xE3F, 0xE3F), (0xE4F, 0xE4F), (0xE5A, 0xE5B), (0xF01, 0xF17),
    (0x104A, 0x104F), (0x1360, 0x1368), (0x17D4, 0x17DA), (0x2010, 0x2BFF), (0x2E00, 0x2FFF), (0x3000, 0x3004),
    (0x3008, 0x3020), (0x3030, 0x3030), (0x303D, 0x303F), (0x30FB, 0x30FB), (0xA4D0, 0xA4FF), (0xD800, 0xF8FF),
    (0xFE10, 0xFE6F), (0xFF00, 0xFF65), (0xFFE0, 0xFFFF),
)  # fmt: skip
_LETTERS_AGAIN: Final = ((0xAA, 0xAA), (0xB5, 0xB5), (0xBA, 0xBA), (0x2C00, 0x2DFF))
_IDEOGRAPHS: Final = (
    (0xE01, 0xE3A), (0xE40, 0xE4E), (0xE80, 0xECF), (0xEDA, 0xEFF), (0xF00, 0xF00), (0xF18, 0xF1F), (0xF2A, 0xFFF),
    (0x1000, 0x103F), (0x1050, 0x109F), (0x1780, 0x17D3), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x302F),
    (0x3031, 0x303C), (0x3040, 0x30FA), (0x30FC, 0x312F), (0x31A0, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D),
)  # fmt: skip
_DIGIT_ZEROS: Final = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040,
    0x17E0, 0x1810, 0xFF10,
)  # fmt: skip
_SPACES: Final = (0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_DROPPED: Final = (0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070),
                   *range(0xFE00, 0xFE10), 0xFEFF)  # fmt: skip
_QUOTE_MARKS: Final = (
    0xAB,
    0xBB,
    0x201C,
    0x201D,
    0x201E,
    0x201F,
    0x300C,
    0x300D,
    0x300E,
    0x300F,
    0x301D,
    0x301E,
    0x301F,
)
_APOSTROPHES: Final = (0x2018, 0x2019, 0x201A, 0x201B, 0x2039, 0x203A)
_DASHES: Final = (0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212)
_PLAIN_FORMS: Final = {
    **dict.fromkeys(_QUOTE_MARKS, 0x22),
    **dict.fromkeys(_APOSTROPHES, 0x27),
    **dict.fromkeys(_DASHES, 0x2D),
}


def character_classes() -> np.ndarray:
    """Return uint8 [65536]: the class of each code point of the basic plane; the rest are letters."""
    classes = np.full(0x10000, LETTER, dtype=np.uint8)
    for first, last in _SEPARATORS:
        classes[first : last + 1] = SEPARATOR
    for first, last in _LETTERS_AGAIN:
        classes[first : last + 1] = LETTER
    for first, last in _IDEOGRAPHS:
        classes[first : last + 1] = IDEOGRAPH
    for zero in _DIGIT_ZEROS:
        classes[zero : zero + 10] = DIGIT
    classes[0x21:0x80] = SEPARATOR
    classes[ord("0") : ord("9") + 1] = DIGIT
    classes[ord("A") : ord("Z") + 1] = LETTER
    classes[ord("a") : ord("z") + 1] = LETTER
    classes[0xFF21:0xFF3B] = LETTER
    classes[0xFF41:0xFF5B] = LETTER
    classes[0:0x21] = SPACE
    classes[0x7F:0x85] = SPACE
    classes[list(_SPACES)] = SPACE
    classes[list(_DROPPED)] = DROPPED
    return classes


def folded_characters() -> np.ndarray:
    """Return uint16 [65536]: what each code point is folded to; always of the same UTF-8 length or shorter."""
    folded = np.arange(0x10000, dtype=np.uint16)
    for point in (*range(0x41, 0x5B), *range(0xC0, 0x530)):
        lower = chr(point).lower()
        if len(lower) == 1 and ord(lower) < 0x800:
            folded[point] = ord(lower)
    for mark, plain in _PLAIN_FORMS.items():
        folded[mark] = plain
    for point in range(0xFF01, 0xFF5F):
        folded[point] = ord(chr(point - 0xFEE0).lower())
    return folded


def ascii_table() -> np.ndarray:
    """Return uint16 [128]: folded byte, class shifted by 8, and the `SPECIAL` flag."""
    classes = character_classes()[:128].astype(np.uint16)
    table = folded_characters()[:128] | (classes << 8)
    table[classes == SPACE] = ord(" ") | (SPACE << 8)
    for character in SPECIAL_CHARACTERS:
        table[ord(character)] |= SPECIAL
    entries: np.ndarray = table.astype(np.uint16)
    return entries
