"""The verb `audit`: our own use of other providers' models, and what our own training data holds of theirs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import audit_report
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.cli.terminal import Terminal
    from stillwatch.cli.use_audit import UseAuditDone

_OWN_USE = "stillwatch audit own-use 'world/traffic-*' --out audit"
HELP = VerbHelp(
    name="audit",
    purpose="Audit ourselves: what we send to other providers, and what of theirs is in our training data.",
    examples=(_OWN_USE,),
    writes="into the folder of --out; each verb has --help and --json.",
)
OWN_USE_HELP = VerbHelp(
    name="own-use",
    purpose="Look through logs of our own people's and services' use for secrets, personal data, source code and what the policy forbids.",
    examples=(
        _OWN_USE,
        "stillwatch audit own-use 'world/traffic-*' --out audit --policy policy.yaml --secret-rules rules.toml",
    ),
    writes="findings.json, findings.sarif, findings.csv and audit.html into --out. A second audit into the same folder says what is new, open and fixed.",
)
TRAINING_DATA_HELP = VerbHelp(
    name="training-data",
    purpose="Look through our own training data for other providers' outputs and marks, and hold them against licences.",
    examples=("stillwatch audit training-data dataset --out clean-hands",),
    writes="training-data.json and training-data.html into --out.",
)
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")]


def own_use(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="LOGS...", help="Files, folders or globs of logs, in any format that detect reads."),
    ],
    *,
    out: Out,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="YAML: what is allowed, clauses, owners, settings.")
    ] = None,
    secret_rules: Annotated[
        Path | None,
        typer.Option("--secret-rules", metavar="FILE", help="A gitleaks.toml of yours; by default the shipped rules."),
    ] = None,
    repository: Annotated[
        list[Path] | None, typer.Option("--repository", metavar="DIR", help="Our source code, to be recognised.")
    ] = None,
    canaries: Annotated[
        Path | None, typer.Option("--canaries", metavar="FILE", help="Texts that must never leave, one a line.")
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="FILE", help="Key of the fingerprints; by default one is made and kept in --out."
        ),
    ] = None,
    presidio: Annotated[
        str | None,
        typer.Option(
            "--presidio",
            metavar="FILE",
            help="Ask Presidio too: `default`, or its configuration (extra presidio; slow).",
        ),
    ] = None,
    log_format: Annotated[str, typer.Option("--format", help="Format of the logs; auto tells by content.")] = "auto",
    fail_on_findings: Annotated[
        bool, typer.Option("--fail-on-findings", help="End with exit code 10 where something is new or open.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Audit our own use."""
    from stillwatch.cli import use_audit  # noqa: PLC0415
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    if canaries is not None and not canaries.is_file():
        raise OptionError(f"--canaries {canaries}: there is no such file.")
    with stage_progress(terminal) as progress:
        done = use_audit.run(
            use_audit.UseAuditSettings(
                paths=tuple(paths), out=out, policy=policy, secret_rules=secret_rules, repositories=tuple(repository or ()), canaries=canaries,
                key_file=key_file or out / "fingerprint.key", log_format=log_format, presidio=presidio,
            ),
            progress,
            dt.datetime.now(dt.UTC).date(),
        )  # fmt: skip
    left = _say_own_use(terminal, done, out)
    return ExitCode.FINDINGS if left and fail_on_findings else ExitCode.DONE


def _say_own_use(terminal: Terminal, done: UseAuditDone, out: Path) -> int:
    """Say what an audit found; give the number of findings that are new or open."""
    from stillwatch.governance.own_use.findings import FindingState, counted  # noqa: PLC0415

    table = counted(done.findings)
    for check in sorted(table):
        row = table[check]
        terminal.say(f"{check:<24} {row['new']:>5} new  {row['open']:>5} open  {row['fixed']:>5} fixed")
    for message in done.left_out:
        terminal.say(f"rule not used: {printable(message)}")
    left = [one for one in done.findings if one.state is not FindingState.FIXED]
    terminal.say(f"{done.exchanges:,} exchanges, {len(left)} findings that are new or open. Page: {out / 'audit.html'}")
    terminal.document(
        {"verb": "audit own-use", "exchanges": done.exchanges, "text_bytes": done.text_bytes, "quarantined": done.quarantined, "counts": table,
         "rules_left_out": list(done.left_out), "out": str(out)}
    )  # fmt: skip
    return len(left)


def training_data(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of JSONL, Parquet or text.")],
    *,
    out: Out,
    licences: Annotated[
        Path | None,
        typer.Option("--licences", metavar="FILE", help="YAML of what providers allow; by default the shipped one."),
    ] = None,
    licensed: Annotated[
        list[Path] | None,
        typer.Option("--licensed", metavar="DIR", help="A set that is licensed; near-duplicates of it are named."),
    ] = None,
    mark_keys: Annotated[
        Path | None,
        typer.Option(
            "--mark-keys", metavar="FILE", help="Keys of marks to look for, ours or others', as `mark scan` reads them."
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer", metavar="FILE", help="Of the marked texts; not needed where the set holds token ids."
        ),
    ] = None,
    fail_on_findings: Annotated[
        bool, typer.Option("--fail-on-findings", help="End with exit code 10 where something is forbidden or unknown.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Audit our own training data."""
    from stillwatch.cli import training_data_audit  # noqa: PLC0415
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    marks = None if mark_keys is None else training_data_audit.MarksAsked(keys=mark_keys, tokenizer=tokenizer)
    with stage_progress(terminal) as progress:
        done = training_data_audit.run(
            folder, out, licences, tuple(licensed or ()), marks, progress, dt.datetime.now(dt.UTC).date()
        )
    for one in done["findings"]:
        terminal.say(
            f"{one['state']:<9} {one['rows']:>8,} rows  {one['provider']:<14} {one['sign']:<20} {printable(one['file'])}"
        )
    open_states = [one for one in done["findings"] if one["state"] != "allowed"]
    terminal.say(
        f"{done['rows']:,} rows in {len(done['files'])} files; {len(open_states)} findings are forbidden or unknown. Page: {out / 'training-data.html'}"
    )
    terminal.document({"verb": "audit training-data", **done})
    return ExitCode.FINDINGS if open_states and fail_on_findings else ExitCode.DONE


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (OWN_USE_HELP, own_use),
    (TRAINING_DATA_HELP, training_data),
    (audit_report.REPORT_HELP, audit_report.report),
)
