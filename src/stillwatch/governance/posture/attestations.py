"""Attestations: what somebody answers for, from a file of YAML, each with an end.

Takes a list of `control`, `by`, `on`, `until`, `says` and, where there is something to look at, `evidence`. Gives them by control.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from stillwatch.governance.errors import AttestationError
from stillwatch.governance.posture.control import Attestation

LONGEST_DAYS = 366
"""Nobody's word is taken for longer than a year."""
_NEEDED = ("control", "by", "on", "until", "says")


def read_attestations(path: Path, known: Iterable[str]) -> tuple[Attestation, ...]:
    """Read attestations.

    Args:
        path: the file.
        known: ids of controls.

    Raises:
        AttestationError: with every problem.
    """
    try:
        said = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # the base loader makes texts, lists and mappings only
    except OSError as error:
        raise AttestationError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AttestationError(f"{path}: this is no YAML; check indentation, colons and quotes.") from None
    if not isinstance(said, list):
        raise AttestationError(f"{path}: expected a list of attestations, each with {', '.join(_NEEDED)}.")
    ids, problems = frozenset(known), []
    found = []
    for number, row in enumerate(said, 1):
        problem, one = _attestation(row, ids)
        if one is None:
            problems.append(f"{path}, attestation {number}: {problem}")
        else:
            found.append(one)
    if problems:
        raise AttestationError("attestations cannot be used:\n" + "\n".join(problems[:20]))
    return tuple(found)


def _attestation(row: Any, known: frozenset[str]) -> tuple[str, Attestation | None]:
    if not isinstance(row, dict) or any(
        not isinstance(row.get(name), str) or not row[name].strip() for name in _NEEDED
    ):
        return f"expected {', '.join(_NEEDED)}", None
    if set(row) - {*_NEEDED, "evidence"}:
        return f"got the unknown field {min(set(row) - {*_NEEDED, 'evidence'})[:40]!a}", None
    if row["control"] not in known:
        return (
            f"got the control {row['control'][:60]!a}, which is in no catalogue; `stillwatch posture` lists them",
            None,
        )
    try:
        on, until = (dt.datetime.fromisoformat(row[name]).replace(tzinfo=dt.UTC) for name in ("on", "until"))
    except ValueError:
        return "on and until: expected days such as 2026-06-10", None
    days = (until - on).days
    if not 0 < days <= LONGEST_DAYS:
        return (
            f"until is {days} days after on, expected 1 to {LONGEST_DAYS}; whoever answers for longer answers again",
            None,
        )
    return "", Attestation(
        control=row["control"],
        by=row["by"].strip(),
        on_us=int(on.timestamp()) * 1_000_000,
        until_us=int(until.timestamp()) * 1_000_000,
        says=" ".join(row["says"].split()),
        evidence=" ".join(str(row.get("evidence", "")).split()),
    )
