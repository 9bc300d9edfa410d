"""The guard's log: a line of JSON for each exchange, which `detect` reads as format `guard`, written without anybody waiting for it.

Takes exchanges from any thread. Gives lines in a file that only its owner reads. A thread of its own writes; what waits is bounded in number and
bytes. What does not fit, or cannot be written, is dropped and counted, and the next line that is written says how many are missing before it.
The raw key of a mark is never in it: bodies are kept as the client sent them, without members that were taken out.

Where live sketches are made, each exchange is handed to them as a line with text, whether or not the log itself keeps text.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stillwatch.gateway.admission import Admitted
from stillwatch.gateway.live_sketches import LiveSketches

FORM = 1
MOST_WAITING = 20_000
MOST_WAITING_BYTES = 128 << 20
MOST_AT_ONCE = 256
EVERY_S = 0.05
"""Between looks at what waits: nobody has to wake the writer, which would cost a request more than all of admission."""
SOON_S = 0.002
"""The same while the pipe of live sketches is full."""
BETWEEN_LINES_S = 0.0001
"""The writer lets go of the interpreter after each line, so that no request waits for more than one line."""
HURRY = 2_000
"""With so many waiting it does not."""
MOST_ANSWER = 1 << 20
"""Bytes of an answer that are kept; a longer one is kept to there and said to be incomplete."""


@dataclass(slots=True, kw_only=True)
class Answered:
    """What came back for a request, as it comes."""

    status: int = 0
    """0 until the answer begins."""
    content_type: str = ""
    first_byte_us: int | None = None
    """From the request's first byte to the answer's."""
    duration_us: int = 0
    complete: bool = False
    """Whether the answer ended as it should, and all of it is here."""
    parts: list[bytes] | None = None
    """What was kept of the answer; null where text is not kept."""
    kept: int = 0
    cut: bool = False

    def take(self, data: bytes) -> None:
        """Keep a part of the answer, up to the limit."""
        if self.parts is None or self.cut:
            return
        self.cut = self.kept + len(data) > MOST_ANSWER
        self.parts.append(data[: MOST_ANSWER - self.kept])
        self.kept += len(data)


class ExchangeLog:
    """Writes exchanges in a thread of its own."""

    def __init__(
        self,
        path: Path,
        *,
        keep_text: bool,
        sketches: LiveSketches | None = None,
        most_waiting: int = MOST_WAITING,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
    ) -> None:
        """Open the log, made where it is missing (mode 0600), and begin.

        Args:
            path: lines are appended; it may be moved away while this runs, and is then made anew.
            keep_text: whether prompts and answers are kept; without them, `detect` sees metadata alone of this log.
            sketches: what sketches each exchange with its text; null for nothing. It is this log's from now on, and ended with it.
            most_waiting: exchanges that may wait to be written.
            most_waiting_bytes: their bytes.

        Raises:
            OSError: where the file cannot be opened.
        """
        self.keep_text = keep_text
        self.sketches = sketches
        self._path = path
        self._most, self._most_bytes = most_waiting, most_waiting_bytes
        self._waiting: deque[tuple[Admitted, Answered, int]] = deque()
        self._bytes = 0
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._file, self._inode = _opened(path)
        self.written = 0
        """Lines."""
        self.dropped = 0
        """Exchanges of which there is no line."""
        self._untold = 0
        self._unsketched = 0
        """Exchanges dropped before a line was made of them, of which the sketches were not told."""
        self._thread = threading.Thread(target=self._work, name="exchange log", daemon=True)
        self._thread.start()

    def answered(self) -> Answered:
        """Begin to keep an answer."""
        return Answered(parts=[] if self.keep_text or self.sketches is not None else None)

    def put(self, admitted: Admitted, answered: Answered) -> None:
        """Hand an exchange over; returns at once."""
        sent = admitted.forwarded
        size = answered.kept + (0 if sent is None else len(sent.logged)) + 1_000
        with self._changed:
            if len(self._waiting) >= self._most or self._bytes + size > self._most_bytes or self._closing.is_set():
                self._drop(1)
                self._unsketched += 1
                return
            self._waiting.append((admitted, answered, size))
            self._bytes += size

    def waiting(self) -> int:
        """Give the number of exchanges that wait to be written."""
        return len(self._waiting)

    def close(self) -> None:
        """Write what waits, onto the disk, have all of it sketched, and end."""
        self._closing.set()
        self._thread.join()
        with suppress(OSError):  # a pipe, or a disk that is full: what could be written is written
            os.fsync(self._file)
        os.close(self._file)

    def _drop(self, number: int) -> None:
        self.dropped += number
        self._untold += number

    def _work(self) -> None:
        """Write what waits, every now and then, until told to close and nothing waits any more."""
        sketches = self.sketches
        while True:
            closing = self._closing.wait(SOON_S if sketches is not None and sketches.is_full else EVERY_S)
            while self._waiting:
                self._write_some()
                if sketches is not None:
                    sketches.turn()
            if sketches is not None:
                sketches.close() if closing else sketches.turn()
            if closing:
                return

    def _write_some(self) -> None:
        with self._changed:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
            self._bytes -= sum(size for _, _, size in taken)
            untold, self._untold = self._untold, 0
            unsketched, self._unsketched = self._unsketched, 0
        if self.sketches is not None:
            self.sketches.drop(unsketched)
        lines = []
        for number, (admitted, answered, _) in enumerate(taken):
            missing = untold if number == 0 else 0
            lines.append(line_of(admitted, answered, missing=missing, keep_text=self.keep_text))
            if self.sketches is not None:
                self._sketch(admitted, answered, lines[-1], missing)
            if len(self._waiting) < HURRY and not self._closing.is_set():
                time.sleep(BETWEEN_LINES_S)
        try:
            self._write(b"".join(lines))
            self.written += len(lines)
        except OSError:
            with self._changed:
                self._untold += untold
                self._drop(len(lines))

    def _sketch(self, admitted: Admitted, answered: Answered, line: bytes, missing: int) -> None:
        """Hand an exchange on with its text; the log's own line where it is the same."""
        assert self.sketches is not None  # noqa: S101  # told by the caller
        if not self.keep_text or missing or self.sketches.untold:
            line = line_of(admitted, answered, missing=self.sketches.untold, keep_text=True)
        self.sketches.put(line)

    def _write(self, data: bytes) -> None:
        """Write lines whole, into the file that has the path now."""
        try:
            moved = self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            moved = True
        if moved:
            os.close(self._file)
            self._file, self._inode = _opened(self._path)
        done = os.write(self._file, data)
        while done < len(data):
            more = os.write(self._file, data[done:])
            done += more


def line_of(admitted: Admitted, answered: Answered, *, missing: int, keep_text: bool) -> bytes:
    """Give the line of an exchange, with its line break.

    Args:
        admitted: the request and its verdict.
        answered: what came back.
        missing: number of exchanges before it of which there is no line.
        keep_text: whether prompt and answer are kept.
    """
    request, verdict, sent = admitted.request, admitted.verdict, admitted.forwarded
    refusal = admitted.refusal
    row: dict[str, Any] = {
        "stillwatch_guard": FORM,
        "time_us": request.time_us,
        "exchange_id": admitted.exchange_id,
        "account_id": request.account_id,
        "api_key_id": request.api_key_id,
        "ip": request.client_address,
        "user_agent": request.user_agent,
        "method": admitted.method,
        "path": request.path,
        "model": request.model,
        "status": answered.status if refusal is None else refusal.status,
        "refused": None if refusal is None else refusal.reason,
        "latency_us": answered.duration_us,
        "first_byte_us": answered.first_byte_us,
        "response_complete": answered.complete and not answered.cut,
        "stripped": [] if sent is None else sent.stripped,
        "marked": sent is not None and sent.marked,
        "canary": admitted.canary,
    }
    if verdict is not None:
        row["verdict"] = {
            "action": verdict.action,
            "reason": verdict.reason,
            "decision_id": verdict.decision_id,
            "clauses": verdict.clauses,
            "key_id": verdict.key_id,
            "retry_after_s": verdict.retry_after_s,
            "bundle_version": verdict.bundle_version,
            "stale": verdict.stale,
        }
    if missing:
        row["missing_before"] = missing
    if keep_text:
        row["request"] = _asked(admitted)
        row["response"] = _body(b"".join(answered.parts or ()), answered.content_type)
    elif request.body is not None:
        row["request"] = _parameters(request.body)
    return orjson.dumps(row, default=str) + b"\n"


_PARAMETERS = (
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "stream",
)


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a body says besides text."""
    return {name: body[name] for name in _PARAMETERS if isinstance(body.get(name), int | float | bool | str)}


def _asked(admitted: Admitted) -> Any:
    """Give the client's body as it stands, without what was taken out; null where it was no JSON object."""
    sent = admitted.forwarded
    return None if sent is None or admitted.request.body is None else _json(sent.logged)


def _body(data: bytes, content_type: str) -> Any:
    """Give an answer: JSON as JSON, a stream of events as its text, and nothing of anything else."""
    if not data:
        return None
    if "json" in content_type:
        return _json(data)
    return data.decode("utf-8", "replace") if content_type.startswith("text/") else None


def _json(data: bytes) -> Any:
    """Give JSON text for a line: as it stands where it is strict and has no line break."""
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode("utf-8", "replace")
    return content if b"\n" in data or b"\r" in data else orjson.Fragment(data)


def _opened(path: Path) -> tuple[int, int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return file, os.fstat(file).st_ino
