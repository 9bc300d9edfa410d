"""Check a stillwatch case bundle. This file stands alone: Python 3.11 or later and the library `cryptography` are all it needs.

    python verify.py BUNDLE --log-key LOG.vkey --authority ROOT.pem

Takes a bundle, a folder or a zip, and what the reader trusts. Goes through the numbered `STEPS`, offline. Gives what was established and
what could not be, or raises `VerificationError` with the step and the reason. Nothing inside a bundle is trusted: whoever can write a bundle
can sign it with a key of their own, so the log's key and the authority's root must come from elsewhere; without them the
verifier says what it could not establish. With `--seen` a checkpoint that was seen before, it makes sure that the log continues it.

Exit codes: 0 every step passed; 1 a step failed; 2 nothing failed, but something could not be established; 3 it could not be read.

Formats: C2SP signed-note and tlog-checkpoint v1; RFC 6962 hashing, RFC 9162 2.1.3.2 and 2.1.4.2 proofs; RFC 8785 order of names in JSON; RFC 3161
and RFC 5652 time stamps. What it does not check: whether a statement follows from the records that it names. That is for the reader.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import stat
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

STEPS = {
    1: "the manifest is signed by the log's key, and every file is the one that it names",
    2: "every checkpoint is signed by the log's key",
    3: "each checkpoint continues those before it, and the one that you saw",
    4: "every record is canonical and belongs to its entry",
    5: "every entry stands in the log of the last checkpoint",
    6: "what is shown of a record is what the log commits to, and no item of the case is missing",
    7: "every statement of the case names records that are here",
    8: "time stamps of an authority that you trust cover every entry",
}
BUNDLE_FORMAT = "stillwatch-case-bundle/v1"
MOST_BYTES = 1 << 30
MOST_FILES = 200_000
CLOCK_TOLERANCE_US = 300_000_000
"""The log's clock may be ahead of the authority's by five minutes."""
MANIFEST, MANIFEST_NOTE, LOG_KEY = "manifest.json", "manifest.note", "ledger/log.vkey"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class VerificationError(Exception):
    """A step failed."""

    def __init__(self, step: int, reason: str) -> None:
        """Take the number of the step and the reason."""
        super().__init__(f"step {step}, {STEPS[step]}: {reason}")
        self.step = step
        self.reason = reason


class UnreadableBundleError(Exception):
    """There is no bundle that could be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the reader trusts, and has from elsewhere than the bundle."""

    log_key: str | None = None
    """Public key of the log: `name+keyid+base64`."""
    authorities: bytes = b""
    """PEM of the root certificates of time-stamping authorities."""
    seen: bytes = b""
    """A checkpoint of the log that the reader saw before."""
    witnesses: tuple[str, ...] = ()
    """Public keys of witnesses whose cosignature the reader asks for."""


@dataclass(slots=True, kw_only=True)
class Verification:
    """What came out: the case, what each step established, and what could not be established."""

    case: str = ""
    established: dict[int, str] = field(default_factory=dict)
    open: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An Ed25519 key of a log."""

    name: str
    key_id: bytes
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint."""

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A verified time stamp."""

    size: int
    """Entries that it covers."""
    time_us: int
    authority: str


def verify_bundle(files: Mapping[str, bytes], trust: Trust) -> Verification:
    """Go through all steps.

    Args:
        files: content of every file of the bundle, by its name with `/`.
        trust: what the reader trusts.

    Returns:
        What was established, and what could not be. Nothing failed.

    Raises:
        VerificationError: naming the step and the reason.
    """
    found = Verification()
    key = read_key(1, files.get(LOG_KEY, b"").decode("utf-8", "replace"))
    if trust.log_key is not None and read_key(1, trust.log_key) != key:
        raise VerificationError(
            1, f"the bundle is of the log {key.name!a} ({key.key_id.hex()}), not of the one that you trust"
        )
    # (1) who made the bundle, and that no byte of it was changed since
    manifest = _check_manifest(files, key)
    found.case = manifest["case"]
    _note(
        found, 1, f"{len(files)} files of {found.case}, log {key.name} ({key.key_id.hex()})", trust.log_key is not None
    )
    # (2) the log's own statements of its size and root
    checkpoints = _check_checkpoints(files, key)
    last = checkpoints[-1]
    witnessed = _check_witnesses(files, last, trust)
    _note(
        found,
        2,
        f"checkpoints: {len(checkpoints)}, the last of {last.size} entries{witnessed}",
        trust.log_key is not None,
    )
    # (3) that the log was never rewritten between them
    seen = _check_consistency(files, checkpoints, key, trust)
    found.established[3] = (
        f"all continue one another, and the one of {seen} entries that you saw"
        if trust.seen
        else "all continue one another; you gave none that you saw before (--seen), so this may be an older state of the log"
    )
    # (4) and (5): that these entries are in it, byte for byte
    entries = _check_records(files)
    found.established[4] = f"{len(entries)} entries"
    _check_inclusion(entries, last)
    found.established[5] = f"{len(entries)} entries in the tree of {last.size}, root {last.root.hex()}"
    # (6) that nothing was put into them or left out of the case
    shown, withheld = _check_disclosures(entries, found.case)
    found.established[6] = f"{shown} fields shown, {withheld} withheld and still committed to"
    # (7) that the case says nothing without a record
    found.established[7] = f"{_check_statements(files, entries, manifest)} statements"
    # (8) when it was, by a clock that is not the log's
    with warnings.catch_warnings():  # whoever made the bundle would choose what is said of its certificates
        warnings.simplefilter("ignore")
        _check_time(files, checkpoints, entries, trust, found)
    return found


def read_bundle(path: str) -> dict[str, bytes]:
    """Read a folder or a zip into memory; no link is followed and nothing is unpacked.

    Args:
        path: of the bundle.

    Raises:
        UnreadableBundleError: where it is no bundle, or too large, or has a name that no bundle has.
    """
    try:
        pairs = dict(_read_folder(path) if os.path.isdir(path) else _read_zip(path))  # noqa: PTH112
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, binascii.Error) as error:
        raise UnreadableBundleError(f"{path} cannot be read: {type(error).__name__}") from error
    if MANIFEST not in pairs:
        raise UnreadableBundleError(f"{path} holds no {MANIFEST}: it is no case bundle")
    return pairs


def canonical(value: Any) -> bytes:
    """Return canonical JSON: no blanks, names ordered by UTF-16 code units, shortest escapes, no negative zero."""
    options: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    text = json.dumps(value, sort_keys=True, **options)
    if (
        max(text, default="") >= "\ud800" or "-0.0" in text
    ):  # only then do the two orders differ, or a zero need its sign taken
        text = json.dumps(_ordered(value), **options)
    return text.encode()


def main(arguments: Sequence[str]) -> int:
    """Check the bundle that a command line names, and say so on standard output.

    Args:
        arguments: without the program's name.

    Returns:
        Exit code.
    """
    parser = argparse.ArgumentParser(description="Check a stillwatch case bundle, offline.")
    parser.add_argument("bundle", help="folder or zip")
    parser.add_argument("--log-key", help="file with the log's public key, from elsewhere than the bundle")
    parser.add_argument(
        "--authority", action="append", default=[], help="PEM file with the root of a time-stamping authority"
    )
    parser.add_argument(
        "--witness", action="append", default=[], help="file with the public key of a witness that must have cosigned"
    )
    parser.add_argument("--seen", help="file with a checkpoint of the log that you saw before")
    given = parser.parse_args(arguments)
    say = sys.stdout.write
    try:
        trust = Trust(
            log_key=None if given.log_key is None else _read_file(given.log_key).decode("utf-8", "replace"),
            authorities=b"\n".join(_read_file(path) for path in given.authority),
            seen=b"" if given.seen is None else _read_file(given.seen),
            witnesses=tuple(_read_file(path).decode("utf-8", "replace") for path in given.witness),
        )
        found = verify_bundle(read_bundle(given.bundle), trust)
    except (OSError, UnreadableBundleError) as error:
        say(f"UNREADABLE {error}\n")
        return 3
    except VerificationError as error:
        say(f"FAILED {error}\n")
        return 1
    for number, title in STEPS.items():
        word = "OPEN" if number in found.open else "ok"
        say(f"{word:5}{number}  {title}: {found.open.get(number) or found.established[number]}\n")
    if found.open:
        say(f"Nothing failed in {found.case}, but steps {', '.join(map(str, found.open))} could not be established.\n")
        return 2
    say(f"Every step passed for {found.case}.\n")
    return 0


# --- (1) manifest and files ---------------------------------------------------------------------------------------------


def _check_manifest(files: Mapping[str, bytes], key: Key) -> dict[str, Any]:
    """Check names, sizes, digests and signature; return the manifest."""
    content = files[MANIFEST]
    manifest = _canonical_object(1, content, MANIFEST)
    listed = {
        str(one.get("path")): one
        for one in _objects(1, manifest.get("files"), MANIFEST)
        if set(one) == {"path", "size", "sha256"}
    }
    if manifest.get("format") != BUNDLE_FORMAT or not re.fullmatch(r"case-[0-9a-f]{12}", str(manifest.get("case"))):
        raise VerificationError(1, f"{MANIFEST} is of another format than {BUNDLE_FORMAT}")
    names = set(files) - {MANIFEST, MANIFEST_NOTE}
    if len(listed) != len(manifest["files"]) or names != set(listed):
        missing, more = sorted(set(listed) - names)[:3], sorted(names - set(listed))[:3]
        raise VerificationError(1, f"files missing: {missing}; files that the manifest does not name: {more}")
    for name, one in listed.items():
        if len(files[name]) != one["size"] or hashlib.sha256(files[name]).hexdigest() != one["sha256"]:
            raise VerificationError(1, f"{name} is not the file that the manifest names")
    digest = hashlib.sha256(content).hexdigest()
    expected = f"{BUNDLE_FORMAT}\n{manifest['case']}\n{manifest.get('made_us')}\n{digest}\n"
    if _verified_note(1, files.get(MANIFEST_NOTE, b""), key).decode() != expected:
        raise VerificationError(1, f"{MANIFEST_NOTE} is signed for another manifest")
    return manifest


# --- (2) and (3) checkpoints --------------------------------------------------------------------------------------------


def _check_checkpoints(files: Mapping[str, bytes], key: Key) -> list[Checkpoint]:
    """Check every checkpoint; return them by size."""
    names = sorted(name for name in files if name.startswith("ledger/checkpoints/"))
    found = [_read_checkpoint(2, files[name], key) for name in names]
    sizes = [one.size for one in found]
    if not found or sizes != sorted(set(sizes)):
        raise VerificationError(
            2, f"got checkpoints of sizes {sizes[:10]}, expected one or more, ascending, each size once"
        )
    return found


def _check_witnesses(files: Mapping[str, bytes], last: Checkpoint, trust: Trust) -> str:
    """Check that every witness that the reader named cosigned the last checkpoint (C2SP tlog-cosignature, `cosignature/v1`)."""
    lines = files.get(f"ledger/witnesses/{last.size:012d}.txt", b"").decode("utf-8", "replace").split("\n")
    text = last.note.rpartition(b"\n\n")[0] + b"\n"
    said = ""
    for given in trust.witnesses:
        witness = read_key(2, given, kind=4)
        head = f"\u2014 {witness.name} "
        signatures = [_strict_base64(2, line[len(head) :]) for line in lines if line.startswith(head)]
        signature = next((one for one in signatures if one[:4] == witness.key_id and len(one) == 76), b"")
        if not signature:
            raise VerificationError(2, f"the witness {witness.name!a} did not cosign the last checkpoint")
        time_s = int.from_bytes(signature[4:12], "big")
        try:
            public = ed25519.Ed25519PublicKey.from_public_bytes(witness.public)
            public.verify(signature[12:], f"cosignature/v1\ntime {time_s}\n".encode() + text)
        except (InvalidSignature, ValueError):
            raise VerificationError(2, f"the cosignature of {witness.name!a} does not verify") from None
        said += f", cosigned by {witness.name} at {_iso(time_s * 1_000_000)}"
    return said


def _read_checkpoint(step: int, note: bytes, key: Key) -> Checkpoint:
    """Check the signature of a checkpoint, and read it."""
    lines = _verified_note(step, note, key).decode().split("\n")
    if len(lines) != 4 or lines[0] != key.name or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise VerificationError(step, "a checkpoint is not: origin (the key's name), size, root")
    root = _strict_base64(step, lines[2])
    if len(root) != 32:
        raise VerificationError(step, f"a checkpoint has a root of {len(root)} bytes, expected 32")
    return Checkpoint(size=int(lines[1]), root=root, note=note)


def _check_consistency(files: Mapping[str, bytes], checkpoints: Sequence[Checkpoint], key: Key, trust: Trust) -> int:
    """Check that the last checkpoint continues all others, and the one that was seen; return the size of that."""
    document = _canonical_object(3, files.get("ledger/consistency.json", b""), "ledger/consistency.json")
    last = checkpoints[-1]
    for one in checkpoints[:-1]:
        hashes = _hashes(3, document.get(str(one.size)))
        _check_continues(one.size, last.size, one.root, last.root, hashes)
    if set(document) != {str(one.size) for one in checkpoints[:-1]}:
        raise VerificationError(3, "there are consistency proofs for checkpoints that are not here")
    if not trust.seen:
        return 0
    seen = _read_checkpoint(3, trust.seen, key)
    if seen.size > last.size:
        raise VerificationError(
            3, f"the bundle ends at {last.size} entries, and you saw {seen.size}: it is an old state of the log"
        )
    same = next((one for one in checkpoints if one.size == seen.size), None)
    if same is not None and same.root != seen.root:
        raise VerificationError(
            3, f"at {seen.size} entries the bundle has another root than you saw: the log was rewritten"
        )
    if same is None:
        raise VerificationError(
            3, f"the bundle has no checkpoint of {seen.size} entries, as you saw; ask for one that has it"
        )
    return seen.size


def _check_continues(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check a consistency proof (RFC 9162, 2.1.4.2)."""
    if old == 0 and not path:
        return
    if not path or old >= new:
        raise VerificationError(3, f"the proof from {old} to {new} entries is empty or the wrong way round")
    hashes_left = list(path) if old & (old - 1) else [old_root, *path]
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    left = right = hashes_left[0]
    for value in hashes_left[1:]:
        if last == 0:
            raise VerificationError(3, f"the proof from {old} to {new} entries is too long")
        if first & 1 or first == last:
            left, right = _node(value, left), _node(value, right)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            right = _node(right, value)
        first, last = first >> 1, last >> 1
    if (left, right, last) != (old_root, new_root, 0):
        raise VerificationError(3, f"the log of {new} entries does not continue that of {old}")


# --- (4) and (5) records ------------------------------------------------------------------------------------------------


def _check_records(files: Mapping[str, bytes]) -> dict[int, dict[str, Any]]:
    """Check that records are canonical and have the digest of their entry; return entries by index."""
    entries: dict[int, dict[str, Any]] = {}
    for name in sorted(one for one in files if one.startswith("records/")):
        entry = _canonical_object(4, files[name], name)
        index = entry.get("index")
        if set(entry) != {"actor", "disclosed", "index", "kind", "proof", "record", "record_digest", "recorded_us"}:
            raise VerificationError(4, f"{name} has other fields than an entry has")
        if not _is_whole(index) or not _is_whole(entry["recorded_us"]) or name != f"records/{index:012d}.json":
            raise VerificationError(4, f"{name} is not named after its index {index!a:.20}")
        if not isinstance(entry["actor"], str) or not isinstance(entry["kind"], str):
            raise VerificationError(4, f"{name}: actor or kind is no text")
        digest = hashlib.sha256(canonical(entry["record"])).hexdigest()
        if entry["record_digest"] != f"sha256:{digest}":
            raise VerificationError(4, f"{name}: the record is not the one of its entry")
        entries[entry["index"]] = entry
    if not entries:
        raise VerificationError(4, "there is no record")
    return entries


def _check_inclusion(entries: Mapping[int, dict[str, Any]], last: Checkpoint) -> None:
    """Check inclusion proofs (RFC 9162, 2.1.3.2)."""
    for index, entry in entries.items():
        names = ("actor", "kind", "record_digest", "recorded_us")
        leaf = canonical({"format": "ledger-entry/v1", **{name: entry[name] for name in names}})
        if index >= last.size:
            raise VerificationError(5, f"entry {index} is after the last checkpoint of {last.size} entries")
        place, end = index, last.size - 1
        value = hashlib.sha256(b"\x00" + leaf).digest()
        for sibling in _hashes(5, entry["proof"]):
            if end == 0:
                raise VerificationError(5, f"the proof of entry {index} is too long")
            if place & 1 or place == end:
                value = _node(sibling, value)
                while not place & 1 and place:
                    place, end = place >> 1, end >> 1
            else:
                value = _node(value, sibling)
            place, end = place >> 1, end >> 1
        if end != 0 or value != last.root:
            raise VerificationError(5, f"entry {index} does not stand in the log: its proof ends at another root")


# --- (6) disclosures and (7) statements ---------------------------------------------------------------------------------


def _check_disclosures(entries: Mapping[int, dict[str, Any]], case: str) -> tuple[int, int]:
    """Check fields against their commitments, and the numbers of the items; return how many are shown and withheld."""
    numbers, shown, withheld = [], 0, 0
    for index, entry in sorted(entries.items()):
        record, disclosed = entry["record"], entry["disclosed"]
        if entry["kind"] != "case item":
            if disclosed:
                raise VerificationError(6, f"entry {index} is no item, and yet fields are shown for it")
            continue
        fields = record.get("fields") if isinstance(record, dict) else None
        if not isinstance(fields, dict) or not isinstance(disclosed, dict) or record.get("case") != case:
            raise VerificationError(6, f"entry {index} is no item of {case}")
        numbers.append(record.get("number"))
        for name, pair in disclosed.items():
            if name not in fields or not isinstance(pair, list) or len(pair) != 2:
                raise VerificationError(6, f"entry {index}: field {name!a} is not one that the record commits to")
            if hashlib.sha256(canonical([pair[0], name, pair[1]])).hexdigest() != fields[name]:
                raise VerificationError(6, f"entry {index}: field {name!a} is not what the record commits to")
        shown += len(disclosed)
        withheld += len(fields) - len(disclosed)
    if numbers != list(range(len(numbers))) or not numbers:
        raise VerificationError(
            6, f"the items of the case have the numbers {numbers[:10]}, expected 0 and up without a gap"
        )
    return shown, withheld


def _check_statements(files: Mapping[str, bytes], entries: Mapping[int, Any], manifest: Mapping[str, Any]) -> int:
    """Check that every statement names records that are here, and that no item was left off the end; return their number."""
    document = _canonical_object(7, files.get("case.json", b""), "case.json")
    items = sum(entry["kind"] == "case item" for entry in entries.values())
    if document.get("case_id") != manifest["case"] or manifest.get("items") != items:
        raise VerificationError(
            7, f"the case file or the number of items ({manifest.get('items')!a}) is of another bundle"
        )
    count = 0
    for element in _objects(7, document.get("elements"), "case.json"):
        for statement in _objects(7, element.get("statements"), "case.json"):
            named = statement.get("entries")
            if statement.get("label") not in ("observed", "derived", "attested"):
                raise VerificationError(7, f"a statement of {element.get('key')!a} has no label")
            if not isinstance(named, list) or not named or not all(_is_whole(one) and one in entries for one in named):
                raise VerificationError(7, f"a statement of {element.get('key')!a} names records that are not here")
            count += 1
    return count


# --- (8) time stamps ----------------------------------------------------------------------------------------------------


def _check_time(
    files: Mapping[str, bytes],
    checkpoints: Sequence[Checkpoint],
    entries: Mapping[int, dict[str, Any]],
    trust: Trust,
    found: Verification,
) -> None:
    """Check every time stamp, and say which entries are covered."""
    roots = _certificates(trust.authorities)
    more = _certificates(files.get("time/certificates.pem", b""))
    stamps = []
    for name in sorted(one for one in files if one.startswith("time/") and one.endswith(".tsr")):
        size = int(name[5:17]) if re.fullmatch(r"time/[0-9]{12}-[0-9]{2}\.tsr", name) else -1
        checkpoint = next((one for one in checkpoints if one.size == size), None)
        if checkpoint is None:
            raise VerificationError(8, f"{name} is for no checkpoint of this bundle")
        stamps.append(check_time_stamp(files[name], checkpoint.note, size, roots, more))
    for stamp in stamps:
        for index, entry in entries.items():
            if index < stamp.size and entry["recorded_us"] > stamp.time_us + CLOCK_TOLERANCE_US:
                raise VerificationError(
                    8, f"entry {index} says that it was recorded after the time stamp that covers it"
                )
    covered = max((stamp.size for stamp in stamps), default=0)
    late = sum(index >= covered for index in entries)
    said = "; ".join(f"{one.size} entries at {_iso(one.time_us)} by {one.authority}" for one in stamps)
    if not stamps:
        found.open[8] = "the bundle holds no time stamp: when it was rests on the log's own clock"
    elif not roots:
        found.open[8] = f"you named no authority (--authority); the stamps are whole, but anybody can make such: {said}"
    elif late:
        found.open[8] = f"{late} entries are covered by no time stamp; others: {said}"
    else:
        found.established[8] = said


def check_time_stamp(
    reply: bytes, stamped: bytes, size: int, roots: Sequence[x509.Certificate], more: Sequence[x509.Certificate]
) -> Stamp:
    """Check a reply of RFC 3161 over bytes; its signer must lead to one of the roots, where there are any.

    Raises:
        VerificationError: of step 8, with the reason.
    """
    try:
        status, content = _children(_only(reply))[:2]
        if _children(status[2])[0][2] != b"\x00":
            raise VerificationError(8, "a time stamp was not granted")
        signed = _signed_data(content)
        _check_imprint(signed["info"], stamped)
        time_us = _gen_time(signed["info"])
        carried = [x509.load_der_x509_certificate(one) for one in signed["certificates"]]
        signer = _signer(signed["signer"], [*carried, *more, *roots])
        _check_signature(signed, signer)
        _check_purpose(signer)
        if roots:
            _check_chain(signer, [*carried, *more], roots, _EPOCH + timedelta(microseconds=time_us))
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, *_CERTIFICATE_ERRORS) as error:
        raise VerificationError(8, f"a time stamp is no DER of RFC 3161: {type(error).__name__}") from error
    return Stamp(size=size, time_us=time_us, authority=signer.subject.rfc4514_string())


def _signed_data(content: tuple[int, bytes, bytes]) -> dict[str, Any]:
    """Take a CMS SignedData apart (RFC 5652, 5.1)."""
    kind, wrapped = _children(content[2])
    if kind[1] != _OID_SIGNED_DATA:
        raise VerificationError(8, "a time stamp is no CMS SignedData")
    parts = _children(_only(wrapped[2]))
    encapsulated = _children(parts[2][2])
    if encapsulated[0][1] != _OID_TST_INFO:
        raise VerificationError(8, "a time stamp holds no TSTInfo")
    octets = _children(encapsulated[1][2])[0]
    certificates = [one[1] for part in parts[3:] if part[0] == 0xA0 for one in _children(part[2])]
    signers = _children(parts[-1][2])
    if len(signers) != 1 or octets[0] != 0x04:
        raise VerificationError(8, f"a time stamp has {len(signers)} signers, expected one")
    return {"info": octets[2], "certificates": certificates, "signer": _children(signers[0][2])}


def _check_imprint(info: bytes, stamped: bytes) -> None:
    """Check that the stamp is over these bytes (RFC 3161, 2.4.2)."""
    algorithm, digest = _children(_children(_only(info))[2][2])
    name = _HASHES.get(_children(algorithm[2])[0][1])
    if name is None or hashlib.new(name, stamped).digest() != digest[2]:
        raise VerificationError(8, "a time stamp is over other bytes than the checkpoint")


def _gen_time(info: bytes) -> int:
    """Return the time of a TSTInfo, microseconds UTC."""
    text = _children(_only(info))[4][2].decode("ascii")
    if not re.fullmatch(r"[0-9]{14}(\.[0-9]{1,6})?Z", text):
        raise VerificationError(8, "a time stamp has no GeneralizedTime of RFC 3161")
    whole, _, part = text[:-1].partition(".")
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) + int(part.ljust(6, "0") or 0)


def _signer(info: Sequence[tuple[int, bytes, bytes]], known: Sequence[x509.Certificate]) -> x509.Certificate:
    """Find the certificate that a SignerInfo names."""
    if info[1][0] != 0x30:
        raise VerificationError(8, "a time stamp does not name its signer by issuer and serial number")
    issuer, serial = _children(info[1][2])
    number = int.from_bytes(serial[2], "big", signed=True)
    for one in known:
        if one.serial_number == number and one.issuer.public_bytes() == issuer[1]:
            return one
    raise VerificationError(8, "the certificate that signed a time stamp is not in the bundle")


def _check_signature(signed: Mapping[str, Any], signer: x509.Certificate) -> None:
    """Check digest, signing certificate and signature of the signed attributes (RFC 5652, 5.4; RFC 5816)."""
    _, _, digest_algorithm, attributes, algorithm, signature = signed["signer"][:6]
    name = _HASHES.get(_children(digest_algorithm[2])[0][1])
    if name is None or attributes[0] != 0xA0:
        raise VerificationError(8, "a time stamp uses a digest that is not accepted, or has no signed attributes")
    values = {_children(one[2])[0][1]: _children(_children(one[2])[1][2])[0] for one in _children(attributes[2])}
    if (
        values[_OID_CONTENT_TYPE][1] != _OID_TST_INFO
        or values[_OID_DIGEST][2] != hashlib.new(name, signed["info"]).digest()
    ):
        raise VerificationError(8, "a time stamp was changed after it was signed")
    raw = signer.public_bytes(Encoding.DER)
    bound = values.get(_OID_SIGNING_V2) or values[_OID_SIGNING_V1]
    parts = _children(_children(_children(bound[2])[0][2])[0][2])
    stated = "sha1" if _OID_SIGNING_V2 not in values else "sha256"
    if parts[0][0] == 0x30:
        stated, parts = _HASHES[_children(parts[0][2])[0][1]], parts[1:]
    if hashlib.new(stated, raw).digest() != parts[0][2]:  # else another certificate could pass for the authority's
        raise VerificationError(8, "a time stamp is bound to another certificate than the one that is here")
    _check_raw_signature(
        signer.public_key(), signature[2], b"\x31" + attributes[1][1:], name, _children(algorithm[2])[0][1]
    )


def _check_raw_signature(public: Any, signature: bytes, message: bytes, digest: str, algorithm: bytes) -> None:
    """Check a signature by RSA (PKCS #1 v1.5), ECDSA or Ed25519."""
    chosen: hashes.HashAlgorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[
        _SIGNATURE_HASHES.get(algorithm, digest)
    ]
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, message, padding.PKCS1v15(), chosen)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, message, ec.ECDSA(chosen))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        else:
            raise VerificationError(8, "a time stamp is signed by a kind of key that is not accepted")
    except InvalidSignature:
        raise VerificationError(8, "the signature of a time stamp does not verify") from None


def _check_purpose(signer: x509.Certificate) -> None:
    """Check that the certificate is for time stamps and nothing else (RFC 3161, 2.3)."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise VerificationError(8, "the signer of a time stamp has no certificate for time stamping") from None
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise VerificationError(8, "the signer's certificate is for other purposes than time stamping")


def _check_chain(
    signer: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], time: datetime
) -> None:
    """Check that a certificate leads to a trusted root, all being valid at the time of the stamp."""
    current = signer
    for _ in range(8):
        if not current.not_valid_before_utc <= time <= current.not_valid_after_utc:
            raise VerificationError(8, "a certificate of a time stamp was not valid at its time")
        if current in roots:
            return
        for issuer in (*roots, *between):
            if issuer.subject == current.issuer and issuer != current and _issued(current, issuer):
                current = issuer
                break
        else:
            break
    raise VerificationError(8, "a time stamp does not lead to an authority that you trust")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether a certificate authority issued a certificate; a step of a search, whose failure is raised by the caller."""
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return True


_CERTIFICATE_ERRORS = (
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_OID_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_OID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_OID_DIGEST = bytes.fromhex("06092a864886f70d010904")
_OID_SIGNING_V1 = bytes.fromhex("060b2a864886f70d010910020c")
_OID_SIGNING_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_HASHES = {
    bytes.fromhex(f"060960864801650304020{number}"): name
    for number, name in ((1, "sha256"), (2, "sha384"), (3, "sha512"))
}
_SIGNATURE_HASHES = {
    **{
        bytes.fromhex(f"06092a864886f70d01010{last}"): name
        for last, name in (("b", "sha256"), ("c", "sha384"), ("d", "sha512"))
    },
    **{
        bytes.fromhex(f"06082a8648ce3d04030{last}"): name
        for last, name in ((2, "sha256"), (3, "sha384"), (4, "sha512"))
    },
}


# --- small parts --------------------------------------------------------------------------------------------------------


def read_key(step: int, text: str, kind: int = 1) -> Key:
    """Read a public key, `name+keyid+base64` (C2SP signed-note); kind 1 signs notes, kind 4 cosigns checkpoints."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not parts[0] or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise VerificationError(step, "a key is not: name+keyid+base64")
    material = _strict_base64(step, parts[2])
    key_id = hashlib.sha256(parts[0].encode() + b"\n" + material).digest()[:4]
    if len(material) != 33 or material[0] != kind or key_id.hex() != parts[1]:
        raise VerificationError(step, "a key is no Ed25519 key of its kind with its own id")
    return Key(name=parts[0], key_id=key_id, public=material[1:])


def _verified_note(step: int, note: bytes, key: Key) -> bytes:
    """Check a signed note that only this key signed; return its text."""
    text, blank, line = note.rpartition(b"\n\n")
    head = f"\u2014 {key.name} ".encode()
    if not blank or not line.startswith(head) or not line.endswith(b"\n") or b"\n" in line[:-1]:
        raise VerificationError(step, "a note is not: text, empty line, one signature of the log's key")
    signature = _strict_base64(step, line[len(head) : -1].decode("utf-8", "replace"))
    try:
        if signature[:4] != key.key_id:
            raise VerificationError(step, "a note is signed by another key than the log's")
        ed25519.Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], text + b"\n")
        (text + b"\n").decode()
    except (InvalidSignature, ValueError):
        raise VerificationError(step, "the signature of a note does not verify") from None
    return text + b"\n"


def _canonical_object(step: int, content: bytes, name: str) -> dict[str, Any]:
    """Read canonical JSON; any other writing of the same value is refused."""
    try:
        value = json.loads(content, object_pairs_hook=_once, parse_constant=_no_constant)
        same = canonical(value) == content
    except (ValueError, RecursionError):
        raise VerificationError(step, f"{name} is missing or is no JSON") from None
    if not same or not isinstance(value, dict):
        raise VerificationError(step, f"{name} is not in canonical form")
    return value


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda one: one.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    return value + 0.0 if isinstance(value, float) else value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _objects(step: int, value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise VerificationError(step, f"{name}: expected a list of objects")
    return value


def _hashes(step: int, value: Any) -> list[bytes]:
    if (
        not isinstance(value, list)
        or len(value) > 64
        or not all(re.fullmatch(r"[0-9a-f]{64}", str(one)) for one in value)
    ):
        raise VerificationError(step, "a proof is not a list of hashes of 64 hex digits")
    return [bytes.fromhex(one) for one in value]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _strict_base64(step: int, text: str) -> bytes:
    """Decode base64 in its one canonical writing."""
    try:
        content = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        content = b""
    if not content or base64.b64encode(content).decode() != text:
        raise VerificationError(step, "base64 of a key, a root or a signature is not well written")
    return content


def _children(content: bytes) -> list[tuple[int, bytes, bytes]]:
    """Take DER apart: (tag, whole, content) of each value, end to end."""
    found, place = [], 0
    while place < len(content):
        tag, length, head = content[place], content[place + 1], 2
        if tag & 0x1F == 0x1F:
            raise ValueError("a tag of several bytes")
        if length & 0x80:
            count = length & 0x7F
            length, head = int.from_bytes(content[place + 2 : place + 2 + count], "big"), 2 + count
            if not 1 <= count <= 4 or length < 0x80 or content[place + 2] == 0:
                raise ValueError("a length that is not DER")
        end = place + head + length
        if end > len(content):
            raise ValueError("a length beyond the end")
        found.append((tag, content[place:end], content[place + head : end]))
        place = end
    return found


def _only(content: bytes) -> bytes:
    """Return the content of the one SEQUENCE that bytes hold."""
    ((tag, _, inner),) = _children(content)
    if tag != 0x30:
        raise ValueError("no SEQUENCE")
    return inner


def _certificates(content: bytes) -> list[x509.Certificate]:
    if not content.strip():
        return []
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise VerificationError(8, "certificates cannot be read, expected PEM") from None


def _note(found: Verification, step: int, text: str, trusted: bool) -> None:
    """Note what a step established, and that it rests on the bundle's own key where no other was given."""
    found.established[step] = text
    if not trusted:
        found.open[step] = f"{text}; but you named no key of the log (--log-key), so anybody may have signed this"


def _iso(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="seconds").replace("+00:00", "Z")


def _read_folder(path: str) -> Iterator[tuple[str, bytes]]:
    total = 0
    for folder, folders, names in os.walk(path, followlinks=False):
        for name in (*folders, *names):
            whole = os.path.join(folder, name)  # noqa: PTH118
            mode = os.lstat(whole).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise UnreadableBundleError(f"{whole} is neither file nor folder")
            if stat.S_ISREG(mode):
                content = _read_file(whole)
                total += len(content)
                if total > MOST_BYTES:
                    raise UnreadableBundleError(f"{path} has over {MOST_BYTES} bytes")
                yield _safe(os.path.relpath(whole, path).replace(os.sep, "/")), content


def _read_zip(path: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_FILES or sum(one.file_size for one in infos) > MOST_BYTES:
            raise UnreadableBundleError(f"{path} holds too many files or bytes")
        if len({one.filename for one in infos}) != len(infos):
            raise UnreadableBundleError(f"{path} holds a name twice")
        for one in infos:
            with archive.open(one) as stream:
                content = stream.read(one.file_size + 1)
            yield _safe(one.filename), content


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 200:
        raise UnreadableBundleError(f"got the name {name[:80]!a}, which no bundle has")
    return name


def _read_file(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnreadableBundleError(f"{path} has over {MOST_BYTES} bytes")
    return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
