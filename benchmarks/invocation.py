"""Run `stillwatch` as a user would, in a process of its own, and measure it.

Takes command-line arguments. Gives the JSON document that the verb printed, wall and processor seconds and the peak
resident memory of its whole process tree. Memory is the kernel's high-water mark of the process (VmHWM) or, where it has
children, the largest sum of resident memory seen over the tree (pages that processes share count for each): read while it runs,
since the figure that `getrusage` gives for a child starts at the parent's size. On systems without /proc it falls back to that
figure.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ENTRY = "import sys; from stillwatch.cli.main import main; sys.exit(main())"
_LOOK_EVERY = 0.05
"""Seconds between looks; the high-water mark never falls, so that of one process only the last 50 ms can be missed."""


class InvocationError(Exception):
    """A `stillwatch` run ended with an error; the message holds the command and the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One finished run."""

    command: str
    """As a user types it."""
    document: dict[str, Any]
    """What the verb printed with `--json`."""
    wall_seconds: float
    processor_seconds: float
    peak_bytes: int
    """Resident memory of the process and its descendants together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where figures were taken."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str


def machine() -> Machine:
    """Describe this machine."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return Machine(
        processor=model,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
    )


def stillwatch(*arguments: str, timeout: float = 7_200.0) -> Invocation:
    """Run a verb with `--json`.

    Args:
        arguments: the verb and its arguments, without `--json`.
        timeout: seconds after which the run is ended.

    Returns:
        The finished run.

    Raises:
        InvocationError: when it ends with an error, prints no JSON document or takes too long.
    """
    command = "stillwatch " + " ".join(arguments)
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        began = time.monotonic()
        child = subprocess.Popen([sys.executable, "-c", _ENTRY, *arguments, "--json"], stdout=said, stderr=told)
        peak, pid, status, usage = 0, 0, 0, None
        while not pid:
            peak = max(peak, resident_peak(child.pid))
            time.sleep(_LOOK_EVERY)
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if not pid and time.monotonic() - began > timeout:
                child.kill()
                child.wait()
                raise InvocationError(f"{command}: got no end within {timeout:.0f} s")
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told.seek(0)
        output, remarks = said.read().decode(), told.read().decode(errors="replace")
    if child.returncode != 0:
        raise InvocationError(f"{command}: got exit code {child.returncode}, expected 0\n{remarks[-2000:]}")
    try:
        document = json.loads(output)
    except json.JSONDecodeError as error:
        raise InvocationError(
            f"{command}: got no JSON document on standard output ({error}); it begins with {output[:80]!r}"
        ) from error
    return Invocation(
        command=command,
        document=document,
        wall_seconds=wall,
        processor_seconds=usage.ru_utime + usage.ru_stime if usage else 0.0,
        peak_bytes=peak or (usage.ru_maxrss * 1024 if usage else 0),
    )


def resident_peak(pid: int) -> int:
    """Resident bytes: the larger of a process's own peak so far and what it and its descendants hold now; 0 where the system does not say."""
    held, waiting = 0, _children(pid)
    while waiting:
        descendant = waiting.pop()
        held += _status_bytes(descendant, "VmRSS:")
        waiting += _children(descendant)
    return max(_status_bytes(pid, "VmHWM:"), _status_bytes(pid, "VmRSS:") + held)


def _status_bytes(pid: int, field: str) -> int:
    """Return a size that the kernel states of a process; 0 where it does not."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def _children(pid: int) -> list[int]:
    """Return the processes that any thread of a process started and that still run."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread may have ended
            found += map(int, task.read_text(encoding="utf-8").split())
    return found
