"""Conversation: the messages of a request become the last user text, the system text and the number of user messages.

Takes `messages` in the forms that providers use: content as text or as a list of blocks (OpenAI, Anthropic, Bedrock), `parts`
(OpenTelemetry, Gemini). Gives a `Conversation`. Blocks that hold no text (images, audio, files) are passed over.

A user message that only returns tool results was written by the client's program, not by its user (Anthropic puts them in the
user role; OpenAI has a role of its own for them): it is neither the prompt nor a turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from stillwatch.intake.columns import is_one_of

SYSTEM_ROLES = frozenset({"system", "developer"})
USER_ROLES = frozenset({"user", "human"})

_TOOL_BLOCKS = frozenset({"tool_result", "tool_call_response", "function_call_output", "toolResult"})
_NO_MESSAGES = frozenset({"reasoning", "function_call", "function_call_output"})
_TEXT_BLOCKS = frozenset({"text", "input_text", "output_text", "summary_text", "refusal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What intake keeps of the messages of a request."""

    prompt: str | None
    """Text of the last user message; blocks joined by line breaks."""
    system_prompt: str | None
    """Text of all system and developer messages, joined by line breaks."""
    turns: int | None
    """User messages; null when there is none."""


def content_text(content: object) -> str | None:
    """Give the text of a message's content.

    Args:
        content: text, a block, or a list of texts and blocks.

    Returns:
        The text of all text blocks joined by line breaks; null when there is none.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = (content,)
    if not isinstance(content, Sequence):
        return None
    texts = [text for block in content if (text := _block_text(block)) is not None]
    return "\n".join(texts) if texts else None


def _block_text(block: object) -> str | None:
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping):
        return None
    kind = block.get("type")
    if kind is not None and not is_one_of(kind, _TEXT_BLOCKS):
        return None
    for name in ("text", "content", "refusal"):
        text = block.get(name)
        if isinstance(text, str):
            return text
    return None


def is_tool_output(content: object) -> bool:
    """Say whether a message's content is nothing but results of tools."""
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        return False
    blocks = [block for block in content if isinstance(block, Mapping)]
    return len(blocks) == len(content) and all(
        is_one_of(block.get("type"), _TOOL_BLOCKS) or "toolResult" in block or "functionResponse" in block
        for block in blocks
    )


def read_messages(messages: object, *, instructions: object = None) -> Conversation:
    """Read the messages of a request, oldest first.

    Args:
        messages: a list of messages, each with `role` and `content` or `parts`; a bare text is one user message.
        instructions: system text that stands outside the messages (Anthropic `system`, Responses `instructions`).

    Returns:
        The conversation; all null when nothing in it is a message.
    """
    systems = [content_text(instructions)]
    prompt: str | None = None
    turns = 0
    for role, content in _spoken(messages):
        if role in SYSTEM_ROLES:
            systems.append(content_text(content))
        elif role in USER_ROLES and not is_tool_output(content):
            prompt = content_text(content)
            turns += 1
    system = "\n".join(text for text in systems if text)
    return Conversation(prompt=prompt, system_prompt=system or None, turns=turns or None)


def _spoken(messages: object) -> Iterable[tuple[str, object]]:
    if isinstance(messages, str):
        return [("user", messages)]
    if isinstance(messages, Mapping):
        messages = [messages]
    if not isinstance(messages, Sequence):
        return []
    spoken: list[tuple[str, object]] = []
    for message in messages:
        if isinstance(message, str):
            spoken.append(("user", message))
        elif isinstance(message, Mapping) and not is_one_of(message.get("type"), _NO_MESSAGES):
            content = message.get("content")
            if content is None:
                content = message.get("parts")
            # Gemini leaves the role of a single turn out; a message of the Responses API has the type `message`.
            spoken.append((str(message.get("role") or "user").lower(), content))
    return spoken


def structure(value: object) -> object:
    """Give a value that may be JSON text as the structure that it states.

    Args:
        value: a structure, JSON text of one, or anything else.

    Returns:
        The structure, or the value itself when it is text that is no JSON object or array.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def tool_names(*sources: object) -> str | None:
    """Give the names of tools, sorted, each once, joined by commas.

    Args:
        sources: names joined by commas, lists of names, or lists of tool definitions or tool calls in any provider's form.
    """
    names: set[str] = set()
    for source in sources:
        names.update(_names(structure(source)))
    return ",".join(sorted(names)) or None


def _names(source: object) -> Iterable[str]:
    if isinstance(source, str):
        return [name for part in source.split(",") if (name := part.strip())]
    tools = [source] if isinstance(source, Mapping) else source
    if not isinstance(tools, Sequence):
        return []
    return [name for tool in tools for name in _tool_names_of(tool)]


def _tool_names_of(tool: object) -> list[str]:
    if isinstance(tool, str):
        return [tool] if tool else []
    if not isinstance(tool, Mapping):
        return []
    for holder in ("functionDeclarations", "function_declarations", "tools"):  # Gemini, Bedrock toolConfig
        inner = tool.get(holder)
        if isinstance(inner, list):
            return [name for definition in inner if (name := _definition_name(definition)) is not None]
    name = _definition_name(tool)
    return [] if name is None else [name]


def _definition_name(tool: object) -> str | None:
    if not isinstance(tool, Mapping):
        return None
    for holder in ("function", "toolSpec", "toolUse", "functionCall"):
        inner = tool.get(holder)
        if isinstance(inner, Mapping):
            tool = inner
            break
    name = tool.get("name") or tool.get("type")
    return name if isinstance(name, str) else None
