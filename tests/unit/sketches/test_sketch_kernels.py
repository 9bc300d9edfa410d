"""Compiled copies older than a source are removed, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

from stillwatch.sketches.kernels import drop_stale_kernels


def test_stale_copies_go(tmp_path: Path) -> None:
    source, copies = tmp_path / "words.py", tmp_path / "__pycache__"
    copies.mkdir()
    stale, fresh, other = copies / "words.a.nbi", copies / "words.b.nbc", copies / "words.pyc"
    for path, time in ((source, 100), (stale, 50), (fresh, 150), (other, 50)):
        path.write_bytes(b"")
        os.utime(path, (time, time))
    assert drop_stale_kernels(tmp_path) == 1
    assert [path.exists() for path in (stale, fresh, other)] == [False, True, True]


def test_a_folder_without_copies_is_left_alone(tmp_path: Path) -> None:
    assert drop_stale_kernels(tmp_path) == 0
