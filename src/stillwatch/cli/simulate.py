"""The verb `simulate`: traffic with planted campaigns and the truth about them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import Terminal, open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="simulate",
    purpose="Make traffic with planted campaigns, honest look-alikes and the truth about both.",
    examples=("stillwatch simulate world --preset demo --accounts 1500 --exchanges 60000 --seed 7",),
    writes="traffic-*.parquet (or .jsonl), accounts.parquet, releases.csv and truth.parquet into the folder OUT.",
)


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the world; made where missing.")],
    *,
    preset: Annotated[
        str,
        typer.Option("--preset", metavar="NAME", help="demo, june-letter, february-letters, all-families or honest."),
    ] = "demo",
    accounts: Annotated[
        int | None, typer.Option("--accounts", metavar="N", min=1, help="Accounts; by default the preset's.")
    ] = None,
    exchanges: Annotated[
        int | None, typer.Option("--exchanges", metavar="M", min=1, help="Exchanges, about; by default the preset's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The same seed gives the same bytes.")] = 1,
    file_format: Annotated[str, typer.Option("--format", metavar="NAME", help="parquet or jsonl.")] = "parquet",
    days: Annotated[
        int | None, typer.Option("--days", metavar="D", min=1, help="Days; by default the preset's.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this campaign family or look-alike class; repeatable."),
    ] = None,
    honest_only: Annotated[bool, typer.Option("--honest-only", help="Plant no campaign.")] = False,
    drop_columns: Annotated[
        list[str] | None,
        typer.Option("--drop-column", metavar="NAME", help="Leave a column out, as many log sources do; repeatable."),
    ] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="Write short answer texts too.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Make a world."""
    if file_format not in {"parquet", "jsonl"}:
        raise OptionError(f"--format got {file_format!r}, expected parquet or jsonl.")
    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "OUT")
    # The grammars and distributions are loaded only when a world is made, so that help is instant.
    from stillwatch.simulation.world import WorldSettings  # noqa: PLC0415

    summary = make_world(
        WorldSettings(
            preset=preset,
            accounts=accounts,
            exchanges=exchanges,
            seed=seed,
            format="jsonl" if file_format == "jsonl" else "parquet",
            days=days,
            only=tuple(only) if only else None,
            honest_only=honest_only,
            drop_columns=tuple(drop_columns or ()),
            with_text=with_text,
        ),
        out,
        terminal,
    )
    terminal.document({"verb": "simulate", "out": str(out), **summary})
    return ExitCode.DONE


def make_world(settings: Any, out: Path, terminal: Terminal) -> dict[str, Any]:
    """Make a world with progress, and tell people what it holds.

    Args:
        settings: `stillwatch.simulation.world.WorldSettings`.
        out: folder, writable.
        terminal: where to speak.

    Returns:
        The simulator's summary as plain values.
    """
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415
    from stillwatch.simulation.world import simulate as run  # noqa: PLC0415

    with stage_progress(terminal) as progress:
        summary: dict[str, Any] = _plain(asdict(run(settings, out, progress)))
    terminal.say(f"World written to {out}:")
    for name, value in summary.items():
        if isinstance(value, int | float | str):
            terminal.say(f"  {name.replace('_', ' ')}: {f'{value:,}' if isinstance(value, int) else value}")
    for warning in summary.get("warnings", ()):
        terminal.say(f"! {warning}")
    return summary


def _plain(value: Any) -> Any:
    """Give a summary's value as JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
