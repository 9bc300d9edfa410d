"""Kong ai-proxy: the records that Kong's log plug-ins write for a route with the ai-proxy plug-in."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.conversation import structure
from stillwatch.intake.errors import PassedOver, RecordError
from stillwatch.intake.formats.client import edge_address, lower_headers
from stillwatch.intake.formats.endings import endpoint_of_path
from stillwatch.intake.formats.format import Format, Parsed, Record, first, has, mapping, share, single
from stillwatch.intake.formats.raw_bodies import pair_fields
from stillwatch.intake.formats.request_body import account_in_request
from stillwatch.intake.settings import IntakeSettings


def _proxied(record: Record) -> Record:
    """Give what the plug-in logged: under `proxy`, or under its own name in other versions."""
    logged = mapping(record.get("ai"))
    for name in ("proxy", "ai-proxy", "ai-proxy-advanced", *logged):
        if "meta" in mapping(logged.get(name)):
            return mapping(logged[name])
    return {}


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    proxied = _proxied(record)
    if not proxied and "started_at" not in record:
        raise RecordError("no `started_at`: expected a record of a Kong log plug-in")
    if not proxied:
        raise PassedOver("requests that did not go through ai-proxy")
    meta, usage, payload = (mapping(proxied.get(name)) for name in ("meta", "usage", "payload"))
    consumer, entity = mapping(record.get("consumer")), mapping(record.get("authenticated_entity"))
    headers = lower_headers(mapping(record.get("request")).get("headers"))
    request = structure(payload.get("request"))
    row = pair_fields(request, structure(payload.get("response")), answered_by=True)
    row.update(
        {
            "time": record.get("started_at"),
            "account_id": first(
                consumer.get("custom_id"),
                consumer.get("username"),
                consumer.get("id"),
                entity.get("consumer_id"),
                account_in_request(request),
            ),
            "exchange_id": first(row.get("exchange_id"), mapping(record.get("request")).get("id")),
            "api_key_id": entity.get("id"),
            "ip": edge_address(record.get("client_ip")),
            "user_agent": headers.get("user-agent"),
            "model": first(meta.get("request_model"), row.get("model")),
            "endpoint": endpoint_of_path(mapping(record.get("request")).get("uri")),
            "input_tokens": first(usage.get("prompt_tokens"), row.get("input_tokens")),
            "output_tokens": first(usage.get("completion_tokens"), row.get("output_tokens")),
            "status": mapping(record.get("response")).get("status"),
            "latency_ms": mapping(record.get("latencies")).get("request"),
        }
    )
    return single(row, record)


KONG = Format(
    name="kong",
    title="Kong ai-proxy log",
    about="Records of Kong's file-log, http-log or tcp-log plug-in for routes with ai-proxy.",
    fills=(
        "time", "account_id", "exchange_id", "api_key_id", "ip", "user_agent", "model", "endpoint", "system_prompt",
        "prompt", "content_complete", "response", "reasoning", "turns", "tools", "session_id", "input_tokens",
        "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream",
        "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        "Text is there only with log_payloads; token counts only with log_statistics.",
        "The account is the consumer's custom_id, username or id; without an authentication plug-in there is none.",
        "Requests of other routes in the same log are counted and passed over.",
    ),
    needs="Without an authentication plug-in Kong knows no consumer: declare account_field or default_account.",
    matches=lambda records: share(
        records, lambda record: has(record, "started_at", "latencies") and ("ai" in record or "client_ip" in record)
    ),
    parse=_parse,
)  # fmt: skip
