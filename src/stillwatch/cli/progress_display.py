"""Progress for people: a bar with the time left on a terminal, one line per stage elsewhere.

Takes the advance of stages (`records.progress.Progress`). Gives output on standard error. May be called from several threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stillwatch.cli.terminal import Terminal

WORTH_A_LINE = 0.05
"""Seconds below which a finished stage leaves no line behind."""


class StageLines:
    """One line per finished stage, for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._stage = ""
        self._since = 0.0
        self._done = 0

    def begin(self, stage: str, total: int | None) -> None:  # noqa: ARG002  # a line has no use for the total
        """Start a stage."""
        with self._lock:
            self._stage, self._since, self._done = stage, self._clock(), 0

    def advance(self, amount: int) -> None:
        """Add to what is done."""
        with self._lock:
            self._done += amount

    def end(self) -> None:
        """Finish the stage and say so."""
        with self._lock:
            self._console.print(_finished(self._stage, self._clock() - self._since, self._done), soft_wrap=True)


class StageBars:
    """A bar for the running stage, with the time left where the total is known; a line for each finished one."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = 0.0
        self._done = 0
        self._stage = ""
        self._task: TaskID | None = None
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[share]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def begin(self, stage: str, total: int | None) -> None:
        """Start a stage."""
        with self._lock:
            self._stage, self._since, self._done = stage, self._clock(), 0
            self._task = self.bars.add_task(stage, total=total, share="")

    def advance(self, amount: int) -> None:
        """Add to what is done."""
        with self._lock:
            if self._task is None:
                return
            self._done += amount
            total = self.bars.tasks[-1].total
            share = f"{min(100.0, 100.0 * self._done / total):.0f}%" if total else f"{self._done:,}"
            self.bars.update(self._task, completed=self._done, share=share)

    def end(self) -> None:
        """Finish the stage; a stage worth it leaves a line behind."""
        with self._lock:
            if self._task is None:
                return
            self.bars.remove_task(self._task)
            self._task = None
            seconds = self._clock() - self._since
            if seconds >= WORTH_A_LINE:
                self.bars.console.print(_finished(self._stage, seconds, self._done), soft_wrap=True)


@contextmanager
def stage_progress(terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> Iterator[StageLines | StageBars]:
    """Open the progress display that fits the terminal, and leave the terminal whole whatever happens.

    Args:
        terminal: progress goes to its standard error.
        clock: seconds, monotonic.
    """
    if not terminal.aside.is_terminal:
        yield StageLines(terminal.aside, clock)
        return
    display = StageBars(terminal.aside, clock)
    with display.bars:
        yield display


def _finished(stage: str, seconds: float, done: int) -> str:
    """Say how long a stage took, and how much it did where it told."""
    amount = f", {done:,}" if done else ""
    return f"✓ {stage} ({seconds:.1f} s{amount})"
