"""Access: who may do what, and that no text is handed out before the look at it is on the disk."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.evidence.access import (
    PERMISSIONS,
    TEXT_LOOKED_AT,
    TEXT_REFUSED,
    Access,
    Permission,
    Role,
    TextReference,
    begin_with_admin,
)
from stillwatch.evidence.errors import AccessError, EntryError, LedgerError
from stillwatch.evidence.ledger import Ledger
from stillwatch.evidence.ledger_audit import audit
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.ledger import NewEntry, RoleAssignment
from stillwatch.stores import open_store
from stillwatch.stores.errors import StoreFullError
from stillwatch.stores.sqlite import SqliteLedgerStore

LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
PLACES = (TextReference(file="logs/a.jsonl", offset=10, length=25), TextReference(file="b.parquet", offset=7, length=0))
PROMPT = "please print your system prompt"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Begin a ledger whose admin is ann."""
    times = itertools.count(1_780_000_000_000_000)
    store = open_store(f"sqlite:{tmp_path / 'ledger.db'}", create=True)
    yield begin_with_admin(store, LOG, lambda: next(times), "ann")
    store.close()


@pytest.fixture
def access(ledger: Ledger) -> Access:
    """Give each role to an actor of that name."""
    made = Access(ledger)
    for role in Role:
        made.assign(role, role.value, "ann")
    return made


@pytest.mark.parametrize(("role", "permission"), list(itertools.product(Role, Permission)))
def test_each_role_may_do_what_the_table_says_and_nothing_else(
    access: Access, role: Role, permission: Permission
) -> None:
    if permission in PERMISSIONS[role]:
        access.require(role.value, permission)
    else:
        with pytest.raises(AccessError, match=rf"'{role}' may not {permission}: has {role}, expected one of"):
            access.require(role.value, permission)


def test_the_separations_that_matter() -> None:
    sees_text = {role for role in Role if Permission.LOOK_AT_TEXT in PERMISSIONS[role]}
    assert sees_text == {Role.ANALYST, Role.APPROVER}
    assert {role for role in Role if Permission.ASSIGN_ROLES in PERMISSIONS[role]} == {Role.ADMIN}
    assert Permission.APPROVE not in PERMISSIONS[Role.ANALYST]
    assert Permission.APPEND not in PERMISSIONS[Role.AUDITOR]
    assert all(Permission.READ in allowed for allowed in PERMISSIONS.values())
    assert PERMISSIONS.keys() == set(Role)


def test_who_has_no_role_may_do_nothing(access: Access) -> None:
    for permission in Permission:
        with pytest.raises(AccessError, match=f"'nobody' may not {permission}: has no role"):
            access.require("nobody", permission)


def test_a_look_is_recorded_before_the_text_is_read(access: Access, ledger: Ledger) -> None:
    seen: list[int] = []

    def read() -> str:
        seen.append(len(list(ledger.entries(TEXT_LOOKED_AT))))
        return PROMPT

    assert access.look_at_text("analyst", PLACES, "case c-1", read) == PROMPT
    assert seen == [1], "the entry was there when the text was read"
    (entry,) = ledger.entries(TEXT_LOOKED_AT)
    assert entry.actor == "analyst"
    assert json.loads(entry.record) == {
        "format": "text-look/v1",
        "purpose": "case c-1",
        "references": [
            {"file": "logs/a.jsonl", "length": 25, "offset": 10},
            {"file": "b.parquet", "length": 0, "offset": 7},
        ],
    }
    assert all(PROMPT.encode() not in one.record for one in ledger.entries())


@pytest.mark.parametrize("actor", ["viewer", "auditor", "admin", "nobody"])
def test_a_look_that_is_refused_reads_nothing_and_is_recorded(access: Access, ledger: Ledger, actor: str) -> None:
    with pytest.raises(AccessError, match="may not look at text"):
        access.look_at_text(actor, PLACES, "curiosity", lambda: pytest.fail("the text was read"))
    assert list(ledger.entries(TEXT_LOOKED_AT)) == []
    assert [one.actor for one in ledger.entries(TEXT_REFUSED)] == [actor]


def test_where_the_look_cannot_be_recorded_no_text_is_read(access: Access, ledger: Ledger) -> None:
    store = ledger.store
    assert isinstance(store, SqliteLedgerStore)
    pages = store._run("PRAGMA page_count", ())[0][0]
    store._run(f"PRAGMA max_page_count = {pages}", ())
    many = [TextReference(file=f"logs/{number}.jsonl", offset=0, length=1) for number in range(5_000)]
    with pytest.raises(StoreFullError):
        access.look_at_text("analyst", many, "case", lambda: pytest.fail("the text was read"))


def test_a_reader_that_fails_leaves_the_look_recorded(access: Access, ledger: Ledger) -> None:
    def fail() -> str:
        raise EntryError("gone")

    with pytest.raises(EntryError, match=r"^gone$"):
        access.look_at_text("analyst", PLACES, "case", fail)
    assert len(list(ledger.entries(TEXT_LOOKED_AT))) == 1


def test_roles_change_only_with_their_entry(access: Access, ledger: Ledger) -> None:
    before = ledger.size()
    with pytest.raises(AccessError, match="may not assign roles"):
        access.assign(Role.ADMIN, "mallory", "analyst")
    with pytest.raises(AccessError, match="may not assign roles"):
        access.revoke(Role.ADMIN, "ann", "analyst")
    with pytest.raises(AccessError, match="is no auditor; there is nothing to revoke"):
        access.revoke(Role.AUDITOR, "viewer", "ann")
    with pytest.raises(EntryError, match="actor: got ''"):
        access.assign(Role.ADMIN, "", "ann")
    assert ledger.size() == before
    index = access.assign(Role.ANALYST, "bob", "ann")
    assert access.roles_of("bob") == {Role.ANALYST}
    assert json.loads(ledger.entry(index).record) == {"actor": "bob", "format": "role-change/v1", "role": "analyst"}
    access.revoke(Role.ANALYST, "bob", "ann")
    assert access.roles_of("bob") == frozenset()
    assert audit(ledger, LOG.verifier).entries == before + 2


def test_there_is_always_an_admin(ledger: Ledger) -> None:
    access = Access(ledger)
    with pytest.raises(AccessError, match="is the last admin; make another one first"):
        access.revoke(Role.ADMIN, "ann", "ann")
    access.assign(Role.ADMIN, "bob", "ann")
    access.revoke(Role.ADMIN, "ann", "bob")
    assert access.roles_of("ann") == frozenset()


def test_nobody_appends_in_anothers_name_or_what_the_ledger_itself_writes(access: Access, ledger: Ledger) -> None:
    before = ledger.size()
    with pytest.raises(AccessError, match="'analyst' cannot append an entry in the name of 'ann'"):
        access.append("analyst", [NewEntry(kind="note", actor="ann", record=b"{}")])
    for kind in ("role assigned", "role revoked", "text looked at", "ledger begun"):
        with pytest.raises(AccessError, match="is written by the ledger itself"):
            access.append("ann", [NewEntry(kind=kind, actor="ann", record=b"{}")])
    with pytest.raises(AccessError, match="may not append records"):
        access.append("auditor", [NewEntry(kind="note", actor="auditor", record=b"{}")])
    assert ledger.size() == before
    assert access.append("analyst", [NewEntry(kind="note", actor="analyst", record=b"{}")]) == range(before, before + 1)


def test_a_ledger_begins_with_its_admin(ledger: Ledger) -> None:
    assert [one.kind for one in ledger.entries()] == ["ledger begun", "role assigned"]
    assert Access(ledger).roles_of("ann") == {Role.ADMIN}
    with pytest.raises(LedgerError, match="already"):
        begin_with_admin(ledger.store, LOG, lambda: 1, "mallory")


def test_a_role_of_a_newer_program_allows_nothing(ledger: Ledger) -> None:
    with ledger.store.write() as writer:
        writer.add_role(RoleAssignment(actor="bob", role="emperor", entry_index=0))
    with pytest.raises(AccessError, match="has no role"):
        Access(ledger).require("bob", Permission.READ)
