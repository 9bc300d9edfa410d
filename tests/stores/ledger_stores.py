"""What the tests of the stores share: an empty store on each of the two kinds, and a ledger in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres_server
import psycopg
import pytest

from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.ledger import NewEntry
from stillwatch.stores import LedgerStore, open_store

LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
NOW_US = 1_780_000_000_000_000
_schemas = itertools.count()


def clock() -> int:
    """Give the same time always."""
    return NOW_US


def entries(count: int, start: int = 0, kind: str = "test", actor: str = "alice") -> list[NewEntry]:
    """Make entries whose records tell them apart."""
    return [
        NewEntry(kind=kind, actor=actor, record=b'{"number":%d}' % number) for number in range(start, start + count)
    ]


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """Run one server for the whole session."""
    reason = postgres_server.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres_server.server() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of a store that is not there yet; once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'ledger.db'}"
    return postgres_address(request.getfixturevalue("postgres_folder"))


def postgres_address(folder: Path) -> str:
    """Make an empty schema on the server; give its address."""
    schema = f"test_{next(_schemas)}"
    with psycopg.connect(postgres_server.address(folder), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    return postgres_server.address(folder, schema)


@pytest.fixture
def opened() -> Iterator[Callable[..., LedgerStore]]:
    """Open stores that are closed after the test."""
    stores: list[LedgerStore] = []

    def open_and_note(url: str, *, create: bool = False) -> LedgerStore:
        stores.append(open_store(url, create=create))
        return stores[-1]

    yield open_and_note
    for store in stores:
        store.close()


@pytest.fixture
def ledger(address: str, opened: Callable[..., LedgerStore]) -> Ledger:
    """Begin a ledger of one entry."""
    return begin_ledger(opened(address, create=True), LOG, clock, entries(1, kind="begun"))
