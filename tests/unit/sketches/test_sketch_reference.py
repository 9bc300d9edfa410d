# ruff: noqa: RUF001 - texts of many scripts
"""The kernels give the same bytes as the plain Python oracle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import sketch_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sketch_rows import batch_of_prompts

from stillwatch.sketches import sketch_batch
from stillwatch.sketches.near_duplicate import signatures

FRAGMENTS = [
    "the", "a", "Model", "explains", "Ünïcode", "straße", "Привет", "МИР", "Ελλάδα", "你好世界", "逐步", "ひらがな", "안녕하세요",
    "ไทยแลนด์", "مرحبا", "नमस्ते", "😀", "\U00020000", "\U00010400", "12", "3.14", "1,000,000", "٣٤", "１２", "ＡＢＣ", "＠", "｛",
    '"', '"quoted text"', "“curly”", "«french»", "「日本」", "'single'", "```", "```python\nx = 1\n```", "`", "{", "}", "[", "]",
    '{"a": [1, 2, {"b": "c\\"}"}]}', "[[1,2],[3]]", "{'k': 1}", "{name}", "[ {", "http://", "https://a.b/c?d=1&e=f).", "www.x.org/y,",
    "www", "://", "@", "bob.smith+x@mail.example.com", "a@", "@b", "x@y@z", "почтаjohn@x.com", "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "d41d8cd98f00b204e9800998ecf8427e", "a1b2c3d4e5f6a7b8", "gpt4", "4th", "eyJhbGciOiJIUzI1NiJ9", "a_b-c/d=e+f", "x" * 70, "é" * 40,
    "-", "--", ".", ",", "!", "?", ":", ";", "\\", "\\\\", "\0", "\t", "\n", " ", "  ", "\u00a0", "\u3000", "\u200b", "\u00ad", "\ufeff",
    "—", "‘", "…", "\x7f", "\u0301", "\ue000", "word " * 13, "n'est", "e=mc2",
]  # fmt: skip

texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from([*FRAGMENTS, " ", " ", " "]), max_size=60).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=50).map(" ".join),
)


def sketched(prompts: list[str]) -> list[dict[str, object]]:
    columns = list(sketch_reference.sketch(""))
    return sketch_batch(batch_of_prompts(prompts)).select(columns).to_pylist()


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_kernels_agree_with_the_oracle(prompts: list[str]) -> None:
    for prompt, row in zip(prompts, sketched(prompts), strict=True):
        assert row == sketch_reference.sketch(prompt)


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_kernels_agree_on_every_fragment_alone(fragment: str) -> None:
    assert sketched([fragment]) == [sketch_reference.sketch(fragment)]


@pytest.mark.parametrize(
    "text",
    [
        "w " * 32768,
        "w " * 32769,
        "é" * 40000 + " end",
        "你" * 22000 + "再见",
        "a" * 32767 + "你" * 12000 + "b",
        "[{" * 3000 + " tail of the text " * 5,
        '{"' + "x" * 9000 + '"} after',
        '"' + "y " * 255 + '" in ' + '"' + "y " * 257 + '" out',
        "word " * 40 + "```" + "code " * 50,
        "{" * 200 + '"' * 201 + ":" * 50,
        "\\" * 300 + '"',
        "-".join(["ab", "12"] * 40),
    ],
    ids=range(12),
)
def test_kernels_agree_at_the_limits(text: str) -> None:
    assert sketched([text]) == [sketch_reference.sketch(text)]


@pytest.mark.parametrize("bins", [64, 128])
@pytest.mark.parametrize("words", [3, 12, 60, 400])
def test_signature_agrees_with_the_oracle(bins: int, words: int) -> None:
    text = " ".join(f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(words))
    given = signatures(pa.array([text]), bins=bins)[0]
    assert given.tolist() == sketch_reference.signature(sketch_reference.masked_words(text), bins)


MIDDLES = ["你", "  ", " \n", "é", "\u200b", "12", '"a"', "\u3000", " ", "A.", "\u00a0 ", "你 ", "९", "\U00020000b"]


@pytest.mark.parametrize("middle", MIDDLES, ids=ascii)
def test_kernels_agree_at_every_place_of_a_block(middle: str) -> None:
    # The fold reads blocks of 64 bytes: whatever stands at their seams must not matter.
    prompts = [
        ("ab c, " * 12)[:before] + middle + ending for before in range(66) for ending in (" end" * 20, "end " * 20)
    ]
    assert sketched(prompts) == [sketch_reference.sketch(prompt) for prompt in prompts]


@pytest.mark.parametrize("inside", [*range(508, 516)])
def test_kernels_agree_on_the_reach_of_a_quote(inside: int) -> None:
    prompt = 'say "' + ("y " * 260)[:inside] + '" now'
    assert sketched([prompt]) == [sketch_reference.sketch(prompt)]


@pytest.mark.parametrize("inside", [*range(8185, 8195)])
def test_kernels_agree_on_the_reach_of_data(inside: int) -> None:
    prompt = 'say {"' + ("y " * 4100)[:inside] + '"} now'
    assert sketched([prompt]) == [sketch_reference.sketch(prompt)]


@pytest.mark.parametrize("count", [*range(20, 60), 120, 333, 700])
def test_kernels_agree_on_plain_words(count: int) -> None:
    rng = np.random.default_rng(count)
    prompt = " ".join("".join(rng.choice(list("abcdefghij"), size=rng.integers(1, 20))) for _ in range(count))
    assert sketched([prompt]) == [sketch_reference.sketch(prompt)]
