"""Vertex AI request-response logging, as exported from its BigQuery table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stillwatch.intake.columns import milliseconds_of
from stillwatch.intake.conversation import structure
from stillwatch.intake.formats.endings import endpoint_of_call
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.request_body import request_fields
from stillwatch.intake.formats.response_body import response_fields
from stillwatch.intake.settings import IntakeSettings


def _body(record: Record, full: str, payload: str) -> object:
    """Give a body: the full one, or of older tables the first payload."""
    whole = structure(record.get(full))
    if whole:
        return whole
    payloads = structure(record.get(payload))
    return structure(payloads[0]) if isinstance(payloads, list) and payloads else None


def _label(labels: Record, *names: str) -> Any:
    return first(*(labels.get(name) for name in names))


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    request = _body(record, "full_request", "request_payload")
    response = _body(record, "full_response", "response_payload")
    labels = mapping(mapping(request).get("labels"))
    asked, answer = request_fields(request), response_fields(response)
    answer.pop("model", None)
    method = record.get("api_method")
    row = {
        **answer,
        **asked,
        "time": record.get("logging_time"),
        "account_id": _label(labels, "account_id", "account", "user_id", "user", "customer_id", "customer"),
        "exchange_id": first(record.get("request_id"), answer.get("exchange_id")),
        "organization_id": _label(labels, "organization_id", "organization", "tenant_id", "tenant"),
        "model": first(record.get("model"), record.get("deployed_model_id")),
        "endpoint": endpoint_of_call(method),
        "content_complete": True if asked.get("prompt") is not None else None,
        "tools": first(asked.get("tools"), answer.get("tools")),
        "stream": str(method).startswith("stream") if method else None,
        "latency_ms": milliseconds_of(mapping(structure(record.get("metadata"))).get("request_latency")),
    }
    return single(row, record)


VERTEX = Format(
    name="vertex",
    title="Vertex AI request-response log",
    about="The BigQuery table of Vertex AI request-response logging, exported as JSONL or Parquet.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "reasoning", "turns", "tools", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream", "finish_reason",
        "latency_ms",
    ),
    gotchas=(
        (
            "There is no account: put it in the request's labels (account_id, user, customer), or declare account_field "
            "(for example full_request.labels.tenant)."
        ),
        "logging_time is when the row was written, after the answer. A BigQuery export without a zone is UTC.",
        "output_tokens are the answer's alone; thinking is counted in reasoning_tokens.",
    ),
    needs="Vertex logs no account: declare account_field (for example full_request.labels.user) or default_account.",
    matches=lambda records: share(
        records,
        lambda record: has(record, "logging_time")
        and bool({"full_request", "request_payload", "deployed_model_id"} & set(record)),
    ),
    parse=_parse,
    naive_zone="UTC",
)  # fmt: skip
