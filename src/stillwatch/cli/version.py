"""The verb `version`: which version this is, and of what it is made."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from stillwatch import __version__
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

HELP = VerbHelp(
    name="version",
    purpose="Say which version this is, and on what it runs.",
    examples=("stillwatch version", "stillwatch version --json"),
    writes="nothing.",
)
PARTS = ("duckdb", "numba", "numpy", "pyarrow", "scipy", "pyspark")


def version(
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Say the version."""
    terminal = open_terminal(as_json=as_json)
    parts = {name: _installed(name) for name in PARTS}
    terminal.say(f"stillwatch {__version__}")
    terminal.say(f"python {platform.python_version()}")
    for name, number in parts.items():
        terminal.say(f"{name} {number or 'not installed'}")
    terminal.document({"verb": "version", "version": __version__, "python": platform.python_version(), "parts": parts})
    return ExitCode.DONE


def _installed(name: str) -> str | None:
    """Give the version of an installed distribution; null where it is not installed."""
    try:
        return installed(name)
    except PackageNotFoundError:
        return None
