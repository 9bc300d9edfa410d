"""The benchmark of marks runs small, and writes what it measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks import marks_speed


def test_the_benchmark_measures_and_writes_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "marks.json"
    monkeypatch.setattr(sys, "argv", ["marks_speed", "--scale", "0.001", "--out", str(out)])
    assert marks_speed.main() == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [one["scheme"] for one in document["ours"]] == [name for name, *_ in marks_speed.OURS]
    assert all(one["keys_one"]["token_keys_per_second"] > 0 for one in document["ours"])
    assert document["machine"]["cores"] >= 1
    assert document["peers"] == []
    assert "token-keys/s at best" in capsys.readouterr().out
