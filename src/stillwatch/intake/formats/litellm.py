"""LiteLLM: the StandardLoggingPayload of callbacks, and the spend-log rows of its PostgreSQL and ClickHouse tables.

The payload's `model_map_information` (the price table of the model, most of the bytes) is never looked at. Spend logs hold text only
where `store_prompts_in_spend_logs` is set, and cut every string at 2048 characters: about 35% of head, a marker, 65% of tail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from stillwatch.intake.columns import milliseconds_of, number_of, text_of
from stillwatch.intake.conversation import structure
from stillwatch.intake.formats.client import edge_address, lower_headers
from stillwatch.intake.formats.endings import endpoint_of_call, endpoint_of_path
from stillwatch.intake.formats.format import FlatRow, Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.request_body import request_fields
from stillwatch.intake.formats.response_body import response_fields, usage_fields
from stillwatch.intake.settings import IntakeSettings

_CACHE_HIT = re.compile(r"_cache_hit[0-9.]*$")
_CUT = re.compile(r"\.\.\. \(litellm_truncated skipped \d+ chars.{0,400}?\) \.\.\.", re.DOTALL)
_HEAD_SHARE = 0.35
_REDACTED = "redacted-by-litellm"


def is_cut(text: object) -> bool:
    """Say whether LiteLLM cut a text.

    The marker must stand where LiteLLM puts it, at 35% of what was kept: a client that writes the marker into its prompt would
    otherwise take itself out of every comparison of prompts.
    """
    if not isinstance(text, str):
        return False
    for marker in _CUT.finditer(text):
        kept = len(text) - (marker.end() - marker.start())
        if abs(marker.start() - _HEAD_SHARE * kept) <= 2:
            return True
    return False


def _text_fields(request: object, response: object) -> FlatRow:
    """Read both bodies and say whether the request is whole."""
    asked, answer = request_fields(request), response_fields(response)
    for name in ("prompt", "system_prompt"):
        if asked.get(name) == _REDACTED:
            del asked[name]
    if answer.get("response") == _REDACTED:
        del answer["response"]
    complete = None if "prompt" not in asked else not (is_cut(asked["prompt"]) or is_cut(asked.get("system_prompt")))
    tools = first(asked.pop("tools", None), answer.get("tools"))
    answer.pop("model", None)
    return {**answer, **asked, "tools": tools, "content_complete": complete}


def _identity(record: Record, identifier: object) -> str | None:
    """Give one id per call: a cache hit repeats the id of the answer, and a retry has a call id of its own."""
    if not isinstance(identifier, str) or not identifier:
        return text_of(record.get("litellm_call_id"))
    bare, call = _CACHE_HIT.sub("", identifier), record.get("litellm_call_id")
    return bare if not call or call == bare else f"{bare}/{call}"


def _model(record: Record) -> Any:
    model = record.get("model")
    provider = record.get("custom_llm_provider")
    if isinstance(model, str) and provider:
        model = model.removeprefix(f"{provider}/")
    return first(record.get("model_group"), model)


def _status(record: Record, metadata: Record) -> int | None:
    information = mapping(first(record.get("error_information"), metadata.get("error_information")))
    code = number_of(information.get("error_code"))
    if code is not None:
        return int(code)
    return 200 if record.get("status") == "success" else None


def _domain(address: object) -> str | None:
    return address.rsplit("@", 1)[1].lower() if isinstance(address, str) and "@" in address else None


def _is_payload(record: Record) -> bool:
    return has(record, "litellm_call_id", "startTime", "model_parameters", "hidden_params") or has(
        record, "standard_logging_object_version", "startTime"
    )


def _parse_payload(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    metadata = mapping(record.get("metadata"))
    parameters = mapping(record.get("model_parameters"))
    headers = lower_headers(mapping(metadata.get("requester_metadata")).get("headers"))
    usage = usage_fields(mapping(first(metadata.get("usage_object"))))
    row = {
        **usage,
        **_text_fields({**parameters, "messages": structure(record.get("messages"))}, record.get("response")),
        "time": record.get("startTime"),
        "account_id": first(
            record.get("end_user"),
            metadata.get("user_api_key_end_user_id"),
            metadata.get("user_api_key_user_id"),
            metadata.get("user_api_key_team_id"),
            metadata.get("user_api_key_hash"),
        ),
        "exchange_id": _identity(record, record.get("id")),
        "organization_id": first(metadata.get("user_api_key_org_id"), metadata.get("user_api_key_team_id")),
        "api_key_id": metadata.get("user_api_key_hash"),
        "ip": edge_address(record.get("requester_ip_address"), metadata.get("requester_ip_address")),
        "user_agent": first(record.get("user_agent"), metadata.get("user_agent"), headers.get("user-agent")),
        "email_domain": _domain(metadata.get("user_api_key_user_email")),
        "model": _model(record),
        "endpoint": first(
            endpoint_of_path(metadata.get("user_api_key_request_route")), endpoint_of_call(record.get("call_type"))
        ),
        "session_id": record.get("session_id"),
        "stream": first(record.get("stream"), parameters.get("stream")),
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "status": _status(record, metadata),
        "latency_ms": milliseconds_of(record.get("response_time")),
    }
    return single(row, record)


def _is_spend_log(record: Record) -> bool:
    return has(record, "request_id", "call_type", "spend", "api_key") and (
        "startTime" in record or "start_time" in record
    )


def _request_of(record: Record) -> object:
    """Give the request: `messages`, or the copy of the proxy's request where messages are not stored."""
    messages = structure(record.get("messages"))
    if messages:
        return {"messages": messages} if isinstance(messages, list | str) else messages
    stored = structure(record.get("proxy_server_request"))
    inner = mapping(stored).get("body")
    return structure(inner) if inner else stored


def _parse_spend_log(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    metadata = mapping(structure(record.get("metadata")))
    response = structure(record.get("response"))
    usage = usage_fields(mapping(metadata.get("usage_object")))
    row = {
        **usage,
        **_text_fields(_request_of(record), response),
        "time": first(record.get("startTime"), record.get("start_time")),
        "account_id": first(record.get("end_user"), record.get("user"), record.get("team_id"), record.get("api_key")),
        "exchange_id": _identity(record, record.get("request_id")),
        "organization_id": first(record.get("organization_id"), record.get("team_id")),
        "api_key_id": record.get("api_key"),
        "ip": edge_address(record.get("requester_ip_address"), metadata.get("requester_ip_address")),
        "user_agent": metadata.get("user_agent"),
        "model": _model(record),
        "endpoint": endpoint_of_call(record.get("call_type")),
        "session_id": record.get("session_id"),
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "status": _status(record, metadata),
        "latency_ms": first(record.get("request_duration_ms"), _span(record)),
    }
    if record.get("cache_read_tokens") is not None:
        row["cache_read_tokens"] = record["cache_read_tokens"]
    return single(row, record)


def _span(record: Record) -> int | None:
    """Give end minus start where both are milliseconds (ClickHouse)."""
    start, end = record.get("start_time"), record.get("end_time")
    return end - start if isinstance(start, int) and isinstance(end, int) else None


_IDENTITY = (
    "The account is `end_user` when the client sends one, else the key's user, team or hash. A client chooses `end_user`: if your "
    "customers are keys or users of the proxy, declare account_field (metadata.user_api_key_user_id; in spend logs: user or api_key)."
)
_ADDRESS = (
    "The address is X-Forwarded-For as LiteLLM took it; LiteLLM trusts that header from loopback without any setting."
)

LITELLM = Format(
    name="litellm",
    title="LiteLLM StandardLoggingPayload",
    about="Callback payloads of the LiteLLM proxy (generic_api, S3, GCS), JSON arrays, JSONL or one object per file.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "ip", "user_agent", "email_domain", "model",
        "endpoint", "system_prompt", "prompt", "content_complete", "response", "reasoning", "turns", "tools",
        "session_id", "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p",
        "max_tokens", "n", "stream", "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        _IDENTITY,
        _ADDRESS,
        "The S3 logger writes one file per request; set s3_batch_file_upload, which writes JSONL.",
        "Cache hits carry the id of the cached answer; the exchange id is that id and the call id.",
    ),
    matches=lambda records: share(records, _is_payload),
    parse=_parse_payload,
)  # fmt: skip

LITELLM_SPENDLOGS = Format(
    name="litellm-spendlogs",
    title="LiteLLM spend logs",
    about="Rows of the table LiteLLM_SpendLogs (PostgreSQL) or spend_logs (ClickHouse), exported as JSONL or Parquet.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "ip", "user_agent", "model", "endpoint",
        "system_prompt", "prompt", "content_complete", "response", "turns", "tools", "session_id", "input_tokens",
        "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream",
        "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        _IDENTITY,
        _ADDRESS,
        "Text is there only with store_prompts_in_spend_logs; strings over 2048 characters are cut, and such rows are marked.",
        "Times without a zone are UTC, as Prisma and ClickHouse write them.",
    ),
    matches=lambda records: share(records, _is_spend_log),
    parse=_parse_spend_log,
    naive_zone="UTC",
)  # fmt: skip
