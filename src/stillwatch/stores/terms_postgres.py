"""Terms and decisions in the PostgreSQL database of their ledger; needs the extra `postgres`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.stores.postgres import PostgresLedgerStore, PostgresLedgerWriter
from stillwatch.stores.terms_queries import TermsReading, TermsWriting


class PostgresTermsWriter(TermsWriting, PostgresLedgerWriter):
    """One transaction on the database."""


class PostgresTermsStore(TermsReading, PostgresLedgerStore):
    """A `TermsStore` in a PostgreSQL database."""

    @contextmanager
    def write(self) -> Iterator[PostgresTermsWriter]:
        """Begin a transaction, waiting for other writers; see `LedgerStore.write`."""
        with super().write():  # the transaction and its lock
            yield PostgresTermsWriter(self._connection)
