"""The ledger's benchmark at a small size: it measures what it says, and its proofs verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import stillwatch

ROOT = Path(__file__).resolve().parents[3]


def test_the_benchmark_measures_every_size_and_writes_what_it_found(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    source = Path(stillwatch.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ledger_speed", "--sizes", "300", "1000", "--batch", "100", "--proofs", "20",
         "--folder", tmp_path, "--out", out],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [(one["entries"], one["appended"]) for one in found["measured"]] == [(300, 300), (1_000, 700)]
    for one in found["measured"]:
        assert one["entries_per_second"] > 0
        assert one["entries_per_processor_second"] > 0
        assert 0 < one["proof_warm"]["median"] <= one["proof_warm"]["p99"] <= one["proof_warm"]["largest"]
    assert found["measured"][-1]["proof_hashes"] == 10
    assert "goal 50,000" in done.stdout
    assert list(tmp_path.iterdir()) == [out]
