"""The memory that a benchmark states is that of the whole process tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.invocation import resident_peak

SIZE = 64_000_000
HOLD = f"held = b'x' * {SIZE}; print('ready', flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


@pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="the system has no /proc/*/children"
)
@pytest.mark.parametrize("program", [HOLD, PARENT])
def test_memory_of_a_process_and_of_its_child_is_seen(program: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        seen = resident_peak(process.pid)
        process.communicate("\n")
    assert SIZE < seen < 4 * SIZE


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert resident_peak(2**22 + 1) == 0
