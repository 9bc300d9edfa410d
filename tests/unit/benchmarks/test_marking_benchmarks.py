"""The benchmarks of marking at a small size; and what the lint says of libraries, measured with the libraries' own code."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("transformers", reason="needs the extra `models`")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries, at import
    from benchmarks import mark_settings, marking_overhead, marking_quality


def test_lefthash_shares_lists_and_ignores_its_width() -> None:
    assert all(mark_settings.lefthash().values())


def test_synthid_as_shipped_has_few_vectors_and_a_biased_null() -> None:
    found = mark_settings.synthid(200_000)
    for seed in range(3):
        assert found[f"different vectors, table seed {seed}"] <= 65_536
    assert max(abs(found[f"z of unmarked tokens, table seed {seed}"]) for seed in range(3)) > 3.0


def test_temperature_0_leaves_no_gumbel_mark() -> None:
    at_zero, at_one = mark_settings.temperature_zero().values()
    assert abs(at_zero - 1.0) < 6.0 / np.sqrt(2_000)  # six standard errors of an exponential's mean
    assert at_one > 1.5


def test_texts_that_repeat_themselves_are_taken_for_marked_by_default() -> None:
    found = mark_settings.false_positives(12, 2)
    by_default = found["lefthash, as it is by default"]
    assert by_default["of"] == 24
    assert by_default["share"] > mark_settings.LEVEL


def test_overhead_is_measured_for_every_processor() -> None:
    steps = marking_overhead.processors(2, 300, "cpu")
    rows = marking_overhead.measure(2, 300, steps, 0.01, "cpu")
    assert {row["processor"] for row in rows} == set(steps) - {"transformers KGW selfhash"}
    assert [row["ratio"] for row in rows if row["processor"] == marking_overhead.BASELINE] == [1.0]
    assert all(row["milliseconds"] > 0 for row in rows)


def test_quality_is_judged_and_marks_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(300)]
    text = tmp_path / "words.txt"
    text.write_text("\n".join(" ".join(rng.choice(words, 12)) for _ in range(900)))
    found = marking_quality.measure(text, steps=2, prompts=12, length=16)
    by_name = {row["condition"]: row for row in found["conditions"]}
    assert by_name["no mark"]["log10_p"] > -6.0
    assert by_name["Gumbel h=4"]["log10_p"] < -20.0
    assert by_name["green list h=2, delta 4"]["log10_p"] < -20.0
    assert all(row["perplexity"] > 1.0 and 0 <= row["wins"] <= 12 for row in found["conditions"])
