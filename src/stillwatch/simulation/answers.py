"""Answers of a model that is none: words drawn from a seed and the prompt, in the shapes of the OpenAI and Anthropic APIs.

Takes a request body, a seed and the number of the sample. Gives bodies and streams of events as those APIs give them. The same seed, prompt,
system prompt and sample give the same words on every route, so that a test can tell what must come back through whatever stands between.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CREATED = 1_780_000_000
"""Unix seconds that every answer bears; the simulated model has no clock."""
DEFAULT_WORDS = 24
MOST_WORDS = 4_096
TOP = 5
"""Alternatives for each token where log-probabilities are asked for."""
_WORDS = [
    "still",
    "water",
    "runs",
    "deep",
    "and",
    "clear",
    "under",
    "the",
    "old",
    "stone",
    "bridge",
    "where",
    "light",
    "falls",
    "on",
    "green",
    "moss",
    "while",
    "slow",
    "wind",
    "moves",
    "through",
    "tall",
    "grass",
    "toward",
    "the",
    "quiet",
    "shore",
    "of",
    "a",
    "wide",
    "lake",
    "that",
    "holds",
    "every",
    "cloud",
    "as",
    "if",
    "it",
    "were",
    "its",
    "own",
    "small",
    "boat",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says to one request."""

    id: str
    """16 hex digits, of request and sample."""
    model: str
    fingerprint: str
    tokens: tuple[str, ...]
    """Words, each with the space before it but for the first."""
    logprobs: tuple[float, ...]
    """Natural logarithm for each token, below 0."""
    prompt_tokens: int
    finish: str
    """`stop`, or `length` where the limit cut it."""

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.tokens)


def answer_to(body: Mapping[str, Any], *, seed: int, sample: int, fingerprint: str) -> Answer:
    """Make the answer to a request.

    Args:
        body: of any of the routes.
        seed: of the model.
        sample: 0 for the first answer to a prompt; others are independent draws.
        fingerprint: of the serving system; other weights would have another.
    """
    prompt, limit = _prompt(body), _limit(body)
    wanted = 8 + _draw(seed, fingerprint, prompt, sample, "length") % 32
    count = min(wanted, limit, MOST_WORDS)
    draws = [_draw(seed, fingerprint, prompt, sample, place) for place in range(count)]
    return Answer(
        id=f"{_draw(seed, prompt, sample, 'id'):016x}",
        model=str(body.get("model", "still-1")),
        fingerprint=fingerprint,
        tokens=tuple((" " if place else "") + _WORDS[draw % len(_WORDS)] for place, draw in enumerate(draws)),
        logprobs=tuple(math.log((1 + (draw >> 16) % 999) / 1_000) for draw in draws),
        prompt_tokens=len(prompt.split()),
        finish="stop" if wanted <= limit else "length",
    )


def written_answer(
    body: Mapping[str, Any],
    words: Callable[[str, Mapping[str, Any], int, int], Sequence[str]],
    *,
    seed: int,
    sample: int,
    fingerprint: str,
) -> Answer:
    """Make an answer that somebody else writes, as long as the request's limit.

    Args:
        body: of any of the routes.
        words: prompt, body, number of words and number of the sample to words.
        seed: of the model, for the answer's id.
        sample: number of the draw.
        fingerprint: of the serving system.
    """
    prompt = _prompt(body)
    written = words(prompt, body, min(_limit(body), MOST_WORDS), sample)
    return Answer(
        id=f"{_draw(seed, prompt, sample, 'id'):016x}",
        model=str(body.get("model", "still-1")),
        fingerprint=fingerprint,
        tokens=tuple((" " if place else "") + word for place, word in enumerate(written)),
        logprobs=tuple(-1.0 for _ in written),
        prompt_tokens=len(prompt.split()),
        finish="length",
    )


def _prompt(body: Mapping[str, Any]) -> str:
    """Give all that a request asks with, as JSON."""
    return json.dumps(
        [body.get(name) for name in ("system", "instructions", "messages", "input", "prompt")], sort_keys=True
    )


def _limit(body: Mapping[str, Any]) -> int:
    names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
    return int(next((body[name] for name in names if body.get(name)), DEFAULT_WORDS))


def chat_body(answer: Answer, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a chat completion."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text, "refusal": None},
        "finish_reason": answer.finish,
        "logprobs": {"content": _logprobs(answer)} if body.get("logprobs") else None,
    }
    return {**_head(answer, "chat.completion", "chatcmpl"), "choices": [choice], "usage": _usage(answer)}


def chat_events(answer: Answer, body: Mapping[str, Any]) -> Iterator[bytes]:
    """Give the events of a streamed chat completion."""
    head = _head(answer, "chat.completion.chunk", "chatcmpl")
    listed = _logprobs(answer) if body.get("logprobs") else None
    for place, token in enumerate(answer.tokens):
        delta = {"content": token} if place else {"role": "assistant", "content": token}
        logprobs = {"content": [listed[place]]} if listed else None
        choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": logprobs}
        yield _event({**head, "choices": [choice]})
    yield _event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish, "logprobs": None}]})
    options = body.get("stream_options")
    if isinstance(options, Mapping) and options.get("include_usage"):
        yield _event({**head, "choices": [], "usage": _usage(answer)})
    yield b"data: [DONE]\n\n"


def completion_body(answer: Answer, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a text completion."""
    logprobs = None
    if body.get("logprobs"):
        logprobs = {"tokens": list(answer.tokens), "token_logprobs": list(answer.logprobs), "top_logprobs": None}
    choice = {"index": 0, "text": answer.text, "finish_reason": answer.finish, "logprobs": logprobs}
    return {**_head(answer, "text_completion", "cmpl"), "choices": [choice], "usage": _usage(answer)}


def completion_events(answer: Answer, body: Mapping[str, Any]) -> Iterator[bytes]:  # noqa: ARG001
    """Give the events of a streamed text completion."""
    head = _head(answer, "text_completion", "cmpl")
    last = len(answer.tokens) - 1
    for place, token in enumerate(answer.tokens):
        finish = answer.finish if place == last else None
        yield _event({**head, "choices": [{"index": 0, "text": token, "finish_reason": finish, "logprobs": None}]})
    yield b"data: [DONE]\n\n"


def responses_body(answer: Answer, body: Mapping[str, Any], status: str = "completed") -> dict[str, Any]:
    """Give a response of the Responses API."""
    done = status == "completed"
    part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    item = {
        "type": "message", "id": f"msg_{answer.id}", "role": "assistant", "status": "completed", "content": [part],
    }  # fmt: skip
    return {
        "id": f"resp_{answer.id}", "object": "response", "created_at": CREATED, "status": status, "model": answer.model,
        "output": [item] if done else [], "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "temperature": body.get("temperature", 1.0), "top_p": body.get("top_p", 1.0),
        "usage": {
            "input_tokens": answer.prompt_tokens, "output_tokens": len(answer.tokens),
            "total_tokens": answer.prompt_tokens + len(answer.tokens),
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        } if done else None,
    }  # fmt: skip


def responses_events(answer: Answer, body: Mapping[str, Any]) -> Iterator[bytes]:
    """Give the events of a streamed response of the Responses API."""
    item = {"id": f"msg_{answer.id}", "type": "message", "role": "assistant"}
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": responses_body(answer, body, "in_progress")},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": token, "logprobs": []} for token in answer.tokens),
        {"type": "response.output_text.done", **at, "text": answer.text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "status": "completed", "content": [part]},
        },
        {"type": "response.completed", "response": responses_body(answer, body)},
    ]
    for number, event in enumerate(events):
        yield _event({**event, "sequence_number": number}, str(event["type"]))


def message_body(answer: Answer, body: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Give a message of Anthropic's API."""
    return {
        "id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": _stop(answer), "stop_sequence": None,
        "usage": {"input_tokens": answer.prompt_tokens, "output_tokens": len(answer.tokens)},
    }  # fmt: skip


def message_events(answer: Answer, body: Mapping[str, Any]) -> Iterator[bytes]:
    """Give the events of a streamed message of Anthropic's API."""
    begun = {**message_body(answer, body), "content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": answer.prompt_tokens, "output_tokens": 1}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": token}}
            for token in answer.tokens
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": _stop(answer), "stop_sequence": None},
            "usage": {"output_tokens": len(answer.tokens)},
        },
        {"type": "message_stop"},
    ]
    for event in events:
        yield _event(event, str(event["type"]))


def embeddings_body(body: Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    """Give embeddings of 8 dimensions."""
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    data = [
        {
            "object": "embedding",
            "index": number,
            "embedding": [_draw(seed, json.dumps(text), place) % 2_001 / 1_000 - 1 for place in range(8)],
        }
        for number, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "model": body.get("model"), "data": data, "usage": usage}


def _draw(*of: object) -> int:
    """Give 64 bits that depend on all of these, and on nothing else."""
    return int.from_bytes(hashlib.blake2b(json.dumps(of).encode(), digest_size=8).digest(), "big")


def _head(answer: Answer, kind: str, prefix: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{answer.id}", "object": kind, "created": CREATED, "model": answer.model,
        "system_fingerprint": answer.fingerprint,
    }  # fmt: skip


def _usage(answer: Answer) -> dict[str, int]:
    made = len(answer.tokens)
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": made,
        "total_tokens": answer.prompt_tokens + made,
    }


def _logprobs(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(token.encode()),
            "top_logprobs": [
                {"token": f" {_WORDS[(place + one) % len(_WORDS)]}", "logprob": logprob - one, "bytes": None}
                for one in range(TOP)
            ],
        }
        for place, (token, logprob) in enumerate(zip(answer.tokens, answer.logprobs, strict=True))
    ]


def _stop(answer: Answer) -> str:
    return "end_turn" if answer.finish == "stop" else "max_tokens"


def _event(content: Mapping[str, Any], name: str | None = None) -> bytes:
    line = f"data: {json.dumps(content, separators=(',', ':'))}\n\n"
    return (line if name is None else f"event: {name}\n{line}").encode()
