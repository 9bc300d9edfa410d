"""The verb `audit report`: one period of the ledger as page, PDF and JSON, sealed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.posture import Attest, moment_of
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

SEAL_FORMAT = "stillwatch-audit-report-sealed/v1"
REPORT_HELP = VerbHelp(
    name="report",
    purpose="Tell a period for whoever audits: posture, drills, campaigns, actions, appeals, own use, law, open work.",
    examples=("stillwatch audit report --from 2026-01-01 --ledger ledger.db --actor bob --out report",),
    writes="audit-report.json, audit-report.html and audit-report.pdf into --out, and an entry of the ledger with their digests.",
)


def report(
    *,
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="First day or moment of the period, UTC.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Moment at which it ends, not after now; by default now.")
    ] = None,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    own_use: Annotated[
        Path | None, typer.Option("--own-use", metavar="FILE", help="findings.json of `stillwatch audit own-use`.")
    ] = None,
    attest: Attest = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Report on a period."""
    from stillwatch.cli.posture_evidence import evidence_of  # noqa: PLC0415
    from stillwatch.governance.audit_report.content import report_content  # noqa: PLC0415
    from stillwatch.governance.audit_report.page import report_page  # noqa: PLC0415
    from stillwatch.governance.audit_report.printed import print_report  # noqa: PLC0415
    from stillwatch.governance.posture.assess import assess  # noqa: PLC0415
    from stillwatch.governance.posture.attestations import read_attestations  # noqa: PLC0415
    from stillwatch.governance.posture.catalogue import read_catalogue  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    from_us, to_us = moment_of(begin, "--from"), moment_of(end, "--to")
    if not from_us < to_us <= ledger_options.now_us():
        raise OptionError(
            "--from and --to got no period that has ended; expected --from before --to, and --to not after now."
        )
    controls = read_catalogue()
    attestations = read_attestations(attest, [one.id for one in controls]) if attest else ()
    findings, digest = _own_use(own_use)
    prepare_folder(out, "--out")
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, _):
        evidence = evidence_of(book, to_us)
    content = report_content(evidence, assess(controls, evidence, attestations), from_us, findings, digest)
    files = {
        "audit-report.json": (json.dumps(content, indent=2) + "\n").encode(),
        "audit-report.html": report_page(content).encode(),
        "audit-report.pdf": print_report(content),
    }
    for name, made in files.items():
        ledger_options.write_out(out / name, made)
    entry = _seal(ledger, actor, content, {name: _digest(made) for name, made in files.items()})
    counted = ", ".join(f"{count} {name}" for name, count in content["posture"]["counts"].items())
    terminal.say(
        f"Posture: {counted}. {len(content['decisions'])} decisions, {len(content['appeals'])} appeals, {len(content['open_work'])} things wait."
    )
    terminal.say(
        f"Written: {', '.join(str(out / name) for name in files)}. Entry {entry} of the ledger holds their digests."
    )
    terminal.document(
        {
            "verb": "audit report",
            "entry": entry,
            "files": {name: _digest(made) for name, made in files.items()},
            **content,
        }
    )
    return ExitCode.DONE


def _own_use(path: Path | None) -> tuple[dict[str, Any] | None, str | None]:
    if path is None:
        return None, None
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("findings"), list):
        raise ResultFileError(f"{path}: is not what `stillwatch audit own-use` writes; name its findings.json.")
    return said, _digest(raw)


def _seal(ledger: str, actor: str, content: dict[str, Any], digests: dict[str, str]) -> int:
    """Keep the digests; a report that was sealed before, byte for byte, keeps its entry."""
    from stillwatch.governance.posture.evidence import EntryKind  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    record = canonical_bytes(
        {
            "format": SEAL_FORMAT,
            "from_us": content["from_us"],
            "to_us": content["to_us"],
            "version": content["version"],
            "files": digests,
        }
    )
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        for one in book.entries(EntryKind.AUDIT_REPORT.value):
            if one.record == record:
                return one.index
        return access.append(actor, [NewEntry(kind=EntryKind.AUDIT_REPORT.value, actor=actor, record=record)])[0]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
