"""IntakeSettings: what a person declares about logs that do not say it themselves. Takes words, gives a checked record."""

from __future__ import annotations

import dataclasses
from codecs import lookup
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from re import compile as pattern
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stillwatch.intake.errors import SettingError

_OFFSET = pattern(r"([+-])(\d{2}):?(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """Declarations that apply to every file of a run. All are optional."""

    assume_zone: str | None = None
    """Zone of times written without one: `UTC`, an IANA name or an offset like `+02:00`. Null refuses such times."""
    account_field: str | None = None
    """Dotted path of the account in the source's own record, e.g. `metadata.user_api_key_user_id`."""
    time_field: str | None = None
    """Dotted path of the request time in the source's own record."""
    default_account: str | None = None
    """Account of records that name none; use it only for a log of one account."""
    default_time: str | None = None
    """ISO-8601 time of records that have none, e.g. the upload time of a batch file."""
    year: int | None = None
    """Year of the first line of a log whose times have no year (vLLM)."""
    encoding: str | None = None
    """Text encoding of files that are not UTF-8 and have no byte-order mark, e.g. `latin-1`."""
    now_us: int | None = None
    """Present time, microseconds UTC; times more than a day later are quarantined. Null leaves the future unchecked."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot be used.

        Raises:
            SettingError: for an unknown zone or encoding, or a year outside 2015 to 2200.
        """
        if self.assume_zone is not None:
            zone_of(self.assume_zone)
        if self.year is not None and not 2015 <= self.year <= 2200:
            raise SettingError(f"setting `year`: got {self.year}, expected a year from 2015 to 2200")
        if self.encoding is not None:
            try:
                lookup(self.encoding)
            except LookupError as error:
                raise SettingError(
                    f"setting `encoding`: got {self.encoding!r}, expected a text encoding such as utf-8, utf-16, latin-1"
                ) from error

    @property
    def zone(self) -> tzinfo | None:
        """The declared zone of times written without one."""
        return None if self.assume_zone is None else zone_of(self.assume_zone)

    def to_dict(self) -> dict[str, object]:
        """Give the settings that differ from the default, as JSON values."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> IntakeSettings:
        """Read what `to_dict` gave.

        Raises:
            SettingError: for a name that is no setting.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - names)
        if unknown:
            raise SettingError(f"unknown settings {', '.join(unknown)}; expected some of {', '.join(sorted(names))}")
        return cls(**dict(values))  # type: ignore[arg-type]


def zone_of(name: str) -> tzinfo:
    """Give the zone of that name.

    Args:
        name: `UTC`, an IANA name such as `Europe/Paris`, or an offset such as `+02:00`.

    Raises:
        SettingError: when there is no such zone.
    """
    if name.upper() in {"UTC", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign, hours, minutes = offset.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes))
        if span < timedelta(hours=24):
            return timezone(-span if sign == "-" else span)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingError(
            f"setting `assume_zone`: got {name!r}, expected UTC, an IANA name such as Europe/Paris, or an offset such as +02:00"
        ) from error
