"""Cases on both stores: items with their entries or not at all, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import ledger_stores
import pytest

from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.records.case import CaseStatus, ItemKind
from stillwatch.records.ledger import NewEntry
from stillwatch.stores.case_opening import open_case_store
from stillwatch.stores.case_protocol import CaseStore
from stillwatch.stores.errors import StoreWriteError

CASE = "case-0123456789ab"


@pytest.fixture
def store(address: str) -> Iterator[CaseStore]:
    opened = open_case_store(address, create=True)
    yield opened
    opened.close()


@pytest.fixture
def log(store: CaseStore) -> Ledger:
    return begin_ledger(store, ledger_stores.LOG, ledger_stores.clock, ledger_stores.entries(1, kind="begun"))


def add(log: Ledger, store: CaseStore, number: int, *, opens: bool = False) -> None:
    """Append an item's entry and keep the item with it."""

    def keep(writer: object, indices: range) -> None:
        if opens:
            writer.add_case(CASE, 7, "bob")  # type: ignore[attr-defined]
        writer.add_case_item(CASE, number, ItemKind.NOTE, indices[0], b"sealed %d" % number)  # type: ignore[attr-defined]

    log.append([NewEntry(kind="case item", actor="bob", record=b'{"n":%d}' % number)], keep)


def test_a_case_and_its_items_are_given_back(log: Ledger, store: CaseStore, address: str) -> None:
    add(log, store, 0, opens=True)
    add(log, store, 1)
    again = open_case_store(address)
    try:
        case = again.case(CASE)
        items = again.case_items(CASE)
        assert list(again.cases()) == [case]
    finally:
        again.close()
    assert case is not None
    assert (case.status, case.opened_by, case.opened_us, case.items, case.erased) == (
        CaseStatus.OPEN,
        "bob",
        7,
        2,
        False,
    )
    assert [(one.number, one.kind, one.entry_index, one.record, one.sealed, one.added_by) for one in items] == [
        (0, ItemKind.NOTE, 1, b'{"n":0}', b"sealed 0", "bob"),
        (1, ItemKind.NOTE, 2, b'{"n":1}', b"sealed 1", "bob"),
    ]
    assert all(one.added_us == ledger_stores.NOW_US for one in items)


def test_a_number_is_given_once_and_its_entry_goes_with_it(log: Ledger, store: CaseStore) -> None:
    add(log, store, 0, opens=True)
    with pytest.raises(StoreWriteError):
        add(log, store, 0)
    with pytest.raises(StoreWriteError):
        add(log, store, 1, opens=True)
    assert log.size() == 2
    assert store.case_items(CASE)[0].sealed == b"sealed 0"


def test_an_item_of_no_case_is_refused(log: Ledger, store: CaseStore) -> None:
    with pytest.raises(StoreWriteError):
        add(log, store, 0)
    assert log.size() == 1
    assert store.case(CASE) is None
    assert list(store.case_items(CASE)) == []


def test_status_and_erasure(log: Ledger, store: CaseStore) -> None:
    add(log, store, 0, opens=True)
    with store.write() as writer:
        writer.set_case_status(CASE, CaseStatus.REFERRED)
        writer.set_case_erased(CASE)
    case = store.case(CASE)
    assert case is not None
    assert (case.status, case.erased) == (CaseStatus.REFERRED, True)
    assert store.case_items(CASE)[0].sealed == b""
    assert log.entry(1).record == b'{"n":0}'


def test_an_item_is_never_deleted(log: Ledger, store: CaseStore) -> None:
    add(log, store, 0, opens=True)
    with pytest.raises(StoreWriteError, match="never deleted"), store.write() as writer:
        writer._fetch("DELETE FROM case_item", ())  # type: ignore[attr-defined]
    assert len(store.case_items(CASE)) == 1
