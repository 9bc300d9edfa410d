"""How fast marks are detected on one core, beside the other detectors in the same run.

Scores random token ids (V = 50,257) under every scheme with one key and with many, times exact de-duplication, the whole attribution of 1
million tokens among 1,000 keys with decoys, and then every other detector in a process of its own (`benchmarks.marks_peers`). Beside each scheme stands what
its function alone costs on this core (`benchmarks.marks_floor`).

    make bench-marks
    python -m benchmarks.marks_speed --wheels build/peers/wheels --out build/benchmarks/marks_speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.invocation import machine
from benchmarks.marks_floor import floors
from benchmarks.marks_peers import PEERS, SEED, VOCABULARY

from stillwatch import __version__
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.detection import KeyScorer, Plan
from stillwatch.watermark.scheme import Parameters, scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.token_files import Document
from stillwatch.watermark.unit_store import distinct

GOAL_TOKEN_KEYS_PER_SECOND = 100_000_000
GOAL_ATTRIBUTION_SECONDS = 2.0
GOAL_ATTRIBUTION_TOKENS = 1_000_000
OURS: tuple[tuple[str, Parameters, int, int], ...] = (
    ("sglang-gumbel@murmur3-v1", {}, 1_000_000, 256),
    ("sglang-dual@murmur3-v1", {}, 1_000_000, 64),
    ("green-bernoulli@v1", {}, 1_000_000, 256),
    ("vllm-gumbel@philox4x32-10-v1", {}, 1_000_000, 32),
    ("vllm-dual@philox4x32-10-v1", {}, 1_000_000, 16),
    ("synthid-fixed@v1", {}, 100_000, 8),
    ("synthid-shipped@v1", {}, 100_000, 256),
    ("kgw-transformers@v1", {"vocabulary": VOCABULARY}, 20_000, 1),
    ("kgw-transformers@v1", {"vocabulary": VOCABULARY, "seeding_scheme": "selfhash", "context_width": 4}, 20_000, 1),
    ("unigram@v1", {"vocabulary": VOCABULARY}, 1_000_000, 8),
)
"""Scheme, parameters, tokens, and keys of the second figure."""


def main() -> int:
    """Measure, print, and say which goals were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--wheels", type=Path, default=None, help="wheels of the other detectors; none are timed without"
    )
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tokens, to see that it runs")
    asked = parser.parse_args()
    where = machine()
    rng = np.random.default_rng(SEED)
    ours = [_ours(rng, *setting, scale=asked.scale) for setting in OURS]
    alone = floors(VOCABULARY)
    for one in ours:
        one["function_alone_token_keys_per_second"] = alone.get(one["scheme"].partition("@")[0])
    duplicates = _deduplication(rng, asked.scale)
    attribution = _attribution(rng, asked.scale)
    peers = [] if asked.wheels is None else [_peer(name, asked.wheels) for name in PEERS]
    document = {
        "benchmark": "marks_speed", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": asdict(where), "load": os.getloadavg()[0], "vocabulary": VOCABULARY, "ours": ours,
        "deduplication": duplicates, "attribution": attribution, "peers": peers,
    }  # fmt: skip
    if asked.out is not None:
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    _print(ours, duplicates, attribution, peers)
    return 0


def _best(run: Callable[[], Any], rounds: int = 3) -> tuple[float, float]:
    """Give the least wall and processor seconds of some rounds."""
    walls, processors = [], []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def _ours(
    rng: np.random.Generator, name: str, parameters: Parameters, tokens: int, many: int, *, scale: float
) -> dict[str, Any]:
    """Time one scheme on distinct units."""
    scheme = open_scheme(name, parameters)
    ids = rng.integers(1, VOCABULARY, size=max(1_000, int(tokens * scale))).astype(np.uint32)
    words = distinct(scheme_units(scheme, ids).words)
    found: dict[str, Any] = {"scheme": name, "parameters": scheme.parameters, "units": len(words)}
    keys = rng.integers(0, 2**64, size=(many, scheme.key_words), dtype=np.uint64)
    scheme.totals(words[:100], keys[:1])
    for number in sorted({1, many}):
        wall, processor = _best(lambda number=number: scheme.totals(words, keys[:number]))  # type: ignore[misc]
        found[f"keys_{'one' if number == 1 else 'many'}"] = {
            "keys": number, "seconds": wall, "token_keys_per_second": len(words) * number / wall,
            "token_keys_per_processor_second": len(words) * number / processor,
        }  # fmt: skip
    return found


def _deduplication(rng: np.random.Generator, scale: float) -> dict[str, float]:
    """Time units and their de-duplication, once for all keys."""
    ids = rng.integers(1, VOCABULARY, size=int(1_000_000 * scale)).astype(np.uint32)
    found = {}
    for name in ("sglang-gumbel@murmur3-v1", "vllm-gumbel@philox4x32-10-v1"):
        scheme = open_scheme(name, {})
        distinct(scheme_units(scheme, ids[:1000]).words)
        wall, processor = _best(lambda scheme=scheme: distinct(scheme_units(scheme, ids).words))  # type: ignore[misc]
        found[f"{name} tokens_per_second"] = len(ids) / wall
        found[f"{name} tokens_per_processor_second"] = len(ids) / processor
    return found


def _attribution(rng: np.random.Generator, scale: float) -> dict[str, Any]:
    """Time 1,000 keys on 1 million tokens: reading units, de-duplication, scoring, and then 999 decoys and all conclusions."""
    found: dict[str, Any] = {}
    for name in ("sglang-gumbel@murmur3-v1", "green-bernoulli@v1", "vllm-gumbel@philox4x32-10-v1"):
        keys = [
            MarkKey(
                handle=f"k-{place}", scheme=name, parameters=(), level=MarkLevel.CAMPAIGN, assigned_to=f"c-{place}",
                key=rng.bytes(8), tokenizer_digest="", issued_us=0,
            )
            for place in range(1_000)
        ]  # fmt: skip
        ids = rng.integers(1, VOCABULARY, size=(1_000, int(1_000 * scale))).astype(np.uint32)
        scorer = KeyScorer(keys)
        began = time.perf_counter()
        scorer.add([Document(tokens=row, prompt=None) for row in ids])
        added = time.perf_counter()
        scheme = open_scheme(name, {})
        words = distinct(scheme_units(scheme, ids.ravel()).words)
        rows = rng.integers(0, 2**64, size=(1_000, 1), dtype=np.uint64)
        scored, scored_processor = _best(lambda: scheme.totals(words, rows), rounds=2)  # noqa: B023  # run at once
        again = time.perf_counter()
        scorer.results(Plan(alpha=1e-6, seed=1))
        found[name] = {
            "tokens": ids.size, "keys": len(keys), "scoring_seconds": scored, "scoring_processor_seconds": scored_processor,
            "adding_seconds": added - began, "with_999_decoys_and_conclusions_seconds": time.perf_counter() - again,
        }  # fmt: skip
        scorer.close()
    return found


def _peer(name: str, wheels: Path) -> dict[str, Any]:
    """Time another detector; one that does not run is named with its reason."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.marks_peers", name, "--wheels", str(wheels)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        return {
            "name": name,
            "did_not_run": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no output",
        }
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _print(ours: list[Any], duplicates: dict[str, float], attribution: dict[str, Any], peers: list[Any]) -> None:
    """Print the figures as a table."""
    for one in ours:
        many = one.get("keys_many", one["keys_one"])
        alone = one["function_alone_token_keys_per_second"]
        beside = "" if alone is None else f"; the function alone {alone / 1e6:,.2f} M/s"
        print(
            f"{one['scheme']:32} 1 key {one['keys_one']['token_keys_per_second'] / 1e6:10,.3f} M/s   {many['keys']:4} keys "
            f"{many['token_keys_per_second'] / 1e6:10,.3f} M/s ({many['token_keys_per_processor_second'] / 1e6:,.3f} by processor time){beside}"
        )
    for name, value in duplicates.items():
        print(f"de-duplication {name}: {value / 1e6:,.1f} M/s")
    for name, one in attribution.items():
        met = "met" if one["scoring_seconds"] <= GOAL_ATTRIBUTION_SECONDS else "missed"
        met = met if one["tokens"] >= GOAL_ATTRIBUTION_TOKENS else "not judged at this size"
        print(
            f"{name}: {one['tokens']:,} tokens x {one['keys']:,} keys in {one['scoring_seconds']:.2f} s ({one['scoring_processor_seconds']:.2f} s "
            f"of the processor), goal 2 s {met}; adding {one['adding_seconds']:.2f} s; de-duplication, 999 decoys and conclusions too "
            f"{one['with_999_decoys_and_conclusions_seconds']:.2f} s"
        )
    fastest = max(one.get("keys_many", one["keys_one"])["token_keys_per_second"] for one in ours)
    print(
        f"{fastest / 1e6:,.0f} M token-keys/s at best; goal 100 M/s {'met' if fastest >= GOAL_TOKEN_KEYS_PER_SECOND else 'missed'}"
    )
    for one in peers:
        if "did_not_run" in one:
            print(f"{one['name']:40} did not run: {one['did_not_run']}")
        else:
            print(f"{one['name']:40} {one['tokens_per_second']:14,.0f} tokens/s   {one['gives']}")


if __name__ == "__main__":
    sys.exit(main())
