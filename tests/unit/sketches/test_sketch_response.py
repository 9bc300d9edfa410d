# ruff: noqa: RUF001 - texts of many scripts
"""What answers show: tags, refusals, steps."""

from __future__ import annotations

import pytest
from sketch_rows import batch_of_rows

from stillwatch.records.sketch import ResponseSign
from stillwatch.sketches import sketch_batch


def signs(response: str | None) -> int | None:
    return sketch_batch(batch_of_rows([{"response": response}])).column("response_signs").to_pylist()[0]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<think>First I look at it.</think> Four.", ResponseSign.INLINE_REASONING),
        ("<Reasoning>none</Reasoning>", ResponseSign.INLINE_REASONING),
        ("[thinking] hm [/thinking] ok", ResponseSign.INLINE_REASONING),
        ("I'm sorry, but I can't help with that.", ResponseSign.REFUSAL),
        ("I\u2019m sorry, but I cannot do this.", ResponseSign.REFUSAL),
        ("抱歉，我无法提供这些内容。", ResponseSign.REFUSAL),
        ("Lo siento, no puedo ayudar con eso.", ResponseSign.REFUSAL),
        ("죄송하지만 도와드릴 수 없습니다.", ResponseSign.REFUSAL),
        ("Here:\n1. mix\n2. bake\n", ResponseSign.STEPS),
        ("**1)** mix".replace("**1)**", "1) ") + "\n\n  2) bake", ResponseSign.STEPS),
        ("Step 1: mix. Step 2: bake.", ResponseSign.STEPS),
        ("首先混合，然后烘烤。", ResponseSign.STEPS),
        ("<think>a</think>\n1. b\n2. c", ResponseSign.INLINE_REASONING | ResponseSign.STEPS),
    ],
)
def test_signs(response: str, expected: ResponseSign) -> None:
    assert signs(response) == expected


@pytest.mark.parametrize(
    "response",
    [
        "Four.",
        "It was about 1.5 metres.\n3. is odd",
        "2. first\n1. last",
        "A long report. " * 40 + "I'm sorry, but I can't help with that.",
        "x" * 8200 + "\n1. a\n2. b",
    ],
)
def test_no_signs(response: str) -> None:
    assert signs(response) == 0


def test_no_text_has_no_signs() -> None:
    sketch = sketch_batch(batch_of_rows([{"response": None}, {"response": ""}, {"response": "é"}]))
    assert sketch.column("response_signs").to_pylist() == [None, None, 0]
    assert sketch.column("response_bytes").to_pylist() == [None, 0, 2]


def test_an_answer_cut_within_a_character() -> None:
    assert signs("a" * 8191 + "你" + "好" * 10) == 0
