"""The terminal: who hears what.

With `--json`, standard output carries exactly one JSON document and people read standard error; otherwise people read
standard output. Progress and errors go to standard error always. Colour is used only on a terminal, not where `NO_COLOR` is
set, and never alone: a word or symbol says the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

WIDTH_OF_A_PIPE = 140
"""Columns where the output is no terminal and `COLUMNS` is not set: wide enough that no table is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a verb speaks."""

    people: Console
    """For people: tables and sentences."""
    aside: Console
    """Standard error: progress and errors."""
    as_json: bool

    def document(self, content: Mapping[str, Any]) -> None:
        """Write the verb's one JSON document to standard output; nothing where `--json` was not given.

        Args:
            content: dictionaries, lists, strings, finite numbers, booleans and nulls.
        """
        if self.as_json:
            sys.stdout.write(json_text(content) + "\n")
            sys.stdout.flush()

    def say(self, text: str = "", style: str | None = None) -> None:
        """Say a line to people; the text is taken as it is, never as markup.

        Args:
            text: one line or more.
            style: a rich style; null for plain.
        """
        self.people.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def open_terminal(*, as_json: bool) -> Terminal:
    """Open the terminal of this process.

    Args:
        as_json: whether standard output belongs to the JSON document.
    """
    return Terminal(people=_console(to_stderr=as_json), aside=_console(to_stderr=True), as_json=as_json)


def json_text(content: Mapping[str, Any]) -> str:
    """Give a JSON document, ASCII only, so that no terminal acts on what it holds."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=True)


def printable(text: str) -> str:
    """Spell out control characters, so that no value that comes from elsewhere acts on the terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1] for character in text
    )


def _console(*, to_stderr: bool) -> Console:
    """Open a console; a pipe gets a width of its own."""
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_PIPE
    return Console(stderr=to_stderr, highlight=False, markup=False, emoji=False, width=width)
