"""A problem of marking settings, and its text: place, caret, measured consequence, hint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.watermark.lint.places import Place

LONGEST_LINE = 160
"""Characters of a source line that are shown."""

_KEY = re.compile(
    r"""(\\?["']?\b(?:key|key_b|keys|hashing_key)\\?["']?\s*:\s*)(\[[^\]]*\]?|\\?"[^"]*"?|'[^']*'?|[^,}\s'"]+)"""
)
"""A key with its value on a line that is shown for another reason; the value is covered, and columns stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """A setting that makes evidence weak, wrong or impossible."""

    rule: str
    """Name of the rule, lower-case words with hyphens; `--accept` takes it."""
    file: str
    place: Place
    message: str
    """What is set. No key is in it."""
    consequence: str
    """What follows, with the number that was measured."""
    measured_by: str
    """Where the number comes from."""
    hint: str
    """What to do."""
    secret: bool = False
    """Whether the line holds a key, so that it is not shown."""


def render(problem: SettingProblem, lines: Sequence[str]) -> str:
    """Give a problem as text.

    Args:
        problem: what is wrong.
        lines: of the file.
    """
    place = problem.place
    source = lines[place.line - 1] if place.line <= len(lines) else ""
    shown = "".join(one if one.isprintable() else " " for one in source[:LONGEST_LINE])
    if problem.secret:  # up to the value, never the value
        shown = shown[: place.column - 1] + "..."
    shown = _KEY.sub(lambda found: found[1] + "*" * len(found[2]), shown)
    margin = f"{place.line:>5} | "
    caret = " " * (len(margin) - 2) + "| " + " " * (min(place.column, LONGEST_LINE) - 1) + "^"
    return (
        f"{problem.file}:{place.line}:{place.column}: {problem.message} [{problem.rule}]\n{margin}{shown}\n{caret}\n"
        f"  consequence: {problem.consequence} ({problem.measured_by})\n  hint: {problem.hint}"
    )
