"""Envoy AI Gateway access log: JSON lines with `gen_ai.*` names. It never holds text."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.intake.formats.client import account_in_headers, edge_address, lower_headers
from stillwatch.intake.formats.endings import endpoint_of_path
from stillwatch.intake.formats.format import Format, Parsed, Record, first, share, single
from stillwatch.intake.settings import IntakeSettings


def _known(value: object) -> object:
    """Envoy writes `-` for an operator without a value."""
    return None if value == "-" else value


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    said = {name: _known(value) for name, value in record.items()}
    row = {
        "time": said.get("start_time"),
        "account_id": first(account_in_headers(lower_headers(said)), said.get("user.id"), said.get("enduser.id")),
        "exchange_id": said.get("x-request-id"),
        "ip": edge_address(said.get("x-forwarded-for"), said.get("downstream_remote_address")),
        "user_agent": said.get("user-agent"),
        "model": first(said.get("gen_ai.request.model"), said.get("gen_ai.response.model")),
        "endpoint": endpoint_of_path(first(said.get("x-envoy-origin-path"), said.get("request.path"))),
        "session_id": said.get("session.id"),
        "input_tokens": said.get("gen_ai.usage.input_tokens"),
        "output_tokens": said.get("gen_ai.usage.output_tokens"),
        "reasoning_tokens": said.get("gen_ai.usage.reasoning_tokens"),
        "cache_read_tokens": first(
            said.get("gen_ai.usage.cached_input_tokens"), said.get("gen_ai.usage.cache_read.input_tokens")
        ),
        "status": said.get("response_code"),
        "latency_ms": said.get("duration"),
    }
    return single(row, record)


ENVOY = Format(
    name="envoy",
    title="Envoy AI Gateway access log",
    about="JSON access log of Envoy AI Gateway with its gen_ai fields.",
    fills=(
        "time", "account_id", "exchange_id", "ip", "user_agent", "model", "endpoint", "session_id", "input_tokens",
        "output_tokens", "reasoning_tokens", "cache_read_tokens", "status", "latency_ms",
    ),
    gotchas=(
        "It never holds text: the run is metadata-only.",
        "The account is a header that you must log (x-account-id, x-user-id, x-tenant-id, ...); any other name is declared with account_field.",
        "The address is the last public one of X-Forwarded-For, which a trusted hop wrote; the first ones are the client's own words.",
    ),
    needs="Envoy logs no account unless a header with it is logged: declare account_field (the header) or default_account.",
    matches=lambda records: share(
        records,
        lambda record: "start_time" in record
        and ("gen_ai.request.model" in record or "gen_ai.response.model" in record)
        and ("response_code" in record or "duration" in record),
    ),
    parse=_parse,
)  # fmt: skip
