"""Opening the store of cases by the address of its ledger."""

from __future__ import annotations

from pathlib import Path

from stillwatch.stores.case_protocol import CaseStore
from stillwatch.stores.opening import open_store


def open_case_store(url: str, *, create: bool = False) -> CaseStore:
    """Open the store of a ledger and its cases.

    Args:
        url: as `open_store` takes it.
        create: as `open_store` takes it.

    Raises:
        StoreError: as `open_store`.
    """
    open_store(url, create=create).close()  # checks the address, and brings the tables up to date
    if url.startswith(("postgresql://", "postgres://")):
        from stillwatch.stores.case_postgres import PostgresCaseStore  # noqa: PLC0415  # the driver is an extra

        return PostgresCaseStore(url)
    from stillwatch.stores.case_sqlite import SqliteCaseStore  # noqa: PLC0415  # each store is loaded only where it is used

    path = url.removeprefix("sqlite://") if url.startswith("sqlite://") else url.removeprefix("sqlite:")
    return SqliteCaseStore(Path(path))
