"""Helicone: rows of its ClickHouse table `request_response_rmt`."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.conversation import structure
from stillwatch.intake.formats.endings import endpoint_of_path
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.raw_bodies import pair_fields
from stillwatch.intake.formats.request_body import account_in_request
from stillwatch.intake.settings import IntakeSettings


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    request, response = structure(record.get("request_body")), structure(record.get("response_body"))
    properties = mapping(structure(record.get("properties")))
    row = pair_fields(request, response, answered_by=True)
    row.update(
        {
            "time": record.get("request_created_at"),
            "account_id": first(record.get("user_id"), account_in_request(request), record.get("proxy_key_id")),
            "exchange_id": first(record.get("request_id"), record.get("response_id")),
            "organization_id": record.get("organization_id"),
            "api_key_id": record.get("proxy_key_id"),
            "country": record.get("country_code"),
            "model": first(record.get("model"), row.get("model")),
            "endpoint": endpoint_of_path(record.get("target_url")),
            "session_id": first(properties.get("Helicone-Session-Id"), row.get("session_id")),
            "input_tokens": record.get("prompt_tokens"),
            "output_tokens": record.get("completion_tokens"),
            "cache_read_tokens": first(record.get("prompt_cache_read_tokens"), row.get("cache_read_tokens")),
            "status": record.get("status"),
            "latency_ms": record.get("latency"),
        }
    )
    return single(row, record)


HELICONE = Format(
    name="helicone",
    title="Helicone requests",
    about="Rows of Helicone's ClickHouse table request_response_rmt, exported as JSONL or Parquet.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "country", "model", "endpoint",
        "system_prompt", "prompt", "content_complete", "response", "reasoning", "turns", "tools", "session_id",
        "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens",
        "n", "stream", "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        "The account is user_id (Helicone-User-Id, set by the client), else the end user in the body, else the proxy key.",
        "There is no address, only a country, which is never a feature.",
        "Times without a zone are UTC, as ClickHouse writes them.",
        "organization_id is the customer of Helicone, the same on all your rows unless you run Helicone for others.",
    ),
    matches=lambda records: share(records, lambda record: has(record, "request_created_at", "response_id", "target_url")),
    parse=_parse,
    naive_zone="UTC",
)  # fmt: skip
