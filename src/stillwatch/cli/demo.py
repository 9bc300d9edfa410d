"""The verb `demo`: a small incident simulated, detected and reported, in one go."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="demo",
    purpose="Simulate an incident at laptop size, detect it, show the campaigns and write the report.",
    examples=("stillwatch demo --out demo --accounts 1500 --exchanges 60000",),
    writes="the simulated world into DIR/world and the results, report.html among them, into DIR/case.",
)


def demo(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder; made where missing.")] = Path(
        "stillwatch-demo"
    ),
    accounts: Annotated[
        int | None, typer.Option("--accounts", metavar="N", min=1, help="Accounts; by default about 3,000.")
    ] = None,
    exchanges: Annotated[
        int | None, typer.Option("--exchanges", metavar="M", min=1, help="Exchanges; by default about 150,000.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The same seed gives the same incident.")] = 1,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run the demonstration."""
    terminal = open_terminal(as_json=as_json)
    world, case = out / "world", out / "case"
    prepare_folder(world, "--out")
    prepare_folder(case, "--out")
    # All of the product is loaded only here, so that help is instant.
    from stillwatch.cli.detection_run import detection_document, run_detection  # noqa: PLC0415
    from stillwatch.cli.result_files import REPORT_FILE  # noqa: PLC0415
    from stillwatch.cli.score_table import scored_methods  # noqa: PLC0415
    from stillwatch.cli.simulate import make_world  # noqa: PLC0415
    from stillwatch.pipeline import DetectSettings  # noqa: PLC0415
    from stillwatch.simulation.world import WorldSettings  # noqa: PLC0415

    for stale in world.glob("traffic-*"):  # an earlier demonstration of another size must not be read as well
        stale.unlink()
    settings = WorldSettings(preset="demo", accounts=accounts, exchanges=exchanges, seed=seed)
    simulated = make_world(settings, world, terminal)
    summary = run_detection(
        DetectSettings(
            paths=(str(world / "traffic-*"),),
            out=case,
            accounts=world / "accounts.parquet",
            releases=world / "releases.csv",
        ),
        terminal,
    )
    truth = world / "truth.parquet"
    scored = scored_methods([(case, truth)], with_baselines=False)[0].score
    wrong, harvesting = scored.false_discoveries.part, scored.recall
    terminal.say(
        f"Planted and found: {harvesting.part:,} of {harvesting.whole:,} harvesting accounts, and {wrong:,} honest accounts "
        f"flagged by mistake. More: stillwatch evaluate {case} {truth} --baselines"
    )
    terminal.say(f"Open the report: {(case / REPORT_FILE).resolve()}")
    terminal.document(
        {
            "verb": "demo",
            "world": simulated,
            "detection": detection_document(summary, case),
            "score": asdict(scored),
            "report": str((case / REPORT_FILE).resolve()),
        }
    )
    return ExitCode.DONE
