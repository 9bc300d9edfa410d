"""Winnowing: a constant text of 24 words leaves a fingerprint wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest
from sketch_rows import batch_of_prompts

from stillwatch.sketches import sketch_batch
from stillwatch.sketches.spans import GRAM_WORDS, MOST_SPANS, WINDOW

LETTERS = list("abcdefghijklmnopqrstuvwxyz")


def some_words(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(LETTERS, size=8)) for _ in range(count)]


def spans_of(prompts: list[str]) -> list[list[int]]:
    return sketch_batch(batch_of_prompts(prompts)).column("spans").to_pylist()


def test_guarantee_length() -> None:
    assert WINDOW + GRAM_WORDS - 1 == 24


@pytest.mark.parametrize("seed", range(20))
def test_an_injected_text_of_24_words_is_shared(seed: int) -> None:
    rng = np.random.default_rng(seed)
    injected = some_words(rng, 24)
    prompts = []
    for _ in range(20):
        before, after = int(rng.integers(0, 30)), int(rng.integers(0, 30))
        prompts.append(" ".join(some_words(rng, before) + injected + some_words(rng, after)))
    fingerprints = spans_of(prompts)
    alone = set(spans_of([" ".join(injected)])[0])
    assert len(alone) == 1
    kept = [spans for spans in fingerprints if len(spans) < MOST_SPANS]
    assert len(kept) >= 15
    assert all(set(spans) & alone for spans in kept)


def test_fewer_than_eight_words_leave_none() -> None:
    assert spans_of(["a b c d e f g", "a b c d e f g h"]) == [[], spans_of(["a b c d e f g h"])[0]]
    assert len(spans_of(["a b c d e f g h"])[0]) == 1


def test_long_texts_keep_the_smallest_in_order() -> None:
    rng = np.random.default_rng(3)
    words = some_words(rng, 900)
    spans = spans_of([" ".join(words)])[0]
    assert len(spans) == MOST_SPANS
    assert spans == sorted(set(spans))
    halves = [set(part) for part in spans_of([" ".join(words[:450]), " ".join(words[450:])])]
    assert len(set(spans) & (halves[0] | halves[1])) >= MOST_SPANS - 2


def test_a_text_of_characters_without_spaces_has_spans() -> None:
    assert len(spans_of(["请逐步解释这个问题的完整推理过程并给出最终答案"])[0]) == 1
