"""Trial: reads one sample record as a format would, to see early why a file will fail."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.intake.columns import text_of
from stillwatch.intake.errors import RecordError
from stillwatch.intake.exchange_batch import NO_ACCOUNT
from stillwatch.intake.field_path import look_up
from stillwatch.intake.formats.format import Format
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.times import DAY_US, EARLIEST_US, IN_FUTURE, TOO_EARLY, read_instant


def failure_of(form: Format, record: object, settings: IntakeSettings) -> tuple[str, ...]:
    """Say why a record could not become an exchange.

    Args:
        form: a format that parses single records; one that joins gives no reasons here.
        record: a JSON value.
        settings: declarations.

    Returns:
        One reason if no row of the record is usable, none otherwise.
    """
    if form.parse is None:
        return ()
    if not isinstance(record, Mapping):
        return () if isinstance(record, list) else (f"a JSON {type(record).__name__}, expected an object",)
    zone = settings.zone if form.naive_zone is None else zone_of(form.naive_zone)
    failures: list[str] = []
    try:
        for row, scope in form.parse(record, settings):
            account = row.get("account_id") if settings.account_field is None else look_up(scope, settings.account_field)
            moment = row.get("time") if settings.time_field is None else look_up(scope, settings.time_field)
            instant = read_instant(settings.default_time if moment in {None, ""} else moment, zone)
            if isinstance(instant, str):
                failures.append(instant)
            elif instant < EARLIEST_US:
                failures.append(TOO_EARLY)
            elif settings.now_us is not None and instant > settings.now_us + DAY_US:
                failures.append(IN_FUTURE)
            elif not (text_of(account) or "").strip() and settings.default_account is None:
                failures.append(NO_ACCOUNT)
            else:
                return ()
    except RecordError as error:
        return (error.reason,)
    return tuple(failures[:1])
