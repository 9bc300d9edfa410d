"""OpenTelemetry GenAI: spans and events of the semantic conventions, in all three generations.

* up to 1.36: `gen_ai.system`, log or span events `gen_ai.user.message`, `gen_ai.choice`, ...;
* from 1.37: `gen_ai.provider.name`, messages as attributes (JSON text or structures);
* the repository of their own: span `gen_ai.client.inference`, event `gen_ai.client.inference.operation.details`.

A span and the events that carry its ids are one exchange. Events without ids follow each other: a choice ends an exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.intake.columns import is_one_of, number_of
from stillwatch.intake.conversation import content_text, read_messages, structure, tool_names
from stillwatch.intake.errors import RecordError
from stillwatch.intake.formats.client import edge_address
from stillwatch.intake.formats.endings import endpoint_of_call, finish_word
from stillwatch.intake.formats.format import (
    FlatRow,
    Format,
    Joined,
    Orphan,
    Place,
    Record,
    first,
    mapping,
    share,
    without_nulls,
)
from stillwatch.intake.formats.open_exchanges import OpenExchange, OpenExchanges
from stillwatch.intake.formats.otlp import Signal, signals
from stillwatch.intake.formats.response_body import joined
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.times import read_instant

_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_DETAILS = frozenset({"gen_ai.client.inference.operation.details", "gen_ai.operation.details"})
_CALLS = frozenset({"chat", "text_completion", "generate_content", "completion"})
_ACCOUNT = ("enduser.id", "user.id", "enduser.pseudo.id", "gen_ai.user.id", "account.id")
_NO_CALL = "spans and events that are no model calls"


class GenAiJoiner:
    """Joins spans and events of one run."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Begin with nothing open."""
        self._settings = settings
        self._open = OpenExchanges()
        self._unnamed = 0
        self._passed = 0

    def add(self, record: Any, place: Place) -> Iterator[Joined | Orphan]:
        """Take a document, span or event."""
        if not isinstance(record, Mapping):
            raise RecordError(f"a JSON {type(record).__name__}, expected an OTLP document, a span or a log event")
        for signal in signals(record):
            if not _concerns(signal):
                self._passed += 1
                continue
            key = signal.trace or f"unnamed {self._unnamed}"
            exchange = self._open.at(key, place)
            _take(exchange, signal, place)
            if signal.trace is None and (signal.is_span or signal.name == _CHOICE or signal.name in _DETAILS):
                self._unnamed += 1
                yield _exchange(self._open.close(key))
        for exchange in self._open.overflow():
            yield _exchange(exchange)

    def finish(self) -> Iterator[Joined | Orphan]:
        """Give what is open."""
        for exchange in self._open.rest():
            yield _exchange(exchange)

    def notes(self) -> Mapping[str, int]:
        """Count what is no call of a model."""
        return {f"passed over: {_NO_CALL}": self._passed} if self._passed else {}


def _concerns(signal: Signal) -> bool:
    if not signal.is_span:
        return signal.name in _ROLES or signal.name == _CHOICE or signal.name in _DETAILS
    operation = signal.attributes.get("gen_ai.operation.name")
    named = "gen_ai.request.model" in signal.attributes or "gen_ai.response.model" in signal.attributes
    return is_one_of(operation, _CALLS) or (operation is None and named)


def _take(exchange: OpenExchange, signal: Signal, place: Place) -> None:
    parts = exchange.parts
    attributes = parts.setdefault("attributes", {})
    if signal.is_span:
        parts["attributes"] = {**attributes, **signal.attributes}
        parts["start"], parts["end"] = signal.start, signal.end
        exchange.place = place
        for event in signal.events:
            _take_event(parts, str(event.get("name")), mapping(event.get("attributes")))
        return
    parts["attributes"] = {**signal.attributes, **attributes}
    parts.setdefault("seen", signal.start)
    if signal.name in _DETAILS:
        parts["attributes"] = {**mapping(structure(signal.body)), **parts["attributes"]}
        parts["seen"] = signal.start
    else:
        if signal.name == "gen_ai.user.message" and "start" not in parts:
            exchange.place = place
        _take_event(parts, signal.name, mapping(structure(signal.body)))


def _take_event(parts: dict[str, Any], name: str, body: Record) -> None:
    """Take a message of the first generation, or the content events that came before it."""
    content = first(body.get("content"), body.get("gen_ai.event.content"))
    if name in _ROLES:
        parts.setdefault("messages", []).append({"role": _ROLES[name], "content": structure(content)})
    elif name == _CHOICE:
        parts.setdefault("choices", []).append(body)
    elif name == "gen_ai.content.prompt":
        parts.setdefault("messages", []).extend(_listed(structure(body.get("gen_ai.prompt"))))
    elif name == "gen_ai.content.completion":
        parts.setdefault("answers", []).extend(_listed(structure(body.get("gen_ai.completion"))))


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] if value is not None else []


def _exchange(exchange: OpenExchange) -> Joined:
    parts = exchange.parts
    attributes = parts["attributes"]
    row = {**_facts(attributes), **_asked(parts, attributes), **_answered(parts, attributes)}
    row["time"] = first(parts.get("start"), parts.get("seen"))
    row["latency_ms"] = _milliseconds(parts.get("start"), parts.get("end"))
    record = {**attributes, "attributes": attributes, "start": parts.get("start"), "end": parts.get("end")}
    return Joined(row=without_nulls(row), record=record, place=exchange.place)


def _milliseconds(start: object, end: object) -> int | None:
    begun, ended = read_instant(start, None), read_instant(end, None)
    return (ended - begun) // 1000 if isinstance(begun, int) and isinstance(ended, int) and ended >= begun else None


def _ending(attributes: Record, *ends: str) -> Any:
    """Give the value of an attribute whose vendor prefix is not known."""
    return next((attributes[name] for name in sorted(attributes) if name.endswith(ends)), None)


def _facts(attributes: Record) -> FlatRow:
    said = attributes.get
    finishes = structure(first(said("gen_ai.response.finish_reasons"), said("gen_ai.response.finish_reason")))
    return {
        "account_id": first(*(said(name) for name in _ACCOUNT)),
        "exchange_id": said("gen_ai.response.id"),
        "organization_id": first(said("organization.id"), _ending(attributes, ".org.id", ".organization.id")),
        "api_key_id": _ending(attributes, "api_key.hash", "api_key.id", "api_key_hash", "api_key_id"),
        "ip": edge_address(said("client.address"), said("http.client_ip"), said("net.peer.ip"), said("source.address")),
        "user_agent": first(said("user_agent.original"), said("http.user_agent")),
        "model": first(said("gen_ai.request.model"), said("gen_ai.response.model")),
        "endpoint": endpoint_of_call(said("gen_ai.operation.name")),
        "session_id": first(said("gen_ai.conversation.id"), said("session.id")),
        "input_tokens": first(said("gen_ai.usage.input_tokens"), said("gen_ai.usage.prompt_tokens")),
        "output_tokens": first(said("gen_ai.usage.output_tokens"), said("gen_ai.usage.completion_tokens")),
        "reasoning_tokens": first(said("gen_ai.usage.reasoning.output_tokens"), said("gen_ai.usage.reasoning_tokens")),
        "cache_read_tokens": first(
            said("gen_ai.usage.cache_read.input_tokens"), said("gen_ai.usage.cache_read_input_tokens")
        ),
        "temperature": said("gen_ai.request.temperature"),
        "top_p": said("gen_ai.request.top_p"),
        "max_tokens": said("gen_ai.request.max_tokens"),
        "n": said("gen_ai.request.choice.count"),
        "stream": said("gen_ai.request.stream"),
        "status": first(said("http.response.status_code"), number_of(said("error.type"))),
        "finish_reason": finish_word(finishes[0] if isinstance(finishes, list) and finishes else finishes),
        "tools": tool_names(said("gen_ai.tool.definitions")),
    }


def _numbered(attributes: Record, prefix: str) -> list[Any]:
    """Give messages that are flattened as `prefix.0.role`, `prefix.0.content` (an extension of the first generation)."""
    messages = []
    number = 0
    while f"{prefix}.{number}.content" in attributes or f"{prefix}.{number}.role" in attributes:
        messages.append(
            {
                "role": attributes.get(f"{prefix}.{number}.role"),
                "content": structure(attributes.get(f"{prefix}.{number}.content")),
                "finish_reason": attributes.get(f"{prefix}.{number}.finish_reason"),
            }
        )
        number += 1
    return messages


def _asked(parts: Record, attributes: Record) -> FlatRow:
    messages = first(
        structure(attributes.get("gen_ai.input.messages")),
        structure(attributes.get("gen_ai.prompt")),
        parts.get("messages"),
        _numbered(attributes, "gen_ai.prompt") or None,
    )
    asked = read_messages(messages, instructions=structure(attributes.get("gen_ai.system_instructions")))
    return {
        "prompt": asked.prompt,
        "system_prompt": asked.system_prompt,
        "turns": asked.turns,
        "content_complete": True if asked.prompt is not None else None,
    }


def _answered(parts: Record, attributes: Record) -> FlatRow:
    given = first(structure(attributes.get("gen_ai.output.messages")), structure(attributes.get("gen_ai.completion")))
    answers = _listed(given) or parts.get("answers") or _numbered(attributes, "gen_ai.completion")
    choices = [mapping(choice) for choice in parts.get("choices", ())]
    if not answers and choices:
        answers = [mapping(structure(choice.get("message"))) or choice for choice in choices]
    message = mapping(answers[0]) if answers else {}
    if not message:
        return {"response": answers[0]} if answers and isinstance(answers[0], str) else {}
    blocks = first(message.get("parts"), message.get("content"))
    thoughts = (
        [
            block.get("content")
            for block in map(mapping, blocks)
            if is_one_of(block.get("type"), ("reasoning", "thinking"))
        ]
        if isinstance(blocks, list)
        else []
    )
    finish = first(message.get("finish_reason"), *(choice.get("finish_reason") for choice in choices[:1]))
    return without_nulls(
        {"response": content_text(blocks), "reasoning": joined(thoughts), "finish_reason": finish_word(finish)}
    )


def _is_genai(record: Record) -> bool:
    """Say whether the first signals of a record are of these conventions."""
    for number, signal in enumerate(signals(record)):
        if "openinference.span.kind" in signal.attributes:
            return False
        if signal.name in _ROLES or signal.name == _CHOICE or signal.name in _DETAILS:
            return True
        traced = signal.trace is not None or signal.start is not None
        if traced and any(name.startswith("gen_ai.") for name in signal.attributes):
            return True
        if number > 200:
            break
    return False


OTEL_GENAI = Format(
    name="otel-genai",
    title="OpenTelemetry GenAI",
    about="OTLP JSON of spans and log events with gen_ai attributes, from the collector's file exporter or an SDK.",
    fills=(
        "time", "account_id", "exchange_id", "organization_id", "api_key_id", "ip", "user_agent", "model", "endpoint",
        "system_prompt", "prompt", "content_complete", "response", "reasoning", "turns", "tools", "session_id",
        "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens",
        "n", "stream", "status", "finish_reason", "latency_ms",
    ),
    gotchas=(
        (
            "The conventions have no account and no address: set enduser.id, client.address and user_agent.original on the spans, or declare "
            "account_field."
        ),
        "Text is opt-in (gen_ai.input.messages and the events); without it the run is metadata-only.",
        "An event has the time at which it was written, after the answer; a span has the start.",
        "Spans and events that carry the same ids are one exchange, also from several files of one run.",
    ),
    needs="The conventions have no account: declare account_field (an attribute) or default_account; events without a time need time_field or default_time.",
    matches=lambda records: share(records, _is_genai),
    joiner=GenAiJoiner,
    joins_within="run",
)  # fmt: skip
