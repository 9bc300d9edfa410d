"""Our Gumbel rows draw the very tokens that SGLang's own code draws, with one key and with two, with and without truncation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from stillwatch.watermark.marking.mark_rows import mark_rows  # noqa: E402
from stillwatch.watermark.marking.row_mark import Draw, RowMark  # noqa: E402

VECTORS = json.loads(Path(__file__).with_name("sglang_choices.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case", VECTORS["cases"], ids=lambda case: f"{'two keys' if case['dual'] else 'one key'}, top_k {case['top_k']}"
)
def test_the_same_tokens_are_drawn(case: dict[str, Any]) -> None:
    logits = torch.tensor(VECTORS["sixteenths"], dtype=torch.float32) / 16
    mark = RowMark(
        draw=Draw.GUMBEL, key=VECTORS["key_a"], second_key=VECTORS["key_b"] if case["dual"] else None, mixing=0.5 if case["dual"] else 1.0,
        width=4, **{name: case[name] for name in ("temperature", "top_k", "top_p", "min_p")},
    )  # fmt: skip
    out = mark_rows(logits, torch.tensor(VECTORS["contexts"]), [mark] * len(logits))
    assert out.argmax(dim=1).tolist() == case["chosen"]
