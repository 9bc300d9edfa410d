"""Settings of a party, read from a plan: each value of its kind, and no name that means nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from stillwatch.records.suspect import Party
from stillwatch.suspects.errors import AccessSettingError

Value = TypeVar("Value", str, int, float)


def setting(party: Party, name: str, default: Value) -> Value:
    """Give a setting.

    Args:
        party: whose.
        name: of the setting.
        default: what stands where the plan says nothing; its type is the one expected.

    Raises:
        AccessSettingError: where the value is of another kind.
    """
    value = party.settings.get(name, default)
    kind = type(default)
    if isinstance(value, int) and not isinstance(value, bool) and issubclass(kind, float):
        value = float(value)
    if type(value) is not kind:
        raise AccessSettingError(f"party {party.name!a}: {name} is a {type(value).__name__}, expected {kind.__name__}")
    return value


def needed(party: Party, name: str) -> str:
    """Give a setting that must be there.

    Raises:
        AccessSettingError: where it is missing or empty.
    """
    value = setting(party, name, "")
    if not value:
        raise AccessSettingError(f"party {party.name!a}: {name} is missing; say it under `settings` in the plan")
    return value


def check_names(party: Party, known: Mapping[str, str] | frozenset[str]) -> None:
    """Refuse settings that no access reads.

    Raises:
        AccessSettingError: naming the first.
    """
    for name in party.settings:
        if name not in known:
            raise AccessSettingError(
                f"party {party.name!a}: there is no setting {name!a} of kind {party.kind}; expected one of {', '.join(sorted(known))}"
            )


def key_of(party: Party) -> str | None:
    """Read the party's key from a file or the environment; never from the plan, which is kept and shown.

    Raises:
        AccessSettingError: where the file or variable that the plan names holds none.
    """
    file, variable = setting(party, "key_file", ""), setting(party, "key_variable", "")
    if file:
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AccessSettingError(
                f"party {party.name!a}: key_file {file} cannot be read ({type(error).__name__})"
            ) from None
    elif variable:
        key = os.environ.get(variable, "").strip()
    else:
        return None
    if not key or not key.isascii() or not key.isprintable():
        raise AccessSettingError(f"party {party.name!a}: {file or variable} holds no key of printable ASCII characters")
    return key
