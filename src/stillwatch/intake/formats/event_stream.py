"""Event streams: a streamed answer that a gateway stored as its events becomes the body of an answer that was not streamed.

Takes a list of events, or the text of a server-sent event stream. Gives a body in the provider's own form, or the value itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from stillwatch.intake.formats.format import Record, mapping


def gathered(body: object) -> object:
    """Put a streamed answer together.

    Args:
        body: anything; a list of mappings, or text with `data:` lines, is taken as a stream.

    Returns:
        One body for a stream, and the value itself for anything else.
    """
    if isinstance(body, str):
        body = _events_of(body) if body.lstrip().startswith(("data:", "event:")) else body
    if not isinstance(body, list) or not body or not all(isinstance(event, Mapping) for event in body):
        return body
    if any("choices" in event for event in body):
        return _openai(body)
    if any("candidates" in event for event in body):
        return _gemini(body)
    if any("contentBlockDelta" in event or "messageStop" in event for event in body):
        return _bedrock(body)
    completed = [
        event["response"] for event in body if str(event.get("type")).startswith("response.") and "response" in event
    ]
    if completed:
        return completed[-1]
    return _anthropic(body) if any("type" in event for event in body) else body


def _events_of(text: str) -> list[Any]:
    events = []
    for line in text.splitlines():
        said = line.removeprefix("data:").strip()
        if line.startswith("data:") and said.startswith("{"):
            try:
                events.append(orjson.loads(said))
            except orjson.JSONDecodeError:  # the last event of a stream that was broken off
                continue
    return events


def _merged(events: Iterable[Record], *names: str) -> dict[str, Any]:
    """Take the last value of each of these keys."""
    return {name: event[name] for event in events for name in names if event.get(name) is not None}


def _choices(event: Record) -> Sequence[Record]:
    choices = event.get("choices")
    return (
        [mapping(choice) for choice in choices if mapping(choice).get("index", 0) == 0]
        if isinstance(choices, list)
        else []
    )


def _openai(events: Sequence[Record]) -> dict[str, Any]:
    text, thought, finish = "", "", None
    calls: list[Any] = []
    for event in events:
        for choice in _choices(event):
            delta = mapping(choice.get("delta"))
            text += str(delta.get("content") or choice.get("text") or "")
            thought += str(delta.get("reasoning_content") or delta.get("reasoning") or "")
            calls.extend(
                call for call in delta.get("tool_calls") or () if mapping(mapping(call).get("function")).get("name")
            )
            finish = choice.get("finish_reason") or finish
    message = {"role": "assistant", "content": text or None, "reasoning_content": thought or None, "tool_calls": calls}
    return {
        **_merged(events, "id", "model", "usage", "created"),
        "choices": [{"message": message, "finish_reason": finish}],
    }


def _gemini(events: Sequence[Record]) -> dict[str, Any]:
    parts: list[Any] = []
    finish = None
    for event in events:
        for candidate in event.get("candidates") or ():
            parts.extend(mapping(mapping(candidate).get("content")).get("parts") or ())
            finish = mapping(candidate).get("finishReason") or finish
    thoughts = "".join(str(part.get("text") or "") for part in map(mapping, parts) if part.get("thought"))
    answer = "".join(str(part.get("text") or "") for part in map(mapping, parts) if not part.get("thought"))
    kept = [
        {"text": thoughts, "thought": True},
        {"text": answer},
        *(part for part in parts if "functionCall" in mapping(part)),
    ]
    content = {"parts": [part for part in kept if part.get("text") or "functionCall" in part]}
    return {
        **_merged(events, "usageMetadata", "modelVersion", "responseId"),
        "candidates": [{"content": content, "finishReason": finish}],
    }


def _bedrock(events: Sequence[Record]) -> dict[str, Any]:
    text = "".join(
        str(mapping(mapping(event.get("contentBlockDelta")).get("delta")).get("text") or "") for event in events
    )
    stops = _merged([mapping(event.get("messageStop")) for event in events], "stopReason")
    facts = _merged([mapping(event.get("metadata")) for event in events], "usage", "metrics")
    return {"output": {"message": {"content": [{"text": text}]}}, **stops, **facts}


def _anthropic(events: Sequence[Record]) -> dict[str, Any]:
    start = next((mapping(event.get("message")) for event in events if event.get("type") == "message_start"), {})
    usage = dict(mapping(start.get("usage")))
    blocks: dict[object, dict[str, Any]] = {}
    stop = None
    for event in events:
        if event.get("type") == "content_block_start":
            blocks[event.get("index")] = dict(mapping(event.get("content_block")))
        delta = mapping(event.get("delta"))
        if event.get("type") == "content_block_delta":
            block = blocks.setdefault(event.get("index"), {"type": "text"})
            for name in ("text", "thinking"):
                if isinstance(delta.get(name), str):
                    block[name] = str(block.get(name) or "") + delta[name]
        stop = delta.get("stop_reason") or stop
        usage.update(mapping(event.get("usage")))
    return {**start, "content": list(blocks.values()), "stop_reason": stop, "usage": usage}
