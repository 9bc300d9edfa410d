"""Policy of use: which providers' models, from where, by which accounts and keys; which clause each check speaks for; and who owns what.

Takes YAML. Gives a policy in which nothing is assumed: what it does not name is not checked, and the report says so.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stillwatch.governance.errors import PolicyFileError

MOST_BYTES = 1 << 20
CHECKS = (
    "secret", "personal data", "source code", "canary", "model not sanctioned", "endpoint not sanctioned", "region not sanctioned",
    "account not sanctioned", "key shared", "key in two countries", "key without owner", "key unused", "setting not shown", "log gap",
)  # fmt: skip
"""Every check by name; `clauses` of a policy is by these."""
_FIELDS = {"clauses", "models", "endpoints", "regions", "accounts", "keys", "owners", "settings", "allowed_kinds"}
NO_CLAUSE = "no clause named"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredSetting:
    """A setting of a provider that must be shown to hold, such as training opt-out or zero retention."""

    name: str
    shown_by: str
    """Who attests it; empty where nobody does."""
    until: str
    """Day on which the attestation ends, `YYYY-MM-DD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePolicy:
    """What is allowed. A null list is not checked."""

    clauses: Mapping[str, str]
    models: tuple[str, ...] | None
    """Patterns, such as `gpt-5*`."""
    endpoints: tuple[str, ...] | None
    regions: tuple[str, ...] | None
    accounts: tuple[str, ...] | None
    keys: tuple[str, ...] | None
    """Ids of all keys that were issued."""
    owners: tuple[tuple[str, str], ...]
    """Pattern of account ids, and the team."""
    settings: tuple[RequiredSetting, ...]
    allowed_kinds: tuple[str, ...]
    """Kinds of personal data that may be sent, such as `e-mail address`."""

    def clause(self, check: str) -> str:
        """Give the clause that a check speaks for."""
        return self.clauses.get(check, NO_CLAUSE)

    def owner(self, account: str) -> str:
        """Give the team that owns an account; the account itself where nobody is named."""
        return next((team for pattern, team in self.owners if fnmatch.fnmatchcase(account, pattern)), account)


NO_POLICY = UsePolicy(
    clauses={},
    models=None,
    endpoints=None,
    regions=None,
    accounts=None,
    keys=None,
    owners=(),
    settings=(),
    allowed_kinds=(),
)


def read_policy(path: Path) -> UsePolicy:
    """Read a policy.

    Raises:
        PolicyFileError: where it cannot be used, with every problem.
    """
    try:
        content = path.read_bytes()
        rows = yaml.load(content, Loader=yaml.BaseLoader) if len(content) <= MOST_BYTES else None  # noqa: S506  # texts, lists and mappings only
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path}: cannot be read as YAML ({type(error).__name__})") from error
    if not isinstance(rows, dict):
        raise PolicyFileError(f"{path}: expected a mapping with some of {', '.join(sorted(_FIELDS))}")
    problems = [f"unknown field {name!a}" for name in sorted(set(rows) - _FIELDS)]
    clauses = rows.get("clauses") or {}
    if not isinstance(clauses, dict):
        problems.append("clauses: expected a mapping of checks to clauses")
        clauses = {}
    problems += [
        f"clauses: there is no check {name!a}; there are {', '.join(CHECKS)}"
        for name in sorted(set(clauses) - set(CHECKS))
    ]
    owners = rows.get("owners") or {}
    if not isinstance(owners, dict) or not all(isinstance(one, str) for one in owners.values()):
        problems.append("owners: expected a mapping of account patterns to teams")
        owners = {}
    policy = UsePolicy(
        clauses={str(name): str(clause) for name, clause in clauses.items()},
        models=_names(rows, "models", problems),
        endpoints=_names(rows, "endpoints", problems),
        regions=_names(rows, "regions", problems),
        accounts=_names(rows, "accounts", problems),
        keys=_names(rows, "keys", problems),
        owners=tuple((str(pattern), str(team)) for pattern, team in owners.items()),
        settings=_settings(rows.get("settings"), problems),
        allowed_kinds=_names(rows, "allowed_kinds", problems) or (),
    )
    if problems:
        raise PolicyFileError(f"{path} cannot be used:\n" + "\n".join(problems))
    return policy


def _names(rows: Mapping[str, Any], field: str, problems: list[str]) -> tuple[str, ...] | None:
    value = rows.get(field)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        problems.append(f"{field}: expected a list of names or patterns")
        return None
    return tuple(value)


def _settings(value: object, problems: list[str]) -> tuple[RequiredSetting, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in value
    ):
        problems.append("settings: expected a list, each with name, and where it was shown with shown_by and until")
        return ()
    return tuple(
        RequiredSetting(name=one["name"], shown_by=str(one.get("shown_by", "")), until=str(one.get("until", "")))
        for one in value
    )
