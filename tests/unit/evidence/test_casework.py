"""Work on cases: commitments in the ledger, fields sealed, two who add at once, erasure."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sample_case as sample
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evidence import verify
from stillwatch.evidence.cases.bundle import case_file_of
from stillwatch.evidence.cases.casework import CaseWork
from stillwatch.evidence.cases.commitments import commit, digest_of
from stillwatch.evidence.cases.errors import CaseError, CaseItemError, CaseKeyError, UnknownCaseError
from stillwatch.evidence.cases.gathering import note_item
from stillwatch.evidence.cases.shredding import CaseKeys
from stillwatch.evidence.ledger import Ledger
from stillwatch.evidence.ledger_audit import audit
from stillwatch.records.case import CaseStatus, ItemKind
from stillwatch.stores.case_opening import open_case_store

PRIVATE = ("Jane Roe", sample.PRIVATE_PROMPT, sample.ACCOUNT, "192.0.2.7", "logs/2026-04-22.jsonl")


@pytest.fixture
def made(tmp_path: Path) -> sample.Sample:
    return sample.make_sample(tmp_path, stamped=False)


def test_the_store_and_the_ledger_hold_no_field_in_clear(made: sample.Sample, tmp_path: Path) -> None:
    made.store.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        dump = "\n".join(connection.iterdump())
        blobs = b"".join(
            row[0] for row in connection.execute("SELECT record FROM entry UNION SELECT sealed FROM case_item")
        )
    connection.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    for text in PRIVATE:
        assert text not in dump
        assert text.encode() not in blobs
        assert text.encode() not in everything


def test_every_act_is_an_entry_that_commits_to_its_item(made: sample.Sample) -> None:
    unsealed = made.work.unsealed(made.case_id)
    assert [one.item.number for one in unsealed] == list(range(10))
    assert unsealed[0].disclosures["title"][1] == "Harvest of Jane Roe"
    for one in unsealed:
        entry = made.ledger.entry(one.item.entry_index)
        assert entry.kind == "case item"
        assert json.loads(entry.record)["fields"] == {
            name: digest_of(name, pair) for name, pair in one.disclosures.items()
        }
    assert [step.actor for step in made.work.custody(made.case_id)] == ["bob"] * 10


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8), st.one_of(st.integers(), st.text(), st.booleans()), min_size=1, max_size=4
    )
)
def test_a_commitment_binds_name_and_value_and_hides_them(fields: dict[str, object]) -> None:
    one = commit("case-000000000000", 1, ItemKind.NOTE, fields)
    again = commit("case-000000000000", 1, ItemKind.NOTE, fields)
    assert one.record != again.record
    committed = json.loads(one.record)["fields"]
    for name, (salt, value) in one.disclosures.items():
        assert digest_of(name, (salt, value)) == committed[name]
        assert digest_of(f"{name}x", (salt, value)) != committed[name]
        assert digest_of(name, (salt, [value])) != committed[name]
        assert digest_of(name, ("00" * 32, value)) != committed[name]


def test_an_item_without_fields_is_refused() -> None:
    with pytest.raises(CaseItemError, match="has no fields"):
        commit("case-000000000000", 1, ItemKind.NOTE, {})


def test_two_who_add_at_once_both_get_a_number(tmp_path: Path) -> None:
    made = sample.make_sample(tmp_path, stamped=False)
    errors: list[BaseException] = []

    def add(actor: str) -> None:
        store = open_case_store(f"sqlite:{tmp_path / 'ledger.db'}")
        try:
            work = CaseWork(Ledger(store, None, made.clock), store, CaseKeys(tmp_path / "keys"))
            for number in range(8):
                work.add(made.case_id, [note_item(f"{actor} {number}")], actor)
        except CaseError as error:
            errors.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=add, args=(name,)) for name in ("bob", "carol", "dave")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    unsealed = made.work.unsealed(made.case_id)
    assert [one.item.number for one in unsealed] == list(range(10 + 24))
    notes = {str(one.disclosures["text"][1]) for one in unsealed[10:]}
    assert notes == {f"{actor} {number}" for actor in ("bob", "carol", "dave") for number in range(8)}


def test_status_changes_and_a_closed_case_takes_no_more(made: sample.Sample) -> None:
    assert made.work.set_status(made.case_id, CaseStatus.UNDER_REVIEW, "carol").status is CaseStatus.UNDER_REVIEW
    made.work.set_status(made.case_id, CaseStatus.CLOSED, "carol")
    with pytest.raises(CaseError, match="is closed and takes no more items"):
        made.work.add(made.case_id, [note_item("late")], "bob")
    assert made.work.set_status(made.case_id, CaseStatus.OPEN, "carol").status is CaseStatus.OPEN
    with pytest.raises(UnknownCaseError, match="there is no case"):
        made.work.case("case-nothere")


def test_erasing_leaves_the_ledger_whole_and_nothing_to_read(made: sample.Sample, tmp_path: Path) -> None:
    before = made.files()
    erased = made.work.erase(made.case_id, "retention ended", "carol")
    assert erased.erased
    assert not (tmp_path / "keys" / f"{made.case_id}.key").exists()
    made.checkpoint(stamped=False)
    done = audit(made.ledger, made.ledger.verifier, None, [])
    assert done.entries == made.ledger.size()
    files = made.files()
    found = verify.verify_bundle(files, sample.verify.Trust(log_key=sample.LOG.verifier.text()))
    assert sorted(found.open) == [8]
    assert "0 fields shown, 62 withheld and still committed to" in found.established[6]
    assert found.case == made.case_id
    for text in PRIVATE:
        assert not [name for name, content in files.items() if text.encode() in content]
    # Who has an older bundle can still show that its fields are the ones that the ledger commits to.
    old = {name: json.loads(before[name])["disclosed"] for name in before if name.startswith("records/")}
    for name, disclosed in old.items():
        fields = json.loads(files[name])["record"].get("fields", {})
        assert all(digest_of(field, (pair[0], pair[1])) == fields[field] for field, pair in disclosed.items())
    with pytest.raises(CaseError, match="was erased before"):
        made.work.erase(made.case_id, "again", "carol")
    with pytest.raises(CaseError, match="is erased and takes no more items"):
        made.work.add(made.case_id, [note_item("late")], "bob")
    assert made.work.title(made.work.case(made.case_id)) is None


def test_an_erasure_that_was_cut_off_can_be_done_again(made: sample.Sample) -> None:
    made.keys.destroy(made.case_id)  # the program died between the key and the store
    assert made.work.erase(made.case_id, "retention ended", "carol").erased


def test_a_key_is_for_its_owner_alone_and_for_its_case(made: sample.Sample, tmp_path: Path) -> None:
    path = tmp_path / "keys" / f"{made.case_id}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    sealed = made.store.case_items(made.case_id)[1].sealed
    with pytest.raises(CaseKeyError, match="cannot be unsealed"):
        made.keys.unseal(made.case_id, 2, sealed)
    with pytest.raises(CaseKeyError, match="cannot be unsealed"):
        made.keys.unseal(made.case_id, 1, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(CaseKeyError, match="expected `case-` and 12 hex digits"):
        made.keys.unseal("../../etc/passwd", 1, sealed)
    path.chmod(0o644)
    with pytest.raises(CaseKeyError, match="mode is 0644, expected 0600"):
        made.work.unsealed(made.case_id)
    path.chmod(0o600)
    path.write_text("noise", encoding="ascii")
    with pytest.raises(CaseKeyError, match="holds no case key"):
        made.work.unsealed(made.case_id)


def test_a_row_changed_in_the_store_is_noticed(made: sample.Sample, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(
            "UPDATE case_item SET sealed = (SELECT sealed FROM case_item WHERE number = 3) WHERE number = 2"
        )
    connection.close()
    with pytest.raises(CaseKeyError, match="item 2 of case-"):
        made.work.unsealed(made.case_id)


def test_the_version_for_sharing_withholds_persons_and_text_and_still_proves(made: sample.Sample) -> None:
    files = made.files(shared=True)
    found = verify.verify_bundle(files, sample.verify.Trust(log_key=sample.LOG.verifier.text()))
    assert sorted(found.open) == [8]
    for text in PRIVATE:
        assert not [name for name, content in files.items() if text.encode() in content], text
    whole = made.files()
    assert any(sample.PRIVATE_PROMPT.encode() in content for content in whole.values())
    assert case_file_of(made.work, made.case_id, made_us=0, version="0", shared=True).title == ""
