"""Mark keys in the SQLite file of their ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.key_queries import KeyReading, KeyWriting
from stillwatch.stores.sqlite import SqliteLedgerStore, SqliteLedgerWriter


class SqliteKeyWriter(KeyWriting, SqliteLedgerWriter):
    """One transaction on the file."""


class SqliteKeyStore(KeyReading, SqliteLedgerStore):
    """A `KeyStore` in a SQLite file."""

    @contextmanager
    def write(self) -> Iterator[SqliteKeyWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield SqliteKeyWriter(self._connection, self._path)
