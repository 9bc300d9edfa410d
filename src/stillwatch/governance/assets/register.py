"""The register of assets: a file of YAML, checked field by field.

Takes::

    retention_days: 180          # of customers' text that is kept for tests of suspects; optional
    attribution_floor: 0.98      # least share of tokens with a key or session; 1 by default
    assets:
      - kind: model              # model, data set, prompt or endpoint
        name: still-1            # for models and endpoints, as the logs name it
        owner: inference team
        terms: [api-terms]       # names of terms that cover it
        marks: [mk-0123456789abcdef]   # handles of mark keys, schemes, or for data sets names of canary sets
        shows: [reasoning]       # of logprobs, alternatives, samples, reasoning
        accepted: support plan   # why it may show that; optional

Gives assets in the order of the file; all problems are told at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from stillwatch.governance.errors import AssetsFileError

EXPOSURES = ("logprobs", "alternatives", "samples", "reasoning")
"""What an answer may show beyond its text, as the drill of the output surface calls it."""
_FIELDS = {"kind", "name", "owner", "terms", "marks", "shows", "accepted"}


class AssetKind(StrEnum):
    """What is to be protected."""

    MODEL = "model"
    DATA_SET = "data set"
    PROMPT = "prompt"
    """A system prompt, or a set of prompts."""
    ENDPOINT = "endpoint"
    """A route by which models are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One thing to protect."""

    kind: AssetKind
    name: str
    owner: str
    """Empty where nobody is named, which is a gap."""
    terms: tuple[str, ...]
    marks: tuple[str, ...]
    shows: tuple[str, ...]
    """Of `EXPOSURES`."""
    accepted: str
    """Why it may show that; empty where nobody accepted it, which is a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRegister:
    """All that is registered."""

    assets: tuple[Asset, ...]
    retention_days: int | None
    """Days after which kept text is erased; null where no limit is named."""
    attribution_floor: float
    """Least share of tokens that a key or session is known for, in (0, 1]."""


def read_assets(path: Path) -> AssetRegister:
    """Read a register.

    Raises:
        AssetsFileError: with every problem.
    """
    try:
        said = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)  # noqa: S506  # the base loader makes texts, lists and mappings only
    except OSError as error:
        raise AssetsFileError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AssetsFileError(f"{path}: this is no YAML; check indentation, colons and quotes.") from None
    if not isinstance(said, dict) or not isinstance(said.get("assets"), list):
        raise AssetsFileError(f"{path}: expected a list of `assets`, each with kind and name.")
    problems: list[str] = []
    unknown = sorted(set(said) - {"assets", "retention_days", "attribution_floor"})
    if unknown:
        problems.append(f"unknown {unknown}")
    assets = [one for number, row in enumerate(said["assets"], 1) if (one := _asset(row, number, problems)) is not None]
    twice = {one.name for one in assets if sum((two.kind, two.name) == (one.kind, one.name) for two in assets) > 1}
    problems += [f"{name[:60]!a} stands twice; keep one" for name in sorted(twice)]
    retention = _number(said.get("retention_days"), "retention_days", 1, 36_500, problems)
    floor = _number(said.get("attribution_floor"), "attribution_floor", 0.0, 1.0, problems)
    if problems:
        raise AssetsFileError(f"{path} cannot be used:\n" + "\n".join(problems[:20]))
    return AssetRegister(
        assets=tuple(assets),
        retention_days=None if retention is None else int(retention),
        attribution_floor=1.0 if floor is None else floor,
    )


def _asset(row: Any, number: int, problems: list[str]) -> Asset | None:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"]:
        problems.append(
            f"asset {number}: expected kind, name, and owner, terms, marks, shows, accepted where they are known"
        )
        return None
    found = len(problems)
    name = row["name"]
    if row.get("kind") not in set(AssetKind):
        problems.append(
            f"asset {number}: kind got {str(row.get('kind'))[:30]!a}, expected one of {', '.join(AssetKind)}"
        )
    if set(row) - _FIELDS:
        problems.append(f"asset {number}: unknown {sorted(set(row) - _FIELDS)}")
    lists = {field: _texts(row.get(field), field, number, problems) for field in ("terms", "marks", "shows")}
    strange = [one for one in lists["shows"] if one not in EXPOSURES]
    if strange:
        problems.append(f"asset {number}: shows got {strange[0][:30]!a}, expected of {', '.join(EXPOSURES)}")
    texts = {field: row.get(field, "") for field in ("owner", "accepted")}
    problems += [
        f"asset {number}: {field} expected a text" for field, text in texts.items() if not isinstance(text, str)
    ]
    if len(problems) > found:
        return None
    return Asset(
        kind=AssetKind(row["kind"]),
        name=name,
        owner=texts["owner"],
        accepted=texts["accepted"],
        terms=lists["terms"],
        marks=lists["marks"],
        shows=lists["shows"],
    )


def _texts(value: Any, field: str, number: int, problems: list[str]) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.append(f"asset {number}: {field} expected a list of texts")
        return ()
    return tuple(value)


def _number(value: Any, field: str, low: float, high: float, problems: list[str]) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not low <= number <= high:
        problems.append(f"{field} got {str(value)[:30]!a}, expected a number from {low:g} to {high:g}")
        return None
    return number
