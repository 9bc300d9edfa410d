"""Mark keys in the PostgreSQL database of their ledger; needs the extra `postgres`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.key_queries import KeyReading, KeyWriting
from stillwatch.stores.postgres import PostgresLedgerStore, PostgresLedgerWriter


class PostgresKeyWriter(KeyWriting, PostgresLedgerWriter):
    """One transaction on the database."""


class PostgresKeyStore(KeyReading, PostgresLedgerStore):
    """A `KeyStore` in a PostgreSQL database."""

    @contextmanager
    def write(self) -> Iterator[PostgresKeyWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield PostgresKeyWriter(self._connection)
