"""Options that every verb has, and the reading of sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.errors import OptionError, OutputError

JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print exactly one JSON document to standard output; all else goes to standard error."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def bytes_of(text: str, option: str) -> int:
    """Read a size.

    Args:
        text: a whole or decimal number with a unit: `4GB`, `512MiB`, `1.5 GiB`, or bare bytes.
        option: name of the option, for the message.

    Returns:
        Bytes, at least 1.

    Raises:
        OptionError: where it is no such size.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?", text.strip().lower())
    size = int(float(parts[1]) * UNITS[parts[2]]) if parts else 0
    if size < 1:
        raise OptionError(f"{option} got {text!r}, expected a size such as 4GB, 512MiB or a number of bytes.")
    return size


def prepare_folder(folder: Path, option: str) -> None:
    """Make sure, before any work is done, that a folder can be written to.

    Args:
        folder: made where it does not exist.
        option: name of the option or argument, for the message.

    Raises:
        OutputError: where it cannot be made or written to.
    """
    probe = folder / ".stillwatch-can-write"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{option} {folder} cannot be written to: {error.strerror}. Name a folder that you may write to."
        ) from error
