"""Canonical exchange rows: flat metadata with hashes and references in place of text, as a collector of many sources keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.formats.endings import endpoint_of_call, finish_word
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.settings import IntakeSettings


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    parameters = mapping(record.get("params"))
    row = {
        "time": record.get("ts_start_us"),
        "account_id": first(record.get("account_id"), record.get("end_user")),
        "exchange_id": first(record.get("source_id"), record.get("event_id")),
        "organization_id": record.get("org_id"),
        "api_key_id": record.get("api_key_h"),
        "ip": record.get("ip"),
        "user_agent": record.get("user_agent"),
        "tls_fingerprint": record.get("tls_fp"),
        "model": first(record.get("model_req"), record.get("model_served")),
        "endpoint": endpoint_of_call(record.get("api")),
        "tools": record.get("tools"),
        "session_id": record.get("session_id"),
        "input_tokens": record.get("in_tok"),
        "output_tokens": record.get("out_tok"),
        "reasoning_tokens": record.get("reasoning_tok"),
        "cache_read_tokens": record.get("cache_read_tok"),
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "max_tokens": parameters.get("max_tokens"),
        "n": parameters.get("n"),
        "stream": record.get("stream"),
        "status": record.get("status"),
        "finish_reason": finish_word(record.get("finish")),
        "latency_ms": record.get("latency_ms"),
        "content_complete": record.get("content_complete"),
    }
    return single(row, record)


CANONICAL = Format(
    name="canonical",
    title="Canonical exchange rows",
    about="One flat row per exchange with ts_start_us, account_id and hashes or references in place of text.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "ip", "user_agent", "tls_fingerprint",
        "model", "endpoint", "content_complete", "tools", "session_id", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream", "status",
        "finish_reason", "latency_ms",
    ),
    gotchas=(
        "It holds no text: the run is metadata-only. Foreign hashes (prompt_h, template_h) are not used; they are not stillwatch's.",
    ),
    matches=lambda records: share(records, lambda record: has(record, "ts_start_us", "account_id", "model_req")),
    parse=_parse,
)  # fmt: skip
