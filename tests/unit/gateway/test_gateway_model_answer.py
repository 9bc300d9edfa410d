"""Answers are read alike from bodies and from streams, on every route; and what is cut has no finish reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from stillwatch.gateway.model_answer import read_answer
from stillwatch.simulation import answers

BODY = {"model": "still-1", "messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": True}}
ANSWER = answers.answer_to(BODY, seed=3, sample=0, fingerprint="fp")
Whole = Callable[[answers.Answer, Mapping[str, Any]], dict[str, Any]]
Events = Callable[[answers.Answer, Mapping[str, Any]], Iterator[bytes]]
ROUTES = {
    "chat": (answers.chat_body, answers.chat_events, "stop"),
    "completion": (answers.completion_body, answers.completion_events, "stop"),
    "responses": (answers.responses_body, answers.responses_events, "completed"),
    "messages": (answers.message_body, answers.message_events, "end_turn"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_and_a_stream_say_the_same(route: str) -> None:
    whole, events, finish = ROUTES[route]
    body = read_answer(json.loads(json.dumps(whole(ANSWER, BODY))))
    stream = read_answer(b"".join(events(ANSWER, BODY)).decode())
    for found in (body, stream):
        assert (found.text, found.snapshot, found.finish_reason) == (ANSWER.text, "still-1", finish)
    assert body.fingerprint == stream.fingerprint == ("fp" if route in {"chat", "completion"} else None)
    assert body.output_tokens == len(ANSWER.tokens)
    assert stream.output_tokens == (None if route == "completion" else len(ANSWER.tokens))


@pytest.mark.parametrize("route", ROUTES)
def test_a_stream_that_was_cut_has_no_finish_reason(route: str) -> None:
    events = b"".join(list(ROUTES[route][1](ANSWER, BODY))[:4]).decode()
    assert read_answer(events[:-5]).finish_reason is None


def test_what_is_no_answer_is_empty() -> None:
    for body in (None, 3, [], {}, "", "data: {", {"choices": []}, {"error": {"message": "x"}}):
        found = read_answer(body)
        assert (found.text, found.snapshot, found.finish_reason) == ("", None, None)
