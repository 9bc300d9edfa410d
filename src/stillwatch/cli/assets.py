"""The verb `assets`: what is to be protected, what the logs show of it, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.cli.terminal import Terminal
    from stillwatch.governance.assets.gaps import AssetGap
    from stillwatch.governance.posture.evidence import Evidence

_DISCOVER = "stillwatch assets discover 'world/traffic-*' --out assets.yaml"
HELP = VerbHelp(
    name="assets",
    purpose="Register models, data sets, prompts and endpoints to protect, and list what is missing.",
    examples=(_DISCOVER,),
    writes="what each verb says; each has --help and --json.",
)
DISCOVER_HELP = VerbHelp(
    name="discover",
    purpose="Count in logs which models and endpoints are asked, what they show, and which fields are filled.",
    examples=(_DISCOVER, "stillwatch assets discover 'world/traffic-*' --ledger ledger.db --actor bob"),
    writes="with --out, a register to begin with; with --ledger, an entry that `stillwatch posture` reads.",
)
CHECK_HELP = VerbHelp(
    name="check",
    purpose="Read a register and list its gaps, beside what the ledger knows of logs and drills.",
    examples=(
        "stillwatch assets check assets.yaml",
        "stillwatch assets check assets.yaml --ledger ledger.db --actor bob",
    ),
    writes="nothing.",
)
REGISTER_HELP = VerbHelp(
    name="register",
    purpose="Keep a register in the ledger, with its gaps; a change of its routes ends what older drills of routes say.",
    examples=("stillwatch assets register assets.yaml --ledger ledger.db --actor bob",),
    writes="an entry of the ledger.",
)
OptionalLedger = Annotated[str | None, typer.Option("--ledger", metavar="URL", help="The ledger; needs --actor.")]
OptionalActor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who does this.")]
RegisterFile = Annotated[Path, typer.Argument(metavar="FILE", help="The register, YAML.")]


def discover(
    paths: Annotated[list[str], typer.Argument(metavar="LOGS...", help="Files, folders or globs of logs.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write a register to begin with; never over one that is there."),
    ] = None,
    ledger: OptionalLedger = None,
    actor: OptionalActor = None,
    log_format: Annotated[str, typer.Option("--format", help="Format of the logs; auto tells by content.")] = "auto",
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Count what logs show."""
    from stillwatch.cli import asset_discovery  # noqa: PLC0415
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415
    from stillwatch.governance.assets.seen import route_documents  # noqa: PLC0415

    _both(ledger, actor)
    if out is not None and out.exists():
        raise OptionError(f"--out {out} is there already; name another file, and take over from it what is new.")
    terminal = open_terminal(as_json=as_json)
    with stage_progress(terminal) as progress:
        seen = asset_discovery.read_logs(paths, log_format, progress)
    record = {
        "format": asset_discovery.COVERAGE_FORMAT,
        "routes": route_documents(seen.routes()),
        "missing_days": list(seen.missing_days()),
        "quarantined": seen.quarantined,
    }
    if out is not None:
        ledger_options.write_out(out, asset_discovery.draft_register(seen.routes()).encode())
    entry = None
    if ledger is not None and actor is not None:
        entry = asset_discovery.append(ledger, actor, "LOG_COVERAGE", record)
    _say_routes(terminal, record)
    if out is not None:
        terminal.say(f"Written: {out}. Fill in owners, terms and marks, then `stillwatch assets check {out}`.")
    if entry is not None:
        terminal.say(f"Entry {entry} of the ledger.")
    terminal.document({"verb": "assets discover", "entry": entry, **record})
    return ExitCode.DONE


def check(
    file: RegisterFile,
    *,
    ledger: OptionalLedger = None,
    actor: OptionalActor = None,
    fail_on_findings: Annotated[
        bool, typer.Option("--fail-on-findings", help="End with exit code 10 where there is a gap.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List the gaps of a register."""
    from stillwatch.cli import asset_discovery  # noqa: PLC0415
    from stillwatch.governance.assets.register import read_assets  # noqa: PLC0415

    _both(ledger, actor)
    terminal = open_terminal(as_json=as_json)
    register = read_assets(file)
    gaps = asset_discovery.gaps_of(register, _evidence(ledger, actor))
    _say_gaps(terminal, gaps, len(register.assets))
    terminal.document(
        {
            "verb": "assets check",
            "assets": [asdict(one) for one in register.assets],
            "gaps": [asdict(one) for one in gaps],
        }
    )
    return ExitCode.FINDINGS if gaps and fail_on_findings else ExitCode.DONE


def register(
    file: RegisterFile,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Keep a register in the ledger."""
    from stillwatch.cli import asset_discovery  # noqa: PLC0415
    from stillwatch.governance.assets.register import read_assets  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    read = read_assets(file)
    gaps = asset_discovery.gaps_of(read, _evidence(ledger, actor))
    record = asset_discovery.register_record(read, gaps)
    entry = asset_discovery.append(ledger, actor, "ASSETS_REGISTERED", record)
    _say_gaps(terminal, gaps, len(read.assets))
    terminal.say(f"Entry {entry} of the ledger.")
    terminal.document({"verb": "assets register", "entry": entry, **record})
    return ExitCode.DONE


def _both(ledger: str | None, actor: str | None) -> None:
    if (ledger is None) != (actor is None):
        raise OptionError("--ledger and --actor were not both given; expected both, or neither.")


def _evidence(ledger: str | None, actor: str | None) -> Evidence | None:
    from stillwatch.cli.posture_evidence import evidence_of  # noqa: PLC0415

    if ledger is None or actor is None:
        return None
    with ledger_options.open_for(ledger, actor, "READ") as (book, _):
        return evidence_of(book, ledger_options.now_us())


def _say_routes(terminal: Terminal, record: dict[str, Any]) -> None:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for name in ("model", "endpoint", "exchanges", "tokens", "with key or session", "reasoning", "samples"):
        table.add_column(name, justify="left" if name in {"model", "endpoint"} else "right", overflow="fold")
    for one in record["routes"]:
        share = f"{one['attributed_tokens'] / one['tokens']:.1%}" if one["tokens"] else "no tokens"
        table.add_row(
            printable(one["model"] or "-"), printable(one["endpoint"] or "-"), f"{one['exchanges']:,}", f"{one['tokens']:,}", share,
            f"{one['with_reasoning']:,}", f"{one['with_samples']:,}",
        )  # fmt: skip
    terminal.people.print(table)
    missing = record["missing_days"]
    terminal.say(
        f"{len(record['routes'])} models and endpoints; {len(missing)} days without a line; {record['quarantined']:,} lines could not be read. "
        "Logs do not say whether log-probabilities were shown; `stillwatch drill surface` asks."
    )


def _say_gaps(terminal: Terminal, gaps: tuple[AssetGap, ...], assets: int) -> None:
    for one in gaps:
        terminal.say(f"{one.gap.value:<40} {one.kind} {printable(one.name)}: {printable(one.what)}")
    terminal.say(f"{assets} assets, {len(gaps)} gaps.")


VERBS: tuple[tuple[VerbHelp, Any], ...] = ((DISCOVER_HELP, discover), (CHECK_HELP, check), (REGISTER_HELP, register))
"""The verbs below `assets`, in the order of the help."""
