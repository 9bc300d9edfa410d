"""The ledger on both stores: what goes in comes out, is proved, and is never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_stores import LOG, NOW_US, clock, entries

from stillwatch.evidence.errors import EntryError, LedgerDamagedError, LedgerError
from stillwatch.evidence.ledger import Ledger, begin_ledger, check_witnessed, leaf_bytes
from stillwatch.evidence.ledger_audit import audit
from stillwatch.integrity import canonical_bytes
from stillwatch.integrity.errors import ConsistencyProofError, SignatureError, TreeError
from stillwatch.integrity.merkle import leaf_hash, root_of_leaves, verify_consistency, verify_inclusion
from stillwatch.integrity.signed_note import cosign, parse_note, verify_checkpoint, verify_note
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.ledger import Checkpoint, NewEntry, RoleAssignment, TilePlace
from stillwatch.stores import LedgerStore
from stillwatch.stores.errors import NotKeptError, StoreWriteError

WITNESS = SignerKey(name="witness.example/w1", type=SignatureType.COSIGNATURE, seed=bytes(range(32, 64)))
Opened = Callable[..., LedgerStore]


def test_entries_come_back_as_they_went_in(ledger: Ledger) -> None:
    assert ledger.append(entries(3, kind="claim", actor="bob")) == range(1, 4)
    got = ledger.entry(2)
    record = b'{"number":1}'
    assert (got.index, got.kind, got.actor, got.recorded_us) == (2, "claim", "bob", NOW_US)
    assert got.record == record
    assert got.record_digest == "sha256:" + hashlib.sha256(record).hexdigest()
    assert [one.index for one in ledger.entries()] == [0, 1, 2, 3]
    assert [one.index for one in ledger.entries(kind="claim")] == [1, 2, 3]
    assert [one.index for one in ledger.entries(kind="claim", start=2, stop=3)] == [2]
    assert list(ledger.entries(kind="unheard of")) == []
    assert ledger.size() == 4


def test_the_leaf_is_canonical_json_that_anyone_can_write_again(ledger: Ledger) -> None:
    (index,) = ledger.append([NewEntry(kind='a "kind"', actor="Zoë \\ 李", record=b"{}")])
    entry = ledger.entry(index)
    fields = {name: getattr(entry, name) for name in ("actor", "kind", "record_digest", "recorded_us")}
    assert leaf_bytes(entry) == canonical_bytes({**fields, "format": "ledger-entry/v1"})
    assert ledger.root(2) == root_of_leaves([leaf_hash(leaf_bytes(one)) for one in ledger.entries()])
    assert json.loads(leaf_bytes(entry))["actor"] == "Zoë \\ 李"


def test_a_ledger_is_the_same_after_it_was_closed(ledger: Ledger, address: str, opened: Opened) -> None:
    ledger.append(entries(600))
    checkpoint = ledger.checkpoint()
    again = Ledger(opened(address), LOG, clock)
    assert list(again.entries()) == list(ledger.entries())
    assert again.checkpoint() == checkpoint == again.checkpoints()[-1]
    assert again.identity == ledger.identity


def test_every_entry_is_proved_in_every_later_checkpoint(ledger: Ledger) -> None:
    made = [ledger.checkpoint()]
    for count in (1, 5, 250, 300):
        ledger.append(entries(count))
        made.append(ledger.checkpoint())
    for checkpoint in made:
        assert verify_checkpoint(checkpoint.note, LOG.verifier) == checkpoint
        for index in {0, 1, 5, 255, 256, checkpoint.size - 1}:
            if index < checkpoint.size:
                proof = ledger.prove(index, checkpoint.size)
                verify_inclusion(leaf_hash(proof.leaf), index, proof.size, proof.hashes, checkpoint.root)
        for earlier in made:
            if earlier.size <= checkpoint.size:
                shown = ledger.prove_consistency(earlier.size, checkpoint.size)
                verify_consistency(earlier.size, checkpoint.size, earlier.root, checkpoint.root, shown.hashes)
    assert ledger.prove(3).size == made[-1].size


@given(batches=st.lists(st.lists(st.integers().map(canonical_bytes), max_size=5), max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_batches_give_the_root_of_their_leaves(ledger: Ledger, batches: list[list[bytes]]) -> None:
    for batch in batches:
        before = ledger.size()
        assert ledger.append([NewEntry(kind="k", actor="a", record=record) for record in batch]) == range(
            before, before + len(batch)
        )
    assert ledger.root(ledger.size()) == root_of_leaves([leaf_hash(leaf_bytes(one)) for one in ledger.entries()])


def test_nothing_is_signed_twice_and_nothing_without_the_key(ledger: Ledger, address: str, opened: Opened) -> None:
    ledger.append(entries(2))
    assert ledger.checkpoint() == ledger.checkpoint()
    assert len(ledger.checkpoints()) == 1
    with pytest.raises(LedgerError, match="needs the ledger's key"):
        Ledger(opened(address), None, clock).checkpoint()
    stranger = SignerKey(name=LOG.name, type=SignatureType.NOTE, seed=bytes(32))
    with pytest.raises(LedgerError, match=r"is not that of this ledger, expected example\.com/log"):
        Ledger(opened(address), stranger, clock)


def test_a_log_that_was_rewritten_is_not_signed(ledger: Ledger) -> None:
    ledger.append(entries(2))
    with ledger.store.write() as writer:
        writer.add_checkpoint(Checkpoint(origin="example.com/log", size=2, root=b"r" * 32, note="another history"))
    with pytest.raises(LedgerDamagedError, match=r"the log of 3 entries does not continue its checkpoint of 2"):
        ledger.checkpoint()
    with ledger.store.write() as writer:
        writer.add_checkpoint(Checkpoint(origin="example.com/log", size=9, root=b"r" * 32, note="a longer one"))
    with pytest.raises(LedgerDamagedError, match=r"does not continue its checkpoint of 9"):
        ledger.checkpoint()


def test_an_empty_batch_changes_nothing(ledger: Ledger) -> None:
    assert ledger.append([]) == range(1, 1)
    assert ledger.size() == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"record": b""}, "entry 1 of the batch: got a record of 0 bytes"),
        ({"record": b'{"b":1,"a":2}'}, "entry 1 of the batch: got 13 bytes of JSON that is not canonical"),
        ({"record": b'{"a": 1}'}, "entry 1 of the batch: got 8 bytes of JSON that is not canonical"),
        ({"kind": ""}, "kind: got ''"),
        ({"kind": "k" * 65}, "expected 1 to 64 printable characters"),
        ({"kind": " k"}, "kind: got ' k'"),
        ({"actor": "a\nb"}, r"actor: got 'a\\nb'"),
        ({"actor": "a\0"}, r"actor: got 'a\\x00'"),
    ],
)
def test_what_the_ledger_does_not_take_keeps_the_whole_batch_out(
    ledger: Ledger, change: dict[str, object], says: str
) -> None:
    good = entries(2)
    with pytest.raises(EntryError, match=says):
        ledger.append([good[0], replace(good[1], **change)])
    assert ledger.size() == 1


def test_a_failure_in_the_transaction_keeps_all_of_it_out(ledger: Ledger) -> None:
    def fail(*_: object) -> None:
        raise EntryError("no")

    with pytest.raises(EntryError, match=r"^no$"):
        ledger.append(entries(300), fail)
    assert ledger.size() == 1
    assert ledger.append(entries(1)) == range(1, 2)
    assert ledger.root(2) == root_of_leaves([leaf_hash(leaf_bytes(one)) for one in ledger.entries()])


def test_what_is_not_there_is_said(ledger: Ledger) -> None:
    with pytest.raises(NotKeptError, match="got entry 1, expected one of the 1"):
        ledger.entry(1)
    with pytest.raises(NotKeptError, match="got entry -1"):
        ledger.entry(-1)
    with pytest.raises(NotKeptError, match="has no checkpoint yet"):
        ledger.prove(0)
    with pytest.raises(NotKeptError, match="has no checkpoint of 5 entries"):
        ledger.note(5)
    with pytest.raises(TreeError):
        ledger.prove(0, 4)
    with pytest.raises(TreeError):
        ledger.prove_consistency(1, 4)


def test_a_store_holds_one_ledger(ledger: Ledger, address: str, opened: Opened) -> None:
    with pytest.raises(LedgerError, match=r"holds the ledger example\.com/log already"):
        begin_ledger(opened(address), LOG, clock, entries(1))
    with pytest.raises(StoreWriteError), ledger.store.write() as writer:
        writer.add_identity(ledger.identity)
    assert ledger.size() == 1


def test_a_key_for_cosignatures_begins_no_ledger(address: str, opened: Opened) -> None:
    store = opened(address, create=True)
    with pytest.raises(LedgerError, match="is for cosignatures"):
        begin_ledger(store, WITNESS, clock, [])
    with pytest.raises(LedgerError, match="holds no ledger yet"):
        Ledger(store, None, clock)


def test_a_witness_cosigns_what_continues_and_nothing_else(ledger: Ledger) -> None:
    ledger.append(entries(3))
    first = ledger.checkpoint()
    seen = check_witnessed(None, first.note, LOG.verifier, ledger.prove_consistency(0, first.size))
    line = cosign(parse_note(first.note), WITNESS, 1_780_000_000).line()
    kept = ledger.add_cosignature(first.size, line, WITNESS.verifier)
    assert (kept.witness, kept.cosigned_s) == ("witness.example/w1", 1_780_000_000)
    assert verify_note(parse_note(ledger.note()), [LOG.verifier, WITNESS.verifier]) == (LOG.verifier, WITNESS.verifier)
    ledger.append(entries(300))
    second = ledger.checkpoint()
    proof = ledger.prove_consistency(first.size, second.size)
    assert check_witnessed(seen, second.note, LOG.verifier, proof) == second
    with pytest.raises(ConsistencyProofError):
        check_witnessed(replace(seen, root=b"r" * 32), second.note, LOG.verifier, proof)
    with pytest.raises(SignatureError, match="of another log"):
        check_witnessed(replace(seen, origin="example.com/other"), second.note, LOG.verifier, proof)
    with pytest.raises(SignatureError, match="does not verify"):
        ledger.add_cosignature(second.size, line, WITNESS.verifier)
    with pytest.raises(SignatureError, match="is for notes"):
        ledger.add_cosignature(first.size, line, LOG.verifier)
    with pytest.raises(StoreWriteError, match="refused"):
        ledger.add_cosignature(first.size, line, WITNESS.verifier)


def test_an_audit_tells_what_is_no_contradiction_and_should_be_known(address: str, opened: Opened) -> None:
    times = iter([50, 60, 40, 70])
    ledger = begin_ledger(opened(address, create=True), LOG, lambda: next(times), entries(1))
    for _ in range(3):
        ledger.append(entries(2))
    assert [entry.recorded_us for entry in ledger.entries()] == [50, 60, 60, 40, 40, 70, 70]
    assert audit(ledger, LOG.verifier).remarks == (
        "the clock went back 1 times: some entries have an earlier time than the one before them",
        "the last 7 entries are in no checkpoint yet, so nothing signed speaks for them",
    )
    ledger.checkpoint()
    found = audit(ledger, LOG.verifier)
    assert (found.entries, found.checkpoints, len(found.remarks)) == (7, 1, 1)


def test_an_audit_across_many_tiles_and_checkpoints(ledger: Ledger) -> None:
    for count in (0, 255, 1, 256, 5_000, 3):
        ledger.append(entries(count))
        ledger.checkpoint()
    found = audit(ledger, LOG.verifier)
    assert (found.entries, found.checkpoints) == (5_516, 6)


def test_roles_are_kept(ledger: Ledger) -> None:
    with ledger.store.write() as writer:
        writer.add_role(RoleAssignment(actor="bob", role="viewer", entry_index=0))
        writer.add_role(RoleAssignment(actor="ann", role="viewer", entry_index=0))
        writer.add_role(RoleAssignment(actor="ann", role="admin", entry_index=0))
        writer.add_role(RoleAssignment(actor="ann", role="admin", entry_index=0))
        assert len(writer.roles()) == 3
        writer.remove_role("bob", "viewer")
    assert [(one.actor, one.role) for one in ledger.store.roles()] == [("ann", "admin"), ("ann", "viewer")]
    assert ledger.store.roles("bob") == ()
    with pytest.raises(StoreWriteError, match="refused"), ledger.store.write() as writer:
        writer.add_role(RoleAssignment(actor="bob", role="viewer", entry_index=99))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET actor = 'mallory' WHERE entry_index = 0",
        "DELETE FROM entry WHERE entry_index = 0",
        "UPDATE identity SET origin = 'example.com/other'",
        "DELETE FROM identity",
        "UPDATE checkpoint SET note = 'x'",
        "DELETE FROM checkpoint",
        "DELETE FROM tile",
        "UPDATE tile SET number = 7",
    ],
)
def test_the_store_refuses_to_change_what_it_keeps(ledger: Ledger, statement: str) -> None:
    ledger.checkpoint()
    with pytest.raises(StoreWriteError, match="refused"), ledger.store.write() as writer:
        writer._run(statement, ())
    assert ledger.entry(0).actor == "alice"


def test_a_tile_only_grows(ledger: Ledger) -> None:
    before = ledger.store.read_tiles([TilePlace(0, 0)])[TilePlace(0, 0)]
    with pytest.raises(StoreWriteError, match="a tile only grows"), ledger.store.write() as writer:
        writer.add_entries([], {TilePlace(0, 0): b"x" * 64})
    with ledger.store.write() as writer:
        writer.add_entries([], {TilePlace(0, 0): before + b"x" * 32})
    assert ledger.store.read_tiles([TilePlace(0, 0), TilePlace(7, 7)]) == {TilePlace(0, 0): before + b"x" * 32}
