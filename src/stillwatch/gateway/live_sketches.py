"""Live sketches: each exchange with its text goes to a process of its own, which keeps sketches and no text.

Takes log lines, with text, from the thread that writes the log. Gives them through a pipe to a child that sketches (`stillwatch sketch - --acknowledge`), and
keeps each until the child says that its sketch is on the disk. A child that dies or says nothing for long is started again, and what it had not said is sent
again: such a line may be sketched twice, which `detect` knows by its delivery, but none is lost. What is kept is bounded in number and bytes; what does not fit is
dropped and counted, and the next line says how many are missing before it. Nothing here waits for the child, but `close`.

A line on which the child dies again and again is dropped in the end, together with those that were sent with it, so that it does not stop all others.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

MOST_KEPT = 20_000
MOST_KEPT_BYTES = 128 << 20
STALL_S = 180.0
"""Without a word, with lines in hand: three times as long as a part may be waited for."""
START_S = 600.0
"""The same while it starts: kernels are compiled at the first start on a machine."""
PAUSE_S = 0.5
"""Before a second start; doubled for each further one."""
MOST_PAUSE_S = 30.0
MOST_FRUITLESS = 5
"""Deaths without any word, after which what the child had in hand is dropped."""
CLOSE_S = 60.0
NICER = 10
"""The child gives way to requests."""
_PIPE = 1 << 20
_CLOSING_S = 0.02
"""Between turns at the end."""
_NO_ROOM = frozenset({3, 4, 6})
"""Exit codes that say nothing about a line: the folder cannot be written to, or the disk is full."""


def sketching_command(folder: Path, every_s: float = 60.0, every_lines: int = 5_000) -> tuple[str, ...]:
    """Give the command line of the child.

    Args:
        folder: of the parts.
        every_s: at the latest so long after a line came, it is on the disk.
        every_lines: or after so many lines.
    """
    return (
        sys.executable, "-m", "stillwatch.cli.main", "sketch", "-", "--out", str(folder.absolute()), "--acknowledge",
        "--every-seconds", str(every_s), "--every-lines", str(every_lines),
    )  # fmt: skip


class LiveSketches:
    """The child, and the lines that it has not said to be on the disk. For one thread; its counts may be read from any."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        most_kept: int = MOST_KEPT,
        most_kept_bytes: int = MOST_KEPT_BYTES,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is needed; the child is started with the first line.

        Args:
            command: of the child.
            most_kept: lines that may wait for the disk.
            most_kept_bytes: their bytes.
            stall_s: how long the child may say nothing.
            clock: seconds, monotonic.
        """
        self._command = tuple(command)
        self._most, self._most_bytes, self._stall_s, self._clock = most_kept, most_kept_bytes, stall_s, clock
        self._waiting: deque[bytes] = deque()
        """Lines that this child was not given."""
        self._given: deque[bytes] = deque()
        """Lines in the child's hand, the last of them perhaps not whole yet."""
        self._kept_bytes = 0
        self._out = memoryview(b"")
        """What of the given lines is not in the pipe yet."""
        self.is_full = False
        """Whether the pipe was full at the last turn."""
        self._said = b""
        self._acknowledged = 0
        """Lines that this child said to be on the disk; -1 until it is ready."""
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = 0.0
        self._start_at = 0.0
        self._fruitless = 0
        self._poisoned = 0
        self.untold = 0
        """Exchanges dropped since the last line that said so."""
        self.written = 0
        """Exchanges whose sketches are on the disk."""
        self.dropped = 0
        """Exchanges of which there is no sketch."""
        self.starts = 0

    def kept(self) -> int:
        """Give the number of lines that wait for the disk."""
        return len(self._waiting) + len(self._given)

    def put(self, line: bytes) -> None:
        """Take a line, which says that `untold` exchanges are missing before it; drops it where there is no room."""
        if self.kept() >= self._most or self._kept_bytes + len(line) > self._most_bytes:
            self.drop(1)
            return
        self.untold = 0
        self._waiting.append(line)
        self._kept_bytes += len(line)

    def drop(self, number: int) -> None:
        """Count exchanges of which there will be no sketch."""
        self.dropped += number
        self.untold += number

    def turn(self) -> None:
        """Do what can be done without waiting: hear the child, give it lines, start it where it is gone."""
        if self._child is not None:
            self._hear()
            self._look_after()
        if self._child is None and self._waiting and self._clock() >= self._start_at:
            self._start()
        if self._child is not None:
            self._give()

    def close(self, limit_s: float = CLOSE_S) -> None:
        """Have all that is kept sketched, and end the child; what is not on the disk within the limit is dropped."""
        end = self._clock() + limit_s
        while (self._child is not None or self._waiting) and self._clock() < end:
            self.turn()
            child = self._child
            if child is not None and child.stdin is not None and not self._waiting and not self._out:
                child.stdin.close()  # the child writes what it has, and ends
            time.sleep(_CLOSING_S)
        if self._child is not None:
            self._end(self._child)
        self.drop(self.kept())
        self._waiting.clear()
        self._given.clear()

    def _start(self) -> None:
        try:
            child = subprocess.Popen(  # noqa: S603  # our own command, without a shell
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
            )
        except OSError:
            self._pause()
            return
        assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018  # both are pipes
        for one in (child.stdin, child.stdout):
            os.set_blocking(one.fileno(), False)
        with suppress(OSError, AttributeError):  # Linux alone has large pipes, and a user so many of them
            fcntl.fcntl(child.stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, child.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)
        # Linux alone: what runs as a batch never takes the core from what serves.
        with suppress(OSError, AttributeError):
            os.sched_setscheduler(child.pid, os.SCHED_BATCH, os.sched_param(0))
        self._child, self._acknowledged, self._heard, self._said = child, -1, self._clock(), b""
        self.starts += 1

    def _hear(self) -> None:
        """Forget the lines that the child says to be on the disk."""
        child = self._child
        assert child is not None and child.stdout is not None  # noqa: S101, PT018  # told by the caller
        while part := _read(child.stdout.fileno()):
            self._said += part
        *words, self._said = self._said.split(b"\n")
        for word in words:
            lines = int(word) if word.isdigit() else 0
            self._heard = self._clock()
            for _ in range(min(lines - max(self._acknowledged, 0), len(self._given))):
                self._kept_bytes -= len(self._given.popleft())
                self.written += 1
                self._fruitless = self._poisoned = 0
            self._acknowledged = max(self._acknowledged, lines)

    def _look_after(self) -> None:
        """Take back what a child that is gone had in hand; end one that says nothing for too long."""
        child = self._child
        assert child is not None  # noqa: S101  # told by the caller
        code = child.poll()
        if code is None:
            silent = self._clock() - self._heard
            busy = self._acknowledged < 0 or self._given
            if not busy or silent < (START_S if self._acknowledged < 0 else self._stall_s):
                return
        else:
            self._hear()
        self._end(child)
        self._pause()
        if self._given and self._acknowledged >= 0 and code not in _NO_ROOM:
            self._poisoned += 1
        if self._poisoned >= MOST_FRUITLESS:
            self._poisoned = 0
            self._kept_bytes -= sum(map(len, self._given))
            self.drop(len(self._given))
        else:
            self._waiting.extendleft(reversed(self._given))
        self._given.clear()
        self._out = memoryview(b"")

    def _pause(self) -> None:
        self._start_at = self._clock() + min(PAUSE_S * 2**self._fruitless, MOST_PAUSE_S) if self._fruitless else 0.0
        self._fruitless += 1

    def _give(self) -> None:
        """Put lines into the pipe, as far as there is room."""
        child = self._child
        assert child is not None and child.stdin is not None  # noqa: S101, PT018  # told by the caller
        if child.stdin.closed:
            return
        if not self._given and self._acknowledged >= 0:
            self._heard = self._clock()  # it had nothing to say something about
        self.is_full = False
        while self._out or self._waiting:
            if not self._out:
                self._out = memoryview(b"".join(self._taken()))
            try:
                self._out = self._out[os.write(child.stdin.fileno(), self._out) :]
            except BlockingIOError:
                self.is_full = True
                return
            except BrokenPipeError:
                return  # a child that is gone is looked after in the next turn

    def _taken(self) -> list[bytes]:
        """Put some of the waiting lines into the child's hand, and give them."""
        taken: list[bytes] = []
        size = 0
        while self._waiting and size < _PIPE:
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        self._given.extend(taken)
        return taken

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.wait(5.0)
        for one in (child.stdin, child.stdout):
            if one is not None:
                one.close()
        self._child = None


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""
