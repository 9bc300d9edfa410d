"""The formats, in the order in which a tie is decided. Takes a name, gives the format."""

from __future__ import annotations

from stillwatch.intake.errors import SettingError
from stillwatch.intake.formats.format import Format
from stillwatch.intake.formats.generic import GENERIC

FORMATS: tuple[Format, ...] = (GENERIC,)


def format_named(name: str) -> Format:
    """Give the format of that name.

    Raises:
        SettingError: when there is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise SettingError(f"unknown format {name!r}; expected auto or one of {names}")
