# ruff: noqa: RUF001 - texts of many scripts
"""The character tables are part of the hash version: their bytes are pinned."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stillwatch.sketches.characters import (
    DIGIT,
    DROPPED,
    IDEOGRAPH,
    LETTER,
    SEPARATOR,
    SPACE,
    character_classes,
    folded_characters,
)


def digest(table: np.ndarray) -> str:
    return hashlib.sha256(table.astype("<u2").tobytes()).hexdigest()[:16]


def test_tables_are_those_of_this_version() -> None:
    assert digest(character_classes()) == "e4b3a597196c360d"
    assert digest(folded_characters()) == "f7b4ac192307f196"


@pytest.mark.parametrize(
    ("character", "kind"),
    [
        ("a", LETTER), ("Z", LETTER), ("é", LETTER), ("ж", LETTER), ("한", LETTER), ("م", LETTER), ("ह", LETTER),
        ("7", DIGIT), ("٣", DIGIT), ("７", DIGIT), ("你", IDEOGRAPH), ("ひ", IDEOGRAPH), ("ไ", IDEOGRAPH),
        (" ", SPACE), ("\n", SPACE), ("\0", SPACE), ("\u3000", SPACE), ("\u200b", DROPPED), ("\ufeff", DROPPED),
        (".", SEPARATOR), ("。", SEPARATOR), ("—", SEPARATOR), ("“", SEPARATOR), ("_", SEPARATOR), ("→", SEPARATOR),
    ],
)  # fmt: skip
def test_classes(character: str, kind: int) -> None:
    assert character_classes()[ord(character)] == kind


@pytest.mark.parametrize(
    ("character", "folded"),
    [
        ("A", "a"),
        ("É", "é"),
        ("Ж", "ж"),
        ("Ω", "ω"),
        ("Ａ", "a"),
        ("９", "9"),
        ("“", '"'),
        ("’", "'"),
        ("—", "-"),
        ("你", "你"),
    ],
)
def test_folding(character: str, folded: str) -> None:
    assert chr(folded_characters()[ord(character)]) == folded


def test_nothing_grows_when_folded() -> None:
    for point, folded in enumerate(folded_characters().tolist()):
        if not 0xD800 <= point < 0xE000:
            assert len(chr(folded).encode()) <= len(chr(point).encode())
