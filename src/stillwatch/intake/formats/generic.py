"""Generic flat columns: a provider's own log, one exchange per row, columns by the public names.

Only `time` and `account_id` are required. `prompt` (last user text) or `messages` (structure or JSON text) hold the request; the
reader takes the columns as they are, without a step per row, except for `messages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from stillwatch.intake.errors import RecordError
from stillwatch.intake.exchange_batch import FLAT_NAMES
from stillwatch.intake.formats.format import Format, Parsed, Record, has, share
from stillwatch.intake.settings import IntakeSettings

NOT_FLAT = "neither `time` nor `account_id`: expected generic flat columns"

_CERTAINTY = 0.8
"""Below every native format: a native record that happens to have both columns is read as what it is."""


def _matches(records: Sequence[Any]) -> float:
    return _CERTAINTY * share(records, lambda record: has(record, "time", "account_id"))


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:
    declared = settings.time_field is not None or settings.account_field is not None
    if "time" not in record and "account_id" not in record and not declared:
        raise RecordError(NOT_FLAT)
    return ((record, record),)


GENERIC = Format(
    name="generic",
    title="Generic flat columns",
    about="A provider's own log: Parquet, JSONL or a JSON array with one exchange per row and columns by stillwatch's names.",
    fills=tuple(name for name in FLAT_NAMES if name != "messages"),
    gotchas=(
        "`time` is ISO-8601 with a zone, a number of s, ms, us or ns since the epoch, or a Parquet timestamp (UTC if it has no zone).",
        "Text times without a zone are refused until the zone is declared (assume_zone).",
        "`prompt` is the last user message; give `messages` instead when the log holds whole conversations.",
        "Set `content_complete` to false on rows whose prompt was cut; cut text is never hashed as if it were whole.",
        "Other columns are left out; the plan names them.",
    ),
    needs="Name the columns `time` and `account_id`, or declare time_field and account_field.",
    matches=_matches,
    parse=_parse,
)
