"""Releases: when each model was first served. Takes a CSV, JSON, JSONL or Parquet file with `model` and `released_at`."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.intake.accounts_file import moment
from stillwatch.intake.columns import text_of
from stillwatch.intake.companion_tables import read_columns
from stillwatch.intake.errors import CompanionFileError
from stillwatch.intake.settings import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A model and the time from which it was served."""

    model: str
    """Name as the logs write it."""
    released_us: int
    """Microseconds UTC."""


def read_releases(path: str, assume_zone: str | None = None) -> tuple[Release, ...]:
    """Read a release calendar.

    Args:
        path: CSV, JSON, JSONL or Parquet with columns `model` and `released_at`; other columns are allowed. A date alone is its
            first instant.
        assume_zone: zone of times without one; null takes UTC for dates and refuses other such times.

    Returns:
        The releases, sorted by time and model. A model that occurs twice keeps its earliest time.

    Raises:
        CompanionFileError: when the file cannot be read, lacks a column, or a row lacks a value.
        SettingError: when there is no such zone.
    """
    columns = read_columns(path)
    missing = [name for name in ("model", "released_at") if name not in columns]
    if missing:
        raise CompanionFileError(
            f"{path}: no column {' and no column '.join(f'`{name}`' for name in missing)} "
            f"(got {', '.join(sorted(columns)) or 'none'}); expected `model` and `released_at`"
        )
    zone = None if assume_zone is None else zone_of(assume_zone)
    earliest: dict[str, int] = {}
    for number, (name, value) in enumerate(zip(columns["model"], columns["released_at"], strict=True), start=1):
        model, released = text_of(name), moment(value, zone)
        if model is None:
            raise CompanionFileError(
                f"{path}, row {number}: `model` is empty; expected a model name as the logs write it"
            )
        if isinstance(released, str):
            raise CompanionFileError(f"{path}, row {number}: {released}")
        earliest[model] = min(released, earliest.get(model, released))
    return tuple(
        Release(model=model, released_us=released)
        for released, model in sorted((released, model) for model, released in earliest.items())
    )
