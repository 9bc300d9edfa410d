"""Endings and endpoints: the words of the providers become one word each. A word that is not known is kept in lower case."""

from __future__ import annotations

_FINISH = {
    "end_turn": "stop",
    "stop": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "eos": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "length": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "refusal": "refusal",
    "content_filter": "refusal",
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
    "safety": "refusal",
    "prohibited_content": "refusal",
    "blocklist": "refusal",
}

_ENDPOINTS = (
    ("/chat/completions", "chat"),
    ("/messages", "messages"),
    ("/responses", "responses"),
    ("/completions", "completion"),
    ("/embeddings", "embeddings"),
    (":generatecontent", "generate_content"),
    (":streamgeneratecontent", "generate_content"),
)

_CALLS = {
    "chat": "chat",
    "chat_completion": "chat",
    "completion": "chat",  # LiteLLM calls its chat route so; its legacy route is text_completion
    "acompletion": "chat",
    "chatcompletions_create": "chat",
    "text_completion": "completion",
    "atext_completion": "completion",
    "completions_create": "completion",
    "anthropic_messages": "messages",
    "responses": "responses",
    "aresponses": "responses",
    "responses_create": "responses",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "generatecontent": "generate_content",
    "streamgeneratecontent": "generate_content",
    "generate_content": "generate_content",
    "converse": "converse",
    "conversestream": "converse",
    "invokemodel": "invoke",
    "invokemodelwithresponsestream": "invoke",
}


def finish_word(reason: object) -> str | None:
    """Give stop, length, tool_calls, refusal, or the source's own word in lower case."""
    if not isinstance(reason, str) or not reason:
        return None
    return _FINISH.get(reason.lower(), reason.lower())


def endpoint_of_path(path: object) -> str | None:
    """Give the endpoint that a URL or path asks for: chat, messages, responses, completion, embeddings, or null."""
    if not isinstance(path, str):
        return None
    bare = path.split("?", 1)[0].rstrip("/").lower()
    for end, word in _ENDPOINTS:
        if bare.endswith(end):
            return word
    return None


def endpoint_of_call(call: object) -> str | None:
    """Give the endpoint for the name that a source gives an operation; the name in lower case when it is not known."""
    if not isinstance(call, str) or not call:
        return None
    return _CALLS.get(call.lower(), call.lower())
