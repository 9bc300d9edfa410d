"""The register's files: YAML to entries.

Takes files of entries, the shipped ones and a team's own. Gives entries by id; a later folder's entry replaces one of the same id. Every
field is checked, and all problems are told at once with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from stillwatch.governance.errors import RegisterError
from stillwatch.records.law import Conflict, Grade, LawEntry, LawKind, LawSource, LawStatus, Touches, Verification

SHIPPED = Path(__file__).parent / "register"
MOST_BYTES = 1 << 20
MOST_SHOWN = 20
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME = re.compile(r"[a-z-]+:\S.*")
_FIELDS = {
    "id", "title", "kind", "jurisdiction", "status", "date", "gist", "grade", "sources", "verified", "conflicts", "touches", "due", "follows",
}  # fmt: skip
_NEEDED = ("id", "title", "kind", "jurisdiction", "status", "date", "gist", "grade", "sources", "verified")
Word = TypeVar("Word", bound=StrEnum)


def read_register(folders: Sequence[Path] = (SHIPPED,)) -> dict[str, LawEntry]:
    """Read all entries of some folders, in the order of their ids.

    Args:
        folders: of YAML files; a later one's entry replaces an earlier one's.

    Raises:
        RegisterError: with every problem, by file and line.
    """
    found: dict[str, LawEntry] = {}
    problems: list[str] = []
    for folder in folders:
        own: dict[str, LawEntry] = {}
        files = sorted(folder.glob("*.yaml"))
        if not files:
            problems.append(f"{folder}: got no .yaml file, expected a folder of the register's files")
        for file in files:
            for entry, line in _read_file(file, problems):
                if entry.id in own:
                    problems.append(f"{file}:{line}: {entry.id} stands twice in this folder; keep one")
                own[entry.id] = entry
        found |= own
    if problems:
        more = f"\n… and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
        raise RegisterError("the register cannot be used:\n" + "\n".join(problems[:MOST_SHOWN]) + more)
    return dict(sorted(found.items()))


def _read_file(file: Path, problems: list[str]) -> list[tuple[LawEntry, int]]:
    """Read one file; what is wrong goes to the problems."""
    content = file.read_bytes()
    if len(content) > MOST_BYTES:
        problems.append(f"{file}: got {len(content):,} bytes, at most {MOST_BYTES:,}; cut it into several")
        return []
    try:
        # The base loader leaves every scalar a text: `NO` is a country and 2026-06-10 a day.
        root = yaml.compose(content, Loader=yaml.BaseLoader)
        rows = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506  # the base loader makes texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark is not None else str(file)
        problems.append(f"{place}: this is no YAML; check indentation, colons and quotes")
        return []
    if not isinstance(rows, list) or root is None:
        problems.append(f"{file}: expected a list of entries, each with {', '.join(_NEEDED)}")
        return []
    lines = [node.start_mark.line + 1 for node in root.value]
    found = []
    for row, line in zip(rows, lines, strict=True):
        said = len(problems)
        entry = _entry(row, f"{file}:{line}", problems)
        if entry is not None and len(problems) == said:
            found.append((entry, line))
    return found


def _entry(row: object, place: str, problems: list[str]) -> LawEntry | None:
    """Read one entry."""
    if not isinstance(row, dict):
        problems.append(f"{place}: expected an entry of fields")
        return None
    missing = [name for name in _NEEDED if not row.get(name)]
    unknown = sorted(set(row) - _FIELDS)
    if missing or unknown:
        problems.append(f"{place}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}")
        return None
    _match(_ID, row["id"], "id", place, problems)
    _match(_DATE, row["date"], "date", place, problems)
    if row.get("due"):
        _match(_DAY, row["due"], "due", place, problems)
    follows = _texts(row.get("follows"), "follows", place, problems)
    for name in follows:
        _match(_NAME, name, "follows", place, problems)
    kind = _word(LawKind, row["kind"], "kind", place, problems)
    status = _word(LawStatus, row["status"], "status", place, problems)
    grade = _word(Grade, row["grade"], "grade", place, problems)
    verified = _fields(row["verified"], ("by", "on", "against"), "verified", place, problems)
    sources = [_fields(one, ("title",), "sources", place, problems) for one in _listed(row["sources"])]
    conflicts = [_fields(one, ("says", "by"), "conflicts", place, problems) for one in _listed(row.get("conflicts"))]
    touches = row.get("touches") or {}
    if kind is None or status is None or grade is None or not isinstance(touches, dict):
        return None
    if grade is Grade.PRIMARY and not any(one.get("url") for one in sources):
        problems.append(f"{place}: grade primary needs the address of the primary text in sources")
    return LawEntry(
        id=str(row["id"]),
        title=str(row["title"]),
        kind=kind,
        jurisdiction=str(row["jurisdiction"]),
        status=status,
        date=str(row["date"]),
        gist=" ".join(str(row["gist"]).split()),
        grade=grade,
        sources=tuple(LawSource(title=str(one.get("title", "")), url=one.get("url") or None) for one in sources),
        verified=Verification(
            by=str(verified.get("by", "")), on=str(verified.get("on", "")), against=str(verified.get("against", ""))
        ),
        conflicts=tuple(Conflict(says=str(one.get("says", "")), by=str(one.get("by", ""))) for one in conflicts),
        touches=Touches(
            controls=_texts(touches.get("controls"), "touches.controls", place, problems),
            clauses=_texts(touches.get("clauses"), "touches.clauses", place, problems),
            elements=_texts(touches.get("elements"), "touches.elements", place, problems),
        ),
        due=row.get("due") or None,
        follows=follows,
    )


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _fields(value: object, needed: Sequence[str], field: str, place: str, problems: list[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or any(not isinstance(value.get(name), str) for name in needed):
        problems.append(f"{place}: {field} needs {', '.join(needed)}")
        return {}
    return value


def _texts(value: object, field: str, place: str, problems: list[str]) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.append(f"{place}: {field} needs a list of texts")
        return ()
    return tuple(value)


def _match(pattern: re.Pattern[str], value: object, field: str, place: str, problems: list[str]) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        problems.append(f"{place}: {field} got {value!a}, expected one such as {_EXAMPLES[field]}")


_EXAMPLES = {
    "id": "us-hr-8283",
    "date": "2026, 2026-06 or 2026-06-10",
    "due": "2026-12-02",
    "follows": "congress:119/hr/8283",
}


def _word(words: type[Word], value: object, field: str, place: str, problems: list[str]) -> Word | None:
    try:
        return words(str(value))
    except ValueError:
        problems.append(f"{place}: {field} got {value!a}, expected one of {', '.join(words)}")
        return None
