"""A bundle against whoever would change it: every byte of every file, and the attacks that have a name."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample_case as sample
import time_stamping_authority

from stillwatch.evidence import verify
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.signed_note import sign_checkpoint, sign_note
from stillwatch.integrity.signing import SignerKey
from stillwatch.integrity.time_stamp import stamp_request

pytestmark = pytest.mark.skipif(
    time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing())
)
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A small bundle."""
    return sample.make_sample(tmp_path_factory.mktemp("small"), small=True).files()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> sample.Sample:
    """The whole sample."""
    return sample.make_sample(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def whole(made: sample.Sample) -> Files:
    """Its bundle."""
    return made.files()


def test_the_samples_pass_every_step(small: Files, whole: Files) -> None:
    assert sample.outcome(small) == 0
    assert sample.outcome(whole) == 0
    found = verify.verify_bundle(whole, sample.trust())
    assert sorted(found.established) == list(verify.STEPS)
    assert found.open == {}


@pytest.mark.slow
def test_a_change_of_any_byte_of_any_file_is_caught(small: Files) -> None:
    """Every byte of every file is changed, one at a time; which other value it gets goes round with its place."""
    tried = 0
    for name, content in small.items():
        changed = bytearray(content)
        for place, byte in enumerate(content):
            changed[place] = byte ^ (1 + place % 255)
            assert sample.outcome({**small, name: bytes(changed)}) > 0, f"{name}: byte {place}"
            changed[place] = byte
            tried += 1
    assert tried == sum(map(len, small.values())) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.note", "ledger/log.vkey"])
def test_no_byte_of_what_signs_the_rest_has_a_second_writing(small: Files, name: str) -> None:
    """The two files on which all others hang: every bit of every byte, and all of them."""
    for place, other in itertools.product(range(len(small[name])), (1, 2, 4, 8, 16, 32, 64, 128, 255)):
        changed = bytearray(small[name])
        changed[place] ^= other
        assert sample.outcome({**small, name: bytes(changed)}) > 0, f"byte {place} with {other}"


def test_every_truncation_extension_removal_and_addition_is_caught(small: Files) -> None:
    for name, content in small.items():
        for cut in {0, 1, len(content) // 2, len(content) - 1} - {len(content)}:
            assert sample.outcome({**small, name: content[:cut]}) > 0, f"{name} cut at {cut}"
        for more in (b"\n", b" ", b"\0"):
            assert sample.outcome({**small, name: content + more}) > 0, f"{name} with {more!r}"
        if name != "manifest.json":
            assert sample.outcome({one: small[one] for one in small if one != name}) > 0, f"{name} removed"
        assert sample.outcome({**small, f"more/{name}": content}) > 0


def test_every_exchange_of_two_files_is_caught(small: Files) -> None:
    for left, right in itertools.combinations(small, 2):
        if small[left] != small[right]:
            assert sample.outcome({**small, left: small[right], right: small[left]}) > 0, f"{left} and {right}"


def resigned(files: Files, signer: SignerKey = sample.LOG, **manifest_fields: Any) -> Files:
    """Make the manifest anew over changed files, as somebody does who holds a key."""
    inner = {name: content for name, content in files.items() if name not in {"manifest.json", "manifest.note"}}
    manifest = json.loads(files["manifest.json"]) | manifest_fields
    manifest["files"] = [
        {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(inner.items())
    ]
    content = canonical_bytes(manifest)
    text = f"{manifest['format']}\n{manifest['case']}\n{manifest['made_us']}\n{hashlib.sha256(content).hexdigest()}\n"
    return {**inner, "manifest.json": content, "manifest.note": sign_note(text, signer).whole().encode()}


def edited(files: Files, name: str, change: Callable[[Any], Any]) -> Files:
    """Change a JSON file, and make the manifest anew with the log's own key."""
    value = json.loads(files[name])
    replaced = change(value)
    return resigned({**files, name: canonical_bytes(value if replaced is None else replaced)})


def records(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("records/"))


def without(files: Files, *names: str) -> Files:
    return {name: content for name, content in files.items() if name not in names}


def checkpoint_names(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("ledger/checkpoints/"))


# --- by somebody who does not hold the log's key -------------------------------------------------------------------------


def all_signed_by_an_own_key(files: Files) -> Files:
    """Sign checkpoints and manifest with an own key of the same name."""
    changed = {**files, "ledger/log.vkey": f"{sample.ATTACKER.verifier.text()}\n".encode()}
    for name in checkpoint_names(files):
        lines = files[name].decode().split("\n")
        root = verify._strict_base64(2, lines[2])
        changed[name] = sign_checkpoint(lines[0], int(lines[1]), root, sample.ATTACKER).note.encode()
    return resigned(changed, sample.ATTACKER)


def signed_by_an_own_key(files: Files) -> Files:
    """Sign the manifest with an own key, and leave the log's key in place."""
    return resigned(files, sample.ATTACKER)


def an_older_manifest(files: Files) -> Files:
    """Put the signature of another manifest in place."""
    other = resigned(without(files, "README.txt"))
    return {**files, "manifest.note": other["manifest.note"]}


def a_second_signature(files: Files) -> Files:
    """Add a line of another key below the log's."""
    line = sign_note("x\n", sample.ATTACKER).signatures[0].line().encode()
    return {**files, "manifest.note": files["manifest.note"] + line}


# --- by somebody who holds the log's key, and so can sign the manifest anew ----------------------------------------------


def a_changed_record(files: Files) -> Files:
    """Change what an entry committed to."""
    return edited(files, records(files)[2], lambda one: one["record"].update(kind="note"))


def a_changed_digest_too(files: Files) -> Files:
    """Change a record and its digest."""

    def change(one: dict[str, Any]) -> None:
        one["record"]["kind"] = "note"
        one["record_digest"] = "sha256:" + hashlib.sha256(canonical_bytes(one["record"])).hexdigest()

    return edited(files, records(files)[2], change)


def another_actor(files: Files) -> Files:
    """Say that somebody else added it."""
    return edited(files, records(files)[1], lambda one: one.update(actor="mallory"))


def an_earlier_time(files: Files) -> Files:
    """Say that it was recorded a day earlier."""
    return edited(files, records(files)[1], lambda one: one.update(recorded_us=one["recorded_us"] - sample.DAY_US))


def records_in_another_order(files: Files) -> Files:
    """Exchange two entries, with their names."""
    left, right = records(files)[1:3]
    one, two = json.loads(files[left]), json.loads(files[right])
    one["index"], two["index"] = two["index"], one["index"]
    return resigned({**files, left: canonical_bytes(two), right: canonical_bytes(one)})


def a_record_left_out(files: Files) -> Files:
    """Leave an exhibit out of the middle."""
    return resigned(without(files, records(files)[3]))


def the_last_records_left_out(files: Files) -> Files:
    """Leave the last item off the end."""
    return resigned(without(files, records(files)[-1]))


def the_last_records_left_out_and_miscounted(files: Files) -> Files:
    """Leave the last two items off the end, and count as if it were one."""
    return resigned(without(files, *records(files)[-2:]), items=len(records(files)) - 1)


def a_changed_field(files: Files) -> Files:
    """Show another value of a field than was committed to."""
    name = records(files)[3]
    return edited(files, name, lambda one: next(iter(one["disclosed"].values())).__setitem__(1, "another"))


def a_field_that_was_not_there(files: Files) -> Files:
    """Show a field that the record does not commit to."""
    return edited(files, records(files)[3], lambda one: one["disclosed"].update(confession=["00", "yes"]))


def a_value_of_another_field(files: Files) -> Files:
    """Show the salt and value of one field under the name of another."""

    def change(one: dict[str, Any]) -> None:
        names = sorted(one["disclosed"])
        one["disclosed"][names[0]] = one["disclosed"][names[1]]

    return edited(files, records(files)[3], change)


def a_record_of_another_case(files: Files) -> Files:
    """Say that the bundle is of another case."""
    return resigned(files, case="case-000000000000")


def a_statement_without_a_record(files: Files) -> Files:
    """Let a statement rest on an entry that is not in the bundle."""
    return edited(files, "case.json", lambda one: _statement(one).update(entries=[999]))


def a_statement_on_nothing(files: Files) -> Files:
    """Let a statement rest on nothing."""
    return edited(files, "case.json", lambda one: _statement(one).update(entries=[]))


def a_statement_without_a_label(files: Files) -> Files:
    """Take the label off a statement."""
    return edited(files, "case.json", lambda one: _statement(one).update(label="certain"))


def _statement(document: dict[str, Any]) -> dict[str, Any]:
    return next(one["statements"][0] for one in document["elements"] if one["statements"])


def an_old_checkpoint_without_its_proof(files: Files) -> Files:
    """Show the checkpoint from the middle of the case as the last one, and drop the proofs that do not fit."""
    last = checkpoint_names(files)[-1]
    late = [name for name in files if name.startswith(f"time/{last[-17:-5]}")]
    old = without(files, last, *late)
    size = str(int(checkpoint_names(files)[-2][-17:-5]))
    return edited(old, "ledger/consistency.json", lambda one: {name: [] for name in one if name != size})


def a_rewritten_log(files: Files) -> Files:
    """Sign another root of the same size."""
    last = checkpoint_names(files)[-1]
    return resigned(
        {**files, last: sign_checkpoint("example.com/log", int(last[-17:-5]), bytes(32), sample.LOG).note.encode()}
    )


def a_checkpoint_of_another_log(files: Files) -> Files:
    """Put in a checkpoint whose origin is another log."""
    last = checkpoint_names(files)[-1]
    return resigned({**files, last: sign_note(f"example.com/other\n19\n{'A' * 43}=\n", sample.LOG).whole().encode()})


def checkpoints_in_another_order(files: Files) -> Files:
    """Exchange two checkpoints."""
    left, right = checkpoint_names(files)[:2]
    return resigned({**files, left: files[right], right: files[left]})


def a_proof_of_consistency_cut(files: Files) -> Files:
    """Cut a consistency proof by a hash."""
    return edited(files, "ledger/consistency.json", lambda one: one[max(one)].pop() and None)


def a_proof_of_inclusion_cut(files: Files) -> Files:
    """Cut an inclusion proof by a hash."""
    return edited(files, records(files)[1], lambda one: one["proof"].pop() and None)


def a_proof_of_inclusion_too_long(files: Files) -> Files:
    """Add a hash to an inclusion proof."""
    return edited(files, records(files)[1], lambda one: one["proof"].append("00" * 32))


def a_file_in_another_writing(files: Files) -> Files:
    """Write a record with blanks, which JSON readers do not see."""
    name = records(files)[1]
    return resigned({**files, name: json.dumps(json.loads(files[name])).encode()})


def a_name_twice_in_an_object(files: Files) -> Files:
    """Write a name twice, which readers resolve differently."""
    name = records(files)[1]
    return resigned({**files, name: files[name].replace(b'{"actor":', b'{"actor":"x","actor":', 1)})


# --- time stamps ---------------------------------------------------------------------------------------------------------


def stamp_name(files: Files) -> str:
    return max(name for name in files if name.endswith(".tsr"))


def stamped_note(files: Files) -> bytes:
    return files[checkpoint_names(files)[-1]]


_authorities: list[time_stamping_authority.Authority] = []


def other_authority(tmp: Path) -> time_stamping_authority.Authority:
    """An authority with the same names and serial numbers, and keys of its own."""
    if not _authorities:
        _authorities.append(time_stamping_authority.Authority(tmp / "other"))
    return _authorities[0]


def forged_token(files: Files, tmp: Path) -> Files:
    """Stamp the checkpoint with an authority of one's own that has the same name."""
    reply = other_authority(tmp).reply(stamp_request(stamped_note(files)))
    return resigned({**files, stamp_name(files): reply})


def token_over_other_bytes(files: Files, tmp: Path) -> Files:
    """Put in a real token of the trusted authority over something else."""
    del tmp
    return resigned({**files, stamp_name(files): sample.authority().reply(stamp_request(b"something else"))})


def swapped_certificate(files: Files, tmp: Path) -> Files:
    """Put another certificate of the same issuer name and serial number into the token."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    real, other = (
        x509.load_pem_x509_certificate(one.signer.read_bytes()).public_bytes(Encoding.DER)
        for one in (sample.authority(), other_authority(tmp))
    )
    reply = files[stamp_name(files)]
    assert real in reply
    assert len(real) == len(other)
    return resigned({**files, stamp_name(files): reply.replace(real, other)})


def token_with_a_later_time(files: Files, tmp: Path) -> Files:
    """Change the time inside a real token."""
    del tmp
    reply = bytearray(files[stamp_name(files)])
    place = reply.index(b"\x18\x1b20") if b"\x18\x1b20" in reply else reply.index(b"20", reply.index(b"\x18"))
    place = reply.index(b"20", place)
    reply[place + 3] ^= 1
    return resigned({**files, stamp_name(files): bytes(reply)})


def token_that_was_refused(files: Files, tmp: Path) -> Files:
    """Say in the reply that the stamp was not granted."""
    del tmp
    reply = files[stamp_name(files)]
    assert b"\x30\x03\x02\x01\x00" in reply[:12]
    return resigned({**files, stamp_name(files): reply.replace(b"\x30\x03\x02\x01\x00", b"\x30\x03\x02\x01\x02", 1)})


def token_of_another_checkpoint(files: Files, tmp: Path) -> Files:
    """Exchange the tokens of two checkpoints."""
    del tmp
    first, second = sorted(name for name in files if name.endswith(".tsr"))
    return resigned({**files, first: files[second], second: files[first]})


def token_for_no_checkpoint(files: Files, tmp: Path) -> Files:
    """Add a token for a checkpoint that is not in the bundle."""
    del tmp
    return resigned({**files, "time/000000000099-00.tsr": files[stamp_name(files)]})


def token_of_noise(files: Files, tmp: Path) -> Files:
    """Put in bytes that are no token."""
    del tmp
    return resigned({**files, stamp_name(files): b"\x30\x84\xff\xff\xff\xff"})


ATTACKS: tuple[tuple[Callable[[Files], Files], int, str], ...] = (
    (all_signed_by_an_own_key, 1, "not of the one that you trust"),
    (signed_by_an_own_key, 1, "signed by another key"),
    (an_older_manifest, 1, "signed for another manifest"),
    (a_second_signature, 1, "one signature of the log's key"),
    (a_changed_record, 4, "not the one of its entry"),
    (a_changed_digest_too, 5, "its proof ends at another root"),
    (another_actor, 5, "its proof ends at another root"),
    (an_earlier_time, 5, "its proof ends at another root"),
    (records_in_another_order, 5, "its proof ends at another root"),
    (a_record_left_out, 6, "without a gap"),
    (the_last_records_left_out, 7, "number of items"),
    (the_last_records_left_out_and_miscounted, 7, "number of items"),
    (a_changed_field, 6, "is not what the record commits to"),
    (a_field_that_was_not_there, 6, "is not one that the record commits to"),
    (a_value_of_another_field, 6, "is not what the record commits to"),
    (a_record_of_another_case, 6, "is no item of"),
    (a_statement_without_a_record, 7, "names records that are not here"),
    (a_statement_on_nothing, 7, "names records that are not here"),
    (a_statement_without_a_label, 7, "has no label"),
    (an_old_checkpoint_without_its_proof, 3, "is empty or the wrong way round"),
    (a_rewritten_log, 3, "does not continue"),
    (a_checkpoint_of_another_log, 2, "a checkpoint is not"),
    (checkpoints_in_another_order, 2, "ascending, each size once"),
    (a_proof_of_consistency_cut, 3, "does not continue"),
    (a_proof_of_inclusion_cut, 5, "another root"),
    (a_proof_of_inclusion_too_long, 5, "too long"),
    (a_file_in_another_writing, 4, "not in canonical form"),
    (a_name_twice_in_an_object, 4, "no JSON"),
)
TIME_ATTACKS: tuple[tuple[Callable[[Files, Path], Files], str], ...] = (
    (forged_token, "does not lead to an authority that you trust"),
    (token_over_other_bytes, "over other bytes than the checkpoint"),
    (swapped_certificate, "bound to another certificate"),
    (token_with_a_later_time, "changed after it was signed"),
    (token_that_was_refused, "was not granted"),
    (token_of_another_checkpoint, "over other bytes than the checkpoint"),
    (token_for_no_checkpoint, "for no checkpoint of this bundle"),
    (token_of_noise, "no DER of RFC 3161"),
)


@pytest.mark.parametrize(("attack", "step", "says"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_an_attack_fails_at_its_step(whole: Files, attack: Callable[[Files], Files], step: int, says: str) -> None:
    with pytest.raises(verify.VerificationError) as caught:
        verify.verify_bundle(attack(whole), sample.trust())
    assert (caught.value.step, says in caught.value.reason) == (step, True), str(caught.value)


@pytest.mark.parametrize(("attack", "says"), TIME_ATTACKS, ids=[attack.__name__ for attack, _ in TIME_ATTACKS])
def test_an_attack_on_time_fails_at_step_8(
    whole: Files, attack: Callable[[Files, Path], Files], says: str, tmp_path: Path
) -> None:
    with pytest.raises(verify.VerificationError) as caught:
        verify.verify_bundle(attack(whole, tmp_path), sample.trust())
    assert (caught.value.step, says in caught.value.reason) == (8, True), str(caught.value)


def test_what_the_holder_of_the_logs_key_can_still_do_is_seen_by_whoever_has_another_export(whole: Files) -> None:
    """The last note is left out and the count made to fit: no step can know of it. docs/evidence.md says so."""
    fewer = resigned(without(whole, records(whole)[-1]), items=len(records(whole)) - 1)
    assert sample.outcome(fewer) == 0
    assert set(records(whole)) - set(records(fewer)) == {records(whole)[-1]}


def test_an_old_checkpoint_replayed_with_its_proofs_does_not_cover_the_later_entries(
    made: sample.Sample, whole: Files
) -> None:
    first, middle, last = (int(name[-17:-5]) for name in checkpoint_names(whole))
    old = without(whole, *(name for name in whole if f"{last:012d}" in name))
    proof = [value.hex() for value in made.ledger.prove_consistency(first, middle).hashes]
    old["ledger/consistency.json"] = canonical_bytes({str(first): proof})
    for name in records(old):
        one = json.loads(old[name])
        if one["index"] < middle:
            one["proof"] = [value.hex() for value in made.ledger.prove(one["index"], middle).hashes]
            old[name] = canonical_bytes(one)
    with pytest.raises(verify.VerificationError, match="after the last checkpoint of 13 entries") as caught:
        verify.verify_bundle(resigned(old), sample.trust())
    assert caught.value.step == 5


def test_an_old_bundle_replayed_is_caught_by_whoever_saw_a_newer_checkpoint(made: sample.Sample, whole: Files) -> None:
    later = replace(sample.trust(), seen=b"")
    made.ledger.append([sample.NewEntry(kind="other", actor="alice", record=b"{}")])
    made.checkpoint()
    seen = made.ledger.checkpoints()[-1].note.encode()
    with pytest.raises(verify.VerificationError, match="it is an old state of the log") as caught:
        verify.verify_bundle(whole, replace(later, seen=seen))
    assert caught.value.step == 3
    newer = made.files()
    assert sample.outcome(newer, replace(later, seen=seen)) == 0


def test_a_log_that_was_rewritten_is_caught_by_whoever_saw_it_before(whole: Files) -> None:
    name = checkpoint_names(whole)[1]
    seen = sign_checkpoint("example.com/log", int(name[-17:-5]), bytes(32), sample.LOG).note.encode()
    with pytest.raises(verify.VerificationError, match="the log was rewritten"):
        verify.verify_bundle(whole, replace(sample.trust(), seen=seen))


def test_a_back_dated_entry_is_caught_by_the_time_stamp(tmp_path: Path) -> None:
    """The log's clock says a later time than the authority's stamp over the entry."""
    made = sample.make_sample(tmp_path, stamped=False)
    made.clock.now_us += sample.DAY_US
    made.work.add(made.case_id, [sample.note_item("from tomorrow")], "bob")
    made.checkpoint()
    with pytest.raises(verify.VerificationError, match="recorded after the time stamp that covers it"):
        verify.verify_bundle(made.files(), sample.trust())


def test_without_trust_from_elsewhere_the_verifier_says_what_it_could_not_establish(whole: Files) -> None:
    found = verify.verify_bundle(whole, verify.Trust())
    assert sorted(found.open) == [1, 2, 8]
    assert "anybody may have signed this" in found.open[1]
    assert "anybody can make such" in found.open[8]
    assert sorted(verify.verify_bundle(all_signed_by_an_own_key(whole_without_stamps(whole)), verify.Trust()).open) == [
        1,
        2,
        8,
    ]


def whole_without_stamps(files: Files) -> Files:
    return resigned({name: content for name, content in files.items() if not name.startswith("time/")})


def test_a_bundle_without_time_stamps_is_open_at_step_8(whole: Files) -> None:
    found = verify.verify_bundle(whole_without_stamps(whole), sample.trust())
    assert list(found.open) == [8]
    assert "rests on the log's own clock" in found.open[8]


def test_entries_after_the_last_stamp_are_said_to_be_uncovered(tmp_path: Path) -> None:
    made = sample.make_sample(tmp_path)
    made.work.add(made.case_id, [sample.note_item("later")], "bob")
    made.checkpoint(stamped=False)
    found = verify.verify_bundle(made.files(), sample.trust())
    assert found.open[8].startswith("1 entries are covered by no time stamp")
