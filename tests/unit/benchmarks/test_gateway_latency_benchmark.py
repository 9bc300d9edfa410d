"""The gateway's benchmark at a small size, and the open loop: a stall counts for every request that arrives while it lasts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.open_loop import arrivals, percentile, run_open_loop

import stillwatch

ROOT = Path(__file__).resolve().parents[3]


def test_the_benchmark_measures_and_writes_what_it_found(tmp_path: Path) -> None:
    out = tmp_path / "gateway.json"
    source = Path(stillwatch.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gateway_latency", "--accounts", "3000", "--rounds", "1", "--seconds", "0.3", "--sketched", "6000",
         "--out", out],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))["measured"]
    assert set(found["decide_us"]) == {"absent", "allowed", "marked", "throttled"}
    assert all(value > 0 for value in found["decide_us"].values())
    assert found["asgi"]["log_lines"] >= found["asgi"]["requests_each"] > 50
    assert found["asgi"]["processor_us"]["with"] > found["asgi"]["processor_us"]["without"] > 0
    assert found["asgi"]["sketched"]["requests_each"] == found["asgi"]["requests_each"]
    assert found["child"]["exchanges_per_s"] > 0
    assert found["child"]["memory_mb"] > 0
    assert found["proxy"]["p50"]["with"] > 0
    assert "goal 0.3" in done.stdout


def test_arrivals_are_fixed_ahead_and_of_the_rate() -> None:
    times = arrivals(500, 20, 1)
    assert times == arrivals(500, 20, 1) == sorted(times)
    assert abs(len(times) - 10_000) < 5 * 10_000**0.5
    assert 0 < times[0] <= times[-1] < 20


def test_a_stall_counts_for_every_request_that_comes_meanwhile() -> None:
    async def ask(number: int) -> None:
        if number == 5:
            time.sleep(0.2)  # noqa: ASYNC251  # the stall

    latencies = asyncio.run(run_open_loop([0.01 * number for number in range(40)], ask))
    late = [number for number, one in enumerate(latencies) if one > 0.05]
    assert set(range(5, 19)) <= set(late)  # a closed loop would have seen one


def test_percentiles() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([3.0], 0.5) == 3.0
