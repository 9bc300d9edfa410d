"""Databricks: rows of the inference table of an AI Gateway endpoint or a model-serving endpoint."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.conversation import structure
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.raw_bodies import pair_fields
from stillwatch.intake.formats.request_body import account_in_request
from stillwatch.intake.settings import IntakeSettings


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    request, response = structure(record.get("request")), structure(record.get("response"))
    row = pair_fields(request, response, answered_by=True)
    row.update(
        {
            "time": first(record.get("request_time"), record.get("timestamp_ms")),
            "account_id": first(account_in_request(request), record.get("requester")),
            "exchange_id": record.get("databricks_request_id"),
            "api_key_id": record.get("requester"),
            "model": first(row.get("model"), record.get("served_entity_id")),
            "endpoint": _endpoint(mapping(request)),
            "status": record.get("status_code"),
            "latency_ms": first(record.get("execution_duration_ms"), record.get("execution_time_ms")),
        }
    )
    return single(row, record)


def _endpoint(request: Record) -> str | None:
    if "messages" in request:
        return "chat"
    return "completion" if "prompt" in request else "embeddings" if "input" in request else None


DATABRICKS = Format(
    name="databricks",
    title="Databricks inference table",
    about="The inference table (Delta) of a Databricks AI Gateway or model-serving endpoint, exported as Parquet or JSONL.",
    fills=(
        "time", "account_id", "exchange_id", "api_key_id", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "reasoning", "turns", "tools", "session_id", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream", "status",
        "finish_reason", "latency_ms",
    ),
    gotchas=(
        (
            "The account is the end user in the request body, else `requester` (the calling principal). Where applications pass the account "
            "as client_request_id, declare account_field."
        ),
        "A table with sampling_fraction below 1 misses exchanges; rates are then too low by that factor.",
        "There is no address and no user agent.",
    ),
    matches=lambda records: share(
        records, lambda record: has(record, "databricks_request_id") and has(record, "request", "response")
    ),
    parse=_parse,
    naive_zone="UTC",
)  # fmt: skip
