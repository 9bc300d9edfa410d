"""The ASGI middleware by the protocol's own messages: bodies in parts, clients that leave, streams, WebSockets, and what is not HTTP."""

from __future__ import annotations

import asyncio
import json
import resource
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgi_world import uvicorn_running
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from gateway_world import HEADER, MARK_FIELD, SGLANG, door, loaded

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings, identify, key_id
from stillwatch.gateway.plugins.asgi import StillwatchMiddleware

BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"custom_params":{}}'


class Application:
    """An application that keeps what it was given."""

    def __init__(self, *answers: bytes, fails: bool = False) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self._answers = answers or (b"ok",)
        self._fails = fails

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            while True:
                self.messages.append(await receive())
                if not self.messages[-1].get("more_body"):
                    break
            if self._fails:
                raise ZeroDivisionError
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            )
            for part in self._answers:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.messages)


def scope_of(account: str = "a-allow", path: str = "/v1/chat/completions", **more: object) -> dict[str, Any]:
    headers = [
        (b"Content-Type", b"application/json"),
        (HEADER.encode(), account.encode()),
        (b"x-stillwatch-action", b"allow"),
    ]
    return {"type": "http", "method": "POST", "path": path, "headers": headers, "client": ("203.0.113.7", 5), **more}


def call(app: Any, scope: dict[str, Any], *received: dict[str, Any]) -> list[dict[str, Any]]:
    """Call an application with these messages; give what it sent."""
    sent: list[dict[str, Any]] = []
    waiting = list(received)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    return sent


def parts_of(body: bytes, size: int) -> list[dict[str, Any]]:
    cuts = [body[start : start + size] for start in range(0, len(body), size)]
    return [
        {"type": "http.request", "body": one, "more_body": number < len(cuts) - 1} for number, one in enumerate(cuts)
    ]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_body_in_parts_reaches_the_application_whole_once_and_with_its_length(size: int) -> None:
    inner = Application()
    call(StillwatchMiddleware(inner, admission=door(marks=SGLANG)), scope_of("a-mark"), *parts_of(BODY, size))
    assert json.loads(inner.body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "watermark": MARK_FIELD,
    }
    headers = dict(inner.scopes[0]["headers"])
    assert headers[b"content-length"] == str(len(inner.body)).encode()
    assert b"x-stillwatch-action" not in headers


def test_what_need_not_change_is_the_very_same() -> None:
    inner = Application()
    scope = scope_of()
    scope["headers"].pop()
    call(
        StillwatchMiddleware(inner, admission=door()),
        scope,
        {"type": "http.request", "body": b'{"a":1}', "more_body": False},
    )
    assert inner.scopes[0] is scope
    assert inner.body == b'{"a":1}'


def test_every_part_of_a_stream_is_passed_on_as_it_comes() -> None:
    events = [f"data: {number}\n\n".encode() for number in range(50)]
    sent = call(
        StillwatchMiddleware(Application(*events), admission=door()), scope_of("a-throttle"), *parts_of(BODY, 99)
    )
    assert [one["body"] for one in sent[1:]] == [*events, b""]
    assert (b"x-stillwatch-reason", b"within-reduced-rate") in sent[0]["headers"]


def test_a_client_that_leaves_while_it_sends_is_not_answered_and_the_application_not_called() -> None:
    inner = Application()
    first = {"type": "http.request", "body": b"{", "more_body": True}
    assert call(StillwatchMiddleware(inner, admission=door()), scope_of(), first, {"type": "http.disconnect"}) == []
    assert not inner.scopes


def test_a_client_that_leaves_while_it_is_answered_is_seen_by_the_application() -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([(await receive())["type"], (await receive())["type"]])

    call(StillwatchMiddleware(inner, admission=door()), scope_of(), *parts_of(BODY, 99))
    assert seen == ["http.request", "http.disconnect"]


def test_an_application_that_fails_is_logged_and_its_error_is_its_own(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path / "log", keep_text=True)
    with pytest.raises(ZeroDivisionError):
        call(StillwatchMiddleware(Application(fails=True), admission=door(), log=log), scope_of(), *parts_of(BODY, 99))
    log.close()
    line = json.loads((tmp_path / "log").read_bytes())
    assert (line["status"], line["response_complete"], line["stripped"]) == (0, False, ["custom_params"])


def test_too_much_is_refused_in_the_middle() -> None:
    inner = Application()
    sent = call(
        StillwatchMiddleware(inner, admission=door(most_body=20)), scope_of(path="/v1/messages"), *parts_of(BODY, 8)
    )
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["error"]["type"] == "request_too_large"
    assert not inner.scopes


def test_a_websocket_of_a_blocked_account_is_closed_and_others_pass() -> None:
    inner = Application()
    guarded = StillwatchMiddleware(inner, admission=door())
    (closed,) = call(guarded, scope_of("a-block", type="websocket"))
    assert (closed["type"], closed["code"], closed["reason"]) == ("websocket.close", 1008, "account-suspended")
    assert not inner.scopes
    call(guarded, scope_of("a-allow", type="websocket"))
    call(guarded, {"type": "lifespan"})
    assert [one["type"] for one in inner.scopes] == ["websocket", "lifespan"]


def test_inside_fastapi_over_a_real_server() -> None:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> StreamingResponse:
        given = await request.json()
        return StreamingResponse(iter([json.dumps(given).encode()]), media_type="application/json")

    app.add_middleware(StillwatchMiddleware, admission=door(marks=SGLANG))
    with uvicorn_running(app) as url:
        answers = {
            account: httpx.post(
                f"{url}/v1/chat/completions",
                content=BODY,
                headers={HEADER: account, "content-type": "application/json"},
            )
            for account in ("a-mark", "a-block")
        }
    assert answers["a-mark"].json()["watermark"] == MARK_FIELD
    assert answers["a-block"].status_code == 403


@pytest.mark.parametrize(
    ("headers", "settings", "account", "address"),
    [
        ([("x-account-id", " a-1 ")], {"account_header": "x-account-id"}, "a-1", "192.0.2.1"),
        ([("authorization", "Bearer sk-1")], {"account_header": "x-account-id"}, None, "192.0.2.1"),
        ([("authorization", "Bearer sk-1")], {}, key_id("sk-1"), "192.0.2.1"),
        ([("authorization", "bearer  sk-1"), ("x-api-key", "sk-1")], {}, key_id("sk-1"), "192.0.2.1"),
        ([("x-api-key", "sk-1")], {"key_accounts": {key_id("sk-1"): "acct"}}, "acct", "192.0.2.1"),
        (
            [("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "3.3.3.3")],
            {"trusted_hops": 2},
            None,
            "2.2.2.2",
        ),
        ([("x-forwarded-for", "1.1.1.1")], {}, None, "192.0.2.1"),
        ([("x-forwarded-for", "1.1.1.1")], {"trusted_hops": 3}, None, "192.0.2.1"),
    ],
)
def test_whose_request_it_is(
    headers: list[tuple[str, str]], settings: dict[str, Any], account: str | None, address: str
) -> None:
    who = identify(headers, "192.0.2.1", IdentitySettings(**settings))
    assert who is not None
    assert (who.account_id, who.client_address) == (account, address)


@pytest.mark.parametrize(
    "headers",
    [
        [("x-account-id", "a-1"), ("x-account-id", "a-1")],
        [("authorization", "Bearer a"), ("authorization", "Bearer b")],
        [("authorization", "Bearer a"), ("api-key", "b")],
    ],
)
def test_who_says_two_things_is_nobody(headers: list[tuple[str, str]]) -> None:
    assert identify(headers, None, IdentitySettings(account_header="x-account-id")) is None


def test_keys_are_neither_shown_nor_found_in_their_ids() -> None:
    assert "c0ffee" not in repr(SGLANG)
    assert "secret" not in repr(IdentitySettings(key_accounts={"key-secret": "a"}))
    assert len({key_id(f"sk-{number}") for number in range(1_000)}) == 1_000
    assert "sk-1" not in key_id("sk-1")


@pytest.mark.slow
def test_a_flood_of_accounts_paths_and_bodies_through_the_whole_door_leaves_nothing_behind() -> None:
    admission = Admission(Guard(loaded()), identity=IdentitySettings(account_header=HEADER))

    async def flood(first: int, last: int) -> None:
        for number in range(first, last):
            headers = [
                (HEADER, f"flood-{number}"),
                ("content-type", "application/json"),
                ("user-agent", f"agent {number}"),
            ]
            body = b'{"messages":[],"watermark":%d,"member-%d":1}' % (number, number)
            admitted = await admission.admit(
                "POST", f"/v1/{number}/chat/completions", headers, body, f"2001:db8::{number:x}"
            )
            assert admitted.refusal is None

    asyncio.run(flood(0, 5_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    asyncio.run(flood(5_000, 105_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_096  # KiB
    assert admission.stripped == {"watermark": 105_000}
