"""Mark keys on both stores: with their entries or not at all, never changed, and without the raw key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import ledger_stores
import pytest

from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.records.key_registry import IssuedKey, is_in_use
from stillwatch.records.ledger import NewEntry
from stillwatch.records.mark import MarkLevel
from stillwatch.stores.errors import StoreWriteError
from stillwatch.stores.key_opening import open_key_store
from stillwatch.stores.key_protocol import KeyStore


@pytest.fixture
def store(address: str) -> Iterator[KeyStore]:
    opened = open_key_store(address, create=True)
    yield opened
    opened.close()


@pytest.fixture
def log(store: KeyStore) -> Ledger:
    return begin_ledger(store, ledger_stores.LOG, ledger_stores.clock, ledger_stores.entries(1, kind="begun"))


def key(
    number: int, entry_index: int = -1, level: MarkLevel = MarkLevel.CAMPAIGN, paired: str | None = None
) -> IssuedKey:
    return IssuedKey(
        handle=f"mk-{number:016x}", level=level, subject=f"c-{number}", scheme="green-bernoulli@v1",
        parameters=(("context_width", 2), ("gamma", 0.25)), tokenizer_digest="sha256:" + "00" * 32, words=1, paired_handle=paired,
        valid_from_us=10, valid_until_us=20, commitment=f"sha256:{number:064x}", entry_index=entry_index,
    )  # fmt: skip


def append(log: Ledger, act: str, *arguments: object) -> int:
    """Append an entry, and write what `act` names with its index."""

    def keep(writer: object, indices: range) -> None:
        if isinstance(arguments[0], IssuedKey):
            getattr(writer, act)(replace(arguments[0], entry_index=indices[0]))
        else:
            getattr(writer, act)(*arguments, indices[0])

    return log.append([NewEntry(kind="test", actor="bob", record=b'{"n":%d}' % log.size())], keep)[0]


def test_keys_are_given_back_with_what_became_of_them(log: Ledger, store: KeyStore, address: str) -> None:
    append(log, "add_mark_key", key(2, level=MarkLevel.PROVIDER))
    append(log, "add_mark_key", key(1, paired=key(2).handle))
    append(log, "add_key_reveal", key(1).handle)
    append(log, "add_key_reveal", key(1).handle)
    append(log, "add_key_retirement", key(1).handle)
    again = open_key_store(address)
    try:
        first, second = again.mark_keys()
        assert first == key(2, 1, MarkLevel.PROVIDER)
        assert second == replace(
            key(1, 2, paired=key(2).handle), retired_us=ledger_stores.NOW_US, retired_index=5, revealed_index=3
        )
        assert list(again.mark_keys("provider")) == [first]
        assert list(again.mark_keys("campaign", "c-1")) == [second]
        assert list(again.mark_keys(subject="c-9")) == []
        assert again.mark_key(first.handle) == first
        assert again.mark_key("mk-9") is None
    finally:
        again.close()


def test_a_key_is_kept_once_and_what_follows_needs_it(log: Ledger, store: KeyStore) -> None:
    append(log, "add_mark_key", key(1))
    append(log, "add_key_retirement", key(1).handle)
    refused = (
        ("add_mark_key", key(1)),
        ("add_mark_key", replace(key(3), commitment=key(1).commitment)),
        ("add_mark_key", key(4, paired="mk-9")),
        ("add_key_retirement", key(1).handle),
        ("add_key_retirement", "mk-9"),
        ("add_key_reveal", "mk-9"),
    )
    for act, argument in refused:
        with pytest.raises(StoreWriteError):
            append(log, act, argument)
    assert log.size() == 3


@pytest.mark.parametrize("table", ["mark_key", "mark_key_retirement", "mark_key_reveal"])
def test_nothing_of_a_key_is_changed_or_deleted(log: Ledger, store: KeyStore, table: str) -> None:
    append(log, "add_mark_key", key(1))
    append(log, "add_key_retirement", key(1).handle)
    append(log, "add_key_reveal", key(1).handle)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET entry_index = 0"):
        with pytest.raises(StoreWriteError, match="is never "), store.write() as writer:
            writer._fetch(statement, ())  # type: ignore[attr-defined]
    (kept,) = store.mark_keys()
    assert (kept.retired_index, kept.revealed_index) == (2, 3)


def test_a_key_is_in_use_within_its_window_until_it_is_retired() -> None:
    one = key(1)
    assert [is_in_use(one, at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    retired = replace(one, retired_us=15)
    assert [is_in_use(retired, at) for at in (14, 15)] == [True, False]
