"""Signed notes, checkpoints, cosignatures and proof files: the specification's own examples, round trips, and hostile text."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.integrity import merkle
from stillwatch.integrity.errors import (
    CheckpointError,
    InclusionProofError,
    IntegrityError,
    SignatureError,
    SignedNoteError,
    TreeProofError,
)
from stillwatch.integrity.signed_note import (
    cosign,
    parse_checkpoint_text,
    parse_note,
    parse_signature_line,
    proof_text,
    sign_checkpoint,
    sign_note,
    verify_checkpoint,
    verify_cosignature,
    verify_note,
    verify_proof_text,
)
from stillwatch.integrity.signing import SignatureType, SignerKey, parse_verifier_key
from stillwatch.records.ledger import InclusionProof

LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
WITNESS = SignerKey(name="witness.example/w1", type=SignatureType.COSIGNATURE, seed=bytes(range(32, 64)))
STRANGER = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(32))
# The example of the Go package golang.org/x/mod/sumdb/note, whose format C2SP signed-note specifies.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of C2SP tlog-cosignature: a checkpoint with its witness's line; the log's key is not published.
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_a_note_of_the_reference_implementation_verifies() -> None:
    key = parse_verifier_key(PETER)
    assert verify_note(parse_note(PETER_NOTE), [key]) == (key,)
    assert key.text() == PETER
    with pytest.raises(SignatureError, match=r"the signature of PeterNeumann \(key c74f20a3\) does not verify"):
        verify_note(parse_note(PETER_NOTE.replace("think", "thank")), [key])


def test_the_checkpoint_of_the_specification_is_read_in_full() -> None:
    note = parse_note(BEHIND_THE_SOFA)
    origin, size, root = parse_checkpoint_text(note.text)
    assert (origin, size) == ("example.com/behind-the-sofa", 20852163)
    assert base64.b64encode(root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert [len(one.signature) for one in note.signatures] == [64, 72]
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1679315147
    assert note.whole() == BEHIND_THE_SOFA


def test_a_checkpoint_signed_and_cosigned_verifies_by_the_public_keys() -> None:
    checkpoint = sign_checkpoint("example.com/log", 7, b"r" * 32, LOG)
    note = parse_note(checkpoint.note)
    line = cosign(note, WITNESS, 1_700_000_000)
    whole = parse_note(checkpoint.note + line.line())
    keys = [LOG.verifier, WITNESS.verifier]
    assert verify_note(whole, keys) == tuple(keys)
    assert verify_cosignature(whole.text, whole.signatures[1], WITNESS.verifier) == 1_700_000_000
    assert verify_checkpoint(checkpoint.note, LOG.verifier) == checkpoint
    later = parse_signature_line(line.line())
    changed = later.signature[:7] + b"\1" + later.signature[8:]
    with pytest.raises(SignatureError, match="does not verify"):
        verify_cosignature(
            whole.text, type(later)(name=later.name, key_id=later.key_id, signature=changed), WITNESS.verifier
        )


def test_keys_that_are_not_trusted_do_not_count() -> None:
    checkpoint = sign_checkpoint("example.com/log", 7, b"r" * 32, LOG)
    with pytest.raises(
        SignatureError, match=r"no trusted key signed the note: expected one of example\.com/log \(\w{8}\), got"
    ):
        verify_checkpoint(checkpoint.note, STRANGER.verifier)
    both = checkpoint.note + sign_checkpoint("example.com/log", 7, b"r" * 32, STRANGER).note.rpartition("\n\n")[2]
    assert verify_note(parse_note(both), [LOG.verifier]) == (LOG.verifier,)
    with pytest.raises(SignatureError, match="no key at all"):
        verify_note(parse_note(both), [])
    with pytest.raises(SignatureError, match=r"expected origin 'example\.com/other', got 'example\.com/log'"):
        verify_checkpoint(checkpoint.note, LOG.verifier, "example.com/other")


def test_a_key_signs_only_what_it_is_for() -> None:
    with pytest.raises(SignedNoteError, match="is for cosignatures"):
        sign_checkpoint("example.com/log", 7, b"r" * 32, WITNESS)
    note = parse_note(sign_checkpoint("example.com/log", 7, b"r" * 32, LOG).note)
    with pytest.raises(SignedNoteError, match="is for notes"):
        cosign(note, LOG, 1)
    with pytest.raises(SignedNoteError, match="got the time -1"):
        cosign(note, WITNESS, -1)
    assert (
        LOG.verifier.key_id != SignerKey(name=LOG.name, type=SignatureType.COSIGNATURE, seed=LOG.seed).verifier.key_id
    )


GOOD = sign_checkpoint("example.com/log", 7, b"r" * 32, LOG).note


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a text, an empty line"),
        ("text\n", "expected a text, an empty line"),
        ("\n\n", "expected a text, an empty line"),
        ("text\n\n", "expected signature lines at the end"),
        ("text\n\n\u2014 name AAAAAAA=", "expected signature lines at the end"),
        ("text\n\n- name AAAAAAA=\n", "em dash, space, key name"),
        ("text\n\n\u2014 na me AAAAAAA=\n", "em dash, space, key name"),
        ("text\n\n\u2014 na+me AAAAAAA=\n", "got the key name 'na\\+me'"),
        ("text\n\n\u2014 na\u00a0me AAAAAAA=\n", "got the key name"),
        ("text\n\n\u2014  AAAAAAA=\n", "got the key name"),
        ("text\n\n\u2014 name AAAA\n", "got a signature of 3 bytes"),
        ("text\n\n\u2014 name AAAAAAA\n", "is no base64"),
        ("text\n\n\u2014 name AAAAAAB=\n", "canonical writing"),
        ("text\n\n\u2014 name \u00c4AAAAAA=\n", "is no base64"),
        ("te\txt\n\n\u2014 name AAAAAAA=\n", "control character"),
        ("te\ud800xt\n\n\u2014 name AAAAAAA=\n", "no valid UTF-8"),
        (b"te\xffxt\n\n", "no valid UTF-8"),
        ("text\n\n" + "\u2014 name AAAAAAA=\n" * 101, "got 101 signatures"),
        ("x" * (2**20 + 1), "expected at most 1048576"),
    ],
)
def test_malformed_notes_are_refused_with_the_reason(text: str | bytes, says: str) -> None:
    with pytest.raises(SignedNoteError, match=says):
        parse_note(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("origin\n7\n", "got 2 lines"),
        ("origin\n7\nAAAA\nextension\n", "got 4 lines"),
        ("\n7\nAAAA\n", "origin is empty"),
        ("origin\n07\nAAAA\n", "no decimal number"),
        ("origin\n-7\nAAAA\n", "no decimal number"),
        ("origin\n\u0667\nAAAA\n", "no decimal number"),
        ("origin\n\nAAAA\n", "no decimal number"),
        ("origin\n9999999999999999999\nAAAA\n", "expected at most"),
        ("origin\n" + "9" * 5000 + "\nAAAA\n", "no decimal number"),
        ("origin\n7\nAAAA\n", "got a root of 3 bytes"),
        ("origin\n7\n????\n", "is no base64"),
    ],
)
def test_malformed_checkpoints_are_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        parse_checkpoint_text(text)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_parsers_fail_in_another_way(data: bytes) -> None:
    for parse in (
        parse_note,
        lambda data: verify_checkpoint(data, LOG.verifier),
        lambda data: verify_proof_text(data, LOG.verifier),
    ):
        with pytest.raises(IntegrityError):
            parse(data)


@given(st.data())
def test_a_checkpoint_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    good = GOOD.encode()
    place = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    changed = good[:place] + bytes([value]) + good[place + 1 :]
    with pytest.raises(IntegrityError):
        verify_checkpoint(changed, LOG.verifier)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.integers(-5, 2**64),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_reads_back_or_is_refused(origin: str, size: int, root: bytes) -> None:
    try:
        checkpoint = sign_checkpoint(origin, size, root, LOG)
    except SignedNoteError:
        return
    read = verify_checkpoint(checkpoint.note, LOG.verifier, origin)
    assert (read.origin, read.size, read.root) == (origin, size, root)


def test_a_proof_file_shows_its_leaf_and_every_change_is_caught() -> None:
    leaves = [b"leaf %d" % number for number in range(5)]
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    tiles = merkle.grow(0, hashes, lambda _: {})
    path = merkle.inclusion_proof(3, 5, lambda _: tiles)
    note = sign_checkpoint("example.com/log", 5, merkle.root_of_leaves(hashes), LOG).note
    text = proof_text(InclusionProof(index=3, size=5, leaf=leaves[3], hashes=path), note)
    proof, checkpoint = verify_proof_text(text, LOG.verifier)
    assert (proof.leaf, proof.index, checkpoint.size) == (b"leaf 3", 3, 5)
    other = base64.b64encode(b"leaf 4").decode()
    for changed, kind in (
        (text.replace("index 3", "index 2"), InclusionProofError),
        (text.replace(base64.b64encode(b"leaf 3").decode(), other), InclusionProofError),
        (text.replace("@v1", "@v2"), TreeProofError),
        (text.replace("extra ", "other "), TreeProofError),
        (text.replace("index 3", "index 03"), TreeProofError),
        (text.replace("\n5\n", "\n6\n"), SignatureError),
        (text.replace("index 3\n", "index 3\n" + "A" * 43 + "=\n" * 1), InclusionProofError),
        (text.replace("index 3\n", "index 3\n" + ("A" * 43 + "=\n") * 64), TreeProofError),
        (b"\xff", TreeProofError),
    ):
        with pytest.raises(kind):
            verify_proof_text(changed, LOG.verifier)


def test_only_a_text_of_lines_is_signed() -> None:
    for text in ("no line break", "a\tb\n", "", "\ud800\n"):
        with pytest.raises((SignedNoteError, UnicodeEncodeError)):
            sign_note(text, LOG)
    assert verify_note(sign_note("one\n\ntwo\n", LOG), [LOG.verifier]) == (LOG.verifier,)
