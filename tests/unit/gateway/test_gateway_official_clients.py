"""The official SDKs against the guard: their own exceptions, with reason and appeal, and no endless retries."""

from __future__ import annotations

import time
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest
from gateway_world import HEADER, Running, door, guarding, loaded

from conftest import Served
from stillwatch.gateway.guard import Guard

CHAT = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def guard(upstream: Served) -> Iterator[Running]:
    with guarding(door(Guard(loaded(rate=60))), upstream.url) as running:
        yield running


opened: list[openai.OpenAI | anthropic.Anthropic] = []


@pytest.fixture(autouse=True)
def clients_are_closed() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def openai_client(guard: Running, account: str, **more: object) -> openai.OpenAI:
    made = openai.OpenAI(base_url=f"{guard.url}/v1", api_key="k", default_headers={HEADER: account}, **more)  # type: ignore[arg-type]
    opened.append(made)
    return made


def anthropic_client(guard: Running, account: str, **more: object) -> anthropic.Anthropic:
    made = anthropic.Anthropic(base_url=guard.url, api_key="k", default_headers={HEADER: account}, **more)  # type: ignore[arg-type]
    opened.append(made)
    return made


@pytest.mark.parametrize(
    ("account", "code"), [("a-block", "account-suspended"), ("a-challenge", "verification-required")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_openai_raises_permission_denied_once(
    guard: Running, upstream: Served, account: str, code: str, stream: bool
) -> None:
    client = openai_client(guard, account)
    for call in (
        lambda: client.chat.completions.create(model="m", messages=CHAT, stream=stream),
        lambda: client.responses.create(model="m", input="Hello", stream=stream),
        lambda: client.completions.create(model="m", prompt="Hello", stream=stream),
        lambda: client.embeddings.create(model="m", input="Hello"),
        client.models.list,
    ):
        with pytest.raises(openai.PermissionDeniedError) as raised:
            call()
        assert raised.value.code == code
        assert raised.value.type == "permission_error"
        assert "To object: appeals@example.com." in raised.value.message
        assert raised.value.body["clauses"] == ["api@1/no-pooling"]
    assert guard.proxy.admission.guard.verdicts[code] == 5  # asked once each: a 403 is not tried again
    assert not upstream.model.asked


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_raises_permission_denied_once(guard: Running, upstream: Served, stream: bool) -> None:
    client = anthropic_client(guard, "a-block")
    with pytest.raises(anthropic.PermissionDeniedError) as raised:
        client.messages.create(model="m", max_tokens=10, messages=CHAT, stream=stream)
    error = raised.value.body
    assert error["type"] == "error"
    assert (error["error"]["type"], error["error"]["code"]) == ("permission_error", "account-suspended")
    assert "appeals@example.com" in error["error"]["message"]
    assert guard.proxy.admission.guard.verdicts["account-suspended"] == 1
    assert not upstream.model.asked


def test_over_the_rate_both_wait_as_told_and_are_answered(guard: Running, upstream: Served) -> None:
    first, second = (
        openai_client(guard, "a-throttle", max_retries=2),
        anthropic_client(guard, "a-throttle", max_retries=2),
    )
    for _ in range(10):  # the burst of 60 a minute
        assert first.chat.completions.create(model="m", messages=CHAT).choices[0].message.content
    begun = time.monotonic()
    assert first.chat.completions.create(model="m", messages=CHAT).choices[0].message.content
    assert second.messages.create(model="m", max_tokens=9, messages=CHAT).content[0].text
    assert 1.0 <= time.monotonic() - begun < 6.0
    assert upstream.model.answered.total() == 12


def test_over_the_rate_for_long_both_give_up_at_once(upstream: Served) -> None:
    with guarding(
        door(
            Guard(loaded(rate=1)),
        ),
        upstream.url,
    ) as guard:
        clients = openai_client(guard, "a-throttle"), anthropic_client(guard, "a-throttle")
        clients[0].chat.completions.create(model="m", messages=CHAT)
        httpx.post(f"{guard.url}/v1/chat/completions", json={"messages": CHAT}, headers={HEADER: "a-throttle"})
        begun = time.monotonic()
        with pytest.raises(openai.RateLimitError) as one:
            clients[0].with_options(max_retries=0).chat.completions.create(model="m", messages=CHAT)
        assert one.value.code == "over-reduced-rate"
        assert 50 <= int(one.value.response.headers["retry-after"]) <= 60
        with pytest.raises(anthropic.RateLimitError) as two:
            clients[1].with_options(max_retries=0).messages.create(model="m", max_tokens=9, messages=CHAT)
        assert two.value.body["error"]["type"] == "rate_limit_error"
        assert time.monotonic() - begun < 2.0
    assert upstream.model.answered.total() == 1


def test_answers_and_streams_reach_both(guard: Running) -> None:
    first, second = openai_client(guard, "a-mark"), anthropic_client(guard, "a-mark")
    whole = first.chat.completions.create(model="m", messages=CHAT, temperature=0, logprobs=True)
    stream = first.chat.completions.create(model="m", messages=CHAT, temperature=0, stream=True)
    assert "".join(one.choices[0].delta.content or "" for one in stream) == whole.choices[0].message.content
    assert whole.choices[0].logprobs.content[0].logprob < 0
    with first.responses.stream(model="m", input="Hello") as events:
        assert events.get_final_response().output_text
    with second.messages.stream(model="m", max_tokens=50, messages=CHAT) as events:
        assert events.get_final_text()


def test_a_batch_goes_through_whole(guard: Running) -> None:
    client = openai_client(guard, "a-allow")
    line = b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hi"}]}}\n'
    file = client.files.create(file=("b.jsonl", line), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert '"custom_id": "1"' in client.files.content(batch.output_file_id).text


def test_without_bundle_or_with_closed_failure_the_client_is_told_to_come_back(upstream: Served) -> None:
    class Broken(Guard):
        def _look_up(self, request: object) -> object:
            raise LookupError

    from stillwatch.records.decision import WhenStale  # noqa: PLC0415

    with guarding(door(Broken(loaded(), when_failing=WhenStale.CLOSED)), upstream.url) as guard:
        with pytest.raises(openai.InternalServerError) as raised:
            openai_client(guard, "a-allow", max_retries=0).models.list()
        assert (raised.value.status_code, raised.value.code) == (503, "guard-failed")
    with guarding(door(Broken(loaded())), upstream.url) as guard:
        assert openai_client(guard, "a-block").models.list().data
        assert 'stillwatch_guard_failures_total{kind="LookupError"} 1' in httpx.get(f"{guard.admin}/metrics").text
