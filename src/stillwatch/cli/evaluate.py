"""The verb `evaluate`: what was flagged beside what was planted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="evaluate",
    purpose="Score detections of simulated worlds by campaign family and look-alike class.",
    examples=("stillwatch evaluate case world/truth.parquet", "stillwatch evaluate case world --baselines"),
    writes="nothing; it reads accounts.parquet of DIR and the world's truth.parquet.",
)


def evaluate(
    pairs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR TRUTH", help="A detection's folder and its world's truth.parquet; more pairs are pooled."
        ),
    ],
    with_baselines: Annotated[
        bool, typer.Option("--baselines", help="Add trivial baselines, computed from the traffic beside each TRUTH.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Score detections."""
    if len(pairs) % 2:
        raise OptionError(f"evaluate got {len(pairs)} paths, expected pairs: DIR TRUTH, then perhaps DIR TRUTH again.")
    # Readers and scorers are loaded only where they are used, so that help is instant.
    from stillwatch.cli.score_table import scored_methods, tell_score  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    folders, truths = pairs[::2], [_truth(path) for path in pairs[1::2]]
    methods = scored_methods(list(zip(folders, truths, strict=True)), with_baselines=with_baselines)
    tell_score(methods, terminal.people)
    terminal.document(
        {
            "verb": "evaluate",
            "confidence": methods[0].confidence,
            "score": asdict(methods[0].score),
            "baselines": [
                {"name": method.name, "threshold": method.threshold, "score": asdict(method.score)}
                for method in methods[1:]
            ],
        }
    )
    return ExitCode.DONE


def _truth(path: Path) -> Path:
    """Take a world's folder for its truth."""
    return path / "truth.parquet" if path.is_dir() else path
