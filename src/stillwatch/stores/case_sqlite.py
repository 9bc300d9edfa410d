"""Cases in the SQLite file of their ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.case_queries import CaseReading, CaseWriting
from stillwatch.stores.sqlite import SqliteLedgerStore, SqliteLedgerWriter


class SqliteCaseWriter(CaseWriting, SqliteLedgerWriter):
    """One transaction on the file."""


class SqliteCaseStore(CaseReading, SqliteLedgerStore):
    """A `CaseStore` in a SQLite file."""

    @contextmanager
    def write(self) -> Iterator[SqliteCaseWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield SqliteCaseWriter(self._connection, self._path)
