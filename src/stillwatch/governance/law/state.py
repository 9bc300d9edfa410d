"""What the watch saw and opened: a folder of small files.

`seen.json` is what sources last said; `changes.jsonl` and `work.jsonl` only grow; `captures/` holds every document as it came, named by its
digest, so that a change can be traced to bytes. One process writes at a time. A change is written before what was seen is moved on, and is
known by its id, so an update that was killed is finished by the next one, and nothing is told twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.governance.errors import WatchStateError
from stillwatch.governance.law.changes import Seen
from stillwatch.governance.law.terms_history import DocumentState
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.law import ChangeKind, LawChange, LawWork


class WatchState:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made where it is missing."""
        self.folder = folder
        (folder / "captures").mkdir(parents=True, exist_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out.

        Raises:
            WatchStateError: where another one is at it.
        """
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise WatchStateError(f"{self.folder}: another update is running; wait for its end") from error
            yield

    def seen(self) -> dict[str, Seen]:
        """Give what sources last said, by `SOURCE:ID`."""
        return {name: Seen(**fields) for name, fields in self._read("seen.json").get("notices", {}).items()}

    def terms(self) -> dict[str, dict[str, Any]]:
        """Give what is known of each repository of terms: its last commit and its documents."""
        found: dict[str, dict[str, Any]] = self._read("seen.json").get("terms", {})
        return found

    def changes(self) -> tuple[LawChange, ...]:
        """Give all changes, in order."""
        return tuple(LawChange(**line | {"kind": ChangeKind(line["kind"])}) for line in self._lines("changes.jsonl"))

    def work(self) -> dict[str, LawWork]:
        """Give all work by id, as it stands now."""
        found: dict[str, LawWork] = {}
        for line in self._lines("work.jsonl"):
            found[line["id"]] = LawWork(**line)
        return found

    def capture(self, content: bytes) -> str:
        """Keep a document as it came; give its digest."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / "captures" / digest
        if not path.exists():
            self._replace(path, content)
        return f"sha256:{digest}"

    def keep(
        self,
        changes: Sequence[LawChange],
        work: Sequence[LawWork],
        seen: Mapping[str, Seen],
        terms: Mapping[str, Mapping[str, Any]],
    ) -> tuple[LawChange, ...]:
        """Write what an update found.

        Returns:
            The changes that were not there yet, which differ from those given only after an update that was killed.
        """
        known = {one.id for one in self.changes()}
        new = tuple(one for one in changes if one.id not in known)
        opened = self.work()
        self._append("work.jsonl", [asdict(one) for one in work if one.id not in opened])
        self._append("changes.jsonl", [asdict(one) for one in new])
        notices = {name: {"says": one.says, "date": one.date, "states": dict(one.states)} for name, one in seen.items()}
        self._replace(self.folder / "seen.json", canonical_bytes({"notices": notices, "terms": dict(terms)}))
        return new

    def close(self, done: LawWork) -> None:
        """Keep that work was done."""
        self._append("work.jsonl", [asdict(done)])

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_bytes())
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise WatchStateError(
                f"{path}: this is not what an update wrote; restore it, or move it away to begin anew"
            )
        return content

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.folder / name
        if not path.exists():
            return
        for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
            if not line:
                continue
            try:
                fields = json.loads(line)
            except ValueError:
                # A line that was cut by a kill was never told; the next update writes it whole.
                continue
            if not isinstance(fields, dict):
                raise WatchStateError(f"{path}:{number}: this is not what an update wrote")
            yield fields

    def _append(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add lines, and have them on the disk; a cut last line is ended first."""
        if not rows:
            return
        path = self.folder / name
        cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        with path.open("ab") as file:
            file.write((b"\n" if cut else b"") + b"".join(canonical_bytes(row) + b"\n" for row in rows))
            file.flush()
            os.fsync(file.fileno())

    def _replace(self, path: Path, content: bytes) -> None:
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)


def documents_of(kept: Mapping[str, Any]) -> dict[str, DocumentState]:
    """Give the documents of a repository as they were kept."""
    return {name: DocumentState(**fields) for name, fields in kept.get("documents", {}).items()}
