"""Response bodies: what the model answered, in the forms of OpenAI, Anthropic, Bedrock and Gemini, as flat values.

Takes the body as a structure, JSON text, a list of stream events or the text of an event stream. Gives the flat values it states.
Where a provider counts cached input apart from the rest (Anthropic, Bedrock), `input_tokens` is the sum, as elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stillwatch.intake.columns import count_of, is_one_of
from stillwatch.intake.conversation import content_text, structure, tool_names
from stillwatch.intake.formats.endings import finish_word
from stillwatch.intake.formats.event_stream import gathered
from stillwatch.intake.formats.format import FlatRow, Record, first, mapping, without_nulls

_THINKING = frozenset({"thinking", "reasoning"})


def response_fields(body: object) -> FlatRow:
    """Read a response body.

    Args:
        body: a structure, JSON text of one, or a stream of events.

    Returns:
        Flat values that are there: exchange_id, model, response, reasoning, tools (called), finish_reason, token counts. The
        value `model` is the model that answered.
    """
    said = gathered(structure(body))
    if not isinstance(said, Mapping) or not said:
        return {}
    if "choices" in said:
        row = _openai_chat(said)
    elif "candidates" in said:
        row = _gemini(said)
    elif "output" in said and isinstance(said["output"], list):
        row = _openai_responses(said)
    elif "content" in said:
        row = _message(said, said.get("stop_reason"))
    elif "output" in said or "stopReason" in said:
        row = _message(mapping(mapping(said.get("output")).get("message")), said.get("stopReason"))
    else:
        row = {}
    usage = mapping(first(said.get("usage"), said.get("usageMetadata"), said.get("usage_metadata")))
    return without_nulls(
        {
            "exchange_id": first(said.get("id"), said.get("responseId")),
            "model": first(said.get("model"), said.get("modelVersion")),
            **usage_fields(usage),
            **row,
        }
    )


def usage_fields(usage: Record) -> FlatRow:
    """Read token counts in any provider's form.

    Args:
        usage: OpenAI `usage` (both forms), Anthropic `usage`, Bedrock `usage`, Gemini `usageMetadata`.
    """
    details_in = mapping(first(usage.get("prompt_tokens_details"), usage.get("input_tokens_details")))
    details_out = mapping(first(usage.get("completion_tokens_details"), usage.get("output_tokens_details")))
    read = first(usage.get("cache_read_input_tokens"), usage.get("cacheReadInputTokens"))
    written = first(usage.get("cache_creation_input_tokens"), usage.get("cacheWriteInputTokens"))
    fresh = first(usage.get("input_tokens"), usage.get("inputTokens"))
    return without_nulls(
        {
            "input_tokens": first(
                usage.get("prompt_tokens"), usage.get("promptTokenCount"), total(fresh, read, written)
            ),
            "output_tokens": first(
                usage.get("completion_tokens"),
                usage.get("output_tokens"),
                usage.get("outputTokens"),
                usage.get("candidatesTokenCount"),
            ),
            "reasoning_tokens": first(details_out.get("reasoning_tokens"), usage.get("thoughtsTokenCount")),
            "cache_read_tokens": first(
                details_in.get("cached_tokens"), read, usage.get("cachedContentTokenCount"), usage.get("cached_tokens")
            ),
        }
    )


def total(fresh: object, *cached: object) -> int | None:
    """Add cached input to fresh input; null when the fresh count is missing."""
    counted = count_of(fresh)
    return None if counted is None else counted + sum(count_of(value) or 0 for value in cached)


def _openai_chat(body: Record) -> FlatRow:
    choices = [mapping(choice) for choice in _sequence(body["choices"])]
    if not choices:
        return {}
    choice = choices[0]
    message = mapping(choice.get("message"))
    text = choice.get("text") if "message" not in choice else content_text(message.get("content"))
    return {
        "response": first(text, message.get("refusal")),
        "reasoning": content_text(first(message.get("reasoning_content"), message.get("reasoning"))),
        "tools": tool_names(_called(message)),
        "finish_reason": finish_word(choice.get("finish_reason")),
    }


def _called(message: Record) -> list[Any]:
    calls = list(_sequence(message.get("tool_calls")))
    if isinstance(message.get("function_call"), Mapping):
        calls.append(message["function_call"])
    return calls


def _openai_responses(body: Record) -> FlatRow:
    items = [mapping(item) for item in _sequence(body["output"])]
    texts = [content_text(item.get("content")) for item in items if item.get("type") == "message"]
    thoughts = [content_text(item.get("summary")) for item in items if item.get("type") == "reasoning"]
    calls = [item.get("name") for item in items if item.get("type") == "function_call"]
    incomplete = mapping(body.get("incomplete_details")).get("reason")
    finish = "tool_calls" if calls else finish_word(first(incomplete, body.get("status")))
    return {
        "response": joined(texts),
        "reasoning": joined(thoughts),
        "tools": tool_names([name for name in calls if isinstance(name, str)]),
        "finish_reason": finish,
    }


def _message(message: Record, stop: object) -> FlatRow:
    """Read a message of Anthropic or Bedrock Converse: a list of content blocks."""
    blocks = message.get("content")
    if isinstance(blocks, str):
        return {"response": blocks, "finish_reason": finish_word(stop)}
    listed = [mapping(block) for block in _sequence(blocks)]
    thoughts = [
        first(block.get("thinking"), mapping(mapping(block.get("reasoningContent")).get("reasoningText")).get("text"))
        for block in listed
    ]
    calls = [block for block in listed if block.get("type") == "tool_use" or "toolUse" in block]
    return {
        "response": content_text([block for block in listed if not is_one_of(block.get("type"), _THINKING)]),
        "reasoning": joined(thoughts),
        "tools": tool_names(calls),
        "finish_reason": finish_word(stop),
    }


def _gemini(body: Record) -> FlatRow:
    candidates = [mapping(candidate) for candidate in _sequence(body["candidates"])]
    if not candidates:
        return {}
    parts = [mapping(part) for part in _sequence(mapping(candidates[0].get("content")).get("parts"))]
    return {
        "response": joined(part.get("text") for part in parts if not part.get("thought")),
        "reasoning": joined(part.get("text") for part in parts if part.get("thought")),
        "tools": tool_names([part for part in parts if "functionCall" in part]),
        "finish_reason": finish_word(candidates[0].get("finishReason")),
    }


def joined(texts: Iterable[object]) -> str | None:
    """Join the texts among values by line breaks; null when there is none."""
    return "\n".join(text for text in texts if isinstance(text, str) and text) or None


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
