"""Numbers and values as the report says them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evidence.incident_report import wording
from stillwatch.records.campaign import Finding


@pytest.mark.parametrize(
    ("log_value", "text"),
    [
        (math.log(0.012), "0.012"),
        (math.log(85.4), "85"),
        (math.log(12_345.0), "12,345"),
        (math.log(3.2) - 15 * math.log(10), f"3.2 {wording.TIMES} 10⁻¹⁵"),
        (math.log(9.99) + 40 * math.log(10), f"1.0 {wording.TIMES} 10⁴¹"),
        (-4_000.0, f"6.6 {wording.TIMES} 10⁻¹⁷³⁸"),
        (math.inf, "∞"),
        (-math.inf, "0"),
    ],
)
def test_powers_of_ten(log_value: float, text: str) -> None:
    assert wording.power_of_ten(log_value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 3, "33.3%"), (0, 9, "0%"), (1, 10_000, "less than 0.1%"), (9, 9, "100%"), (0, 0, "none")],
)
def test_shares(part: int, whole: int, text: str) -> None:
    assert wording.share(part, whole) == text


def test_log10_has_no_negative_nought() -> None:
    assert wording.log10_text(-1e-9) == "0.0"
    assert wording.log10_text(-2.302585) == f"{wording.MINUS}1.0"


def test_days_beyond_the_calendar_are_still_said() -> None:
    assert wording.day_text(20_565) == "22 Apr 2026"
    assert wording.day_text(10**9) == "day 1000000000"


def test_direction_overrides_and_controls_are_spelled_out() -> None:
    assert wording.shown("abc\u202edef\x1b[31m\x00\ud800") == "abc\\u{202e}def\\u{1b}[31m\\u{0}\\u{d800}"


def test_a_long_value_says_its_length() -> None:
    text = wording.shown("a" * 10_000)
    assert text == "a" * 52 + "…" + "a" * 8 + " (10,000 characters)"


@given(st.text(max_size=300))
def test_nothing_that_is_shown_can_act(value: str) -> None:
    text = wording.shown(value)
    assert text.isprintable()
    assert len(text) <= 10 * wording.LONGEST_VALUE


@given(st.text(max_size=300))
def test_excerpts_keep_line_ends_only(value: str) -> None:
    assert all(line.isprintable() for line in wording.excerpt(value).split("\n"))


def test_every_finding_has_words_and_a_symbol_of_its_own() -> None:
    assert set(wording.FINDING_WORDS) == set(Finding)
    assert len({words.symbol for words in wording.FINDING_WORDS.values()}) == len(Finding)
    assert all(words.word == finding.value for finding, words in wording.FINDING_WORDS.items())
