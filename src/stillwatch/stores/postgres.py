"""The ledger in PostgreSQL, for a team; needs the extra `postgres`.

Takes an address. Gives a `LedgerStore` whose tables stand in the first schema of the connection's search path. An advisory lock,
held until the transaction ends, lets one writer in at a time, on whatever machine; others wait, readers do not. A commit returns when the
server has it on its disk (`synchronous_commit` is switched on, whatever the server's default).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import errors

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
# Advisory locks: the number of the table, so that all who write to it share one lock, whatever their search path; and the name of
# the schema while there is no table yet. A lock on the table itself would wait for the server's own vacuuming.
_APPEND_LOCK_SQL = "SELECT pg_advisory_xact_lock((21335::bigint << 32) | 'entry'::regclass::oid::bigint)"
_MIGRATION_LOCK_SQL = (
    "SELECT pg_advisory_xact_lock(hashtextextended('stillwatch ' || coalesce(current_schema(), ''), 0))"
)
_COPY_SQL = "COPY entry (entry_index, kind, recorded_us, actor, record_digest, record) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ("int8", "text", "int8", "text", "bytea", "bytea")
_FULL = (errors.DiskFull, errors.OutOfMemory, errors.ConfigurationLimitExceeded)
_BUSY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.QueryCanceled)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)


class PostgresLedgerStore(LedgerQueries):
    """A `LedgerStore` in a PostgreSQL database."""

    def __init__(self, url: str, *, create: bool = False, wait_seconds: float = WAIT_SECONDS) -> None:
        """Connect, and bring the tables up to date.

        Args:
            url: `postgresql://[USER@]HOST[:PORT]/DATABASE`, without a password.
            create: whether to make the tables where there are none.
            wait_seconds: how long to wait for another writer.

        Raises:
            StoreUnavailableError: where there is no connection, or no tables and `create` was not asked for.
            MigrationError: where a newer program made the tables.
        """
        try:
            self._connection = psycopg.connect(url, autocommit=True, connect_timeout=30)
        except psycopg.Error as error:
            raise StoreUnavailableError(
                f"PostgreSQL cannot be reached ({type(error).__name__}); check address, user and ~/.pgpass, for example with psql"
            ) from error
        super().__init__(self._run)
        try:
            self._run("SET synchronous_commit = on", ())
            self._run(f"SET lock_timeout = {round(wait_seconds * 1000)}", ())
            self._migrate(create=create)
        except StoreError:
            self._connection.close()
            raise

    def _run(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        return _run(self._connection, sql, parameters)

    def _migrate(self, *, create: bool) -> None:
        """Apply what is missing, in one transaction, so that no other process sees half of it."""
        known = migrations("postgres")
        has_tables = self._run("SELECT to_regclass('migration') IS NOT NULL", ())[0][0]
        if not has_tables and not create:
            raise StoreUnavailableError(
                "the PostgreSQL database holds no ledger; begin one with `stillwatch ledger init`"
            )
        if has_tables and not still_to_apply(known, dict(self._run(APPLIED_SQL, ()))):
            return
        with self._transaction(_MIGRATION_LOCK_SQL):
            self._run(TABLE_SQL, ())
            for migration in still_to_apply(known, dict(self._run(APPLIED_SQL, ()))):
                self._run_script(migration.sql)
                self._run(RECORD_SQL, (migration.number, migration.name, migration.digest))

    def _run_script(self, script: str) -> None:
        """Run statements without parameters, such as those of a migration, whose `?` and `%` mean themselves."""
        try:
            self._connection.execute(script.encode())
        except psycopg.Error as error:
            raise _translated(error) from error

    @contextmanager
    def _transaction(self, lock_sql: str) -> Iterator[None]:
        try:
            with self._connection.transaction():
                self._run(lock_sql, ())
                yield
        except psycopg.Error as error:
            raise _translated(error) from error

    @contextmanager
    def write(self) -> Iterator[PostgresLedgerWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with self._transaction(_APPEND_LOCK_SQL):
            yield PostgresLedgerWriter(self._connection)

    def size(self) -> int:
        """Count the entries that are kept."""
        return self.entry_count()

    def close(self) -> None:
        """Let go of the connection; what was acknowledged stays."""
        self._connection.close()


class PostgresLedgerWriter(LedgerWriting):
    """One transaction on the database."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        """Take the connection, whose transaction has begun and holds the lock."""
        self._connection = connection
        super().__init__(self._run)
        self.size = self.entry_count()

    def _run(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        return _run(self._connection, sql, parameters)

    def add_entries(self, entries: Sequence[LedgerEntry], tiles: Mapping[TilePlace, bytes]) -> None:
        """Append entries with consecutive indices from `size`, and the tiles that they change, whole."""
        try:
            with self._connection.cursor() as cursor:
                with cursor.copy(_COPY_SQL) as copy:
                    copy.set_types(_COPY_TYPES)
                    for entry in entries:
                        copy.write_row(entry_row(entry))
                cursor.executemany(_with_percent(ADD_TILE_SQL), [(*place, hashes) for place, hashes in tiles.items()])
        except psycopg.Error as error:
            raise _translated(error) from error


def _run(connection: psycopg.Connection[Row], sql: str, parameters: tuple[object, ...]) -> list[Row]:
    try:
        cursor = connection.execute(_with_percent(sql), parameters)
        return cursor.fetchall() if cursor.description is not None else []
    except psycopg.Error as error:
        raise _translated(error) from error


def _with_percent(sql: str) -> bytes:
    """Return a statement with the parameter marks of this driver; no shared statement holds `?` or `%` otherwise."""
    return sql.replace("?", "%s").encode()


def _translated(error: psycopg.Error) -> StoreError:
    """Return the store's error for one of the driver's, without any value of a row."""
    name = type(error).__name__
    said = error.diag.message_primary or ""
    if isinstance(error, _FULL):
        return StoreFullError(
            f"PostgreSQL: no room ({name}); nothing of this batch was kept. Make room and append it again"
        )
    if isinstance(error, _BUSY):
        return StoreBusyError(f"PostgreSQL: another writer holds the ledger ({name}); nothing was written, try again")
    if isinstance(error, _DAMAGED):
        return StoreDamagedError(f"PostgreSQL: the tables are damaged ({name}); restore them from a copy")
    if isinstance(error, (errors.IntegrityError, errors.RestrictViolation, errors.InsufficientPrivilege)):
        return StoreWriteError(f"PostgreSQL: refused ({name}): {said}")
    if isinstance(error, psycopg.OperationalError):
        return StoreUnavailableError(
            f"PostgreSQL: the connection was lost ({name}); whether the last batch was kept is known after a new connection"
        )
    return StoreWriteError(f"PostgreSQL: failed ({name}); nothing of this batch was kept")
