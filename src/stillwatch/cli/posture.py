"""The verb `posture`: where each control against model theft stands, by what the ledger holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError, OutputError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.cli.terminal import Terminal
    from stillwatch.governance.posture.control import Standing

HELP = VerbHelp(
    name="posture",
    purpose="Say where each control against model theft stands: measured, attested or not covered.",
    examples=(
        "stillwatch posture",
        "stillwatch posture --ledger ledger.db --actor bob --attest attestations.yaml --out posture --oscal results.json",
    ),
    writes="posture.json, posture.html and the OSCAL catalog and assessment-results into --out; with --seal, an entry of the ledger.",
)
STYLES = {"measured-pass": "green", "measured-fail": "red", "attested": "magenta", "not-covered": "dim"}
Attest = Annotated[
    Path | None,
    typer.Option("--attest", metavar="FILE", help="YAML of what somebody answers for: control, by, on, until, says."),
]
Moment = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Of this moment, such as 2026-11-25; by default now.")
]


def posture(
    *,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="The ledger; without one, nothing is measured.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help="Who asks; needed with --ledger.")
    ] = None,
    attest: Attest = None,
    at: Moment = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write into.")] = None,
    oscal: Annotated[
        Path | None, typer.Option("--oscal", metavar="FILE", help="Write OSCAL assessment-results to this file.")
    ] = None,
    seal: Annotated[bool, typer.Option("--seal", help="Keep the result in the ledger.")] = False,
    fail_on_findings: Annotated[
        bool, typer.Option("--fail-on-findings", help="End with exit code 10 where a control fails.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show the posture."""
    from stillwatch.governance.posture.assess import posture_document  # noqa: PLC0415
    from stillwatch.governance.posture.control import State  # noqa: PLC0415

    if (ledger is None) != (actor is None):
        raise OptionError("--ledger and --actor were not both given; expected both, or neither.")
    if seal and (ledger is None or at is not None):
        raise OptionError("--seal keeps the posture of now in a ledger; name --ledger, and leave --at out.")
    terminal = open_terminal(as_json=as_json)
    if out is not None:
        prepare_folder(out, "--out")
    standings, evidence = _assess(ledger, actor, attest, moment_of(at, "--at"))
    document = posture_document(standings, evidence)
    files = _files(standings, evidence, document, out, oscal)
    entry = _seal(ledger, actor, document) if seal and ledger is not None and actor is not None else None
    _say(terminal, standings)
    for path in files:
        terminal.say(f"Written: {path}")
    if entry is not None:
        terminal.say(f"Entry {entry} of the ledger.")
    terminal.document({"verb": "posture", "entry": entry, "files": [str(path) for path in files], **document})
    failing = any(one.state is State.MEASURED_FAIL for one in standings)
    return ExitCode.FINDINGS if failing and fail_on_findings else ExitCode.DONE


def moment_of(text: str | None, option: str) -> int:
    """Read a moment; now where there is none.

    Returns:
        Microseconds UTC.

    Raises:
        OptionError: where it is no time.
    """
    import datetime as dt  # noqa: PLC0415

    if text is None:
        return ledger_options.now_us()
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError:
        raise OptionError(
            f"{option} got {text[:40]!a}, expected a day or time such as 2026-11-25 or 2026-11-25T12:00Z."
        ) from None
    read = read if read.tzinfo else read.replace(tzinfo=dt.UTC)
    return round(read.timestamp()) * 1_000_000


def _assess(ledger: str | None, actor: str | None, attest: Path | None, at_us: int) -> tuple[Sequence[Standing], Any]:
    from stillwatch import __version__  # noqa: PLC0415
    from stillwatch.cli.posture_evidence import evidence_of  # noqa: PLC0415
    from stillwatch.governance.posture.assess import assess  # noqa: PLC0415
    from stillwatch.governance.posture.attestations import read_attestations  # noqa: PLC0415
    from stillwatch.governance.posture.catalogue import read_catalogue  # noqa: PLC0415
    from stillwatch.governance.posture.evidence import Evidence  # noqa: PLC0415

    controls = read_catalogue()
    attestations = read_attestations(attest, [one.id for one in controls]) if attest else ()
    if ledger is None or actor is None:
        evidence = Evidence(now_us=at_us, version=__version__)
    else:
        with ledger_options.open_for(ledger, actor, "READ") as (book, _):
            evidence = evidence_of(book, at_us)
    return assess(controls, evidence, attestations), evidence


def _files(
    standings: Sequence[Standing], evidence: Any, document: dict[str, Any], out: Path | None, oscal: Path | None
) -> list[Path]:
    """Write what was asked for, each file whole or not at all."""
    from stillwatch.governance.posture.oscal import oscal_catalog, oscal_results  # noqa: PLC0415
    from stillwatch.governance.posture.page import posture_page  # noqa: PLC0415

    results = json.dumps(oscal_results(standings, evidence), indent=2, ensure_ascii=True) + "\n"
    texts: dict[Path, str] = {} if oscal is None else {oscal: results}
    if out is not None:
        catalog = oscal_catalog([one.control for one in standings], evidence.version)
        texts |= {
            out / "posture.json": json.dumps(document, indent=2) + "\n",
            out / "posture.html": posture_page(document),
            out / "oscal-catalog.json": json.dumps(catalog, indent=2, ensure_ascii=True) + "\n",
            out / "oscal-assessment-results.json": results,
        }
    for path, text in texts.items():
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}; make it first.")
        ledger_options.write_out(path, text.encode())
    return list(texts)


def _seal(ledger: str, actor: str, document: dict[str, Any]) -> int:
    from stillwatch.governance.posture.evidence import EntryKind  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    entry = NewEntry(kind=EntryKind.POSTURE.value, actor=actor, record=canonical_bytes(document))
    with ledger_options.open_for(ledger, actor, "APPEND") as (_, access):
        return access.append(actor, [entry])[0]


def _say(terminal: Terminal, standings: Sequence[Standing]) -> None:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from stillwatch.governance.posture.assess import counts  # noqa: PLC0415
    from stillwatch.governance.posture.evidence import day_of  # noqa: PLC0415
    from stillwatch.governance.posture.page import SIGNS  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for name in ("state", "control", "why", "until"):
        table.add_column(
            name, overflow="fold", no_wrap=name in {"state", "until"}, max_width=34 if name == "control" else None
        )
    for one in standings:
        word = one.state.value
        table.add_row(
            Text(f"{SIGNS[word]} {word}", style=STYLES[word]),
            f"{one.control.id}\n{one.control.title}",
            printable(one.why),
            day_of(one.until_us) if one.until_us else "",
        )
    terminal.people.print(table)
    said = ", ".join(f"{count} {word}" for word, count in counts(standings).items())
    terminal.say(f"{len(standings)} controls: {said}. These are counts and no score.")
