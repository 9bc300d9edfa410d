"""OpenInference: spans of kind LLM with flattened messages (Arize Phoenix, Envoy AI Gateway), OTLP, span lines or bare attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stillwatch.intake.conversation import read_messages, structure, tool_names
from stillwatch.intake.errors import PassedOver, RecordError
from stillwatch.intake.formats.client import edge_address
from stillwatch.intake.formats.format import FlatRow, Format, Parsed, Record, first, mapping, share, without_nulls
from stillwatch.intake.formats.otlp import Signal, signals
from stillwatch.intake.formats.raw_bodies import pair_fields
from stillwatch.intake.formats.request_body import account_in_request, request_fields
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.times import read_instant

_KIND = "openinference.span.kind"


def _messages(attributes: Record, prefix: str) -> list[dict[str, Any]]:
    """Give messages from `prefix.0.message.role`, `prefix.0.message.content` or `...contents.0.message_content.text`."""
    messages: list[dict[str, Any]] = []
    number = 0
    while True:
        stem = f"{prefix}.{number}.message"
        if f"{stem}.role" not in attributes and f"{stem}.content" not in attributes:
            return messages
        content: Any = attributes.get(f"{stem}.content")
        if content is None:
            content = _contents(attributes, stem)
        messages.append({"role": attributes.get(f"{stem}.role"), "content": content})
        number += 1


def _contents(attributes: Record, stem: str) -> list[str]:
    texts = []
    number = 0
    while f"{stem}.contents.{number}.message_content.type" in attributes:
        text = attributes.get(f"{stem}.contents.{number}.message_content.text")
        if isinstance(text, str):
            texts.append(text)
        number += 1
    return texts


def _tools(attributes: Record) -> str | None:
    schemas = [
        structure(value)
        for name, value in sorted(attributes.items())
        if name.startswith("llm.tools.") and name.endswith("json_schema")
    ]
    return tool_names(schemas)


def _row(signal: Signal) -> FlatRow:
    said = signal.attributes.get
    sent = mapping(structure(said("input.value")))
    parameters = request_fields(mapping(structure(said("llm.invocation_parameters"))))
    asked = read_messages(_messages(signal.attributes, "llm.input_messages"))
    answers = _messages(signal.attributes, "llm.output_messages")
    answer = read_messages([{**answers[0], "role": "user"}]) if answers else None
    bodies = pair_fields(sent, structure(said("output.value")), answered_by=True)
    row = {
        **bodies,
        **parameters,
        "account_id": first(said("user.id"), said("enduser.id"), account_in_request(sent)),
        "time": signal.start,
        "exchange_id": first(signal.trace, bodies.get("exchange_id")),
        "ip": edge_address(said("client.address")),
        "user_agent": said("user_agent.original"),
        "model": said("llm.model_name"),
        "endpoint": "chat" if asked.turns else None,
        "session_id": said("session.id"),
        "input_tokens": said("llm.token_count.prompt"),
        "output_tokens": said("llm.token_count.completion"),
        "reasoning_tokens": said("llm.token_count.completion_details.reasoning"),
        "cache_read_tokens": said("llm.token_count.prompt_details.cache_read"),
    }
    if asked.prompt is not None:
        row.update(prompt=asked.prompt, system_prompt=asked.system_prompt, turns=asked.turns, content_complete=True)
    if answer is not None and answer.prompt is not None:
        row["response"] = answer.prompt
    row["tools"] = first(_tools(signal.attributes), row.get("tools"))
    begun, ended = read_instant(signal.start, None), read_instant(signal.end, None)
    if isinstance(begun, int) and isinstance(ended, int) and ended >= begun:
        row["latency_ms"] = (ended - begun) // 1000
    return without_nulls(row)


def _calls(record: Record) -> Iterator[Signal]:
    return (signal for signal in signals(record) if str(signal.attributes.get(_KIND)).upper() == "LLM")


def _spans(record: Record) -> bool:
    """Say whether a record holds spans of any OpenInference kind."""
    return any(_KIND in signal.attributes for signal in signals(record))


def _parse(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    rows = [(_row(signal), {**signal.attributes, "attributes": signal.attributes}) for signal in _calls(record)]
    if not rows and not _spans(record):
        raise RecordError(f"no `{_KIND}`: expected OpenInference spans")
    if not rows:
        raise PassedOver("spans that are no model calls")
    return rows


OPENINFERENCE = Format(
    name="openinference",
    title="OpenInference spans",
    about="Spans of Phoenix, Envoy AI Gateway and other OpenInference instrumentations: OTLP JSON, span lines or attributes.",
    fills=(
        "time", "account_id", "exchange_id", "ip", "user_agent", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "turns", "tools", "session_id", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream", "finish_reason",
        "latency_ms",
    ),
    gotchas=(
        "The account is user.id if the application sets it, else the end user in input.value; declare account_field for another attribute.",
        "Bare attributes without their span have no time: export spans, or declare time_field or default_time.",
        "Spans of kinds other than LLM are passed over.",
    ),
    needs="Export whole spans, or declare time_field or default_time; without user.id declare account_field or default_account.",
    matches=lambda records: share(records, _spans),
    parse=_parse,
)  # fmt: skip
