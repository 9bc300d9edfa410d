"""The verb `formats`: which log formats are read, what each fills, and what one must know."""

from __future__ import annotations

from typing import Annotated

import typer

from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="formats",
    purpose="List the log formats that are read, and what one must know of each.",
    examples=("stillwatch formats", "stillwatch formats generic"),
    writes="nothing.",
)


def formats(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One format in full; without it, all in short.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List the formats."""
    # The parsers are loaded only when they are listed, so that help is instant.
    from stillwatch.intake.formats.registry import FORMATS  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed = [known for known in FORMATS if name in {None, known.name}]
    if not listed:
        names = ", ".join(known.name for known in FORMATS)
        raise OptionError(f"there is no format {name!a}; expected one of {names}.")
    for known in listed:
        terminal.say(f"{known.name}  {known.title}", style="bold")
        terminal.say(f"  {known.about}")
        if name is not None:
            terminal.say(f"  fills: {', '.join(known.fills)}")
            for gotcha in known.gotchas:
                terminal.say(f"  ! {gotcha}")
        else:
            notes = f"; {len(known.gotchas)} to know" if known.gotchas else ""
            terminal.say(f"  fills {len(known.fills)} columns{notes}: stillwatch formats {known.name}")
    terminal.document(
        {
            "verb": "formats",
            "formats": [
                {
                    "name": known.name,
                    "title": known.title,
                    "about": known.about,
                    "fills": list(known.fills),
                    "gotchas": list(known.gotchas),
                }
                for known in listed
            ],
        }
    )
    return ExitCode.DONE
