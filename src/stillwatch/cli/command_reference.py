"""docs/commands.md: every verb's help as one page.

Takes nothing. Gives the page. Run `python -m stillwatch.cli.command_reference` to print it; a test compares.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from stillwatch.cli.exit_codes import MEANINGS
from stillwatch.cli.main import PURPOSE, VERBS, build_app

WIDTH = 100
"""Columns of the help text on the page, whatever the terminal's width."""


def command_reference() -> str:
    """Give the page, in Markdown."""
    about = (
        f"{PURPOSE} This page is made from the help of each verb: "
        "`python -m stillwatch.cli.command_reference > docs/commands.md`.\n"
    )
    everywhere = (
        "Every verb takes `--json` (exactly one JSON document on standard output, also for an error; all else on standard "
        "error) and `--debug`. Progress goes to standard error. Colour is used only on a terminal, and not where "
        "`NO_COLOR` is set.\n"
    )
    codes = "\n".join(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items())
    parts = ["# Commands\n", about, everywhere, "## Exit codes\n", f"| code | meaning |\n|---:|---|\n{codes}\n"]
    for verb, function in VERBS:
        parts += [f"## stillwatch {verb.name}\n", f"```text\n{help_of(verb.name)}\n```\n"]
        for inner, _ in function if isinstance(function, tuple) else ():
            name = f"{verb.name} {inner.name}"
            parts += [f"### stillwatch {name}\n", f"```text\n{help_of(name)}\n```\n"]
    return "\n".join(parts)


def help_of(verb: str | None = None) -> str:
    """Give the help of a verb, or of the whole command line.

    Args:
        verb: its name, or the names of a group and a verb below it; null for the whole.

    Returns:
        Plain text, `WIDTH` columns, without trailing blanks.
    """
    group: Any = typer.main.get_command(build_app())
    context = group.make_context("stillwatch", ["version"], max_content_width=WIDTH, terminal_width=WIDTH)
    if verb is None:
        text = str(group.get_help(context))
    else:
        command = group
        for name in verb.split():
            command = command.get_command(context, name)
            context = type(context)(command, info_name=name, parent=context)
        text = str(command.get_help(context))
    return "\n".join(line.rstrip() for line in text.splitlines())


if __name__ == "__main__":
    sys.stdout.write(command_reference())
