"""The verb `audit report`: one period of the ledger as page, PDF and JSON, sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.posture import Attest, moment_of
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.records.ledger import LedgerEntry

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
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="DIR", help="A folder that `detect` wrote and sealed, for q-values; repeatable."),
    ] = None,
    attest: Attest = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Report on a period."""
    from stillwatch.governance.audit_report.page import report_page  # noqa: PLC0415
    from stillwatch.governance.audit_report.printed import print_report  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    period = moment_of(begin, "--from"), moment_of(end, "--to")
    if not period[0] < period[1] <= ledger_options.now_us():
        raise OptionError(
            "--from and --to got no period that has ended; expected --from before --to, and --to not after now."
        )
    findings = _own_use(own_use)
    prepare_folder(out, "--out")
    content = _content(ledger, actor, period, findings, attest, run or ())
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


def _content(
    ledger: str,
    actor: str,
    period: tuple[int, int],
    findings: tuple[dict[str, Any] | None, str | None],
    attest: Path | None,
    runs: Sequence[Path],
) -> dict[str, Any]:
    """Read the ledger as it was at the end of the period, and tell it."""
    from stillwatch.cli.posture_evidence import evidence_of  # noqa: PLC0415
    from stillwatch.governance.audit_report.content import report_content  # noqa: PLC0415
    from stillwatch.governance.posture.assess import assess  # noqa: PLC0415
    from stillwatch.governance.posture.attestations import read_attestations  # noqa: PLC0415
    from stillwatch.governance.posture.catalogue import read_catalogue  # noqa: PLC0415
    from stillwatch.governance.posture.evidence import EntryKind  # noqa: PLC0415

    controls = read_catalogue()
    attestations = read_attestations(attest, [one.id for one in controls]) if attest else ()
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, _):
        evidence = evidence_of(book, period[1])
        rates = _error_rates(runs, book.entries(EntryKind.RUN_SEALED.value, 0, evidence.size))
    return report_content(evidence, assess(controls, evidence, attestations), period[0], *findings, rates)


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


def _error_rates(folders: Sequence[Path], entries: Iterable[LedgerEntry]) -> dict[str, dict[str, Any]]:
    """Read q-values and the promised false-discovery rate of runs, each compared with what was sealed.

    Raises:
        OptionError: where no entry seals exactly this campaigns.json.
    """
    from stillwatch.cli.result_files import CAMPAIGNS_FILE, read_campaigns  # noqa: PLC0415
    from stillwatch.evidence.sealing import read_sealed_run, sealed_file  # noqa: PLC0415

    sealed = (
        {
            file.digest: one.index
            for one in entries
            for file in read_sealed_run(one).results
            if file.use == CAMPAIGNS_FILE
        }
        if folders
        else {}
    )
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        read = read_campaigns(folder)
        entry = sealed.get(sealed_file(CAMPAIGNS_FILE, folder / CAMPAIGNS_FILE).digest)
        if entry is None:
            raise OptionError(
                f"--run {folder}: no entry up to the end of the period seals this {CAMPAIGNS_FILE}; name a folder that `detect --ledger` wrote."
            )
        found |= {
            one.id: {"q_value": one.q_value, "fdr": read.fdr, "entry": entry}
            for one in (*read.considered, *read.campaigns)
        }
    return found


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
