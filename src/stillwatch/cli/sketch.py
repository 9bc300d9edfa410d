"""The verb `sketch`: logs in, sketches without text out, which `detect` reads in their place."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import detect_options as options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.intake.settings import IntakeSettings

HELP = VerbHelp(
    name="sketch",
    purpose="Make sketches of logs once, without text, to be kept and read by `detect` in their place.",
    examples=(
        "stillwatch sketch 'world/traffic-*' --out sketches",
        "stillwatch detect sketches --accounts world/accounts.parquet --out again",
    ),
    writes=(
        "sketches-*.parquet, one for each log that has none yet, and a quarantine beside a part with lines that could not be read, into the folder of "
        "--out. With --follow or the path -, parts of lines as they come."
    ),
)
STANDARD_INPUT = "-"
DAY_S = 86_400.0

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH", help="Files, folders or globs, as `detect` takes them; - reads lines of standard input."
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the parts; made where missing.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on with one log as it grows, from where its parts end.")]
EveryLines = Annotated[
    int, typer.Option("--every-lines", metavar="N", min=1, help="Followed: lines after which a part is written.")
]
EverySeconds = Annotated[
    float, typer.Option("--every-seconds", metavar="T", min=0.01, help="Followed: or so long after its first line.")
]
Acknowledge = Annotated[
    bool,
    typer.Option(
        "--acknowledge", help="Followed: print after each part how many lines are on the disk, and nothing else."
    ),
]


def sketch(
    paths: Paths,
    *,
    out: Out,
    log_format: options.LogFormat = "auto",
    follow: Follow = False,
    every_lines: EveryLines = 5_000,
    every_seconds: EverySeconds = 60.0,
    acknowledge: Acknowledge = False,
    threads: options.Threads = None,
    assume_zone: options.AssumeZone = None,
    account_field: options.AccountField = None,
    time_field: options.TimeField = None,
    default_account: options.DefaultAccount = None,
    default_time: options.DefaultTime = None,
    encoding: options.Encoding = None,
    year: options.Year = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make parts."""
    stream = follow or STANDARD_INPUT in paths
    if stream and len(paths) != 1:
        raise OptionError("--follow and - take one log alone; run one for each.")
    if acknowledge and (as_json or not stream):
        raise OptionError("--acknowledge goes with --follow or -, and without --json: standard output is its own.")
    terminal = open_terminal(as_json=as_json or acknowledge)
    prepare_folder(out, "--out")
    # The kernels are loaded only when something is sketched, so that help is instant.
    from stillwatch.intake.settings import IntakeSettings  # noqa: PLC0415
    from stillwatch.sketches.part_file import drop_unfinished  # noqa: PLC0415

    drop_unfinished(out, time.time() - DAY_S)

    declared = IntakeSettings(
        assume_zone=assume_zone, account_field=account_field, time_field=time_field, default_account=default_account,
        default_time=default_time, encoding=encoding, year=year,
    )  # fmt: skip
    if not stream:
        return _whole(tuple(paths), out, log_format, declared, threads or os.cpu_count() or 1, terminal)
    if encoding is not None:
        raise OptionError("--encoding is for whole logs; a followed one is read as UTF-8.")
    from stillwatch.cli.sketch_stream import follow_log  # noqa: PLC0415
    from stillwatch.sketching.live import LiveSettings  # noqa: PLC0415

    path = paths[0] if paths[0] == STANDARD_INPUT else str(Path(paths[0]).absolute())
    form = "guard" if log_format == "auto" else log_format
    live = LiveSettings(
        out=out, path=path, format=form, intake=declared, every_lines=every_lines, every_s=every_seconds
    )
    return follow_log(live, terminal, acknowledge=acknowledge)


def _whole(
    paths: tuple[str, ...], out: Path, log_format: str, declared: IntakeSettings, threads: int, terminal: Terminal
) -> ExitCode:
    """Make the parts of whole logs."""
    from dataclasses import replace  # noqa: PLC0415

    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415
    from stillwatch.evidence.incident_report.wording import counted  # noqa: PLC0415
    from stillwatch.pipeline import clock_us  # noqa: PLC0415
    from stillwatch.sketching.logs import sketch_logs  # noqa: PLC0415

    with stage_progress(terminal) as progress:
        made = sketch_logs(paths, out, log_format, replace(declared, now_us=clock_us()), threads, progress)
    terminal.say(
        f"{counted(len(made.parts), 'part', 'parts')} in {out}, {made.made:,} of them new: {made.rows:,} sketches of {made.read:,} records."
    )
    if made.quarantined:
        terminal.say(f"! {made.quarantined:,} records could not be read; see {out}/*.quarantine.jsonl")
    for path, reason in made.set_aside:
        terminal.say(f"! {path}: left aside, {reason}")
    terminal.document(
        {
            "verb": "sketch", "out": str(out), "parts": [str(part) for part in made.parts], "made": made.made, "sketches": made.rows,
            "read": made.read, "quarantined": made.quarantined, "notes": made.notes,
            "files_set_aside": [{"file": path, "reason": reason} for path, reason in made.set_aside],
        }
    )  # fmt: skip
    return ExitCode.DONE
