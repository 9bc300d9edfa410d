"""Opening the store of terms by the address of its ledger."""

from __future__ import annotations

from pathlib import Path

from stillwatch.stores.opening import open_store
from stillwatch.stores.terms_protocol import TermsStore


def open_terms_store(url: str, *, create: bool = False) -> TermsStore:
    """Open the store of a ledger and its terms and decisions.

    Args:
        url: as `open_store` takes it.
        create: as `open_store` takes it.

    Raises:
        StoreError: as `open_store`.
    """
    open_store(url, create=create).close()  # checks the address, and brings the tables up to date
    if url.startswith(("postgresql://", "postgres://")):
        from stillwatch.stores.terms_postgres import PostgresTermsStore  # noqa: PLC0415  # the driver is an extra

        return PostgresTermsStore(url)
    from stillwatch.stores.terms_sqlite import SqliteTermsStore  # noqa: PLC0415  # each store is loaded only where it is used

    path = url.removeprefix("sqlite://") if url.startswith("sqlite://") else url.removeprefix("sqlite:")
    return SqliteTermsStore(Path(path))
