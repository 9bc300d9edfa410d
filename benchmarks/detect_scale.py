"""How `stillwatch detect` scales: exchanges per second, memory and stages at 0.1, 1 and 10 million short exchanges.

Takes sizes and a folder for the worlds (kept and reused, since making them takes longer than reading them). Gives a table
and, with `--out`, a JSON file. Each size is detected in a process of its own; see `invocation` for how it is measured.
Goals: near-linear, 10 million short exchanges in at most 5 minutes and 6 GB on 2 cores.

    python -m benchmarks.detect_scale --sizes 100000 1000000 --cache /tmp/stillwatch-scale
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from benchmarks.invocation import Invocation, machine, stillwatch

SIZES = (100_000, 1_000_000, 10_000_000)
EXCHANGES_PER_ACCOUNT = 50
GOAL_EXCHANGES, GOAL_SECONDS, GOAL_BYTES, GOAL_CORES = 10_000_000, 300.0, 6_000_000_000, 2
NEAR_LINEAR = 1.5
"""Time per exchange may grow by this factor between the smallest measured size from 1 million on and the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFigure:
    """One size."""

    exchanges: int
    accounts: int
    traffic_bytes: int
    prompt_bytes_mean: float
    wall_seconds: float
    processor_seconds: float
    peak_bytes: int
    """Resident memory of the whole process tree."""
    exchanges_per_second: float
    campaigns: int
    stages: dict[str, float]
    """Seconds per stage."""


def world_of(size: int, cache: Path, seed: int) -> Path:
    """Return the folder of a simulated world of that size, made where it is not there yet.

    Args:
        size: exchanges.
        cache: folder for worlds.
        seed: of the simulation.

    Returns:
        The world's folder.

    Raises:
        InvocationError: when the simulation fails.
    """
    world = cache / f"scale-{size}-{seed}"
    if not (world / "truth.parquet").is_file():
        accounts = max(1_000, size // EXCHANGES_PER_ACCOUNT)
        stillwatch(
            "simulate", str(world), "--preset", "all-families", "--accounts", str(accounts), "--exchanges", str(size),
            "--seed", str(seed),
        )  # fmt: skip
    return world


def measure(world: Path, threads: int | None) -> ScaleFigure:
    """Detect a world and measure it.

    Args:
        world: folder with traffic and account facts.
        threads: threads for the detection; null for one per core.

    Returns:
        The figures.

    Raises:
        InvocationError: when the detection fails.
    """
    files = sorted(world.glob("traffic-*"))
    with tempfile.TemporaryDirectory(prefix="stillwatch-scale-") as case:
        arguments = ["detect", *map(str, files), "--out", case, "--accounts", str(world / "accounts.parquet")]
        if threads:
            arguments += ["--threads", str(threads)]
        return figure_of(stillwatch(*arguments), files)


def figure_of(run: Invocation, files: list[Path]) -> ScaleFigure:
    """Return the figures of a finished detection over those Parquet files."""
    counts: dict[str, int] = run.document["counts"]
    return ScaleFigure(
        exchanges=counts["exchanges"],
        accounts=counts["accounts"],
        traffic_bytes=sum(file.stat().st_size for file in files),
        prompt_bytes_mean=_mean_prompt_bytes(files[0]),
        wall_seconds=run.wall_seconds,
        processor_seconds=run.processor_seconds,
        peak_bytes=run.peak_bytes,
        exchanges_per_second=counts["exchanges"] / run.wall_seconds,
        campaigns=counts.get("campaigns", 0),
        stages={name: float(seconds) for name, seconds in run.document["timings"].items()},
    )


def _mean_prompt_bytes(file: Path) -> float:
    parquet = pq.ParquetFile(file)
    prompts = parquet.read_row_group(0, columns=["prompt"]).column("prompt").drop_null()
    return sum(len(prompt.as_py().encode()) for prompt in prompts) / max(1, len(prompts))


def goals(figures: list[ScaleFigure], cores: int) -> list[str]:
    """Return one line per goal: what was wanted, what was measured, whether it is met."""
    lines = []
    largest = max(figures, key=lambda figure: figure.exchanges)
    if largest.exchanges >= 0.9 * GOAL_EXCHANGES:
        in_time, in_memory = largest.wall_seconds <= GOAL_SECONDS, largest.peak_bytes <= GOAL_BYTES
        lines.append(
            f"{_mark(in_time)} 10M in at most {GOAL_SECONDS:.0f} s on {GOAL_CORES} cores: "
            f"{largest.wall_seconds:.1f} s on {cores}"
        )
        lines.append(f"{_mark(in_memory)} 10M in at most {GOAL_BYTES / 1e9:.0f} GB: {largest.peak_bytes / 1e9:.2f} GB")
    else:
        lines.append(f"not measured: 10M in at most {GOAL_SECONDS:.0f} s and {GOAL_BYTES / 1e9:.0f} GB")
    steady = sorted((f for f in figures if f.exchanges >= 900_000), key=lambda figure: figure.exchanges)
    if len(steady) > 1:
        growth = (steady[-1].wall_seconds / steady[-1].exchanges) / (steady[0].wall_seconds / steady[0].exchanges)
        lines.append(
            f"{_mark(growth <= NEAR_LINEAR)} near-linear: time per exchange at {steady[-1].exchanges:,} is {growth:.2f} "
            f"times that at {steady[0].exchanges:,} (at most {NEAR_LINEAR})"
        )
    return lines


def _mark(met: bool) -> str:
    return "met:" if met else "MISSED:"


def table(figures: list[ScaleFigure]) -> str:
    """Return the figures as a Markdown table, stages below."""
    lines = [
        "| exchanges | accounts | prompt, mean | wall | CPU | exchanges/s | peak memory |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {f.exchanges:,} | {f.accounts:,} | {f.prompt_bytes_mean:.0f} B | {f.wall_seconds:.1f} s | "
        f"{f.processor_seconds:.1f} s | {f.exchanges_per_second:,.0f} | {f.peak_bytes / 1e9:.2f} GB |"
        for f in figures
    ]
    stages = list(dict.fromkeys(stage for figure in figures for stage in figure.stages))
    lines += [
        "",
        "| seconds per stage | " + " | ".join(f"{f.exchanges:,}" for f in figures) + " |",
        "|---|" + "---:|" * len(figures),
    ]
    lines += [
        f"| {stage} | " + " | ".join(f"{figure.stages.get(stage, 0.0):.1f}" for figure in figures) + " |"
        for stage in stages
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print the table and the goals, and write the JSON file."""
    parser = argparse.ArgumentParser(description="Exchanges per second and memory of `stillwatch detect`.")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "stillwatch-scale")
    parser.add_argument("--out", type=Path, default=None, help="JSON file to write")
    given = parser.parse_args(arguments)
    here = machine()
    figures = []
    for size in sorted(given.sizes):
        figures.append(measure(world_of(size, given.cache, given.seed), given.threads))
        print(f"{figures[-1].exchanges:,} exchanges: {figures[-1].wall_seconds:.1f} s", file=sys.stderr)
    cores = given.threads or here.cores
    document = {
        "benchmark": "detect scale",
        "machine": asdict(here),
        "seed": given.seed,
        "figures": [asdict(figure) for figure in figures],
        "goals": goals(figures, cores),
    }
    print(table(figures), *document["goals"], sep="\n")
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return document


if __name__ == "__main__":
    main()
