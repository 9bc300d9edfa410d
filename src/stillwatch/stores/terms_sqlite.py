"""Terms and decisions in the SQLite file of their ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.sqlite import SqliteLedgerStore, SqliteLedgerWriter
from stillwatch.stores.terms_queries import TermsReading, TermsWriting


class SqliteTermsWriter(TermsWriting, SqliteLedgerWriter):
    """One transaction on the file."""


class SqliteTermsStore(TermsReading, SqliteLedgerStore):
    """A `TermsStore` in a SQLite file."""

    @contextmanager
    def write(self) -> Iterator[SqliteTermsWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield SqliteTermsWriter(self._connection, self._path)
