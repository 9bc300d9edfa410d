"""The verb `detect`: logs in, campaigns with a stated error rate out."""

from __future__ import annotations

from datetime import datetime

from stillwatch.cli import detect_options as options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, bytes_of, prepare_folder
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="detect",
    purpose="Find the accounts that act together to harvest the model, and say how sure that is.",
    examples=("stillwatch detect 'world/traffic-*' --accounts world/accounts.parquet --out case",),
    writes="accounts.parquet, campaigns.json, report.html, run.json and quarantine.jsonl into the folder of --out.",
)


def detect(
    paths: options.Paths,
    *,
    out: options.Out,
    log_format: options.LogFormat = "auto",
    engine: options.EngineName = "duckdb",
    fdr: options.DiscoveryRate = 0.01,
    reference: options.Reference = None,
    releases: options.Releases = None,
    accounts: options.Accounts = None,
    show_text: options.ShowText = False,
    threads: options.Threads = None,
    memory: options.Memory = None,
    assume_zone: options.AssumeZone = None,
    account_field: options.AccountField = None,
    time_field: options.TimeField = None,
    default_account: options.DefaultAccount = None,
    default_time: options.DefaultTime = None,
    encoding: options.Encoding = None,
    year: options.Year = None,
    now: options.Now = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    fail_on_findings: options.FailOnFindings = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the detection."""
    _check(fdr, engine)
    if (ledger is None) != (actor is None):
        raise OptionError("--ledger and --actor were not both given; expected both, to seal the run, or neither.")
    memory_limit = None if memory is None else bytes_of(memory, "--memory")
    now_us = None if now is None else _microseconds(now)
    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    # The engine and the kernels are loaded only when a detection is run, so that help is instant.
    from stillwatch.cli.detection_run import detection_document, run_detection  # noqa: PLC0415
    from stillwatch.pipeline import DetectSettings  # noqa: PLC0415

    settings = DetectSettings(
        paths=tuple(paths), out=out, format=log_format, engine=engine, fdr=fdr, reference=tuple(reference or ()),
        releases=releases, accounts=accounts, show_text=show_text, threads=threads, memory_limit_bytes=memory_limit,
        now_us=now_us, assume_zone=assume_zone, account_field=account_field, time_field=time_field,
        default_account=default_account, default_time=default_time, year=year, encoding=encoding, ledger=ledger, actor=actor,
    )  # fmt: skip
    summary = run_detection(settings, terminal)
    terminal.document({"verb": "detect", **detection_document(summary, out)})
    return ExitCode.FINDINGS if fail_on_findings and summary.counts["campaigns"] else ExitCode.DONE


def _check(fdr: float, engine: str) -> None:
    """Refuse values before anything is written."""
    if not 0.0 < fdr < 1.0:
        raise OptionError(f"--fdr got {fdr}, expected a rate between 0 and 1, such as 0.01.")
    if engine not in {"duckdb", "spark"}:
        raise OptionError(f"--engine got {engine!r}, expected duckdb or spark.")


def _microseconds(text: str) -> int:
    """Read a time with a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise OptionError(f"--now got {text!r}, expected ISO 8601, such as 2026-06-05T00:00:00Z.") from error
    if time.tzinfo is None:
        raise OptionError(f"--now got {text!r}, which names no zone; expected one, such as 2026-06-05T00:00:00Z.")
    return round(time.timestamp() * 1_000_000)
