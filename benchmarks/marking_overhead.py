"""What a mark costs for each decoding step, on a CPU with one thread or on a GPU, beside transformers' own processors and the engines' in the same run.

Each processor gets the same logits and tokens, in turn, repeatedly; the figure is the median step. The baseline is what a step costs anyway: softmax
and a draw. Ours has another key in every row; transformers' and vLLM's have one key for the batch. On a GPU a step begins and ends when the device has nothing left
to do, so the time includes what the host does; `queued` is a step among 20 that are handed over without waiting. vLLM's kernel draws instead of the baseline;
all others come before it. The engines are taken from `benchmarks.engine_kernels --unpack`.

    python -m benchmarks.marking_overhead --out build/benchmarks/marking_overhead.json
    python -m benchmarks.marking_overhead --device cuda --engines ENGINES --out build/benchmarks/marking_overhead_cuda.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from benchmarks import engine_kernels
from benchmarks.invocation import machine
from transformers import SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

from stillwatch import __version__
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.key_file import key_lines
from stillwatch.watermark.marking import mark_rows
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.transformers_processor import MarkLogitsProcessor

SHAPES = ((1, 50_257), (32, 50_257), (1, 128_256), (32, 128_256))
GPU_SHAPES = (*SHAPES, (256, 50_257), (256, 128_256))
LENGTH = 64
PROMPT = 16
SEED = 20_261_125
SLOW = {
    "cpu": {"transformers SynthID, depth 30": 8, "transformers KGW selfhash": 1},
    "cuda": {"transformers SynthID, depth 30": 32, "transformers KGW selfhash": 1},
}
"""Rows beyond which a processor is left out, since one step takes many seconds or gigabytes."""
QUEUED = 20
BASELINE = "softmax and draw, for comparison"

Step = Callable[[Any, Any], Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each processor and shape")
    parser.add_argument("--shapes", type=int, nargs="+", default=None, help="rows and vocabulary, in turn")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--engines", type=Path, default=None, help="unpacked marking code of vLLM and SGLang; needs a GPU"
    )
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if asked.engines is not None:
        engine_kernels.open_engines(asked.engines)
    usual = SHAPES if asked.device == "cpu" else GPU_SHAPES
    shapes = usual if asked.shapes is None else tuple(zip(asked.shapes[::2], asked.shapes[1::2], strict=True))
    found = []
    for rows, vocabulary in shapes:
        steps = processors(rows, vocabulary, asked.device)
        if asked.engines is not None:
            steps |= engine_steps(rows, vocabulary, asked.device)
        found += measure(rows, vocabulary, steps, asked.seconds, asked.device)
    for row in found:
        queued = "" if row["queued"] is None else f" {row['queued']:>9.3f} ms queued"
        print(
            f"{row['rows']:>3} x {row['vocabulary']:>7,}  {row['processor']:44} {row['milliseconds']:>10.3f} ms{queued} {row['ratio']:>7.2f} x the draw  ({row['steps']} steps)"
        )
    if asked.out is not None:
        document = {
            "benchmark": "marking_overhead", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
            "torch": torch.__version__, "transformers": transformers.__version__, "machine": asdict(machine()), "device": asked.device if asked.device == "cpu" else torch.cuda.get_device_name(0), "measured": found,
        }  # fmt: skip
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(rows: int, vocabulary: int, steps: dict[str, Step], seconds: float, device: str) -> list[dict[str, Any]]:
    """Measure every processor at one shape: steps in turn, so that all meet the same load."""
    torch.manual_seed(SEED)
    logits = (torch.randn(rows, vocabulary) * 3).to(device)
    tokens = torch.randint(0, vocabulary, (rows, LENGTH)).to(device)
    steps = {name: step for name, step in steps.items() if rows <= SLOW[device].get(name, rows)}
    took: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(3):
            step(tokens, logits.clone())  # compiles, and fills caches
    while any(sum(times) < seconds and len(times) < 200 for times in took.values()):
        for name, step in steps.items():
            if sum(took[name]) < seconds and len(took[name]) < 200:
                given = logits.clone()
                took[name].append(timed(lambda step=step, given=given: step(tokens, given), device))  # type: ignore[misc]
    medians = {name: 1_000 * statistics.median(times) for name, times in took.items()}
    return [
        {
            "rows": rows, "vocabulary": vocabulary, "processor": name, "milliseconds": median, "ratio": median / medians[BASELINE],
            "queued": queued(steps[name], tokens, logits) if device == "cuda" and median < 50 else None, "steps": len(took[name]),
        }
        for name, median in medians.items()
    ]  # fmt: skip


def timed(act: Callable[[], Any], device: str) -> float:
    """Give the seconds that something takes until the device is done with it."""
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    act()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def queued(step: Step, tokens: Any, logits: Any) -> float:
    """Give the milliseconds of a step among many that are handed to the device without waiting; all change the same logits."""
    given = logits.clone()

    def many() -> None:
        for _ in range(QUEUED):
            step(tokens, given)

    return 1_000 * timed(many, "cuda") / QUEUED


def processors(rows: int, vocabulary: int, device: str) -> dict[str, Step]:
    """Give every processor by name."""

    def ours(draw: Draw, width: int, **more: Any) -> Step:
        keys = [(SEED << 32) + 7_919 * row for row in range(rows)]
        return MarkLogitsProcessor([RowMark(draw=draw, key=key, width=width, **more) for key in keys], PROMPT)

    def draw_anyway(_: Any, scores: Any) -> Any:
        return torch.multinomial(torch.softmax(scores, dim=-1), 1)

    plain = {} if device == "cpu" else {
        "ours, green list h=2, without Triton": without_triton(ours(Draw.GREEN_LIST, 2)),
        "ours, Gumbel h=4, all tokens, without Triton": without_triton(ours(Draw.GUMBEL, 4)),
    }  # fmt: skip
    kgw = {"vocab_size": vocabulary, "device": device, "hashing_key": SEED}
    layers = [SEED + 104_729 * layer for layer in range(30)]
    return {
        BASELINE: draw_anyway,
        "ours, green list h=2": ours(Draw.GREEN_LIST, 2),
        "ours, Gumbel h=4, top-k 100": ours(Draw.GUMBEL, 4, top_k=100),
        "ours, Gumbel h=4, all tokens": ours(Draw.GUMBEL, 4),
        **plain,
        "transformers KGW lefthash": WatermarkLogitsProcessor(seeding_scheme="lefthash", **kgw),
        "transformers KGW selfhash": WatermarkLogitsProcessor(seeding_scheme="selfhash", context_width=4, **kgw),
        "transformers SynthID, depth 30": SynthIDTextWatermarkLogitsProcessor(
            ngram_len=5, keys=layers, sampling_table_size=2**16, sampling_table_seed=0, context_history_size=1024, device=torch.device(device)
        ),
    }  # fmt: skip


def without_triton(step: Step) -> Step:
    """Let our rows be marked by tensor operations."""

    def plainly(tokens: Any, scores: Any) -> Any:
        kernels = mark_rows._gpu_rows  # noqa: SLF001  # the one place where the way is chosen
        mark_rows._gpu_rows = lambda _: None  # type: ignore[assignment]  # noqa: SLF001
        try:
            return step(tokens, scores)
        finally:
            mark_rows._gpu_rows = kernels  # noqa: SLF001

    return plainly


def engine_steps(rows: int, vocabulary: int, device: str) -> dict[str, Step]:
    """Give the engines' own kernels by name, without their care for repeated contexts."""
    vllm = engine_kernels.vllm_module("v1.worker.gpu.sample.watermark")
    core = engine_kernels.sglang_module("srt.sampling.watermarking.core")

    def full(value: float, kind: Any) -> Any:
        return torch.full((rows,), value, dtype=kind, device=device)

    keys = (SEED << 32) + 7_919 * torch.arange(rows, device=device)
    plain = {
        "temperatures": full(1, torch.float32)[:, None], "top_ps": full(1, torch.float32), "min_ps": full(0, torch.float32), "keys": keys,
    }  # fmt: skip
    eligible, widths = full(1, torch.bool), full(4, torch.int32)

    def sglang(top_k: int) -> Step:
        top_ks = full(top_k, torch.int64)

        def step(tokens: Any, scores: Any) -> Any:
            hashes = core._hash_contexts(tokens[:, -4:], widths)  # noqa: SLF001  # the engine's own
            return core.force_watermark_tokens(scores, hashes, eligible, top_ks=top_ks, max_top_k=top_k, **plain)

        return step

    return {
        "ours, vLLM plug-in, Gumbel h=4, all tokens": plug_in_step(rows, vocabulary, device),
        "vLLM's kernel, Gumbel h=4, instead of the draw": lambda tokens, scores: vllm.philox_gumbel_sample(scores, tokens[:, -4:], SEED << 32),
        "SGLang's kernels, Gumbel h=4, top-k 100": sglang(100),
        "SGLang's kernels, Gumbel h=4, all tokens": sglang(vocabulary),
    }  # fmt: skip


def plug_in_step(rows: int, vocabulary: int, device: str) -> Step:
    """Give a step of our plug-in for vLLM's V2 runner: a Gumbel key in each row, answers of 1,000 tokens after prompts of 200."""
    plug_in = importlib.import_module("stillwatch.watermark.marking.vllm_v2")
    interface = engine_kernels.vllm_module("v1.worker.gpu.sample.logits_processor.interface")
    keys = [
        MarkKey(
            handle=f"mk-{row}", scheme="sglang-gumbel@murmur3-v1", parameters=(("context_width", 4),), level=MarkLevel.CAMPAIGN,
            assigned_to="c", key=(SEED * 7_919 + row).to_bytes(8, "big"), tokenizer_digest="", issued_us=1,
        )
        for row in range(rows)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.jsonl"
        path.touch(mode=0o600)
        path.write_text(key_lines(keys), encoding="utf-8")
        os.environ["STILLWATCH_MARK_KEYS"] = str(path)
        held = torch.randint(0, vocabulary, (rows, 4_096), dtype=torch.int32, device=device)
        prompts = types.SimpleNamespace(
            gpu=torch.full((rows,), 200, dtype=torch.int32, device=device), np=np.full(rows, 200)
        )
        states = interface.LogitsProcRequestState(
            device=device, max_num_reqs=rows, vocab_size=vocabulary, all_token_ids=types.SimpleNamespace(gpu=held), prompt_len=prompts,
            prefill_len=None, total_len=None,
        )  # fmt: skip
        processor = plug_in.MarkProcessor(types.SimpleNamespace(), states)
        for row, key in enumerate(keys):
            sampling = types.SimpleNamespace(
                temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, extra_args={"stillwatch_key": key.handle}
            )
            processor.add_request(row, sampling)
    every = torch.arange(rows, dtype=torch.int32, device=device)
    step = interface.LogitsContext(
        expanded_idx_mapping=every, idx_mapping=every, idx_mapping_np=np.arange(rows), expanded_local_pos=torch.zeros_like(every),
        input_ids=held[:, 1_199].contiguous(), pos=torch.full((rows,), 1_199, dtype=torch.int64, device=device),
        seq_lens_upper_bound_np=np.full(rows, 1_200),
    )  # fmt: skip
    return lambda _, scores: processor.apply(scores, step)


if __name__ == "__main__":
    sys.exit(main())
