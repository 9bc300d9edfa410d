"""What a mark costs for each decoding step on a CPU with one thread, beside transformers' own processors in the same run.

Each processor gets the same logits and tokens, in turn, repeatedly; the figure is the median step. The baseline is what a step costs anyway: softmax
and a draw. Ours has another key in every row; transformers' have one key for the batch.

    python -m benchmarks.marking_overhead --out build/benchmarks/marking_overhead.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from benchmarks.invocation import machine
from transformers import SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

from stillwatch import __version__
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.transformers_processor import MarkLogitsProcessor

SHAPES = ((1, 50_257), (32, 50_257), (1, 128_256), (32, 128_256))
LENGTH = 64
PROMPT = 16
SEED = 20_261_125
SLOW = {"transformers SynthID, depth 30": 8, "transformers KGW selfhash": 1}
"""Rows beyond which a processor is left out, since one step takes many seconds or gigabytes."""

Step = Callable[[Any, Any], Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each processor and shape")
    parser.add_argument("--shapes", type=int, nargs="+", default=None, help="rows and vocabulary, in turn")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    shapes = SHAPES if asked.shapes is None else tuple(zip(asked.shapes[::2], asked.shapes[1::2], strict=True))
    found = [row for rows, vocabulary in shapes for row in measure(rows, vocabulary, asked.seconds)]
    for row in found:
        print(
            f"{row['rows']:>3} x {row['vocabulary']:>7,}  {row['processor']:40} {row['milliseconds']:>10.3f} ms  ({row['steps']} steps)"
        )
    if asked.out is not None:
        document = {
            "benchmark": "marking_overhead", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
            "torch": torch.__version__, "transformers": transformers.__version__, "machine": asdict(machine()), "measured": found,
        }  # fmt: skip
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(rows: int, vocabulary: int, seconds: float) -> list[dict[str, Any]]:
    """Measure every processor at one shape: steps in turn, so that all meet the same load."""
    torch.manual_seed(SEED)
    logits = torch.randn(rows, vocabulary) * 3
    tokens = torch.randint(0, vocabulary, (rows, LENGTH))
    steps = {name: step for name, step in processors(rows, vocabulary).items() if rows <= SLOW.get(name, rows)}
    took: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step(tokens, logits.clone())  # compiles, and fills caches
    while any(sum(times) < seconds and len(times) < 200 for times in took.values()):
        for name, step in steps.items():
            if sum(took[name]) < seconds and len(took[name]) < 200:
                given = logits.clone()
                began = time.perf_counter()
                step(tokens, given)
                took[name].append(time.perf_counter() - began)
    return [
        {"rows": rows, "vocabulary": vocabulary, "processor": name, "milliseconds": 1_000 * statistics.median(times), "steps": len(times)}
        for name, times in took.items()
    ]  # fmt: skip


def processors(rows: int, vocabulary: int) -> dict[str, Step]:
    """Give every processor by name."""

    def ours(draw: Draw, width: int, **more: Any) -> Step:
        keys = [(SEED << 32) + 7_919 * row for row in range(rows)]
        return MarkLogitsProcessor([RowMark(draw=draw, key=key, width=width, **more) for key in keys], PROMPT)

    def draw_anyway(_: Any, scores: Any) -> Any:
        return torch.multinomial(torch.softmax(scores, dim=-1), 1)

    kgw = {"vocab_size": vocabulary, "device": "cpu", "hashing_key": SEED}
    layers = [SEED + 104_729 * layer for layer in range(30)]
    return {
        "softmax and draw, for comparison": draw_anyway,
        "ours, green list h=2": ours(Draw.GREEN_LIST, 2),
        "ours, Gumbel h=4, top-k 100": ours(Draw.GUMBEL, 4, top_k=100),
        "ours, Gumbel h=4, all tokens": ours(Draw.GUMBEL, 4),
        "transformers KGW lefthash": WatermarkLogitsProcessor(seeding_scheme="lefthash", **kgw),
        "transformers KGW selfhash": WatermarkLogitsProcessor(seeding_scheme="selfhash", context_width=4, **kgw),
        "transformers SynthID, depth 30": SynthIDTextWatermarkLogitsProcessor(
            ngram_len=5, keys=layers, sampling_table_size=2**16, sampling_table_seed=0, context_history_size=1024, device=torch.device("cpu")
        ),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
