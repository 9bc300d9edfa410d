"""What a model answered, read from the bodies and streams of the OpenAI and Anthropic APIs.

Takes a parsed body, or the text of a stream of events. Gives text, snapshot, fingerprint, finish reason and tokens; null for what is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class ModelAnswer:
    """One answer."""

    text: str = ""
    """Visible text; of the first choice where there are several. Reasoning and calls of tools are not in it."""
    snapshot: str | None = None
    """Model that the answer reports."""
    fingerprint: str | None = None
    finish_reason: str | None = None
    """Null where the answer did not come to its end."""
    input_tokens: int | None = None
    output_tokens: int | None = None


def read_answer(body: object) -> ModelAnswer:
    """Read an answer.

    Args:
        body: parsed JSON, or the text of a stream of server-sent events.
    """
    answer = ModelAnswer()
    if isinstance(body, Mapping):
        _whole(body, answer)
    elif isinstance(body, str):
        for event in _events(body):
            _event(event, answer)
    return answer


def _whole(body: Mapping[str, Any], answer: ModelAnswer) -> None:
    _head(body, answer)
    kind = body.get("type") or body.get("object")
    if kind == "message":
        answer.text = "".join(_texts(body.get("content"), "text"))
        answer.finish_reason = _word(body.get("stop_reason"))
    elif kind == "response":
        items = [item for item in _list(body.get("output")) if isinstance(item, Mapping)]
        answer.text = "".join(text for item in items for text in _texts(item.get("content"), "output_text"))
        answer.finish_reason = _ending(body)
    else:
        for choice in _list(body.get("choices"))[:1]:
            message = choice.get("message") if isinstance(choice, Mapping) else None
            text = message.get("content") if isinstance(message, Mapping) else choice.get("text")
            answer.text = text if isinstance(text, str) else "".join(_texts(text, "text"))
            answer.finish_reason = _word(choice.get("finish_reason"))


def _event(event: Mapping[str, Any], answer: ModelAnswer) -> None:
    """Add what one event of a stream says."""
    kind = event.get("type")
    for name in ("message", "response"):
        if isinstance(event.get(name), Mapping):
            _head(event[name], answer)
    _head(event, answer)
    if kind == "response.output_text.delta" and isinstance(event.get("delta"), str):
        answer.text += event["delta"]
    elif kind in {"response.completed", "response.incomplete"}:
        answer.finish_reason = _ending(event.get("response") or {})
    elif kind == "content_block_delta" and isinstance(event.get("delta"), Mapping):
        answer.text += event["delta"].get("text") or ""
    elif kind == "message_delta" and isinstance(event.get("delta"), Mapping):
        answer.finish_reason = _word(event["delta"].get("stop_reason")) or answer.finish_reason
    for choice in _list(event.get("choices"))[:1]:
        delta = choice.get("delta")
        part = delta.get("content") if isinstance(delta, Mapping) else choice.get("text")
        answer.text += part if isinstance(part, str) else ""
        answer.finish_reason = _word(choice.get("finish_reason")) or answer.finish_reason


def _head(body: Mapping[str, Any], answer: ModelAnswer) -> None:
    """Take model, fingerprint and tokens, where they are said."""
    answer.snapshot = _word(body.get("model")) or answer.snapshot
    answer.fingerprint = _word(body.get("system_fingerprint")) or answer.fingerprint
    usage = body.get("usage")
    if isinstance(usage, Mapping):
        for name in ("prompt_tokens", "input_tokens"):
            answer.input_tokens = usage[name] if isinstance(usage.get(name), int) else answer.input_tokens
        for name in ("completion_tokens", "output_tokens"):
            answer.output_tokens = usage[name] if isinstance(usage.get(name), int) else answer.output_tokens


def _ending(response: Mapping[str, Any]) -> str | None:
    """Give the finish reason of the Responses API, whose words are `completed` and the reason of an incomplete one."""
    details = response.get("incomplete_details")
    if isinstance(details, Mapping) and details.get("reason"):
        return str(details["reason"])
    return _word(response.get("status")) if response.get("status") in {"completed", "incomplete"} else None


def _events(text: str) -> Iterator[Mapping[str, Any]]:
    """Give the JSON objects of a stream, event by event."""
    for line in text.splitlines():
        if line.startswith("data:"):
            try:
                event = json.loads(line.removeprefix("data:"))
            except ValueError:  # `[DONE]`, or an event that was cut
                continue
            if isinstance(event, dict):
                yield event


def _texts(parts: object, kind: str) -> Iterator[str]:
    for part in _list(parts):
        if isinstance(part, Mapping) and part.get("type") == kind and isinstance(part.get("text"), str):
            yield part["text"]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
