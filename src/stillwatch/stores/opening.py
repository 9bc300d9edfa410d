"""Opening a store by its address.

Takes `sqlite:PATH`, a bare path, or `postgresql://...`. Gives a `LedgerStore`. A password in the address is refused, since command lines
are seen by other users and kept in histories; PostgreSQL's client reads it from `~/.pgpass`, a service file or PGPASSWORD.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stillwatch.stores.errors import StoreUnavailableError, StoreUrlError
from stillwatch.stores.protocol import LedgerStore

_POSTGRES = ("postgresql://", "postgres://")


def open_store(url: str, *, create: bool = False) -> LedgerStore:
    """Open a store, and bring its tables up to date.

    Args:
        url: `sqlite:PATH`, a path, or `postgresql://[USER@]HOST[:PORT]/DATABASE`.
        create: whether to make it where it is missing. A PostgreSQL database must be there; its tables are made.

    Raises:
        StoreUrlError: for any other address, or one with a password.
        StoreUnavailableError: where it is missing, cannot be opened, or the extra `postgres` is not installed.
        StoreDamagedError: where it is no store.
        MigrationError: where a newer program made its tables.
    """
    if url.startswith(_POSTGRES):
        _refuse_password(url)
        if importlib.util.find_spec("psycopg") is None:
            raise StoreUnavailableError(
                "a ledger in PostgreSQL needs the extra `postgres`: pip install 'stillwatch[postgres]'"
            )
        from stillwatch.stores.postgres import PostgresLedgerStore  # noqa: PLC0415  # the driver is an extra

        return PostgresLedgerStore(url, create=create)
    path = url.removeprefix("sqlite:")
    if url.startswith("sqlite://"):
        path = url.removeprefix("sqlite://")
        if not path.startswith("/"):
            raise StoreUrlError(f"got {url!a}, expected sqlite:PATH, or sqlite:///PATH for a path from the root")
    elif "://" in url:
        raise StoreUrlError(
            f"got an address that begins with {url.partition('://')[0]!a}, expected sqlite: or postgresql://"
        )
    if not path or "\0" in path:
        raise StoreUrlError("got an address without a path, expected sqlite:PATH or postgresql://HOST/DATABASE")
    from stillwatch.stores.sqlite import SqliteLedgerStore  # noqa: PLC0415  # each store is loaded only where it is used

    return SqliteLedgerStore(Path(path), create=create)


def _refuse_password(url: str) -> None:
    """Refuse an address that holds a password, without repeating it."""
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or {"password", "sslpassword"} & set(parse_qs(parts.query))
    except ValueError:
        raise StoreUrlError("the PostgreSQL address cannot be read, expected postgresql://USER@HOST/DATABASE") from None
    if secret:
        raise StoreUrlError(
            "the PostgreSQL address holds a password, which other users of this machine could see; "
            "put it into ~/.pgpass, a service file or PGPASSWORD, and leave it out of the address"
        )
