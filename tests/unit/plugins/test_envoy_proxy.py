"""Both filters in a real Envoy, with the settings of the page, before a simulated model."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import products
import pytest

from stillwatch.gateway.plugins.envoy import register
from stillwatch.gateway.settings import RunningGuard, settings_of
from stillwatch.simulation.upstream import Misbehaviour, Upstream, running

BODY = b'{"model": "still-1", "seed": 12345678901234567890, "messages": [{"role": "user", "content": "hello"}]}'
MARKED = BODY[:-1] + b',"watermark":{"key":"' + products.MARK.encode() + b'","context_window":4}}'
CHAT = "/v1/chat/completions"
FILTERS = ("ext_authz", "ext_proc")
REFUSALS = {"a-block": (403, "account-suspended"), "a-challenge": (403, "verification-required")}


@dataclass(kw_only=True)
class Served:
    """A gRPC server in a thread of its own, and its door."""

    guard: RunningGuard
    port: int
    server: Any = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def start(self) -> None:
        async def serve() -> None:
            self.server = grpc.aio.server()
            register(self.server, self.guard.admission, account_header="x-account-id")
            self.server.add_insecure_port(f"127.0.0.1:{self.port}")
            await self.server.start()

        asyncio.run_coroutine_threadsafe(serve(), self.loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(0), self.loop).result(10)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    settings = settings_of(products.settings_in(folder, account_header="X-Account-Id"))
    made = Served(guard=RunningGuard(settings), port=products.free_port())
    thread = threading.Thread(target=made.loop.run_forever, daemon=True)
    thread.start()
    made.start()
    try:
        yield made
    finally:
        made.stop()
        made.loop.call_soon_threadsafe(made.loop.stop)
        thread.join()
        made.loop.close()


@dataclass(kw_only=True)
class Edge:
    """A running Envoy with a listener for each filter."""

    ports: dict[str, int]
    upstream: Upstream
    served: Served
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def post(
        self, filtered: str, account: str | None, body: bytes = BODY, path: str = CHAT, **headers: str
    ) -> httpx.Response:
        named = {} if account is None else {"X-Account-Id": account}
        return self.client.post(
            f"http://127.0.0.1:{self.ports[filtered]}{path}",
            content=body,
            headers={"Content-Type": "application/json", **named, **headers},
        )

    def reached(self) -> int:
        return len(self.upstream.asked)

    def last(self) -> tuple[bytes, dict[str, str]]:
        asked = self.upstream.asked[-1]
        return asked.body, {name.lower(): value for name, value in asked.headers}


def listener(name: str, port: int) -> dict[str, Any]:
    """Give a listener with one filter of the page, and a route to a pool that marks."""
    pool = {"match": {"prefix": "/", "headers": [{"name": "x-stillwatch-mark-key", "present_match": True}]}}
    routes = [
        {**pool, "route": {"cluster": "marking", "timeout": "30s"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "30s"}},
    ]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            products.page_yaml(name),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            },
        ],
    }
    return {
        "name": name, "address": address(port), "per_connection_buffer_limit_bytes": 8 << 20,
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    }  # fmt: skip


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name: str, port: int, *, http2: bool = False) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": name, "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]},
    }  # fmt: skip
    if http2:
        given["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return given


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    envoy = products.environment_of("envoy", "envoy")
    folder = tmp_path_factory.mktemp("envoy")
    products.write_files(folder, accounts={**products.OURS, "t-ext_authz": 1, "t-ext_proc": 1})
    upstream = Upstream(seed=7)
    with ExitStack() as stack:
        model = stack.enter_context(running(upstream))
        made = stack.enter_context(served(folder))
        ports = {name: products.free_port() for name in FILTERS}
        admin = products.free_port()
        to_model = int(model.rpartition(":")[2])
        configuration = {
            "admin": {"address": address(admin)},
            "static_resources": {
                "listeners": [listener(name, port) for name, port in ports.items()],
                "clusters": [
                    cluster("model", to_model),
                    cluster("marking", to_model),
                    cluster("stillwatch", made.port, http2=True),
                ],
            },
        }
        (folder / "envoy.json").write_text(json.dumps(configuration))
        command = [str(envoy), "-c", "envoy.json", "--concurrency", "1", "--log-level", "warn", "--use-dynamic-base-id"]
        started = stack.enter_context(products.process(command, folder / "envoy.txt", folder=folder, environment={}))
        products.wait_for(f"http://127.0.0.1:{admin}/ready", started, folder / "envoy.txt", seconds=30)
        found = Edge(ports=ports, upstream=upstream, served=made)
        yield found
        found.client.close()


@pytest.mark.parametrize("filtered", FILTERS)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages"])
def test_refusals_come_in_the_shape_of_the_api_and_reach_no_model(edge: Edge, filtered: str, path: str) -> None:
    account = f"t-{filtered}"
    edge.post(filtered, account, path=path)
    reached = edge.reached()
    for refused, (status, reason) in {**REFUSALS, account: (429, "over-reduced-rate")}.items():
        answer = edge.post(filtered, refused, path=path)
        assert answer.status_code == status
        assert answer.headers["x-stillwatch-reason"] == reason
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"]["code"] == reason
        assert ("type" in answer.json()) == (path == "/v1/messages")
        assert ("retry-after" in answer.headers) == (status == 429)
    assert edge.reached() == reached


@pytest.mark.parametrize("filtered", FILTERS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_allowed_request_and_its_answer_pass_byte_for_byte(edge: Edge, filtered: str, stream: bool) -> None:
    body = BODY[:-1] + (b', "stream": true}' if stream else b"}")
    answer = edge.post(filtered, "a-nobody", body)
    assert answer.status_code == 200
    assert edge.last()[0] == body
    assert answer.content == edge.upstream.asked[-1].sent
    assert not [name for name in answer.headers if "stillwatch" in name]


@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
def test_ext_proc_puts_the_mark_into_the_body(edge: Edge, path: str, stream: bool) -> None:
    more = b', "stream": true' if stream else b""
    answer = edge.post("ext_proc", "a-mark", BODY[:-1] + more + b"}", path)
    assert answer.status_code == 200
    assert edge.last()[0] == MARKED.replace(b',"watermark"', more + b',"watermark"')
    assert edge.last()[1]["content-length"] == str(len(edge.last()[0]))
    assert answer.content == edge.upstream.asked[-1].sent
    assert not [name for name in answer.headers if "stillwatch" in name]


def test_ext_authz_names_the_key_of_the_mark_to_the_model_s_side_alone(edge: Edge) -> None:
    answer = edge.post("ext_authz", "a-mark", X_Stillwatch_Mark_Key="forged")
    assert answer.status_code == 200
    body, headers = edge.last()
    assert (body, headers["x-stillwatch-mark-key"]) == (BODY, products.HANDLE)
    assert not [name for name in answer.headers if "stillwatch" in name]


@pytest.mark.parametrize("filtered", FILTERS)
def test_what_a_client_says_in_our_name_goes_nowhere(edge: Edge, filtered: str) -> None:
    edge.post(filtered, "a-nobody", **{"x-stillwatch-mark-key": "forged", "X-Stillwatch-Anything": "1"})
    assert not [name for name in edge.last()[1] if name.startswith("x-stillwatch")]


def test_ext_proc_strips_what_no_client_may_set(edge: Edge) -> None:
    begun = sum(edge.served.guard.admission.stripped.values())
    sent = BODY[:-1] + b', "watermark": {"key": "ab"}, "custom_logit_processor": "x", "w\\u0061termarking": false}'
    assert edge.post("ext_proc", "a-nobody", sent).status_code == 200
    assert edge.last()[0] == BODY
    assert sum(edge.served.guard.admission.stripped.values()) == begun + 3


@pytest.mark.parametrize("filtered", FILTERS)
def test_the_client_is_told_of_a_reduced_rate_with_an_answer(edge: Edge, filtered: str) -> None:
    edge.served.guard.admission.guard.rates._arrivals.clear()
    answer = edge.post(filtered, f"t-{filtered}")
    assert answer.status_code == 200
    assert answer.headers["x-stillwatch-reason"] == "within-reduced-rate"


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b'{"messages": [', {}, 400, "malformed-body"),
        (gzip.compress(BODY), {"Content-Encoding": "gzip"}, 415, "encoded-body"),
    ],
)
def test_ext_proc_lets_no_body_through_that_it_cannot_search(
    edge: Edge, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    reached = edge.reached()
    answer = edge.post("ext_proc", "a-mark", body, **headers)
    assert (answer.status_code, answer.headers["x-stillwatch-reason"]) == (status, reason)
    assert edge.reached() == reached


@pytest.mark.parametrize("filtered", FILTERS)
def test_an_account_that_is_named_twice_is_refused(edge: Edge, filtered: str) -> None:
    reached = edge.reached()
    named = [("X-Account-Id", "a-nobody"), ("X-Account-Id", "a-block"), ("Content-Type", "application/json")]
    answer = edge.client.post(f"http://127.0.0.1:{edge.ports[filtered]}{CHAT}", content=BODY, headers=named)
    assert (answer.status_code, answer.headers["x-stillwatch-reason"]) == (400, "ambiguous-headers")
    assert edge.reached() == reached


@pytest.mark.parametrize("filtered", FILTERS)
def test_uploads_and_requests_without_a_body(edge: Edge, filtered: str) -> None:
    where = f"http://127.0.0.1:{edge.ports[filtered]}"
    named = {"X-Account-Id": "a-nobody"}
    content = b"0123456789" * 300_000
    form = {"files": {"file": ("batch.jsonl", content)}, "data": {"purpose": "batch"}}
    assert edge.client.post(f"{where}/v1/files", headers=named, **form).json()["bytes"] == len(content)
    assert edge.client.get(f"{where}/v1/models", headers=named).status_code == 200
    reached = edge.reached()
    refused = {"X-Account-Id": "a-block"}
    assert edge.client.get(f"{where}/v1/models", headers=refused).status_code == 403
    assert edge.client.post(f"{where}/v1/files", headers=refused, **form).status_code == 403
    assert edge.reached() == reached


@pytest.mark.parametrize("filtered", FILTERS)
def test_a_large_body_comes_through_whole(edge: Edge, filtered: str) -> None:
    body = BODY.replace(b"hello", b"x" * (3 << 20))
    assert edge.post(filtered, "a-mark", body).status_code == 200
    given = edge.last()[0]
    assert given.startswith(body[:-1])
    assert (b'"watermark"' in given) == (filtered == "ext_proc")


@pytest.mark.parametrize("filtered", FILTERS)
def test_events_of_a_stream_come_as_they_are_made(edge: Edge, filtered: str) -> None:
    edge.upstream.misbehaviour = Misbehaviour(stall_after_events=2)
    try:
        with (
            httpx.Client(timeout=httpx.Timeout(5)) as client,
            client.stream(
                "POST",
                f"http://127.0.0.1:{edge.ports[filtered]}{CHAT}",
                content=BODY[:-1] + b', "stream": true}',
                headers={"Content-Type": "application/json", "X-Account-Id": "a-mark"},
            ) as answer,
        ):
            text = ""
            for part in answer.iter_text():
                text += part
                if text.count("data: ") == 2:
                    break
    finally:
        edge.upstream.misbehaviour = Misbehaviour()
    assert text.count("data: ") == 2


@pytest.mark.parametrize("filtered", FILTERS)
def test_while_the_guard_is_gone_requests_pass_as_the_page_sets_it(edge: Edge, filtered: str) -> None:
    edge.served.stop()
    try:
        with socket.socket() as one:
            one.settimeout(1)
            assert one.connect_ex(("127.0.0.1", edge.served.port)) != 0
        answer = edge.post(filtered, "a-block")
        assert (answer.status_code, edge.last()[0]) == (200, BODY)
    finally:
        edge.served.start()
    for _ in range(100):
        if edge.post(filtered, "a-block").status_code == 403:
            break
        threading.Event().wait(0.1)
    assert edge.post(filtered, "a-block").status_code == 403


@pytest.mark.parametrize("filtered", FILTERS)
def test_no_request_is_lost_or_answered_twice_when_the_guard_dies_under_load(edge: Edge, filtered: str) -> None:
    begun = edge.reached()
    asked = 400
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(edge.post, filtered, "a-nobody") for _ in range(asked)]
        while edge.reached() < begun + asked // 4:
            threading.Event().wait(0.005)
        edge.served.stop()
        statuses = Counter(one.result().status_code for one in answers)
    edge.served.start()
    assert statuses == {200: asked}
    assert edge.reached() == begun + asked
