"""The proxy when things go wrong: every client hears of it, nothing is answered twice, and nothing cut looks whole."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gateway_world import HEADER, HOUR, KEY, NAME, NOW, bundle_bytes, door, guarding, loaded, talk

from conftest import Served
from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.plugins.reverse_proxy import ReverseProxy, UpstreamSettings
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust
from stillwatch.simulation.upstream import Misbehaviour

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def body(number: int, **more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": f"request {number}"}], **more}


def ids_of(served: Served) -> Counter[str]:
    """Count how often the model was asked each request."""
    return Counter(json.loads(one.body)["messages"][0]["content"] for one in served.model.asked if one.body)


def test_bundles_are_swapped_under_load_and_no_request_is_lost(upstream: Served, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(bundle_bytes(1, {"a-9": 4}))
    guard = Guard()
    trust = BundleTrust(key=KEY.verifier, name=NAME)
    source = BundleSource(guard, path, trust, BundleState(tmp_path / "state"), clock=lambda: NOW * 1_000)
    source.open()
    done = threading.Event()
    statuses: list[tuple[str, int]] = []

    def load(worker: int) -> None:
        with httpx.Client(timeout=30) as client:
            number = 0
            while not done.is_set():
                account = f"a-{number % 2 * 9}"
                answer = client.post(
                    f"{running.url}/v1/chat/completions",
                    json=body(worker * 1_000_000 + number),
                    headers={HEADER: account},
                )
                statuses.append((account, answer.status_code))
                number += 1

    with guarding(door(guard, clock=lambda: NOW * 1_000), upstream.url, source=source, poll_s=0.02) as running:
        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(load, worker) for worker in range(4)]
            for version in range(2, 12):
                fresh = tmp_path / "fresh"
                fresh.write_bytes(
                    bundle_bytes(version, {"a-9": 4, f"other-{version}": 2}) if version % 3 else b"damaged"
                )
                fresh.replace(path)
                time.sleep(0.1)
            fresh.write_bytes(bundle_bytes(1, {}))  # an older one, by which everybody would be let through
            fresh.replace(path)
            time.sleep(0.1)
            done.set()
            for one in workers:
                one.result()
        text = httpx.get(f"{running.admin}/metrics").text
    assert dict(statuses) == {"a-0": 200, "a-9": 403}
    assert len(set(statuses)) == 2
    assert len(statuses) > 50
    assert ids_of(upstream).most_common(1)[0][1] == 1
    assert sum(ids_of(upstream).values()) == sum(status == 200 for _, status in statuses)
    assert guard.bundle is not None
    assert guard.bundle.bundle.version == 11
    assert 'stillwatch_guard_bundle_refused_total{kind="BundleFormatError"} 3' in text
    assert 'stillwatch_guard_bundle_refused_total{kind="BundleRollbackError"} 1' in text
    assert "version 1 of example.com/gateway, but version 11 was seen" in source.last_refusal


def test_a_model_that_stalls_before_it_answers_is_told_after_the_silence_and_asked_once(upstream: Served) -> None:
    upstream.model.misbehaviour = Misbehaviour(stall=True)
    with guarding(door(), upstream.url, silence_s=0.3) as guard:
        answer = httpx.post(f"{guard.url}/v1/chat/completions", json=CHAT, headers={HEADER: "a-allow"})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "model-timed-out"
    assert len(upstream.model.asked) == 1
    assert guard.proxy.outcomes == {"model-timed-out": 1}


@pytest.mark.parametrize("wrong", [Misbehaviour(stall_after_events=3), Misbehaviour(drop_after_events=3)])
def test_a_stream_that_breaks_off_is_broken_off_and_never_looks_whole(
    upstream: Served, tmp_path: Path, wrong: Misbehaviour
) -> None:
    upstream.model.misbehaviour = wrong
    request = json.dumps({**CHAT, "stream": True}).encode()
    with guarding(door(), upstream.url, silence_s=0.3, log=tmp_path / "log") as guard:
        got = talk(guard.port, HEAD + b"Content-Length: %d\r\n\r\n" % len(request) + request)
    assert not got.endswith(b"0\r\n\r\n")  # the last chunk, which says that the answer is whole
    assert got.count(b"data:") == 3
    assert len(upstream.model.asked) == 1
    (line,) = [json.loads(one) for one in (tmp_path / "log").read_text().splitlines()]
    assert (line["status"], line["response_complete"]) == (200, False)
    assert guard.proxy.outcomes == {"broken-off": 1}


def test_a_whole_answer_that_breaks_off_is_an_error_for_the_client(upstream: Served) -> None:
    upstream.model.misbehaviour = Misbehaviour(drop_after_events=0)
    with guarding(door(), upstream.url) as guard, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{guard.url}/v1/chat/completions", json=CHAT)
    assert len(upstream.model.asked) == 1


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_errors_of_the_model_pass_as_they_are(upstream: Served, status: int) -> None:
    upstream.model.misbehaviour = Misbehaviour(fail_status=status)
    with guarding(door(), upstream.url) as guard:
        answer = httpx.post(f"{guard.url}/v1/messages", json=CHAT)
    assert (answer.status_code, answer.content) == (status, upstream.model.asked[0].sent)


def test_a_model_that_is_not_there_is_told_in_the_shape_of_the_api() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with guarding(door(), gone) as guard:
        one = httpx.post(f"{guard.url}/v1/chat/completions", json=CHAT)
        two = httpx.post(f"{guard.url}/v1/messages", json=CHAT)
    assert (one.status_code, one.json()["error"]["code"]) == (502, "model-unreachable")
    assert (two.status_code, two.json()["type"], two.json()["error"]["type"]) == (502, "error", "api_error")


def test_events_reach_the_client_one_by_one(upstream: Served) -> None:
    upstream.model.misbehaviour = Misbehaviour(event_gap_s=0.05)
    begun = time.monotonic()
    with (
        guarding(door(), upstream.url) as guard,
        httpx.stream("POST", f"{guard.url}/v1/chat/completions", json={**CHAT, "stream": True}) as answer,
    ):
        parts = [time.monotonic() - begun for _ in answer.iter_raw()]
    assert len(parts) >= 8
    assert parts[0] < parts[-1] - 0.3


def test_a_client_that_leaves_ends_the_request_to_the_model(upstream: Served) -> None:
    upstream.model.misbehaviour = Misbehaviour(event_gap_s=0.05)
    with guarding(door(), upstream.url) as guard:
        with httpx.stream(
            "POST", f"{guard.url}/v1/chat/completions", json={**CHAT, "stream": True, "max_tokens": 4_000}
        ) as answer:
            next(answer.iter_raw())
        end = time.monotonic() + 5
        while guard.proxy.in_flight and time.monotonic() < end:
            time.sleep(0.01)
        assert guard.proxy.in_flight == 0
        assert guard.proxy.outcomes == {"left": 1}
    assert not upstream.model.asked[0].answered


def test_bodies_beyond_the_limit_are_refused_before_they_are_read(upstream: Served) -> None:
    with guarding(door(most_body=1_000), upstream.url) as guard:
        big = {"model": "m", "messages": [{"role": "user", "content": "x" * 2_000}]}
        one = httpx.post(f"{guard.url}/v1/chat/completions", json=big)
        chunked = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        two = talk(guard.port, chunked + b"800\r\n" + b"x" * 2_048 + b"\r\n0\r\n\r\n", wait_s=2)
        three = talk(
            guard.port, b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", wait_s=2
        )
    assert (one.status_code, one.json()["error"]["code"]) == (413, "body-too-large")
    assert two.startswith(b"HTTP/1.1 413")
    assert b"request_too_large" in two
    assert three.startswith(b"HTTP/1.1 413")
    assert not upstream.model.asked


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "malformed-body"),
        ('{"watermark":1,"messages":[]}'.encode("utf-16"), {}, 400, "malformed-body"),
        (b'\xef\xbb\xbf{"messages":[]}', {}, 400, "malformed-body"),
        (b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"}, 415, "encoded-body"),
        (b'{"messages":[]}', {"authorization": "Bearer a", "x-api-key": "b"}, 400, "ambiguous-headers"),
        (b'{"messages":[]}', {"upgrade": "websocket", "connection": "upgrade"}, 501, "upgrade-not-supported"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(
    upstream: Served, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    with guarding(door(), upstream.url) as guard:
        answer = httpx.post(
            f"{guard.url}/v1/chat/completions", content=content, headers={"content-type": "application/json", **headers}
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not upstream.model.asked


def test_a_packed_upload_passes_as_it_is(upstream: Served) -> None:
    packed = gzip.compress(b"x" * 100_000)
    head = {"content-encoding": "gzip", "content-type": "application/octet-stream"}
    with guarding(door(), upstream.url) as guard:
        httpx.post(f"{guard.url}/v1/other", content=packed, headers=head)
    # The simulated model unpacks what it is told is packed: it got the bytes as they were.
    assert upstream.model.asked[0].body == b"x" * 100_000
    assert ("content-encoding", "gzip") in [(name.lower(), value) for name, value in upstream.model.asked[0].headers]


SMALL = b'{"messages":[]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: 15\r\nContent-Length: 52\r\n\r\n" + SMALL + SMUGGLED,
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        HEAD + b"Content-Length: +15\r\n\r\n" + SMALL,
        HEAD + b"Content-Length : 15\r\n\r\n" + SMALL,
        HEAD + b"X-A: b\nX-Account-Id: a-allow\r\nContent-Length: 15\r\n\r\n" + SMALL,
        HEAD + b"X-Account-Id: a-allow\r\nX-Account-Id: a-block\r\nContent-Length: 15\r\n\r\n" + SMALL,
        HEAD + b"X-Account-Id: a-block\r\n X-Account-Id: a-allow\r\nContent-Length: 15\r\n\r\n" + SMALL,
        b"POST http://elsewhere/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)  # fmt: skip
def test_smuggled_requests_and_headers_never_reach_the_model(upstream: Served, raw: bytes) -> None:
    with guarding(door(), upstream.url) as guard:
        answer = talk(guard.port, raw, wait_s=1)
        assert httpx.get(f"{guard.url}/v1/models").status_code == 200  # the guard goes on
    assert not [one for one in upstream.model.asked if "smuggled" in one.path or one.method != "GET"]
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 403"))


def test_headers_of_one_connection_and_our_own_are_not_passed_on(upstream: Served) -> None:
    hop = {
        "connection": "keep-alive, x-private",
        "x-private": "1",
        "te": "trailers",
        "x-stillwatch-action": "allow",
        "proxy-authorization": "x",
    }
    with guarding(door(), upstream.url) as guard:
        httpx.get(f"{guard.url}/v1/models", headers={**hop, "x-kept": "1", "x-forwarded-for": "203.0.113.9"})
    sent = {name.lower(): value for name, value in upstream.model.asked[0].headers}
    assert not {"x-private", "te", "x-stillwatch-action", "proxy-authorization"} & sent.keys()
    assert sent["x-kept"] == "1"
    assert sent["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert sent["host"] == upstream.url.removeprefix("http://")


def test_a_stop_answers_what_was_begun_and_refuses_what_is_new(upstream: Served, tmp_path: Path) -> None:
    upstream.model.misbehaviour = Misbehaviour(delay_s=0.6)
    with ThreadPoolExecutor(1) as pool:
        with guarding(door(), upstream.url, log=tmp_path / "log") as guard:
            begun = pool.submit(httpx.post, f"{guard.url}/v1/chat/completions", json=CHAT)
            while not upstream.model.asked:
                time.sleep(0.01)
            assert httpx.get(f"{guard.admin}/readyz").text == "ready\n"
        assert begun.result().status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{guard.url}/v1/models")
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_health_says_when_the_bundle_is_stale(upstream: Served, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(bundle_bytes(1, expires=NOW + HOUR))
    guard = Guard()
    clock = [NOW * 1_000]
    source = BundleSource(
        guard, path, BundleTrust(key=KEY.verifier, name=NAME), BundleState(None), clock=lambda: clock[0]
    )
    source.open()
    with guarding(door(guard, clock=lambda: clock[0]), upstream.url, source=source) as running:
        assert httpx.get(f"{running.admin}/readyz").status_code == 200
        clock[0] += 2 * HOUR * 1_000
        assert (
            httpx.get(f"{running.admin}/readyz").status_code,
            httpx.get(f"{running.admin}/healthz").status_code,
        ) == (503, 200)
        assert "stillwatch_guard_bundle_stale 1" in httpx.get(f"{running.admin}/metrics").text
        assert httpx.get(f"{running.admin}/other").status_code == 404
        assert (
            httpx.get(f"{running.url}/v1/models", headers={HEADER: "a-block"}).status_code == 200
        )  # its clause fails open


def test_metrics_name_no_account_and_no_prompt(upstream: Served) -> None:
    with guarding(door(), upstream.url) as guard:
        for account in ("a-allow", "a-block", 'hostile{}"\n'[:9]):
            httpx.post(f"{guard.url}/v1/chat/completions", json={**CHAT, "watermark": 1}, headers={HEADER: account})
        text = httpx.get(f"{guard.admin}/metrics").text
    assert "Hello" not in text
    assert "a-block" not in text
    assert 'stillwatch_guard_verdicts_total{reason="account-suspended"} 1' in text
    assert 'stillwatch_guard_stripped_total{member="watermark"} 3' in text
    assert 'stillwatch_guard_upstream_total{outcome="answered"} 2' in text


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://x/?a=1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(GatewaySettingError, match="expected a URL such as http://localhost:8000"):
        ReverseProxy(door(Guard(loaded())), UpstreamSettings(url=url))
