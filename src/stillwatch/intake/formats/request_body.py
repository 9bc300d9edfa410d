"""Request bodies: what a client sent, in the forms of OpenAI, Anthropic, Bedrock and Gemini, as flat values.

Takes the body as a structure or JSON text. Gives the flat values it states. The forms do not overlap in their keys, so one
reader serves every gateway that stores bodies.
"""

from __future__ import annotations

from typing import Any

from stillwatch.intake.conversation import Conversation, read_messages, structure, tool_names
from stillwatch.intake.formats.format import FlatRow, Record, first, mapping, without_nulls


def is_request(body: object) -> bool:
    """Say whether a structure has the form of a request to a model."""
    said = mapping(body)
    return bool(said) and (
        "messages" in said
        or ("model" in said and ("prompt" in said or "input" in said))
        or "contents" in said
        or "inputText" in said
    )


def request_fields(body: object) -> FlatRow:
    """Read a request body.

    Args:
        body: a structure, or JSON text of one.

    Returns:
        Flat values that are there: prompt, system_prompt, turns, tools, model, parameters, stream, session_id.
    """
    said = structure(body)
    if isinstance(said, list):
        said = {"messages": said}
    if not isinstance(said, dict):
        return {}
    asked = _conversation(said)
    parameters = _parameters(said)
    return without_nulls(
        {
            "prompt": asked.prompt,
            "system_prompt": asked.system_prompt,
            "turns": asked.turns,
            "tools": tool_names(first(said.get("tools"), said.get("toolConfig"), said.get("functions"))),
            "model": said.get("model"),
            "stream": said.get("stream"),
            "session_id": _session(said),
            **parameters,
        }
    )


def account_in_request(body: object) -> Any:
    """Give the end user that the client named in a request body: client-chosen, the weakest of identities."""
    said = mapping(structure(body))
    metadata = mapping(structure(said.get("metadata")))
    return first(said.get("user"), said.get("safety_identifier"), metadata.get("user_id"))


def _conversation(body: Record) -> Conversation:
    if "contents" in body:  # Gemini
        instructions = mapping(first(body.get("systemInstruction"), body.get("system_instruction")))
        return read_messages(body["contents"], instructions=instructions.get("parts"))
    if "messages" in body:  # OpenAI chat, Anthropic messages, Bedrock Converse
        return read_messages(structure(body["messages"]), instructions=body.get("system"))
    if "input" in body:  # OpenAI responses
        return read_messages(structure(body["input"]), instructions=body.get("instructions"))
    prompt = first(body.get("prompt"), body.get("inputText"))  # completions, Bedrock Titan
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return read_messages(prompt if isinstance(prompt, str) else None)


def _parameters(body: Record) -> FlatRow:
    nested = mapping(
        first(
            body.get("inferenceConfig"),
            body.get("generationConfig"),
            body.get("generation_config"),
            body.get("textGenerationConfig"),
        )
    )
    said = {**nested, **body}
    return {
        "temperature": said.get("temperature"),
        "top_p": first(said.get("top_p"), said.get("topP")),
        "max_tokens": first(
            *(
                said.get(name)
                for name in (
                    "max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens", "maxOutputTokens",
                    "max_new_tokens", "maxTokenCount", "max_tokens_to_sample", "max_gen_len",
                )
            )
        ),
        "n": first(said.get("n"), said.get("candidateCount")),
    }  # fmt: skip


def _session(body: Record) -> Any:
    conversation = body.get("conversation")
    return conversation.get("id") if isinstance(conversation, dict) else conversation
