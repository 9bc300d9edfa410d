"""The SQL that both stores share, and the way from rows to records.

Takes a function that runs a statement with `?` for each parameter. Gives records. Each store says how it opens, begins, commits
and appends; everything that reads alike on both is said here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from stillwatch.records.ledger import (
    Checkpoint,
    Cosignature,
    LedgerEntry,
    LedgerIdentity,
    RoleAssignment,
    TilePlace,
    TimeStamp,
)
from stillwatch.stores.errors import NotKeptError, StoreDamagedError

Row = tuple[Any, ...]
Fetch = Callable[[str, tuple[object, ...]], list[Row]]
"""Runs a statement and gives its rows; of a statement that gives none, an empty list."""
_PAGE = 2_000
"""Entries read at a time."""
_TILES_AT_A_TIME = 50
"""Tiles asked for in one statement: a proof needs one round trip to a server, not one for each tile."""
_ENTRY_COLUMNS = "entry_index, kind, recorded_us, actor, record_digest, record"
_CHECKPOINT_COLUMNS = "origin, size, root, note"

SIZE_SQL = "SELECT max(entry_index) + 1 FROM entry"
ADD_TILE_SQL = (
    "INSERT INTO tile (level, number, hashes) VALUES (?, ?, ?)"
    " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
)


class LedgerQueries:
    """What both stores read alike; the base of their stores and of their writers."""

    def __init__(self, fetch: Fetch) -> None:
        """Take the way to run a statement."""
        self._fetch = fetch

    def identity(self) -> LedgerIdentity | None:
        """Say which log this is; null for a store in which none was begun."""
        rows = self._fetch("SELECT origin, verifier_key, created_us FROM identity", ())
        if not rows:
            return None
        origin, verifier_key, created_us = rows[0]
        return LedgerIdentity(
            origin=_text(origin, "origin"),
            verifier_key=_text(verifier_key, "verifier_key"),
            created_us=_number(created_us, "created_us"),
        )

    def entry_count(self) -> int:
        """Count the entries that are kept."""
        return _number(self._fetch(SIZE_SQL, ())[0][0] or 0, "entry_index")

    def entry(self, index: int) -> LedgerEntry:
        """Give an entry.

        Raises:
            NotKeptError: when there is none of that index.
        """
        rows = self._fetch(f"SELECT {_ENTRY_COLUMNS} FROM entry WHERE entry_index = ?", (index,)) if index >= 0 else []
        if not rows:
            raise NotKeptError(
                f"got entry {index}, expected one of the {self.entry_count()} that the ledger holds, from 0"
            )
        return _entry(rows[0])

    def entries(self, start: int = 0, stop: int | None = None, kind: str | None = None) -> Iterator[LedgerEntry]:
        """Give entries in the order of their indices, from `start` to before `stop`, of one kind or all."""
        end = self.entry_count() if stop is None else stop
        of_kind, values = ("", ()) if kind is None else (" AND kind = ?", (kind,))
        position = start
        while position < end:
            rows = self._fetch(
                f"SELECT {_ENTRY_COLUMNS} FROM entry WHERE entry_index >= ? AND entry_index < ?{of_kind}"
                " ORDER BY entry_index LIMIT ?",
                (position, end, *values, _PAGE),
            )
            yield from map(_entry, rows)
            if len(rows) < _PAGE:
                return
            position = rows[-1][0] + 1

    def read_tiles(self, places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        """Give the hashes of each of these tiles that is kept, end to end."""
        found: dict[TilePlace, bytes] = {}
        wanted = list(places)
        for start in range(0, len(wanted), _TILES_AT_A_TIME):
            asked = wanted[start : start + _TILES_AT_A_TIME]
            either = " OR ".join(["(level = ? AND number = ?)"] * len(asked))
            rows = self._fetch(
                f"SELECT level, number, hashes FROM tile WHERE {either}",
                tuple(part for place in asked for part in place),
            )
            for level, number, hashes in rows:
                found[TilePlace(level, number)] = _blob(hashes, "hashes")
        return found

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Give all checkpoints, smallest first."""
        return tuple(map(_checkpoint, self._fetch(f"SELECT {_CHECKPOINT_COLUMNS} FROM checkpoint ORDER BY size", ())))

    def checkpoint(self, size: int | None = None) -> Checkpoint | None:
        """Give the checkpoint of a size, or the largest one; null where there is none."""
        where, values = ("", ()) if size is None else (" WHERE size = ?", (size,))
        rows = self._fetch(f"SELECT {_CHECKPOINT_COLUMNS} FROM checkpoint{where} ORDER BY size DESC LIMIT 1", values)
        return _checkpoint(rows[0]) if rows else None

    def time_stamps(self, size: int | None = None) -> tuple[TimeStamp, ...]:
        """Give the time stamps over the checkpoint of a size, or all, in the order in which they were kept."""
        where, values = ("", ()) if size is None else (" WHERE size = ?", (size,))
        rows = self._fetch(
            f"SELECT size, authority, stamped_us, request, reply FROM time_stamp{where} ORDER BY number", values
        )
        return tuple(
            TimeStamp(
                size=_number(at, "size"),
                authority=_text(authority, "authority"),
                stamped_us=_number(us, "stamped_us"),
                request=_blob(request, "request"),
                reply=_blob(reply, "reply"),
            )
            for at, authority, us, request, reply in rows
        )

    def cosignatures(self, size: int | None = None) -> tuple[Cosignature, ...]:
        """Give the cosignatures of the checkpoint of a size, or all, by size and witness."""
        where, values = ("", ()) if size is None else (" WHERE size = ?", (size,))
        rows = self._fetch(
            f"SELECT size, witness, cosigned_s, line FROM cosignature{where} ORDER BY size, witness", values
        )
        return tuple(
            Cosignature(
                size=_number(at, "size"),
                witness=_text(name, "witness"),
                cosigned_s=_number(time, "cosigned_s"),
                line=_text(line, "line"),
            )
            for at, name, time, line in rows
        )

    def roles(self, actor: str | None = None) -> tuple[RoleAssignment, ...]:
        """Give the roles of one actor, or of all, by actor and role."""
        where, values = ("", ()) if actor is None else (" WHERE actor = ?", (actor,))
        rows = self._fetch(f"SELECT actor, role, entry_index FROM role{where} ORDER BY actor, role", values)
        return tuple(
            RoleAssignment(
                actor=_text(who, "actor"), role=_text(role, "role"), entry_index=_number(index, "entry_index")
            )
            for who, role, index in rows
        )


class LedgerWriting(LedgerQueries):
    """What both writers write alike."""

    def add_identity(self, identity: LedgerIdentity) -> None:
        """Say which log this is; once in the life of a store."""
        self._fetch(
            "INSERT INTO identity (only_row, origin, verifier_key, created_us) VALUES (1, ?, ?, ?)",
            (identity.origin, identity.verifier_key, identity.created_us),
        )

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; a second one of the same size replaces none and is refused."""
        self._fetch(
            "INSERT INTO checkpoint (size, origin, root, note) VALUES (?, ?, ?, ?)",
            (checkpoint.size, checkpoint.origin, checkpoint.root, checkpoint.note),
        )

    def add_time_stamp(self, stamp: TimeStamp) -> None:
        """Keep a time stamp over a checkpoint that is kept."""
        self._fetch(
            "INSERT INTO time_stamp (size, authority, stamped_us, request, reply) VALUES (?, ?, ?, ?, ?)",
            (stamp.size, stamp.authority, stamp.stamped_us, stamp.request, stamp.reply),
        )

    def add_cosignature(self, cosignature: Cosignature) -> None:
        """Keep a cosignature of a checkpoint that is kept; one a witness and checkpoint."""
        self._fetch(
            "INSERT INTO cosignature (size, witness, cosigned_s, line) VALUES (?, ?, ?, ?)",
            (cosignature.size, cosignature.witness, cosignature.cosigned_s, cosignature.line),
        )

    def add_role(self, assignment: RoleAssignment) -> None:
        """Give an actor a role; what the actor has already stays as it is."""
        self._fetch(
            "INSERT INTO role (actor, role, entry_index) VALUES (?, ?, ?) ON CONFLICT (actor, role) DO NOTHING",
            (assignment.actor, assignment.role, assignment.entry_index),
        )

    def remove_role(self, actor: str, role: str) -> None:
        """Take a role from an actor."""
        self._fetch("DELETE FROM role WHERE actor = ? AND role = ?", (actor, role))


def entry_row(entry: LedgerEntry) -> Row:
    """Return an entry as a row of the table, in the order of its columns."""
    return (
        entry.index,
        entry.kind,
        entry.recorded_us,
        entry.actor,
        bytes.fromhex(entry.record_digest[7:]),
        entry.record,
    )


def _entry(row: Row) -> LedgerEntry:
    index, kind, recorded_us, actor, digest, record = row
    return LedgerEntry(
        index=_number(index, "entry_index"),
        kind=_text(kind, "kind"),
        recorded_us=_number(recorded_us, "recorded_us"),
        actor=_text(actor, "actor"),
        record_digest=f"sha256:{_blob(digest, 'record_digest').hex()}",
        record=_blob(record, "record"),
    )


def _checkpoint(row: Row) -> Checkpoint:
    origin, size, root, note = row
    return Checkpoint(
        origin=_text(origin, "origin"), size=_number(size, "size"), root=_blob(root, "root"), note=_text(note, "note")
    )


def _blob(value: object, column: str) -> bytes:
    """Return bytes, or raise: SQLite keeps any type in any column, and `bytes` of a number would be that many zeros."""
    if isinstance(value, (bytes, memoryview)):
        return bytes(value)
    raise _wrong_type(value, column, "bytes")


def _text(value: object, column: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong_type(value, column, "text")


def _number(value: object, column: str) -> int:
    if isinstance(value, int):
        return value
    raise _wrong_type(value, column, "a number")


def _wrong_type(value: object, column: str, expected: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"column {column}: got {type(value).__name__}, expected {expected}; the store was tampered with"
    )
