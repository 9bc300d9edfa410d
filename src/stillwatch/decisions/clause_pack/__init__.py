"""The clause pack: sample wording for what providers' terms often lack, with facts and tables. It is not legal advice.

Takes nothing. Gives the pack's files. Promises that each passes every validator, and that every clause has rows that run.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
TABLES = "tests.yaml"


def pack_files() -> tuple[Path, ...]:
    """Give the files of terms, by name; the tables are not among them."""
    return tuple(path for path in sorted(FOLDER.glob("*.yaml")) if path.name != TABLES)
