"""Terms, acceptances and decisions on both stores: with their entries or not at all, and never changed."""

from __future__ import annotations

from collections.abc import Iterator

import ledger_stores
import pytest

from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.records.ledger import NewEntry
from stillwatch.records.terms import Acceptance, StoredTerms
from stillwatch.stores.errors import StoreWriteError
from stillwatch.stores.terms_opening import open_terms_store
from stillwatch.stores.terms_protocol import TermsStore


@pytest.fixture
def store(address: str) -> Iterator[TermsStore]:
    opened = open_terms_store(address, create=True)
    yield opened
    opened.close()


@pytest.fixture
def log(store: TermsStore) -> Ledger:
    return begin_ledger(store, ledger_stores.LOG, ledger_stores.clock, ledger_stores.entries(1, kind="begun"))


def terms(version: str, entry_index: int) -> StoredTerms:
    return StoredTerms(
        name="api", version=version, text=b"text %s" % version.encode(), facts=b"facts", entry_index=entry_index
    )


def acceptance(account: str, version: str, time_us: int, entry_index: int) -> Acceptance:
    return Acceptance(
        account_id=account, name="api", version=version, accepted_us=time_us, accepted_by="ann", how="click", entry_index=entry_index
    )  # fmt: skip


def append(log: Ledger, act: str, *arguments: object, actor: str = "bob") -> int:
    """Append an entry, and write what `act` names with its index last."""

    def keep(writer: object, indices: range) -> None:
        made = arguments[0](*arguments[1:], indices[0]) if callable(arguments[0]) else None
        getattr(writer, act)(*((made,) if made is not None else (*arguments, indices[0])))

    return log.append([NewEntry(kind="test", actor=actor, record=b'{"n":%d}' % log.size())], keep)[0]


def test_terms_and_acceptances_are_given_back(log: Ledger, store: TermsStore, address: str) -> None:
    append(log, "add_terms", terms, "2")
    append(log, "add_terms", terms, "10")
    append(log, "add_acceptance", acceptance, "b", "2", 5)
    append(log, "add_acceptance", acceptance, "a", "10", 9)
    append(log, "add_acceptance", acceptance, "a", "2", 7)
    again = open_terms_store(address)
    try:
        assert list(again.terms()) == [terms("2", 1), terms("10", 2)]
        assert list(again.terms("api", "10")) == [terms("10", 2)]
        assert list(again.terms("other")) == []
        assert list(again.acceptances(["b", "a", "c", "a"])) == [
            acceptance("a", "2", 7, 5), acceptance("a", "10", 9, 4), acceptance("b", "2", 5, 3)
        ]  # fmt: skip
        assert list(again.acceptances([])) == []
    finally:
        again.close()


def test_many_accounts_are_asked_for_at_once(log: Ledger, store: TermsStore) -> None:
    append(log, "add_terms", terms, "1")
    append(log, "add_acceptance", acceptance, "a-1099", "1", 5)
    assert [one.account_id for one in store.acceptances([f"a-{number}" for number in range(1_100)])] == ["a-1099"]


def test_a_version_is_kept_once_and_an_acceptance_needs_its_version(log: Ledger, store: TermsStore) -> None:
    append(log, "add_terms", terms, "1")
    append(log, "add_acceptance", acceptance, "a", "1", 5)
    for act, make, *arguments in (
        ("add_terms", terms, "1"),
        ("add_acceptance", acceptance, "a", "2", 5),
        ("add_acceptance", acceptance, "a", "1", 5),
    ):
        with pytest.raises(StoreWriteError):
            append(log, act, make, *arguments)
    assert log.size() == 3


def test_a_decision_is_approved_once_and_who_did_what_is_in_the_ledger(log: Ledger, store: TermsStore) -> None:
    append(log, "add_decision", "d-1")
    append(log, "add_decision", "d-2", actor="bea")
    append(log, "add_approval", "d-1", actor="carol")
    one, other = store.decisions()
    assert (one.id, one.record, one.proposed_by, one.entry_index) == ("d-1", b'{"n":1}', "bob", 1)
    assert (one.approved_by, one.approved_us, one.approval_index) == ("carol", ledger_stores.NOW_US, 3)
    assert (other.proposed_by, other.approved_by, other.approved_us, other.approval_index) == ("bea", None, None, None)
    assert store.decision("d-1") == one
    assert store.decision("d-9") is None
    for act, name in (("add_decision", "d-1"), ("add_approval", "d-1"), ("add_approval", "d-9")):
        with pytest.raises(StoreWriteError):
            append(log, act, name)
    assert log.size() == 4


@pytest.mark.parametrize("table", ["terms_version", "acceptance", "decision", "approval"])
def test_nothing_is_changed_or_deleted(log: Ledger, store: TermsStore, table: str) -> None:
    append(log, "add_terms", terms, "1")
    append(log, "add_acceptance", acceptance, "a", "1", 5)
    append(log, "add_decision", "d-1")
    append(log, "add_approval", "d-1")
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET entry_index = 0"):
        with (
            pytest.raises(StoreWriteError, match="is never "),
            store.write() as writer,
        ):
            writer._fetch(statement, ())  # type: ignore[attr-defined]
    assert (len(store.terms()), len(store.acceptances(["a"])), len(store.decisions())) == (1, 1, 1)
