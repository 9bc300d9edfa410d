"""The throughput benchmark runs and writes figures that belong together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "sketch_throughput.py"


def test_quick_run(tmp_path: Path) -> None:
    pytest.importorskip("rensa", reason="the dependency group bench is not installed")
    pytest.importorskip("datasketch", reason="the dependency group bench is not installed")
    out = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--quick", "--out", str(out)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["quick"] is True
    assert {line["prompt_bytes"] for line in figures["measured"]} == {200, 2000, 8000}
    assert all(line["rows_per_second"] > 0 for line in figures["measured"])
    assert {(one["prompt_bytes"], one["hashes"]) for one in figures["ratios"]} == {
        (size, hashes) for size in (200, 2000, 8000) for hashes in (64, 128)
    }
    assert {"numba", "rensa", "datasketch"} <= set(figures["machine"]["versions"])
    assert "stillwatch, whole sketch" in done.stdout
