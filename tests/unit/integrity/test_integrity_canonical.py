"""Canonical JSON: RFC 8785's own examples, the departures that are on purpose, and round trips."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.integrity import canonical_bytes
from stillwatch.integrity.canonical import require_canonical
from stillwatch.integrity.digest import digest_bytes
from stillwatch.integrity.errors import CanonicalFormError
from stillwatch.records.campaign import Finding, Link
from stillwatch.records.sketch import Intent

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5), max_leaves=25
)


def same_kind(one: Any, other: Any) -> bool:
    """Equal, and integers are not floats or booleans."""
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same_kind, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same_kind(one[k], other[k]) for k in one)
    return type(one) is type(other) and one == other


@given(VALUES)
def test_every_value_reads_back_as_itself(value: Any) -> None:
    assert same_kind(json.loads(canonical_bytes(value)), value)


@given(VALUES)
def test_writing_what_was_read_gives_the_same_bytes(value: Any) -> None:
    once = canonical_bytes(value)
    assert canonical_bytes(json.loads(once)) == once


@given(st.dictionaries(TEXT, st.integers(), max_size=8), st.randoms(use_true_random=False))
def test_key_order_does_not_matter(value: dict[str, int], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert canonical_bytes(dict(items)) == canonical_bytes(value)


@given(VALUES, VALUES)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    assert (canonical_bytes(one) == canonical_bytes(other)) == same_kind(one, other)


def test_keys_are_sorted_as_rfc_8785_section_3_2_3_shows() -> None:
    given_keys = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_bytes(given_keys)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_strings_are_escaped_as_rfc_8785_section_3_2_2_2_says() -> None:
    assert canonical_bytes("\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\u007f") == (
        '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"'.encode()
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**63 - 1, b"9223372036854775807"),
        (-(2**63), b"-9223372036854775808"),
        (1, b"1"),
        (1.0, b"1.0"),
        (-0.0, b"0.0"),
        (0.1, b"0.1"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (np.float64(0.25), b"0.25"),
        (Finding.OPERATOR, b'"operator"'),
        (Intent.GRADING | Intent.CODE, b"2052"),
        ((1, (2, None)), b"[1,[2,null]]"),
        ({}, b"{}"),
        (True, b"true"),
    ],
)
def test_numbers_and_words_are_written_in_full(value: object, written: bytes) -> None:
    assert canonical_bytes(value) == written


def test_a_dataclass_is_the_object_of_its_fields() -> None:
    link = Link(kind="span", value="ab", members=3, accounts=4, rarity=1.5, carriers=("a", "b"))
    assert canonical_bytes(link) == (
        b'{"accounts":4,"carriers":["a","b"],"kind":"span","members":3,"rarity":1.5,"value":"ab"}'
    )


class Colour(enum.Enum):
    RED = 1


@dataclass
class Holder:
    inner: object


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [1.0, math.nan]}, r"^\$\.a\[1\]: got a float that is not finite"),
        ([math.inf], r"^\$\[0\]: got a float that is not finite"),
        ({"a": b"bytes"}, r"^\$\.a: got builtins\.bytes, expected"),
        ({"a": {1}}, r"^\$\.a: got builtins\.set"),
        ({1: 2}, r"^\$: got a key of type int, expected str"),
        (Holder(Colour.RED), r"^\$\.inner: got .*Colour"),
        (Holder, r"^\$: got builtins\.type"),
        (np.int64(3), r"^\$: got numpy\.int64"),
        (["\ud800"], r"^\$\[0\]: got a string with a lone surrogate"),
        ({"\udfff": 1}, r"^\$ \(a key\): got a string with a lone surrogate"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(value: object, says: str) -> None:
    with pytest.raises(CanonicalFormError, match=says):
        canonical_bytes(value)


def test_digest_of_bytes_is_blake2b_256() -> None:
    # Computed with GNU coreutils 9.1: printf 'abc' | b2sum -l 256
    assert digest_bytes(b"abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
    assert digest_bytes(b"") != digest_bytes(b"\0")


@given(VALUES)
def test_canonical_bytes_are_known_as_such(value: Any) -> None:
    require_canonical(canonical_bytes(value))


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_other_writings_are_refused(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8")
    if text == canonical_bytes(value):
        require_canonical(text)
    else:
        with pytest.raises(CanonicalFormError):
            require_canonical(text)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"\xff", b"1 ", b" 1", b"[1, 2]", b'{"b":1,"a":1}', b'{"a":1,"a":1}', b"1.50", b"1E5", b"-0.0", b"[-0.0]",
        b"NaN", b"[Infinity]", b'"\\u0041"', b'"\\ud800"', b'"\\/"', b"[" * 100_000, b"1" * 5_000, b"1e999",
        '{"\ufb33":1,"\U0001f600":2}'.encode(),
    ],
)  # fmt: skip
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalFormError, match=rf"^got {len(data)} bytes "):
        require_canonical(data)
