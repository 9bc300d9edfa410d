"""The bundle: a case as files that anybody can check, with the program that checks them.

Takes a ledger and the items of a case. Gives the files by name, and writes them as a folder or a zip. What the files hold, in the order in which
`verify.py` reads them:

- `manifest.json` names every file with size and SHA-256; `manifest.note` is its signature by the log's key;
- `ledger/`: the log's key, its checkpoints from before the first entry of the case to the last, and proofs that the last continues all;
- `records/`: each entry of the case with its inclusion proof, and salt and value of each field that is shown;
- `case.json`, `report.html`, `report.pdf`: the case by elements, for machines and for people;
- `methods.json`, `gaps.txt`, `custody.json`, `certificates/`, `time/`, `README.txt`, `verify.py`.

The same case, ledger and time give the same bytes. A zip is only a container: what is proved is the files in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from stillwatch.evidence.access import Access, TextReference
from stillwatch.evidence.cases.case_file import build_case_file
from stillwatch.evidence.cases.casework import EXPORT_KIND, CaseWork, UnsealedItem
from stillwatch.evidence.cases.certificates import BundleFacts, copy_certificate, process_certificate
from stillwatch.evidence.cases.commitments import Disclosure
from stillwatch.evidence.cases.errors import BundleError
from stillwatch.evidence.cases.printed_report import print_case
from stillwatch.evidence.cases.redaction import shown_when_shared
from stillwatch.evidence.cases.report import render_case
from stillwatch.evidence.incident_report.wording import time_text
from stillwatch.evidence.ledger import Ledger
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.signed_note import sign_note
from stillwatch.integrity.signing import SignerKey
from stillwatch.records.case import CaseFile, ItemKind, OpenedItem
from stillwatch.records.ledger import Checkpoint, LedgerEntry

BUNDLE_FORMAT = "stillwatch-case-bundle/v1"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTerms:
    """How a case is exported."""

    shared: bool
    """True for the version for sharing: fields that name persons or show text are withheld."""
    made_us: int
    """Present time, microseconds UTC."""
    version: str
    """Of stillwatch."""
    certificates: bytes = b""
    """PEM of certificates that a verifier may need to follow a time stamp to its root; they are not trusted for being here."""


def bundle_files(
    work: CaseWork, ledger: Ledger, case_id: str, signer: SignerKey, terms: ExportTerms
) -> dict[str, bytes]:
    """Make the files of a bundle.

    Args:
        work: over the case.
        ledger: whose last checkpoint covers every entry of the case.
        case_id: of the case.
        signer: the log's key; it signs the manifest.
        terms: how to export.

    Returns:
        Content of every file, by name with `/`.

    Raises:
        UnknownCaseError: where there is no such case.
        BundleError: where no checkpoint covers the case.
    """
    case = work.case(case_id)
    unsealed = work.unsealed(case_id)
    shown = [_shown(one, shared=terms.shared) for one in unsealed]
    custody = work.custody(case_id)
    entries = sorted(
        {one.item.entry_index for one in unsealed}
        | {step.entry_index for step in custody}
        | (set() if terms.shared else _entries_named(unsealed))  # a sealed run names log files, a decision accounts
    )
    checkpoints = _checkpoints(ledger, entries)
    last = checkpoints[-1]
    covered = [step for step in custody if step.entry_index < last.size]
    items = [_opened(one, disclosed) for one, disclosed in zip(unsealed, shown, strict=True)]
    case_file = build_case_file(case, items, covered, made_us=terms.made_us, version=terms.version, shared=terms.shared)
    disclosed = {one.item.entry_index: pair for one, pair in zip(unsealed, shown, strict=True)}
    files = _ledger_files(ledger, checkpoints, terms.certificates)
    files |= {
        f"records/{index:012d}.json": _record_file(ledger, ledger.entry(index), last, disclosed.get(index, {}))
        for index in entries
        if index < last.size
    }
    facts = _facts(ledger, checkpoints, files)
    files |= _reading_files(case_file, facts)
    manifest = {
        "format": BUNDLE_FORMAT,
        "case": case_id,
        "made_us": terms.made_us,
        "version": terms.version,
        "shared": terms.shared,
        "items": len(items),
        "files": [
            {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
    }
    files["manifest.json"] = canonical_bytes(manifest)
    text = f"{BUNDLE_FORMAT}\n{case_id}\n{terms.made_us}\n{manifest_digest(files)}\n"
    files["manifest.note"] = sign_note(text, signer).whole().encode()
    return files


def case_file_of(work: CaseWork, case_id: str, *, made_us: int, version: str, shared: bool) -> CaseFile:
    """Return the file of a case as it is now, without a bundle.

    Args:
        work: over the case.
        case_id: of the case.
        made_us: present time, microseconds UTC.
        version: of stillwatch.
        shared: true to leave out fields that name persons or show text.

    Raises:
        UnknownCaseError: where there is no such case.
    """
    items = [_opened(one, _shown(one, shared=shared)) for one in work.unsealed(case_id)]
    custody = work.custody(case_id)
    return build_case_file(work.case(case_id), items, custody, made_us=made_us, version=version, shared=shared)


def export_bundle(
    work: CaseWork, ledger: Ledger, access: Access, case_id: str, actor: str, signer: SignerKey, terms: ExportTerms
) -> tuple[dict[str, bytes], int]:
    """Make the files of a bundle for an actor, and record that; a look at text is recorded before it.

    Args:
        work: over the case.
        ledger: of the case.
        access: to the ledger.
        case_id: of the case.
        actor: who exports.
        signer: the log's key.
        terms: how to export.

    Returns:
        (the files, index of the entry that records the export).

    Raises:
        AccessError: where the version is not for sharing, and the actor may not look at text.
        BundleError: where no checkpoint covers the case, or the key is not the log's.
    """
    if signer.verifier.text() != ledger.identity.verifier_key:
        raise BundleError(
            f"the key {signer.verifier.text()} is not that of this ledger, expected {ledger.identity.verifier_key}"
        )
    exhibits = [one for one in work.unsealed(case_id) if one.item.kind is ItemKind.EXCHANGE and one.disclosures]
    if terms.shared or not exhibits:
        files = bundle_files(work, ledger, case_id, signer, terms)
    else:
        references = [_reference(one) for one in exhibits]
        files = access.look_at_text(
            actor, references, f"export of {case_id}", lambda: bundle_files(work, ledger, case_id, signer, terms)
        )
    return files, work.record_export(case_id, manifest_digest(files), actor, shared=terms.shared)


def _reference(one: UnsealedItem) -> TextReference:
    """Say where the text of an exhibit stands in the logs."""
    fields = {name: value for name, (_, value) in one.disclosures.items()}
    offset, length = fields.get("source_offset"), fields.get("source_length")
    return TextReference(
        file=str(fields.get("source_file", "")),
        offset=offset if isinstance(offset, int) else 0,
        length=length if isinstance(length, int) else 0,
    )


def manifest_digest(files: Mapping[str, bytes]) -> str:
    """Return SHA-256 of a bundle's manifest, 64 hex digits.

    Args:
        files: of the bundle.
    """
    return hashlib.sha256(files["manifest.json"]).hexdigest()


def write_bundle(files: Mapping[str, bytes], out: Path) -> None:
    """Write a bundle: a zip where the name ends in `.zip`, else a folder. It appears whole or not at all.

    Args:
        files: what `bundle_files` gave.
        out: a name at which nothing is yet.

    Raises:
        BundleError: where something is there already.
        OSError: where it cannot be written.
    """
    if out.exists() or out.is_symlink():
        raise BundleError(f"{out} is there already; a bundle is never written over another. Name a new file or folder")
    unfinished = out.with_name(out.name + ".unfinished")
    if out.suffix == ".zip":
        content = _zip(files)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    else:
        unfinished.mkdir(mode=0o700)
        for name, content in files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    unfinished.rename(out)


def _zip(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return stream.getvalue()


def _shown(one: UnsealedItem, *, shared: bool) -> dict[str, Disclosure]:
    return shown_when_shared(one.item.kind, one.disclosures) if shared else one.disclosures


def _opened(one: UnsealedItem, disclosed: Mapping[str, Disclosure]) -> OpenedItem:
    return OpenedItem(
        number=one.item.number,
        kind=one.item.kind,
        entry_index=one.item.entry_index,
        added_us=one.item.added_us,
        added_by=one.item.added_by,
        fields={name: value for name, (_, value) in sorted(disclosed.items())},
        withheld=tuple(sorted(set(one.commitments) - set(disclosed))),
    )


_NAMED: Mapping[ItemKind, tuple[str, ...]] = {
    ItemKind.RUN: ("sealed_entry",),
    ItemKind.DECISION: ("proposed_entry", "approved_entry"),
}
"""Kind to the fields that name another entry of the ledger."""


def _entries_named(unsealed: Sequence[UnsealedItem]) -> set[int]:
    """Return the entries that sealed the runs of a case, and those that hold its decisions and approvals."""
    named = (one.disclosures.get(name, ("", None))[1] for one in unsealed for name in _NAMED.get(one.item.kind, ()))
    return {entry for entry in named if isinstance(entry, int)}


def _checkpoints(ledger: Ledger, entries: Sequence[int]) -> list[Checkpoint]:
    """Return the checkpoints from before the first entry of the case to the last one of the ledger."""
    kept = [one for one in ledger.checkpoints() if one.size > 0]
    before = [one for one in kept if one.size <= entries[0]][-1:]
    chosen = before + [one for one in kept if one.size > entries[0]]
    if not chosen or (chosen[-1].size <= entries[-1] and not _only_exports_after(ledger, chosen[-1].size, entries)):
        raise BundleError("no checkpoint covers all entries of the case; make one with `stillwatch ledger checkpoint`")
    return chosen


def _only_exports_after(ledger: Ledger, size: int, entries: Sequence[int]) -> bool:
    """Say whether all entries of the case that a checkpoint does not cover are records of earlier exports."""
    return all(ledger.entry(index).kind == EXPORT_KIND for index in entries if index >= size)


def _ledger_files(ledger: Ledger, checkpoints: Sequence[Checkpoint], certificates: bytes) -> dict[str, bytes]:
    """Return key, checkpoints, consistency proofs and time stamps."""
    last = checkpoints[-1]
    files = {"ledger/log.vkey": f"{ledger.verifier.text()}\n".encode()}
    for one in checkpoints:
        files[f"ledger/checkpoints/{one.size:012d}.note"] = one.note.encode()
        for number, stamp in enumerate(ledger.store.time_stamps(one.size)):
            files[f"time/{one.size:012d}-{number:02d}.tsr"] = stamp.reply
            files[f"time/{one.size:012d}-{number:02d}.tsq"] = stamp.request
        cosigned = "".join(line.line for line in ledger.store.cosignatures(one.size))
        if cosigned:
            files[f"ledger/witnesses/{one.size:012d}.txt"] = cosigned.encode()
    files["ledger/consistency.json"] = canonical_bytes(
        {
            str(one.size): [value.hex() for value in ledger.prove_consistency(one.size, last.size).hashes]
            for one in checkpoints[:-1]
        }
    )
    if certificates:
        files["time/certificates.pem"] = certificates
    return files


def _record_file(ledger: Ledger, entry: LedgerEntry, last: Checkpoint, disclosed: Mapping[str, Disclosure]) -> bytes:
    """Return an entry with its record, its proof and what is shown of it."""
    return canonical_bytes(
        {
            "index": entry.index,
            "actor": entry.actor,
            "kind": entry.kind,
            "recorded_us": entry.recorded_us,
            "record_digest": entry.record_digest,
            "record": json.loads(entry.record),
            "proof": [value.hex() for value in ledger.prove(entry.index, last.size).hashes],
            "disclosed": {name: list(pair) for name, pair in disclosed.items()},
        }
    )


def _facts(ledger: Ledger, checkpoints: Sequence[Checkpoint], files: Mapping[str, bytes]) -> BundleFacts:
    last = checkpoints[-1]
    records = [
        (name, hashlib.sha256(content).hexdigest()) for name, content in sorted(files.items()) if name[:8] == "records/"
    ]
    return BundleFacts(
        origin=ledger.identity.origin,
        log_key=ledger.verifier.text(),
        size=last.size,
        root=last.root.hex(),
        entries=len(records),
        files=tuple(records),
        stamped=tuple(
            f"checkpoint of {stamp.size:,} entries at {time_text(stamp.stamped_us)} by {stamp.authority}"
            for one in checkpoints
            for stamp in ledger.store.time_stamps(one.size)
        ),
    )


def _reading_files(case: CaseFile, facts: BundleFacts) -> dict[str, bytes]:
    """Return what people read, and the same for machines."""
    return {
        "README.txt": _readme(case, facts).encode(),
        "verify.py": resources.files("stillwatch.evidence").joinpath("verify.py").read_bytes(),
        "case.json": canonical_bytes(_finite(asdict(case))),
        "methods.json": canonical_bytes(_methods(case)),
        "custody.json": canonical_bytes(case.custody),
        "gaps.txt": _gaps(case).encode(),
        "report.html": render_case(case, facts).encode(),
        "report.pdf": print_case(case, facts),
        "certificates/fre-902-13-draft.txt": process_certificate(case, facts).encode(),
        "certificates/fre-902-14-draft.txt": copy_certificate(case, facts).encode(),
    }


def _methods(case: CaseFile) -> dict[str, object]:
    """Describe every method that a claim of the case used, with its version, seed and assumptions."""
    return {
        "version": case.version,
        "formats": [
            BUNDLE_FORMAT,
            "ledger-entry/v1",
            "stillwatch-case-item/v1",
            "RFC 6962",
            "C2SP signed-note v1",
            "RFC 3161",
        ],
        "claims": [
            {
                "name": one.name,
                "method": one.method,
                "question": one.question.value,
                "null_hypothesis": one.null_hypothesis,
                "statistic_name": one.statistic_name,
                "assumptions": list(one.assumptions),
                "seed": one.seed,
                "input_digest": one.input_digest,
            }
            for one in case.claims
        ],
        "not_tested": [{"name": one.name, "method": one.method, "reason": one.reason} for one in case.inconclusive],
    }


def _gaps(case: CaseFile) -> str:
    """Return the statement of what is missing."""
    lines = [f"What is missing from {case.case_id}", ""]
    for one in case.gaps:
        lines += [f"- {one.what}", f"  Why: {one.why}. Would close it: {one.needed}.", ""]
    for element in case.elements:
        for one in element.gaps:
            lines += [f"- {element.title}: {one.what}", f"  Why: {one.why}. Would close it: {one.needed}.", ""]
    return "\n".join(lines)


def _readme(case: CaseFile, facts: BundleFacts) -> str:
    kind = (
        "This is the version for sharing: fields that name persons or show text are withheld, and still committed to.\n"
        if case.shared
        else ""
    )
    return (
        f"Case bundle of {case.case_id}, drawn up {time_text(case.made_us)} by stillwatch {case.version}.\n{kind}\n"
        "Read report.html or report.pdf first. case.json says the same to machines.\n\n"
        "To check it, offline, with Python 3.11 or later and the library cryptography (pip install cryptography):\n\n"
        "    python verify.py . --log-key LOG.vkey --authority ROOT.pem\n\n"
        "LOG.vkey holds the public key of the log, ROOT.pem the root certificate of the time-stamping authority. Get both from elsewhere:\n"
        "whoever can rewrite this bundle can rewrite every key in it. To be safe from a verify.py that was changed, take it from a release of\n"
        "stillwatch (src/stillwatch/evidence/verify.py). Add --seen FILE with a checkpoint of the log that you saw before.\n\n"
        f"The log is {facts.origin}; this bundle says that its key is\n{facts.log_key}\n\n"
        "Expected: eight lines that begin with `ok`, and exit code 0. `OPEN` names what could not be established, `FAILED` what is wrong.\n"
        "Time stamps can be checked with OpenSSL as well, for example:\n\n"
        "    openssl ts -verify -data ledger/checkpoints/NUMBER.note -in time/NUMBER-00.tsr -CAfile ROOT.pem\n"
    )


def _finite(value: object) -> object:
    """Write infinities as words, which JSON has none for."""
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
