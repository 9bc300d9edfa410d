"""The guard's own log: one line for each exchange that passed `stillwatch guard` or one of its plug-ins, with the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.columns import number_of
from stillwatch.intake.formats.endings import endpoint_of_path
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, share, single
from stillwatch.intake.formats.raw_bodies import pair_fields
from stillwatch.intake.settings import IntakeSettings


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    row = pair_fields(record.get("request"), record.get("response"))
    latency = number_of(record.get("latency_us"))
    row.update(
        {
            "time": record.get("time_us"),
            "account_id": record.get("account_id"),
            "exchange_id": record.get("exchange_id"),
            "api_key_id": record.get("api_key_id"),
            "ip": record.get("ip"),
            "user_agent": record.get("user_agent"),
            "model": first(record.get("model"), row.get("model")),
            "endpoint": endpoint_of_path(record.get("path")),
            "status": record.get("status"),
            "latency_ms": None if latency is None else int(latency // 1_000),
        }
    )
    return single(row, record)


GUARD = Format(
    name="guard",
    title="stillwatch guard log",
    about="Lines that `stillwatch guard` and its plug-ins write, one for each exchange, with the verdict on it.",
    fills=(
        "time", "account_id", "exchange_id", "api_key_id", "ip", "user_agent", "model", "endpoint", "system_prompt",
        "prompt", "content_complete", "response", "reasoning", "turns", "tools", "session_id", "input_tokens",
        "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream",
        "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        "Refused requests are lines too, with their status and without an answer.",
        "missing_before counts exchanges of which there is no line, because the log could not keep up or the disk was full.",
        "An answer of over 1 MiB is kept to there; response_complete says so, and that a stream was broken off.",
        "Without text (--log-content none) the run is metadata-only.",
        "Members that no client may set (stripped) are not in the bodies, and no key of a mark is.",
    ),
    needs="The guard knew no account for these requests: name the header that holds it (--account-header), or declare default_account.",
    matches=lambda records: share(records, lambda record: has(record, "stillwatch_guard", "time_us", "exchange_id")),
    parse=_parse,
)  # fmt: skip
