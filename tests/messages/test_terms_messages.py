"""What is said of terms that cannot be used: one file of terms for each validator, and the message word by word.

`terms/NAME.yaml` is the input, `terms/NAME.txt` the message. Where a message changes on purpose, write it anew with
`python tests/messages/test_terms_messages.py`, and read the difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stillwatch.decisions.errors import TermsProblemsError
from stillwatch.decisions.terms.lint import VALIDATORS, read_terms

HERE = Path(__file__).parent / "terms"
INPUTS = sorted(HERE.glob("*.yaml"))


def message(path: Path) -> str:
    """Give the message for a file; empty where there is none."""
    try:
        read_terms(path.read_bytes(), None, path.name)
    except TermsProblemsError as error:
        return f"{error}\n"
    return ""


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_the_message_is_this(path: Path) -> None:
    said = message(path)
    assert said
    assert said == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_every_problem_points_and_hints(path: Path) -> None:
    parts = message(path).split("\n\n")[1:]
    assert parts
    for part in parts:
        place, source, caret, hint = part.rstrip("\n").split("\n")
        line, column = (int(one) for one in place.split(":")[1:3])
        assert path.read_text(encoding="utf-8").splitlines()[line - 1][:160] == source.partition(" | ")[2]
        assert caret.index("^") - caret.index("|") - 1 == column
        assert hint.startswith("  hint: ")


def test_every_validator_has_its_message() -> None:
    assert {validator.__name__ for validator in VALIDATORS} | {"form"} == {path.stem for path in INPUTS}


if __name__ == "__main__":
    for file in INPUTS:
        file.with_suffix(".txt").write_text(message(file), encoding="utf-8")
    sys.exit(0)
