"""The ledger in one SQLite file: the default.

Takes a path. Gives a `LedgerStore`. The file is made with mode 0600. Write-ahead log with `synchronous=FULL`: a commit returns
when its bytes are on the disk, so a crash at any point loses no acknowledged entry. `BEGIN IMMEDIATE` lets one writer in at a time,
in whatever process; others wait, readers do not. The file must lie on a local disk: SQLite's locks do not work over NFS.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from stillwatch.records.ledger import LedgerEntry, TilePlace
from stillwatch.stores.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
    StoreWriteError,
)
from stillwatch.stores.ledger_queries import ADD_TILE_SQL, LedgerQueries, LedgerWriting, Row, entry_row
from stillwatch.stores.migrating import APPLIED_SQL, RECORD_SQL, TABLE_SQL, migrations, still_to_apply

WAIT_SECONDS = 60.0
"""How long a writer waits for another one."""
_ADD_ENTRY_SQL = (
    "INSERT INTO entry (entry_index, kind, recorded_us, actor, record_digest, record) VALUES (?, ?, ?, ?, ?, ?)"
)
_FULL = {sqlite3.SQLITE_FULL}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNAVAILABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_NO_ROOM_FOR_INDEX = sqlite3.SQLITE_IOERR_SHMSIZE
"""The write-ahead log's index could not grow, which is how a full disk shows there."""


class SqliteLedgerStore(LedgerQueries):
    """A `LedgerStore` in a SQLite file."""

    def __init__(self, path: Path, *, create: bool = False, wait_seconds: float = WAIT_SECONDS) -> None:
        """Open the file, and bring its tables up to date.

        Args:
            path: of the file.
            create: whether to make it where it is missing.
            wait_seconds: how long to wait for another writer.

        Raises:
            StoreUnavailableError: where it is missing or cannot be opened.
            StoreDamagedError: where it is no SQLite file.
            MigrationError: where a newer program made its tables.
        """
        self._path = path
        _prepare_file(path, create=create)
        try:
            self._connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        super().__init__(self._run)
        try:
            for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
                self._run(f"PRAGMA {setting}", ())
            self._migrate()
        except StoreError:
            self._connection.close()
            raise

    def _run(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def _migrate(self) -> None:
        """Apply what is missing, in one transaction, so that no other process sees half of it."""
        known = migrations("sqlite")
        if self._has_migrations() and not still_to_apply(known, dict(self._run(APPLIED_SQL, ()))):
            return
        with self._transaction():
            self._run(TABLE_SQL, ())
            for migration in still_to_apply(known, dict(self._run(APPLIED_SQL, ()))):
                for statement in _statements(migration.sql):
                    self._run(statement, ())
                self._run(RECORD_SQL, (migration.number, migration.name, migration.digest))

    def _has_migrations(self) -> bool:
        return bool(self._run("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'", ()))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE", ())
        try:
            yield
            self._run("COMMIT", ())
        finally:
            if self._connection.in_transaction:  # the block failed, or the commit did
                self._connection.rollback()

    @contextmanager
    def write(self) -> Iterator[SqliteLedgerWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with self._transaction():
            yield SqliteLedgerWriter(self._connection, self._path)

    def size(self) -> int:
        """Count the entries that are kept."""
        return self.entry_count()

    def close(self) -> None:
        """Let go of the file; what was acknowledged stays."""
        self._connection.close()


class SqliteLedgerWriter(LedgerWriting):
    """One transaction on the file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Take the connection, whose transaction has begun."""
        self._connection = connection
        self._path = path
        super().__init__(self._run)
        self.size = self.entry_count()

    def _run(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def add_entries(self, entries: Sequence[LedgerEntry], tiles: Mapping[TilePlace, bytes]) -> None:
        """Append entries with consecutive indices from `size`, and the tiles that they change, whole."""
        try:
            self._connection.executemany(_ADD_ENTRY_SQL, map(entry_row, entries))
            self._connection.executemany(ADD_TILE_SQL, ((*place, hashes) for place, hashes in tiles.items()))
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error


def _prepare_file(path: Path, *, create: bool) -> None:
    """Make the file, readable by its owner alone, or make sure that it is there."""
    if not create:
        if not path.is_file():
            raise StoreUnavailableError(f"{path}: there is no ledger; begin one with `stillwatch ledger init`")
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailableError(
            f"{path}: cannot be made ({error.strerror}); name a file in a folder of yours"
        ) from error


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements; `executescript` would end the transaction."""
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def _translated(error: sqlite3.Error, path: Path) -> StoreError:
    """Return the store's error for one of SQLite's, without any value of a row."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    primary = code & 0xFF
    if primary in _FULL or code == _NO_ROOM_FOR_INDEX:
        return StoreFullError(
            f"{path}: no room ({name}); nothing of this batch was kept. Make room and append it again"
        )
    if primary in _BUSY:
        return StoreBusyError(f"{path}: another writer holds it ({name}); nothing was written, try again")
    if primary in _DAMAGED:
        return StoreDamagedError(f"{path}: is no ledger, or is damaged ({name}); restore it from a copy")
    if primary in _UNAVAILABLE:
        return StoreUnavailableError(f"{path}: cannot be opened or written ({name}); check its folder and permissions")
    if primary == sqlite3.SQLITE_IOERR:
        return StoreWriteError(
            f"{path}: reading or writing failed ({name}); nothing of this batch was kept. Check the disk and its limits"
        )
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return StoreWriteError(f"{path}: refused ({name}): {error}")
    return StoreWriteError(f"{path}: failed ({name}: {error}); nothing of this batch was kept")
