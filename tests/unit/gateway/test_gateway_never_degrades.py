"""No answer is made worse in silence: over every action, route, engine and plug-in, bodies and answers are compared byte for byte.

What reaches the model is what the client wrote, but for the members that no client may set and the mark's own. What reaches the client is what the
model said. Whatever is not an ordinary answer says so, and `Action` cannot grow without this file being changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from asgi_world import serving_asgi
from gateway_world import HEADER, MARK_FIELD, SGLANG, VLLM, Running, door, finished, guarding

from stillwatch.gateway.marking import STRIPPED, VLLM_ARGUMENT, Marks
from stillwatch.records.decision import Action
from stillwatch.simulation.upstream import Upstream, running

ROUTES: dict[str, str] = {
    "/v1/chat/completions": '{"model":"still-1",\n "messages":[{"role":"user","content":"What is 2+2? \\u00e9 😀"}] , "seed":12345678901234567890,"temperature":1.0e-1%s}',
    "/v1/completions": '{ "model": "still-1", "prompt": "Say %%s", "max_tokens": 7%s }',
    "/v1/responses": '{"model":"still-1","input":"Say it","stream_options":null%s}',
    "/v1/messages": '{"max_tokens":12,"model":"still-1","messages":[{"role":"user","content":"Hi"}]%s}',
    "/v1/embeddings": '{"model":"still-1","input":["a","b"]%s}',
}
FORBIDDEN = ',"watermark":{"key":"00"},"vllm_xargs":{"stillwatch_key":"other"},"watermarking":false,"custom_logit_processor":"x","custom_params":{}'
ENGINES = {"none": Marks(), "sglang": SGLANG, "vllm": VLLM}


def test_the_actions_are_these_five_and_none_lowers_quality() -> None:
    assert [one.value for one in Action] == ["allow", "mark", "throttle", "challenge", "block"]


@contextmanager
def behind(plug_in: str, marks: Marks) -> Iterator[tuple[Upstream, str]]:
    """Give the model and the URL of a guard before it."""
    model = Upstream(seed=7)
    with running(model) as url:
        if plug_in == "proxy":
            with guarding(door(marks=marks), url) as guard:
                yield model, guard.url
        else:
            with serving_asgi(model, door(marks=marks)) as guarded:
                yield model, guarded


@pytest.fixture(scope="module", params=["proxy", "asgi"])
def guards(request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[Upstream, str]]]:
    """A guard for each engine."""
    with (
        behind(request.param, ENGINES["none"]) as one,
        behind(request.param, ENGINES["sglang"]) as two,
        behind(request.param, ENGINES["vllm"]) as three,
    ):
        yield {"none": one, "sglang": two, "vllm": three}


def expected_body(sent: bytes, action: Action, engine: str, path: str, *, forbidden: bool) -> bytes:
    """Say by plain text replacement what must reach the model."""
    left = sent.replace(FORBIDDEN.encode(), b"") if forbidden else sent
    if action is not Action.MARK or engine == "none" or path == "/v1/embeddings":
        return left
    put: dict[str, Any] = {"watermark": MARK_FIELD} if engine == "sglang" else {"vllm_xargs": {VLLM_ARGUMENT: "mark-7"}}
    member = json.dumps(put, separators=(",", ":"))[1:-1]
    end = left.rindex(b"}")
    return left[:end] + b"," + member.encode() + left[end:]


@pytest.mark.parametrize(
    ("action", "engine"),
    [(Action.MARK, one) for one in ENGINES] + [(one, "vllm") for one in Action if one is not Action.MARK],
)
@pytest.mark.parametrize("path", list(ROUTES))
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("forbidden", [False, True])
def test_what_the_client_wrote_reaches_the_model_and_what_the_model_said_the_client(
    guards: dict[str, tuple[Upstream, str]], engine: str, action: Action, path: str, stream: bool, forbidden: bool
) -> None:
    model, url = guards[engine]
    more = (',"stream":true' if stream and path != "/v1/embeddings" else "") + (FORBIDDEN if forbidden else "")
    body = (ROUTES[path] % more).encode()
    before = len(model.asked)
    answer = httpx.post(
        url + path, content=body, headers={HEADER: f"a-{action.value}", "content-type": "application/json"}
    )
    asked = list(model.asked)[before:]
    if action in {Action.CHALLENGE, Action.BLOCK}:
        assert not asked
        assert answer.status_code == 403
        said = answer.json()["error"]
        assert said["code"] == {"challenge": "verification-required", "block": "account-suspended"}[action.value]
        assert (said["appeal"], said["clauses"]) == ("appeals@example.com", ["api@1/no-pooling"])
        assert "appeals@example.com" in said["message"]
        assert answer.headers["x-stillwatch-action"] == action.value
        return
    if answer.status_code == 429:
        assert action is Action.THROTTLE
        assert not asked
        assert answer.json()["error"]["code"] == "over-reduced-rate"
        assert int(answer.headers["retry-after"]) >= 1
        return
    assert len(asked) == 1
    assert asked[0].body == expected_body(body, action, engine, path, forbidden=forbidden)
    assert finished(asked[0])
    assert answer.content == asked[0].sent
    assert answer.status_code == 200
    told = answer.headers.get("x-stillwatch-action")
    assert told == (
        "throttle" if action is Action.THROTTLE else None
    )  # a mark is disclosed by the clause that it rests on


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/v1/models?limit=2"), ("DELETE", "/v1/files/x"), ("HEAD", "/v1/models")],
)
@pytest.mark.parametrize("action", [Action.ALLOW, Action.MARK])
def test_other_calls_pass_as_they_are(
    guards: dict[str, tuple[Upstream, str]], method: str, path: str, action: Action
) -> None:
    model, url = guards["vllm"]
    before = len(model.asked)
    answer = httpx.request(method, url + path, headers={HEADER: f"a-{action.value}"})
    (asked,) = list(model.asked)[before:]
    assert (asked.method, asked.path, asked.body) == (method, path, b"")
    assert answer.content == (b"" if method == "HEAD" else asked.sent)


def test_an_upload_passes_unread_in_every_byte(guards: dict[str, tuple[Upstream, str]]) -> None:
    model, url = guards["sglang"]
    line = (
        json.dumps(
            {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"watermark": 1}}
        ).encode()
        + b"\n"
    )
    content = line * 20_000
    before = len(model.asked)
    answer = httpx.post(
        f"{url}/v1/files",
        files={"file": ("batch.jsonl", content)},
        data={"purpose": "batch"},
        headers={HEADER: "a-allow"},
    )
    (asked,) = list(model.asked)[before:]
    assert answer.json()["bytes"] == len(content)
    assert content in asked.body


def test_marks_are_announced_where_the_operator_wants_it() -> None:
    model = Upstream(seed=7)
    with running(model) as url, guarding(door(marks=VLLM, announce_marks=True), url) as guard:
        answer = ask(guard, "a-mark")
    assert answer.headers["x-stillwatch-action"] == "mark"
    assert answer.headers["x-stillwatch-reason"] == "answers-marked"


def test_a_mark_that_cannot_be_put_in_is_counted_and_the_answer_is_the_same() -> None:
    model = Upstream(seed=7)
    with running(model) as url, guarding(door(), url) as guard:
        answer = ask(guard, "a-mark")
        assert guard.proxy.admission.unmarked == 1
        assert "stillwatch_guard_unmarked_total 1" in httpx.get(f"{guard.admin}/metrics").text
    assert answer.content == model.asked[0].sent


def ask(guard: Running, account: str) -> httpx.Response:
    body: dict[str, Any] = {"model": "still-1", "messages": [{"role": "user", "content": "Hi"}]}
    return httpx.post(f"{guard.url}/v1/chat/completions", json=body, headers={HEADER: account})


def test_every_member_that_is_taken_out_is_one_that_decides_about_marks_or_runs_code() -> None:
    assert {"watermark", "watermarking", "vllm_xargs", "custom_logit_processor", "custom_params"} == STRIPPED
