"""The sketch functions give what the vectors of their version say; whoever changes one must raise the version, since kept parts would no longer compare."""

from __future__ import annotations

import json
from pathlib import Path

import make_sketch_vectors
import pytest
from make_sketch_vectors import FILE, batch_of, digest_of, main

from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.batch import SKETCH_VERSION, sketch_batch

VECTORS = json.loads(FILE.read_text(encoding="utf-8"))


def test_each_column_is_that_of_its_version() -> None:
    made = sketch_batch(batch_of(VECTORS["exchanges"])).to_pylist()
    for name in SKETCH.names:
        rows = [
            number
            for number, (row, known) in enumerate(zip(made, VECTORS["sketches"], strict=True))
            if row[name] != known[name]
        ]
        assert not rows, f"{name} of exchanges {rows} has changed: raise SKETCH_VERSION and run make_sketch_vectors.py"
    assert digest_of(made) == VECTORS["versions"][SKETCH_VERSION]


def test_the_vectors_reach_every_column() -> None:
    for name in SKETCH.names:
        assert len({json.dumps(row[name]) for row in VECTORS["sketches"]}) >= 2, name


def test_the_digest_of_a_version_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "sketch_vectors.json"
    monkeypatch.setattr(make_sketch_vectors, "FILE", copy)
    copy.write_bytes(FILE.read_bytes())
    assert main() == 0
    assert copy.read_bytes() == FILE.read_bytes()
    known = VECTORS["versions"][SKETCH_VERSION]
    copy.write_text(FILE.read_text(encoding="utf-8").replace(known, "0" * 64), encoding="utf-8")
    changed = copy.read_bytes()
    assert main() == 1
    assert copy.read_bytes() == changed
