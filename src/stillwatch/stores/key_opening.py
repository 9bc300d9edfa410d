"""Opening the registry of mark keys by the address of its ledger."""

from __future__ import annotations

from pathlib import Path

from stillwatch.stores.key_protocol import KeyStore
from stillwatch.stores.opening import open_store


def open_key_store(url: str, *, create: bool = False) -> KeyStore:
    """Open the store of a ledger and its mark keys.

    Args:
        url: as `open_store` takes it.
        create: as `open_store` takes it.

    Raises:
        StoreError: as `open_store`.
    """
    open_store(url, create=create).close()  # checks the address, and brings the tables up to date
    if url.startswith(("postgresql://", "postgres://")):
        from stillwatch.stores.key_postgres import PostgresKeyStore  # noqa: PLC0415  # the driver is an extra

        return PostgresKeyStore(url)
    from stillwatch.stores.key_sqlite import SqliteKeyStore  # noqa: PLC0415  # each store is loaded only where it is used

    path = url.removeprefix("sqlite://") if url.startswith("sqlite://") else url.removeprefix("sqlite:")
    return SqliteKeyStore(Path(path))
