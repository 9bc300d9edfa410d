"""The spool of shadow samples: an append-only file for each served answer, so that a killed run goes on where it was.

Takes candidates, asks and answers. Gives, for each, a file of canonical JSON lines (`queued`, then `asked` and `ended` for each ask, then
`done`), every line on the disk before the next step is taken. An ask is written down before it is made, and never made again: one of which
nobody knows what came back is closed as unknown, and another takes its place. Texts are encrypted before they touch the disk. A line that was cut
by a crash is taken back, as if it had not been begun. A lock on the file keeps two runs from one answer.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.gateway.errors import ShadowSpoolError
from stillwatch.gateway.shadow_candidates import Candidate
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.text_keys import TextKeys, sync_folder
from stillwatch.records.shadow import SHADOW_FORMAT, AskOutcome, ShadowAsk, ShadowSample

SALT_BYTES = 32
SERVED = "served"


class ShadowSpool:
    """Two folders of files, `jobs` and `sealed`, and one of keys."""

    def __init__(self, folder: Path, keys: TextKeys) -> None:
        """Take the folder, made where it is missing, for its owner alone.

        Raises:
            ShadowSpoolError: where it cannot be made.
        """
        self.keys = keys
        self._jobs, self._sealed = folder / "jobs", folder / "sealed"
        try:
            for one in (folder, self._jobs, self._sealed):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ShadowSpoolError(f"{folder}: cannot be made ({error.strerror}); name a folder of yours") from error

    def queue(self, candidate: Candidate, samples: int) -> None:
        """Take a candidate in, whole or not at all.

        Args:
            candidate: not queued yet.
            samples: re-samples that are wanted (k).
        """
        if not self.keys.has(candidate.name):  # a key without a file is left by a crash between the two
            self.keys.make(candidate.name)
        salt = os.urandom(SALT_BYTES).hex()
        answer = candidate.answer
        texts = {"salt": salt, "body": candidate.body, "text": answer.text, "answer": candidate.answer_body}
        event = {
            "event": "queued",
            "format": SHADOW_FORMAT,
            "id": candidate.name,
            "account_id": candidate.account_id,
            "exchange_id": candidate.exchange_id,
            "path": candidate.path,
            "served_us": candidate.served_us,
            "asked_model": candidate.asked_model,
            "snapshot": answer.snapshot,
            "fingerprint": answer.fingerprint,
            "decoding": candidate.decoding,
            "mark_key_id": candidate.mark_key_id,
            "prompt_digest": _salted(salt, candidate.body),
            "served_digest": _salted(salt, candidate.answer_body),
            "served_finish_reason": answer.finish_reason,
            "wanted": samples,
            "sealed": self._encrypt(candidate.name, SERVED, texts),
        }
        path = self._jobs / f"{candidate.name}.jsonl"
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            file.write(canonical_bytes(event) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_folder(self._jobs)

    def names(self) -> tuple[str, ...]:
        """Give the names that are not sealed yet, sorted."""
        return tuple(sorted(path.stem for path in self._jobs.glob("shadow-*.jsonl")))

    def known(self) -> dict[str, tuple[str, int]]:
        """Give the account and time of every name, sealed or not."""
        return {
            str(first["id"]): (str(first["account_id"]), int(first["served_us"]))
            for first in (_events(path)[0] for path in self._paths())
        }

    def tokens_since(self, since_us: int) -> int:
        """Give the tokens that asks cost since a time, in and out."""
        total = 0
        for path in self._paths():
            for event in _events(path):
                if event["event"] == "ended" and (event["ended_us"] or 0) >= since_us:
                    total += (event["input_tokens"] or 0) + (event["output_tokens"] or 0)
        return total

    @contextmanager
    def opened(self, name: str) -> Iterator[ShadowJob | None]:
        """Open a name that is not sealed, for this process alone; null where another one has it, or it was sealed meanwhile."""
        path = self._jobs / f"{name}.jsonl"
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield ShadowJob(name, path, file, self.keys)
        finally:
            os.close(file)

    def move_to_sealed(self, name: str) -> None:
        """Put a name among those that are sealed; does nothing where it is there."""
        path = self._jobs / f"{name}.jsonl"
        if path.exists():
            path.replace(self._sealed / path.name)
            sync_folder(self._sealed)
            sync_folder(self._jobs)

    def sealed_bytes(self, name: str) -> bytes:
        """Give the file of a sealed name, as its digest in the ledger is of.

        Raises:
            ShadowSpoolError: where there is none.
        """
        return _read(self._sealed / f"{name}.jsonl")

    def texts(self, name: str) -> dict[str, Any]:
        """Decrypt the texts of a sealed name: `served`, and one for each ask that was answered, by number.

        Raises:
            ShadowSpoolError: where there is none.
            TextKeyError: where its key was destroyed, or does not fit.
        """
        found: dict[str, Any] = {}
        for event in _parsed(self.sealed_bytes(name), name):
            if event.get("sealed") is not None:
                place = SERVED if event["event"] == "queued" else str(event["number"])
                found[place] = json.loads(self.keys.unseal(name, place, base64.b64decode(event["sealed"])))
        return found

    def _paths(self) -> list[Path]:
        return sorted([*self._jobs.glob("shadow-*.jsonl"), *self._sealed.glob("shadow-*.jsonl")])

    def _encrypt(self, name: str, place: str, texts: Mapping[str, Any]) -> str:
        return base64.b64encode(self.keys.seal(name, place, canonical_bytes(texts))).decode()


class ShadowJob:
    """One served answer, while it is worked on."""

    def __init__(self, name: str, path: Path, file: int, keys: TextKeys) -> None:
        """Read what was done, and take back a line that a crash cut."""
        self.name = name
        self._file = file
        self._keys = keys
        content = _read(path)
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(file, len(whole))
            os.fsync(file)
        self.events = _parsed(whole, name)
        self._digest = hashlib.sha256(whole)
        self.queued = self.events[0]

    @property
    def is_done(self) -> bool:
        """Whether no ask is to be made any more."""
        return bool(self.events[-1]["event"] == "done")

    @property
    def asks(self) -> tuple[ShadowAsk, ...]:
        """Every ask that has ended, in order."""
        return tuple(_ask(event) for event in self.events if event["event"] == "ended")

    @property
    def open_ask(self) -> int | None:
        """Number of the ask that was begun and has not ended."""
        last = self.events[-1]
        return int(last["number"]) if last["event"] == "asked" else None

    def body(self) -> dict[str, Any]:
        """Decrypt the body that the client sent."""
        sealed = base64.b64decode(self.queued["sealed"])
        body: dict[str, Any] = json.loads(self._keys.unseal(self.name, SERVED, sealed))["body"]
        return body

    def begin_ask(self, number: int, at_us: int) -> None:
        """Write down that an ask is made; only then may it be."""
        self._append({"event": "asked", "number": number, "asked_us": at_us})

    def end_ask(self, ask: ShadowAsk, texts: Mapping[str, Any] | None) -> None:
        """Write down what came of it, with the texts of an answer encrypted."""
        sealed = None
        digest = None
        if texts is not None:
            salt = os.urandom(SALT_BYTES).hex()
            digest = _salted(salt, texts["answer"])
            data = self._keys.seal(self.name, str(ask.number), canonical_bytes({**texts, "salt": salt}))
            sealed = base64.b64encode(data).decode()
        fields = {name: getattr(ask, name) for name in ShadowAsk.__slots__}
        self._append({"event": "ended", **fields, "answer_digest": digest, "sealed": sealed})

    def finish(self, reasons: tuple[str, ...]) -> None:
        """Write down that no ask is to be made any more, and what speaks against exchangeability."""
        self._append({"event": "done", "reasons": reasons})

    def sample(self) -> ShadowSample:
        """Give the record, of a job that is done."""
        first, last = self.queued, self.events[-1]
        known = {
            name: first[name]
            for name in ShadowSample.__slots__
            if name not in {"asks", "exchangeable", "reasons", "text_digest"}
        }
        return ShadowSample(
            **known,
            asks=self.asks,
            exchangeable=not last["reasons"],
            reasons=tuple(last["reasons"]),
            text_digest=f"sha256:{self._digest.hexdigest()}",
        )

    def _append(self, event: Mapping[str, Any]) -> None:
        line = canonical_bytes(event) + b"\n"
        done = 0
        while done < len(line):
            done += os.write(self._file, line[done:])
        os.fsync(self._file)
        self._digest.update(line)
        self.events.append(json.loads(line))


def _ask(event: Mapping[str, Any]) -> ShadowAsk:
    fields = {name: event[name] for name in ShadowAsk.__slots__}
    return ShadowAsk(**{**fields, "outcome": AskOutcome(event["outcome"])})


def _salted(salt: str, value: object) -> str:
    """Return a digest that tells nothing of a short text to whoever lacks the salt."""
    return f"sha256:{hashlib.sha256(canonical_bytes([salt, value])).hexdigest()}"


def _events(path: Path) -> list[dict[str, Any]]:
    content = _read(path)
    return _parsed(content[: content.rfind(b"\n") + 1], path.stem)


def _parsed(content: bytes, name: str) -> list[dict[str, Any]]:
    try:
        events: list[dict[str, Any]] = [json.loads(line) for line in content.splitlines()]
        sound = bool(events) and events[0]["format"] == SHADOW_FORMAT and events[0]["id"] == name
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise ShadowSpoolError(f"{name}: its file is no {SHADOW_FORMAT}; restore it, or move it away")
    return events


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ShadowSpoolError(f"{path}: cannot be read ({error.strerror})") from error
