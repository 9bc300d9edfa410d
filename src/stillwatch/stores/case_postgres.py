"""Cases in the PostgreSQL database of their ledger; needs the extra `postgres`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.case_queries import CaseReading, CaseWriting
from stillwatch.stores.postgres import PostgresLedgerStore, PostgresLedgerWriter


class PostgresCaseWriter(CaseWriting, PostgresLedgerWriter):
    """One transaction on the database."""


class PostgresCaseStore(CaseReading, PostgresLedgerStore):
    """A `CaseStore` in a PostgreSQL database."""

    @contextmanager
    def write(self) -> Iterator[PostgresCaseWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield PostgresCaseWriter(self._connection)
