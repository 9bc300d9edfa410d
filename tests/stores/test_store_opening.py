"""Opening stores: migrations are applied once and recorded, durability is on, and what cannot be opened is told."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_stores import LOG, clock, entries

from stillwatch.evidence.errors import LedgerError
from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.stores import LedgerStore, open_store
from stillwatch.stores.errors import (
    MigrationError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
    StoreUrlError,
    StoreWriteError,
)
from stillwatch.stores.migrating import Migration, migrations, still_to_apply

Opened = Callable[..., LedgerStore]


def run(store: LedgerStore, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    """Run a statement on the store's own connection."""
    return store._run(sql, parameters)


def test_migrations_are_applied_once_and_recorded(ledger: Ledger, address: str, opened: Opened) -> None:
    dialect = "sqlite" if address.startswith("sqlite") else "postgres"
    known = migrations(dialect)
    expected = [(one.number, one.name, one.digest) for one in known]
    for store in (ledger.store, opened(address), opened(address, create=True)):
        assert run(store, "SELECT number, name, digest FROM migration ORDER BY number") == expected
    assert [one.number for one in known] == list(range(1, len(known) + 1))


def test_both_dialects_have_the_same_migrations() -> None:
    assert [one.name for one in migrations("sqlite")] == [one.name for one in migrations("postgres")]


def test_a_store_of_an_earlier_version_is_brought_up_to_date(ledger: Ledger, address: str, opened: Opened) -> None:
    run(ledger.store, "DROP TABLE role")
    run(ledger.store, "DELETE FROM migration WHERE number = 2")
    store = opened(address)
    assert store.roles() == ()
    assert store.size() == 1


def test_a_store_of_a_newer_or_changed_program_is_refused(ledger: Ledger, address: str) -> None:
    run(ledger.store, "INSERT INTO migration (number, name, digest) VALUES (?, ?, ?)", 99, "0099_later.sql", "sha256:0")
    with pytest.raises(MigrationError, match=r"has migration 99, this program knows \d+: a newer stillwatch made it"):
        open_store(address)
    run(ledger.store, "DELETE FROM migration WHERE number = 99")
    run(ledger.store, "UPDATE migration SET digest = 'sha256:0' WHERE number = 1")
    with pytest.raises(MigrationError, match="migration 1: the store has digest sha256:0, expected sha256:"):
        open_store(address)


def test_what_is_still_to_apply_is_told_in_order() -> None:
    known = tuple(Migration(number=number, name=f"{number:04}.sql", sql=f"-- {number}") for number in (1, 2, 3))
    assert still_to_apply(known, {}) == known
    assert still_to_apply(known, {1: known[0].digest, 3: known[2].digest}) == (known[1],)


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(number=1, name="0001_broken.sql", sql="CREATE TABLE one (x);\nCREATE TABLE one (x);\n")
    monkeypatch.setattr("stillwatch.stores.sqlite.migrations", lambda _: (broken,))
    with pytest.raises(StoreWriteError, match="failed"):
        open_store(str(tmp_path / "ledger.db"), create=True)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()


def test_a_commit_is_on_the_disk_when_it_returns(ledger: Ledger, address: str) -> None:
    if address.startswith("sqlite"):
        assert run(ledger.store, "PRAGMA journal_mode") == [("wal",)]
        assert run(ledger.store, "PRAGMA synchronous") == [(2,)]
        assert run(ledger.store, "PRAGMA foreign_keys") == [(1,)]
    else:
        assert run(ledger.store, "SHOW synchronous_commit") == [("on",)]


@pytest.mark.parametrize("spelling", ["sqlite:{path}", "{path}", "sqlite://{path}"])
def test_a_file_has_three_spellings(tmp_path: Path, spelling: str) -> None:
    address = spelling.format(path=tmp_path / "ledger.db")
    store = open_store(address, create=True)
    begin_ledger(store, LOG, clock, entries(1))
    store.close()
    again = open_store(address)
    assert again.size() == 1
    again.close()


def test_a_store_that_was_never_begun_holds_no_ledger(address: str, opened: Opened) -> None:
    with pytest.raises(StoreUnavailableError, match="stillwatch ledger init"):
        open_store(address)
    store = opened(address, create=True)
    assert (store.identity(), store.size(), store.checkpoint(), store.checkpoints()) == (None, 0, None, ())
    with pytest.raises(LedgerError, match="begin one"):
        Ledger(store, None, clock)


def test_files_that_are_no_stores_are_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but long enough to be read as one" * 100, encoding="utf-8")
    with pytest.raises(StoreDamagedError, match="is no ledger, or is damaged"):
        open_store(str(tmp_path / "text"))
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        open_store(str(tmp_path / "nowhere" / "ledger.db"), create=True)
    with pytest.raises(StoreUnavailableError, match="there is no ledger"):
        open_store(str(tmp_path))


def test_another_program_s_database_is_not_taken_for_a_ledger(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE entry (x)")
    connection.close()
    with pytest.raises(StoreError):
        open_store(str(tmp_path / "other.db"))


def test_a_server_that_is_not_there_is_told_without_its_address() -> None:
    with pytest.raises(StoreUnavailableError, match="PostgreSQL cannot be reached") as raised:
        open_store("postgresql://somebody@127.0.0.1:9/ledger")
    assert "somebody" not in str(raised.value)


def test_the_extra_is_named_where_the_driver_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StoreUnavailableError, match=r"pip install 'stillwatch\[postgres\]'"):
        open_store("postgresql://db/ledger")


@pytest.mark.parametrize(
    "url", ["", "sqlite:", "sqlite:\0", "mysql://db/x", "sqlite://x", "postgresql://u:p@h/d", "postgres://[/d",
            "postgresql://h/d?password=p", "postgresql://h/d?sslpassword=p"],
)  # fmt: skip
def test_addresses_that_name_no_store_are_refused(url: str) -> None:
    with pytest.raises(StoreUrlError):
        open_store(url)
