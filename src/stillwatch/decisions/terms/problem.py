"""Problem: what is wrong in a file of terms, where, and what to do; and its text with a caret.

Takes places and words. Gives the text that a person reads. Promises that all problems of a file are told at once, by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.decisions.errors import TermsProblemsError

LONGEST_LINE = 160
"""Characters of a source line that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where something stands."""

    line: int
    """From 1."""
    column: int
    """From 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong."""

    place: Place
    message: str
    hint: str
    """What to do."""


def render(problem: Problem, file: str, lines: Sequence[str]) -> str:
    """Give a problem as text: message, the line with a caret, and the hint.

    Args:
        problem: what is wrong.
        file: name of the file.
        lines: of the file.
    """
    place = problem.place
    source = lines[place.line - 1] if place.line <= len(lines) else ""
    shown = "".join(one if one.isprintable() else " " for one in source[:LONGEST_LINE])
    margin = f"{place.line:>5} | "
    caret = " " * (len(margin) - 2) + "| " + " " * (min(place.column, LONGEST_LINE) - 1) + "^"
    return f"{file}:{place.line}:{place.column}: {problem.message}\n{margin}{shown}\n{caret}\n  hint: {problem.hint}"


def refuse(problems: Sequence[Problem], file: str, lines: Sequence[str]) -> None:
    """Raise where there is a problem.

    Raises:
        TermsProblemsError: with the text of every one, by place.
    """
    if problems:
        ordered = sorted(problems, key=lambda one: (one.place, one.message))
        count = f"{len(ordered)} problem{'s' if len(ordered) > 1 else ''}"
        texts = "\n\n".join(render(one, file, lines) for one in ordered)
        raise TermsProblemsError(f"{file} cannot be used: {count}\n\n{texts}")
