"""A log that is sketched while it is written: what ends it, and what whoever feeds it is told."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.terminal import Terminal
from stillwatch.sketches import compile_kernels
from stillwatch.sketching.live import LiveSettings, LiveSketches, read_before
from stillwatch.sketching.streams import growing_blocks, pipe_blocks


def follow_log(settings: LiveSettings, terminal: Terminal, *, acknowledge: bool) -> ExitCode:
    """Sketch lines until standard input ends, or a signal comes; what has come is written then.

    Args:
        settings: what is followed, and how it becomes parts.
        terminal: where to speak; with acknowledgements it speaks on standard error alone.
        acknowledge: whether the count of lines on the disk is printed after each part, and 0 once lines are taken. Then only the
            end of the input ends the run: whoever feeds it and counts on it decides.

    Raises:
        SettingError: for a format of which a single line is not an exchange.
        SketchPartError: where the folder holds parts of another version.
        OSError: when a part cannot be written.
    """
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN if acknowledge else stop)

    def wrote(lines: int) -> None:
        if acknowledge:
            with suppress(BrokenPipeError):  # whoever fed this is gone; its lines are written all the same
                os.write(sys.stdout.fileno(), f"{lines}\n".encode())

    live = LiveSketches(settings, wrote)
    compile_kernels()
    wrote(0)
    if settings.path == "-":
        counts = live.follow(pipe_blocks(sys.stdin.fileno(), lambda: stopped))
    else:
        before = read_before(settings.out, settings.path)
        counts = live.follow(growing_blocks(Path(settings.path), lambda head: before.get(head, 0), lambda: stopped))
    if acknowledge:
        return ExitCode.DONE
    terminal.say(
        f"{counts.rows:,} sketches of {counts.lines:,} lines in {counts.parts:,} parts in {settings.out}; {counts.quarantined:,} lines could "
        f"not be read, {counts.missing:,} exchanges had none."
    )
    terminal.document({"verb": "sketch", "out": str(settings.out), **asdict(counts)})
    return ExitCode.DONE
