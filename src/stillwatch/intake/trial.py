"""Trial: reads the sample of a file as a format would, to see before the run why its records will fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.intake.columns import text_of
from stillwatch.intake.errors import SURPRISES, PassedOver, RecordError
from stillwatch.intake.exchange_batch import NO_ACCOUNT
from stillwatch.intake.field_path import look_up
from stillwatch.intake.formats.format import Format, Joined, Joiner, Place
from stillwatch.intake.sample import Sample
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.times import DAY_US, EARLIEST_US, IN_FUTURE, TOO_EARLY, read_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How the sampled records of a file fared."""

    tried: int
    failed: int
    reason: str
    """Why most of the failed ones failed; empty when none did."""


def try_sample(form: Format, sample: Sample, settings: IntakeSettings) -> Trial:
    """Read a sample.

    Args:
        form: format of the file.
        sample: the ends of the file.
        settings: declarations.
    """
    results: list[str | None] = [] if form.text else [reason for _, reason in sample.unreadable]
    if form.joiner is not None:
        results.extend(_joined(form, form.joiner(settings), sample.lines if form.text else sample.records, settings))
    else:
        for record in sample.records:
            results.extend(_parsed(form, record, settings))
    failures = Counter(reason for reason in results if reason is not None)
    return Trial(tried=len(results), failed=failures.total(), reason=failures.most_common(1)[0][0] if failures else "")


def _parsed(form: Format, record: object, settings: IntakeSettings) -> Iterator[str | None]:
    items = record if isinstance(record, list) else [record]
    for item in items:
        if not isinstance(item, Mapping) or form.parse is None:
            yield f"a JSON {type(item).__name__}, expected an object"
            continue
        try:
            rows = list(form.parse(item, settings))
        except PassedOver:
            continue
        except RecordError as error:
            yield error.reason
            continue
        except SURPRISES:
            yield f"a structure that {form.title} does not have"
            continue
        yield from (_judged(form, row, scope, settings) for row, scope in rows)


def _joined(form: Format, joiner: Joiner, records: Sequence[Any], settings: IntakeSettings) -> Iterator[str | None]:
    given: list[Any] = []
    for number, record in enumerate(records):
        try:
            given.extend(joiner.add(record, Place(0, number, 0)))
        except RecordError as error:
            yield error.reason
        except SURPRISES:
            yield f"a structure that {form.title} does not have"
    given.extend(joiner.finish())
    for result in given:
        yield _judged(form, result.row, result.record, settings) if isinstance(result, Joined) else result.reason


def _judged(form: Format, row: Mapping[str, Any], scope: Mapping[str, Any], settings: IntakeSettings) -> str | None:
    """Say why a row is unusable; null when it is usable. The batch decides again, by the same rules, for all rows at once."""
    zone = settings.zone if form.naive_zone is None else zone_of(form.naive_zone)
    account = row.get("account_id") if settings.account_field is None else look_up(scope, settings.account_field)
    moment = row.get("time") if settings.time_field is None else look_up(scope, settings.time_field)
    instant = read_instant(settings.default_time if moment is None or moment == "" else moment, zone)
    if isinstance(instant, str):
        return instant
    if instant < EARLIEST_US:
        return TOO_EARLY
    if settings.now_us is not None and instant > settings.now_us + DAY_US:
        return IN_FUTURE
    if not (text_of(account) or "").strip() and settings.default_account is None:
        return NO_ACCOUNT
    return None
