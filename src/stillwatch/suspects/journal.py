"""The journal: every request and answer of a run, appended, chained by digests, and read again when a run goes on.

Takes what is sent and received. Gives back what was observed. A request is written before it is sent; an answer is written raw, in one line with what
was read from it, and is on the disk before it counts. So after a kill nothing that was answered is asked again, and what was on its way is known:
it is asked once more under the same id, and the journal shows both. Each line holds the SHA-256 of the line before it: a line cannot be changed, put
in or taken out without every later one changing, and the last digest is sealed in the ledger. A line that a kill cut off is dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.suspect import (
    Alternative,
    Answer,
    Budget,
    Observation,
    Scored,
    Token,
    Unanswered,
)
from stillwatch.suspects.errors import JournalError

FORMAT = "suspect-journal/v1"
FIRST = "0" * 64
"""What stands for the digest before the first line."""


class Journal:
    """The journal of one plan; one process writes it at a time."""

    def __init__(
        self, path: Path, plan_digest: str, budget: Budget, clock: Callable[[], int], *, only_read: bool = False
    ) -> None:
        """Open a journal, or begin it.

        Args:
            path: the file.
            plan_digest: of the plan that it belongs to.
            budget: what may be spent, earlier runs included.
            clock: gives the present time, microseconds UTC.
            only_read: whether nothing will be asked; then nothing is written, and there must be a journal.

        Raises:
            JournalError: where there is none to be read, it is that of another plan, or was changed, or another run writes it.
        """
        self.observed: dict[str, Observation] = {}
        """What came back, by id of the query."""
        self.requests: Counter[str] = Counter()
        """Requests that were sent, by id of the query."""
        self.interrupted: set[str] = set()
        """Queries that were on their way when a run ended, and were asked once more."""
        self.head = FIRST
        """Digest of the last line."""
        self.peers: Counter[str] = Counter()
        """Certificates that were shown, by digest."""
        self.first_us: int | None = None
        """When the first request was sent."""
        self.last_us: int | None = None
        self._budget = budget
        self._clock = clock
        self._spent_us = 0
        self._path = path
        try:
            self._file = os.open(path, os.O_RDONLY if only_read else os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot be opened ({error.strerror})") from None
        self._lock()
        self._read(plan_digest, only_read=only_read)
        self._resumed_us = clock()
        if only_read:
            return
        if self.head == FIRST:
            self._append({"kind": "begun", "format": FORMAT, "plan": plan_digest})
        self.interrupted |= set(self.asked_again)
        self._append({"kind": "run", "at_us": self._resumed_us})

    def __enter__(self) -> Self:
        """Use it in a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        os.close(self._file)

    @property
    def asked_again(self) -> tuple[str, ...]:
        """Ids of queries that were sent, never answered, and will be sent once more."""
        return tuple(sorted(set(self.requests) - set(self.observed)))

    def sent(self, query_id: str, raw: Mapping[str, object]) -> bool:
        """Keep a request; see `Collector.sent`."""
        elapsed = self._spent_us + self._clock() - self._resumed_us
        if self.requests.total() >= self._budget.requests or elapsed > self._budget.seconds * 1_000_000:
            return False
        now = self._clock()
        self._append({"kind": "sent", "query": query_id, "at_us": now, "raw": raw})
        self.requests[query_id] += 1
        self.first_us = now if self.first_us is None else self.first_us
        return True

    def received(self, query_id: str, raw: Mapping[str, object], observation: Observation | None) -> None:
        """Keep an answer; see `Collector.received`."""
        self.last_us = self._clock()
        line = {"kind": "received", "query": query_id, "at_us": self.last_us, "raw": raw}
        if observation is not None:
            line["observation"] = {"type": type(observation).__name__, **_fields(observation)}
        self._append(line)
        os.fsync(self._file)
        if observation is not None:
            self.observed[query_id] = observation

    def _lock(self) -> None:
        """Keep every other process out."""
        import fcntl  # noqa: PLC0415  # not on every system; a journal is

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise JournalError(f"{self._path}: another run writes it; wait for it, or end it") from None

    def _append(self, line: Mapping[str, object]) -> None:
        content = canonical_bytes({**line, "before": self.head})
        os.write(self._file, content + b"\n")
        self.head = hashlib.sha256(content).hexdigest()

    def _read(self, plan_digest: str, *, only_read: bool) -> None:
        """Read what is there, and drop a last line that a kill cut off."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content) and not only_read:
            os.ftruncate(self._file, whole)
        begun_us = 0
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                entry = json.loads(line)
                if entry["before"] != self.head:
                    raise JournalError(f"{self._path}:{number}: does not continue the line before it; it was changed")
                if number == 1 and (entry["format"], entry["plan"]) != (FORMAT, plan_digest):
                    raise JournalError(f"{self._path}: is the journal of another plan, or of another format")
                self._take(entry)
                if entry["kind"] == "run":
                    begun_us = int(entry["at_us"])
                elif "at_us" in entry:
                    self._spent_us += max(0, int(entry["at_us"]) - begun_us)
                    begun_us = max(begun_us, int(entry["at_us"]))
            except (KeyError, TypeError, ValueError) as error:
                raise JournalError(f"{self._path}:{number}: is no line of a journal ({type(error).__name__})") from None
            self.head = hashlib.sha256(line).hexdigest()

    def _take(self, entry: Mapping[str, Any]) -> None:
        if entry["kind"] == "run":
            self.interrupted |= set(self.requests) - set(self.observed)
        if entry["kind"] == "sent":
            self.requests[entry["query"]] += 1
            self.first_us = min(self.first_us or int(entry["at_us"]), int(entry["at_us"]))
        if entry["kind"] == "received":
            self.last_us = int(entry["at_us"])
            if entry["raw"].get("tls_peer"):
                self.peers[entry["raw"]["tls_peer"]] += 1
            if "observation" in entry:
                self.observed[entry["query"]] = _observation(entry["observation"])


def _fields(observation: Observation) -> dict[str, object]:
    return {name: getattr(observation, name) for name in type(observation).__slots__}


def _observation(fields: Mapping[str, Any]) -> Observation:
    """Build an observation from its line."""
    given = {name: value for name, value in fields.items() if name != "type"}
    if fields["type"] == "Unanswered":
        return Unanswered(**given)
    given["tokens"] = tuple(
        Token(
            text=one["text"],
            log_prob=one["log_prob"],
            alternatives=tuple(Alternative(**other) for other in one["alternatives"]),
        )
        for one in given["tokens"]
    )
    return Answer(**given) if fields["type"] == "Answer" else Scored(**given)
