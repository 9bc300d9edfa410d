"""Langfuse observations: rows of its ClickHouse tables, or its JSON exports with camel-case names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stillwatch.intake.columns import is_one_of
from stillwatch.intake.conversation import structure
from stillwatch.intake.errors import PassedOver, RecordError
from stillwatch.intake.formats.client import edge_address
from stillwatch.intake.formats.endings import endpoint_of_call
from stillwatch.intake.formats.format import FlatRow, Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.request_body import request_fields
from stillwatch.intake.formats.response_body import response_fields
from stillwatch.intake.settings import IntakeSettings, zone_of
from stillwatch.intake.times import read_instant

_GENERATIONS = frozenset({"GENERATION", "CHAT", "LLM"})


def _said(record: Record, snake: str, camel: str) -> Any:
    return first(record.get(snake), record.get(camel))


def _request(record: Record, parameters: Record) -> FlatRow:
    asked = structure(record.get("input"))
    if isinstance(asked, str):
        asked = [{"role": "user", "content": asked}]
    body = {"messages": asked} if isinstance(asked, list) else mapping(asked)
    return request_fields({**parameters, **body})


def _response(record: Record) -> FlatRow:
    answer = structure(record.get("output"))
    if isinstance(answer, str):
        return {"response": answer} if answer else {}
    said = mapping(answer)
    if "role" in said and "choices" not in said and "usage" not in said:  # the message alone
        return response_fields({"choices": [{"message": said}]})
    return response_fields(answer)


def _milliseconds(record: Record) -> int | None:
    zone = zone_of("UTC")
    start = read_instant(_said(record, "start_time", "startTime"), zone)
    end = read_instant(_said(record, "end_time", "endTime"), zone)
    return (end - start) // 1000 if isinstance(start, int) and isinstance(end, int) and end >= start else None


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    if "type" not in record:
        raise RecordError("no `type`: expected a Langfuse observation")
    if str(record.get("type")).upper() not in _GENERATIONS:
        raise PassedOver("observations that are no model calls (spans, events, tools)")
    metadata = mapping(structure(record.get("metadata")))
    parameters = mapping(structure(_said(record, "model_parameters", "modelParameters")))
    usage = mapping(structure(_said(record, "usage_details", "usageDetails")))
    asked, answer = _request(record, parameters), _response(record)
    answer.pop("model", None)
    row = {
        **answer,
        **asked,
        "time": _said(record, "start_time", "startTime"),
        "account_id": _said(record, "user_id", "userId"),
        "exchange_id": record.get("id"),
        "ip": edge_address(metadata.get("ip"), metadata.get("client_ip")),
        "user_agent": metadata.get("user_agent"),
        "model": first(_said(record, "provided_model_name", "providedModelName"), record.get("model")),
        "endpoint": endpoint_of_call(record.get("name"))
        if is_one_of(record.get("name"), ("chat", "completion"))
        else None,
        "content_complete": True if asked.get("prompt") is not None else None,
        "tools": first(asked.get("tools"), answer.get("tools")),
        "session_id": _said(record, "session_id", "sessionId"),
        "input_tokens": first(usage.get("input"), usage.get("prompt_tokens")),
        "output_tokens": first(usage.get("output"), usage.get("completion_tokens")),
        "reasoning_tokens": first(usage.get("output_reasoning_tokens"), usage.get("output_reasoning")),
        "cache_read_tokens": first(
            usage.get("input_cached_tokens"), usage.get("cache_read_input_tokens"), usage.get("input_cache_read")
        ),
        "latency_ms": _milliseconds(record),
    }
    return single(row, record)


LANGFUSE = Format(
    name="langfuse",
    title="Langfuse observations",
    about="Rows of Langfuse's `observations` or `events_full` table in ClickHouse, or its JSON export.",
    fills=(
        "time", "account_id", "exchange_id", "ip", "user_agent", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "reasoning", "turns", "tools", "session_id", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "latency_ms",
    ),
    gotchas=(
        "user_id is what the application set, often nothing: declare account_field (for example metadata.account).",
        "The address and the user agent are there only if the application put them in metadata.",
        "Only generations are model calls; other observations are counted and passed over.",
        "Times without a zone are UTC, as ClickHouse writes them.",
    ),
    needs="Langfuse knows only the user_id that the application set: declare account_field or default_account.",
    matches=lambda records: share(
        records,
        lambda record: "type" in record
        and (has(record, "trace_id", "project_id", "start_time") or has(record, "traceId", "projectId", "startTime")),
    ),
    parse=_parse,
    naive_zone="UTC",
)  # fmt: skip
