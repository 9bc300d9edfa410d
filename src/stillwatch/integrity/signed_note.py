"""Signed notes, checkpoints, cosignatures and proof files: the text forms of transparency logs.

Takes text and keys. Gives notes as C2SP signed-note v1.0.0 has them, checkpoints as tlog-checkpoint v1.0.0, witness
cosignatures as tlog-cosignature (`cosignature/v1`, Ed25519) and proof files as tlog-proof v1. Parsing is strict: one text has one
reading, and whatever is hostile in it ends in a `SignedNoteError`. Verification returns what a trusted key signed or raises.

The text of a note says nothing until the signature of a key that the reader trusts was verified.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.integrity.errors import (
    CheckpointError,
    KeyTextError,
    SignatureError,
    SignedNoteError,
    TreeProofError,
)
from stillwatch.integrity.merkle import HASH_BYTES, LARGEST_SIZE, leaf_hash, verify_inclusion
from stillwatch.integrity.signing import SIGNATURE_BYTES, SignatureType, SignerKey, VerifierKey, check_key_name
from stillwatch.records.ledger import Checkpoint, Cosignature, InclusionProof

LONGEST_NOTE = 1 << 20
MOST_SIGNATURES = 100
"""Verifiers must accept 16, and should have a limit (C2SP signed-note, Format)."""
LATEST_TIME = 2**63 - 1
"""Of a cosignature (C2SP tlog-cosignature, Format)."""
_MARK = "\u2014 "
_PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_MOST_PROOF_HASHES = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    """4 bytes."""
    signature: bytes
    """What stands behind the key id; its form depends on the key's type."""

    def line(self) -> str:
        """Return the line, with its line break."""
        return f"{_MARK}{self.name} {base64.b64encode(self.key_id + self.signature).decode('ascii')}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text with signatures, not yet verified."""

    text: str
    """With its last line break, without the blank line."""
    signatures: tuple[NoteSignature, ...]

    def whole(self) -> str:
        """Return the note as text."""
        return f"{self.text}\n{''.join(signature.line() for signature in self.signatures)}"


def parse_note(data: str | bytes) -> SignedNote:
    """Read a signed note, without verifying it.

    Raises:
        SignedNoteError: where it departs from the form.
    """
    if len(data) > LONGEST_NOTE:
        raise SignedNoteError(f"signed note: got {len(data)} bytes, expected at most {LONGEST_NOTE}")
    try:
        whole = data.decode() if isinstance(data, bytes) else data
        whole.encode()
    except UnicodeError:
        raise SignedNoteError("signed note: is no valid UTF-8") from None
    if any(character < " " and character != "\n" for character in whole):
        raise SignedNoteError("signed note: holds a control character other than the line break")
    text, blank, block = whole.rpartition("\n\n")
    if not blank or not text:
        raise SignedNoteError("signed note: expected a text, an empty line and signature lines")
    if not block.endswith("\n"):
        raise SignedNoteError("signed note: expected signature lines at the end, each with a line break")
    lines = block.split("\n")[:-1]
    if len(lines) > MOST_SIGNATURES:
        raise SignedNoteError(f"signed note: got {len(lines)} signatures, expected at most {MOST_SIGNATURES}")
    return SignedNote(text=text + "\n", signatures=tuple(parse_signature_line(line) for line in lines))


def parse_signature_line(line: str) -> NoteSignature:
    """Read one signature line, with or without its line break.

    Raises:
        SignedNoteError: where it is none.
    """
    parts = line.removesuffix("\n").removeprefix(_MARK).split(" ")
    if not line.startswith(_MARK) or len(parts) != 2:
        raise SignedNoteError("signed note: a signature line is not: em dash, space, key name, space, base64")
    name, encoded = parts
    try:
        check_key_name(name)
    except KeyTextError as error:
        raise SignedNoteError(f"signed note: {error}") from None
    content = _from_base64(encoded, "a signature")
    if len(content) < 5:
        raise SignedNoteError(f"signed note: got a signature of {len(content)} bytes, expected over 4")
    return NoteSignature(name=name, key_id=content[:4], signature=content[4:])


def sign_note(text: str, signer: SignerKey) -> SignedNote:
    """Sign a text.

    Args:
        text: lines, the last with its line break; no control characters but line breaks.
        signer: key of type `NOTE`.

    Raises:
        SignedNoteError: for a text that no note can carry, or a key of another type.
    """
    if signer.type is not SignatureType.NOTE:
        raise SignedNoteError(f"key {signer.name} is for cosignatures, expected a key for notes")
    verifier = signer.verifier
    signed = NoteSignature(name=signer.name, key_id=verifier.key_id, signature=signer.sign(text.encode()))
    note = SignedNote(text=text, signatures=(signed,))
    if not text.endswith("\n") or parse_note(note.whole()) != note:
        raise SignedNoteError("the text cannot be signed as a note: its last line has no line break")
    return note


def verify_note(note: SignedNote, verifiers: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Check a note by the keys that one trusts.

    Args:
        note: as read.
        verifiers: trusted keys, of both types. Signatures of other keys are ignored, as they must be.

    Returns:
        The keys whose signature was verified, at least one.

    Raises:
        SignatureError: where no trusted key signed, or the signature of one does not verify.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    verified: dict[tuple[str, bytes], VerifierKey] = {}
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if verifier.type is SignatureType.COSIGNATURE:
            verify_cosignature(note.text, signature, verifier)
        else:
            verifier.verify(note.text.encode(), signature.signature)
        verified[(verifier.name, verifier.key_id)] = verifier
    if not verified:
        got = ", ".join(f"{one.name} ({one.key_id.hex()})" for one in note.signatures[:8])
        expected = ", ".join(f"{one.name} ({one.key_id.hex()})" for one in verifiers) or "no key at all"
        raise SignatureError(f"no trusted key signed the note: expected one of {expected}, got {got}")
    return tuple(verified.values())


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """Return the text of a checkpoint (C2SP tlog-checkpoint, Note text).

    Raises:
        CheckpointError: for values that no checkpoint can carry.
    """
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode('ascii')}\n"
    if parse_checkpoint_text(text) != (origin, size, root):
        raise CheckpointError("the checkpoint would not read back as what was given")
    return text


def parse_checkpoint_text(text: str) -> tuple[str, int, bytes]:
    """Read origin, size and root.

    Raises:
        CheckpointError: where the text is not that of a checkpoint. Extension lines are refused: nobody could audit them.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise CheckpointError(f"checkpoint: got {len(lines) - 1} lines, expected origin, size and root")
    origin, digits, encoded = lines[:3]
    if not origin:
        raise CheckpointError("checkpoint: the origin is empty")
    size = _decimal(digits, "checkpoint: the size", CheckpointError)
    try:
        root = _from_base64(encoded, "the root")
    except SignedNoteError as error:
        raise CheckpointError(f"checkpoint: {error}") from None
    if len(root) != HASH_BYTES:
        raise CheckpointError(f"checkpoint: got a root of {len(root)} bytes, expected {HASH_BYTES}")
    return origin, size, root


def sign_checkpoint(origin: str, size: int, root: bytes, signer: SignerKey) -> Checkpoint:
    """Make a checkpoint.

    Raises:
        SignedNoteError: for values that no checkpoint can carry, or a key of another type.
    """
    note = sign_note(checkpoint_text(origin, size, root), signer)
    return Checkpoint(origin=origin, size=size, root=root, note=note.whole())


def verify_checkpoint(data: str | bytes, log: VerifierKey, origin: str | None = None) -> Checkpoint:
    """Read a checkpoint and check the log's signature.

    Args:
        data: the signed note.
        log: the log's key.
        origin: what the first line must be; null for the key's name, which it should match.

    Raises:
        SignedNoteError: where it is no checkpoint.
        SignatureError: where it is not signed by the log, or is that of another log.
    """
    note = parse_note(data)
    verify_note(note, (log,))
    found, size, root = parse_checkpoint_text(note.text)
    expected = log.name if origin is None else origin
    if found != expected:
        raise SignatureError(f"the checkpoint is of another log: expected origin {expected!a}, got {found!a}")
    return Checkpoint(origin=found, size=size, root=root, note=note.whole())


def cosign(note: SignedNote, witness: SignerKey, time_s: int) -> NoteSignature:
    """Cosign a checkpoint, whose consistency the caller has verified.

    Args:
        note: the checkpoint.
        witness: key of type `COSIGNATURE`.
        time_s: seconds since the Unix epoch, UTC.

    Raises:
        SignedNoteError: where the note is no checkpoint, the key is of another type, or the time is out of range.
    """
    parse_checkpoint_text(note.text)
    if witness.type is not SignatureType.COSIGNATURE:
        raise SignedNoteError(f"key {witness.name} is for notes, expected a key for cosignatures")
    if not 0 <= time_s <= LATEST_TIME:
        raise SignedNoteError(f"got the time {time_s}, expected 0 to {LATEST_TIME} seconds")
    signature = struct.pack(">Q", time_s) + witness.sign(_cosigned_message(note.text, time_s))
    return NoteSignature(name=witness.name, key_id=witness.verifier.key_id, signature=signature)


def verify_cosignature(text: str, signature: NoteSignature, witness: VerifierKey) -> int:
    """Check a witness's cosignature over the text of a checkpoint.

    Returns:
        The witness's time: seconds since the Unix epoch, UTC.

    Raises:
        SignatureError: where it does not verify.
    """
    if (signature.name, signature.key_id) != (witness.name, witness.key_id):
        raise SignatureError(
            f"expected a cosignature of {witness.name} ({witness.key_id.hex()}), "
            f"got one of {signature.name} ({signature.key_id.hex()})"
        )
    if len(signature.signature) != 8 + SIGNATURE_BYTES:
        raise SignatureError(
            f"cosignature of {witness.name}: got {len(signature.signature)} bytes, expected {8 + SIGNATURE_BYTES}"
        )
    (time_s,) = struct.unpack(">Q", signature.signature[:8])
    if time_s > LATEST_TIME:
        raise SignatureError(f"cosignature of {witness.name}: got the time {time_s}, expected at most {LATEST_TIME}")
    witness.verify(_cosigned_message(text, time_s), signature.signature[8:])
    return int(time_s)


def with_cosignatures(checkpoint: Checkpoint, cosignatures: Sequence[Cosignature]) -> str:
    """Return a checkpoint's note with its witnesses' lines below the log's."""
    return checkpoint.note + "".join(one.line for one in cosignatures)


def proof_text(proof: InclusionProof, note: str) -> str:
    """Return an inclusion proof as a file that can be verified offline (C2SP tlog-proof v1).

    Args:
        proof: for the size of the checkpoint.
        note: the checkpoint, signed and perhaps cosigned.

    Returns:
        The text; the leaf's bytes stand in the line of extra data, so that nothing else is needed.
    """
    lines = [_PROOF_HEADER, f"extra {base64.b64encode(proof.leaf).decode('ascii')}", f"index {proof.index}"]
    lines += [base64.b64encode(value).decode("ascii") for value in proof.hashes]
    return "\n".join(lines) + "\n\n" + note


def verify_proof_text(
    data: str | bytes, log: VerifierKey, origin: str | None = None
) -> tuple[InclusionProof, Checkpoint]:
    """Read a proof file, and check signature and inclusion.

    Returns:
        The proof, whose leaf is now shown to stand in the log, and the checkpoint.

    Raises:
        SignedNoteError: where it is no proof file with a leaf.
        SignatureError: where the log's key did not sign the checkpoint.
        InclusionProofError: where the leaf is not in the tree of the checkpoint.
    """
    if len(data) > LONGEST_NOTE:
        raise TreeProofError(f"proof: got {len(data)} bytes, expected at most {LONGEST_NOTE}")
    try:
        whole = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise TreeProofError("proof: is no valid UTF-8") from None
    head, _, note = whole.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != _PROOF_HEADER:
        raise TreeProofError(f"proof: expected {_PROOF_HEADER!r} in the first line")
    if len(lines) < 3 or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise TreeProofError("proof: expected a line 'extra' with the leaf and a line 'index'")
    leaf_and_hashes = [_from_base64(line, "a line of the proof") for line in (lines[1][6:], *lines[3:])]
    if len(leaf_and_hashes) > 1 + _MOST_PROOF_HASHES:
        raise TreeProofError(f"proof: got {len(leaf_and_hashes) - 1} hashes, expected at most {_MOST_PROOF_HASHES}")
    checkpoint = verify_checkpoint(note, log, origin)
    proof = InclusionProof(
        index=_decimal(lines[2][6:], "proof: the index", TreeProofError),
        size=checkpoint.size,
        leaf=leaf_and_hashes[0],
        hashes=tuple(leaf_and_hashes[1:]),
    )
    verify_inclusion(leaf_hash(proof.leaf), proof.index, proof.size, proof.hashes, checkpoint.root)
    return proof, checkpoint


def _cosigned_message(text: str, time_s: int) -> bytes:
    """Return what a witness signs (C2SP tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _decimal(digits: str, what: str, kind: type[SignedNoteError]) -> int:
    """Read an ASCII decimal without leading zeroes."""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19 or (digits[0] == "0" and digits != "0"):
        raise kind(f"{what} is no decimal number without leading zeroes")
    value = int(digits)
    if value > LARGEST_SIZE:
        raise kind(f"{what}: got {value}, expected at most {LARGEST_SIZE}")
    return value


def _from_base64(encoded: str, what: str) -> bytes:
    """Read standard base64 (RFC 4648, section 4) in its one canonical writing."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise SignedNoteError(f"signed note: {what} is no base64") from None
    if base64.b64encode(content).decode("ascii") != encoded:
        raise SignedNoteError(f"signed note: {what} is base64 in another than the canonical writing")
    return content
