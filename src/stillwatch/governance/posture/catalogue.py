"""The catalogue: controls that speak of model theft, from files of YAML.

Takes files, one a catalogue. Gives controls in the order of catalogues and items. Every field is checked, and all problems are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stillwatch.governance.errors import CatalogueError
from stillwatch.governance.posture.checking import CHECKS
from stillwatch.governance.posture.control import CatalogueSource, Control
from stillwatch.records.law import Grade

SHIPPED = Path(__file__).parent / "catalogue"
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
"""An OSCAL token, so that an id is the same everywhere."""
_SOURCE = {"id", "title", "version", "url", "licence", "grade"}
_CONTROL = {"id", "item", "title", "level", "gist", "checks", "leaves_out"}


def read_catalogue(folder: Path = SHIPPED) -> tuple[Control, ...]:
    """Read all controls of a folder's files.

    Raises:
        CatalogueError: with every problem, by file.
    """
    problems: list[str] = []
    found: dict[str, Control] = {}
    files = sorted(folder.glob("*.yaml"))
    if not files:
        problems.append(f"{folder}: got no .yaml file, expected a folder of catalogues")
    for file in files:
        for one in _read_file(file, problems):
            if one.id in found:
                problems.append(f"{file}: {one.id} stands twice; keep one")
            found[one.id] = one
    if problems:
        raise CatalogueError("the catalogue cannot be used:\n" + "\n".join(problems[:20]))
    return tuple(found.values())


def _read_file(file: Path, problems: list[str]) -> list[Control]:
    try:
        said = yaml.load(file.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # the base loader makes texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError):
        problems.append(f"{file}: this is no YAML; check indentation, colons and quotes")
        return []
    if not isinstance(said, dict) or set(said) != _SOURCE | {"controls"} or not isinstance(said["controls"], list):
        problems.append(f"{file}: expected {', '.join(sorted(_SOURCE))} and a list of controls")
        return []
    if said["grade"] not in set(Grade):
        problems.append(f"{file}: grade got {str(said['grade'])[:30]!a}, expected one of {', '.join(Grade)}")
        return []
    source = CatalogueSource(**{name: str(said[name]) for name in _SOURCE - {"grade"}}, grade=Grade(said["grade"]))
    return [one for row in said["controls"] if (one := _control(row, source, str(file), problems)) is not None]


def _control(row: Any, source: CatalogueSource, place: str, problems: list[str]) -> Control | None:
    if not isinstance(row, Mapping) or set(row) != _CONTROL or not isinstance(row["checks"], list):
        problems.append(f"{place}: expected a control of {', '.join(sorted(_CONTROL))}, checks a list")
        return None
    unknown = [name for name in row["checks"] if name not in CHECKS]
    if not _ID.fullmatch(str(row["id"])) or unknown:
        problems.append(
            f"{place}: {str(row['id'])[:60]!a}: expected an id of letters, digits, dots and hyphens, and checks of {', '.join(CHECKS)}; got {unknown}"
        )
        return None
    texts = {name: " ".join(str(row[name]).split()) for name in _CONTROL - {"checks"}}
    return Control(source=source, checks=tuple(row["checks"]), **texts)
