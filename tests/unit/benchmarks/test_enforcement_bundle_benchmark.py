"""The bundle's benchmark at a small size: it measures what it says, and its look-ups are right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import stillwatch

ROOT = Path(__file__).resolve().parents[3]


def test_the_benchmark_measures_and_writes_what_it_found(tmp_path: Path) -> None:
    out = tmp_path / "bundle.json"
    source = Path(stillwatch.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.enforcement_bundle", "--accounts", "2000", "--out", out],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))["measured"]
    assert found["accounts"] == 2_000
    assert found["bytes"] > 12 * 2_000
    assert all(
        found[name] > 0
        for name in ("load_seconds", "look_up_present_us", "look_up_absent_us", "dict_present_us", "dict_absent_us")
    )
    assert "goal 2.0 us" in done.stdout
