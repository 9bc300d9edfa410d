"""Recognition: which format a file is of, told by its content; and when it is none, what it looks like instead.

Takes a sample of a file. Gives the format, or raises an error that names the likely format and what to do. The format whose
score is highest is taken if it is at least one half; in a tie the one listed first in the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.intake.errors import UnknownFormatError
from stillwatch.intake.field_path import look_up
from stillwatch.intake.foreign import foreign_bytes, foreign_record
from stillwatch.intake.formats.format import Format
from stillwatch.intake.formats.generic import GENERIC
from stillwatch.intake.formats.registry import FORMATS
from stillwatch.intake.sample import Sample
from stillwatch.intake.settings import IntakeSettings

_ENOUGH = 0.5
_CERTAIN = 0.8

_TIME_WORDS = (
    "timestamp", "@timestamp", "ts", "created_at", "created", "request_time", "event_time", "datetime", "date",
    "start_time", "startTime", "time_us", "received_at",
)  # fmt: skip
_ACCOUNT_WORDS = (
    "account", "accountId", "user_id", "user", "userId", "customer_id", "customer", "tenant_id", "org_id",
    "organization_id", "api_key_id", "api_key", "principal", "client_id",
)  # fmt: skip


def recognise(sample: Sample, path: str, settings: IntakeSettings) -> Format:
    """Tell the format of a file.

    Args:
        sample: the ends of the file; not empty.
        path: for the message.
        settings: declared fields, which can make a file generic that lacks the standard names.

    Raises:
        UnknownFormatError: when no format recognises the content.
    """
    scored = scores(sample)
    best = max(scored, key=lambda form: scored[form], default=GENERIC)
    fields = settings.account_field is not None or settings.time_field is not None
    if scored.get(best, 0.0) < _CERTAIN and fields and _declared_generic(sample, settings):
        return GENERIC  # somebody knows where account and time stand; a likeness to bare bodies says less
    if scored.get(best, 0.0) >= _ENOUGH:
        return best
    foreign = next((said for record in sample.records if (said := foreign_record(record)) is not None), None)
    if foreign is None and _declared_generic(sample, settings):
        return GENERIC
    raise UnknownFormatError(f"{path}: {_explanation(sample, scored, foreign)}")


def scores(sample: Sample) -> dict[Format, float]:
    """Give the score of each format that recognises anything, in the order of the registry."""
    scored = {}
    for form in FORMATS:
        if form.text and sample.layout == "rows":
            continue
        score = form.matches(sample.lines if form.text else sample.records)
        if score > 0.0:
            scored[form] = score
    return scored


def _declared_generic(sample: Sample, settings: IntakeSettings) -> bool:
    """Say whether records become generic by the fields that a person declared."""
    if settings.account_field is None and settings.default_account is None and settings.time_field is None:
        return False
    usable = 0
    for record in sample.records:
        if isinstance(record, Mapping):
            timed = "time" in record or (settings.time_field and look_up(record, settings.time_field) is not None)
            owned = (
                "account_id" in record
                or settings.default_account is not None
                or (settings.account_field and look_up(record, settings.account_field) is not None)
            )
            usable += bool((timed or settings.default_time) and owned)
    return usable >= _ENOUGH * max(1, len(sample.records))


def _explanation(sample: Sample, scored: Mapping[Format, float], foreign: str | None) -> str:
    if foreign is not None:
        return f"this is {foreign}, not a log of exchanges; leave it out of the paths"
    if not any(isinstance(record, Mapping) for record in sample.records):
        likely = foreign_bytes(sample.head)
        if likely is not None:
            return f"this looks like {likely}"
        offset, reason = sample.unreadable[0] if sample.unreadable else (0, "no JSON object")
        return (
            f"no line is a JSON object, nor a line of a known text log (first at byte {offset}: {reason}); "
            "expected JSONL, a JSON array or Parquet"
        )
    if scored:
        best = max(scored, key=lambda form: scored[form])
        return (
            f"only {scored[best]:.0%} of the sampled records look like {best.title}; a file holds one format. "
            f"Split the file, or force the format with `--format {best.name}` (other records are then quarantined)"
        )
    return _generic_hint(sample)


def _generic_hint(sample: Sample) -> str:
    keys: set[Any] = set()
    for record in sample.records:
        if isinstance(record, Mapping):
            keys.update(record)
    missing = [name for name in ("time", "account_id") if name not in keys]
    hints = []
    for name, words, setting in (("time", _TIME_WORDS, "time_field"), ("account_id", _ACCOUNT_WORDS, "account_field")):
        seen = [word for word in words if word in keys]
        if name in missing and seen:
            hints.append(f"`{seen[0]}` may be `{name}`: declare it with the setting `{setting}`")
    said = f"; {'; '.join(hints)}" if hints else ""
    return (
        f"no known format; read as generic flat columns it lacks {' and '.join(f'`{name}`' for name in missing)}{said}. "
        "See `stillwatch formats` for what each format needs"
    )
