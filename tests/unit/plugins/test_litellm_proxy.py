"""The callback inside a real LiteLLM proxy: every action on every route, streamed or not, with the official SDKs as clients."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import products
import pytest
import yaml

from stillwatch.gateway.marking import STRIPPED
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.simulation.upstream import Misbehaviour, Upstream, running

PROVIDERS = {"m-openai": "openai", "m-vllm": "hosted_vllm"}
ROUTES: dict[str, Callable[[str], dict[str, Any]]] = {
    "/v1/chat/completions": lambda text: {"messages": [{"role": "user", "content": text}]},
    "/v1/responses": lambda text: {"input": text},
    "/v1/messages": lambda text: {"max_tokens": 16, "messages": [{"role": "user", "content": text}]},
}
REFUSALS = {
    "a-block": (403, "account-suspended", "permission_error"),
    "a-challenge": (403, "verification-required", "permission_error"),
    "t-over": (429, "over-reduced-rate", "rate_limit_error"),
}
SECRET = "a prompt that no log and no message may repeat"  # noqa: S105  # no password
CUSTOM_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth

async def user_api_key_auth(request, api_key):
    if not api_key.startswith("sk-"):
        raise ValueError("no key")
    return UserAPIKeyAuth(api_key=api_key, user_id=api_key.removeprefix("sk-"))
"""
LOG_WRITER = """
import json
from litellm.integrations.custom_logger import CustomLogger

class Writer(CustomLogger):
    def write(self, kwargs):
        with open("log.jsonl", "a") as file:
            file.write(json.dumps(kwargs["standard_logging_object"], default=str) + "\\n")

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.write(kwargs)

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):
        self.write(kwargs)

writer = Writer()
"""


@dataclass(kw_only=True)
class Proxy:
    """A running LiteLLM proxy with the callback, and the model behind it."""

    url: str
    folder: Path
    upstream: Upstream
    redis: subprocess.Popen[bytes] | None
    version: int = 1
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def post(self, path: str, account: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return self.client.post(
            self.url + path, json=body, headers={"Authorization": f"Bearer sk-{account}", **headers}
        )

    def ask(
        self, route: str, model: str, account: str, *, stream: bool, text: str = "hello", **more: Any
    ) -> httpx.Response:
        return self.post(route, account, {"model": model, "stream": stream, **ROUTES[route](text), **more})

    def refused(self, path: str, account: str, body: dict[str, Any]) -> httpx.Response:
        """Ask until the account is over its rate: where Redis is late, this process's own counters have a burst of their own."""
        for _ in range(4):
            answer = self.post(path, account, body)
            if answer.status_code != 200:
                break
        return answer

    def swap(self, *, accounts: dict[str, int] | None = None, expired: bool = False) -> None:
        """Put the next bundle in place, and give the proxy time to see it."""
        self.version += 1
        products.write_files(self.folder, version=self.version, accounts=accounts, expired=expired)
        time.sleep(0.5)

    def reached(self) -> int:
        return len(self.upstream.asked)

    def last_body(self) -> dict[str, Any]:
        body = json.loads(self.upstream.asked[-1].body)
        assert isinstance(body, dict)
        return body


def throttled(number: int) -> str:
    return f"t-{number}"


ACCOUNTS = {**products.OURS, **{throttled(number): 1 for number in range(64)}, "t-over": 1, "t-redis": 1}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    litellm = products.environment_of("litellm", "litellm")
    folder = tmp_path_factory.mktemp("litellm")
    products.write_files(folder, accounts=ACCOUNTS)
    upstream = Upstream(seed=7)
    with ExitStack() as stack:
        model = stack.enter_context(running(upstream))
        settings = products.settings_in(folder, litellm_account="user_id")
        redis = None
        if shutil.which("redis-server"):
            port = products.free_port()
            command = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
            redis = stack.enter_context(products.process(command, folder / "redis.txt", folder=folder, environment={}))
            settings["STILLWATCH_RATES"] = f"redis://127.0.0.1:{port}/0"
        write_configuration(folder, model)
        port = products.free_port()
        started = stack.enter_context(
            products.process(
                [str(litellm), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
                folder / "litellm.txt",
                folder=folder,
                environment={
                    **settings, **products.source_path(), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False",
                    "NO_PROXY": "127.0.0.1", "VLLM_API_BASE": model, "OPENAI_API_BASE": model, "OPENAI_API_KEY": "k",
                    "ANTHROPIC_API_BASE": model, "ANTHROPIC_API_KEY": "k",
                },
            )
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        products.wait_for(f"{url}/health/readiness", started, folder / "litellm.txt", seconds=180)
        found = Proxy(url=url, folder=folder, upstream=upstream, redis=redis)
        yield found
        found.client.close()


def write_configuration(folder: Path, model: str) -> None:
    """Write what a user has: LiteLLM's configuration with the page's lines in it, and the page's file beside it."""
    page = products.page_yaml("litellm")
    page["litellm_settings"]["callbacks"].append("log_writer.writer")
    configuration = {
        **page,
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {"model": f"{provider}/still-1", "api_base": f"{model}/v1", "api_key": "k"},
            }
            for name, provider in PROVIDERS.items()
        ],
        "files_settings": [{"custom_llm_provider": "openai", "api_base": f"{model}/v1", "api_key": "k"}],
        "general_settings": {
            "master_key": f"sk-{secrets.token_hex(32)}",
            "custom_auth": "custom_auth.user_api_key_auth",
        },
    }
    configuration["litellm_settings"]["num_retries"] = 1
    configuration["router_settings"] = {"disable_cooldowns": False}
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))
    (folder / "stillwatch_callback.py").write_text(products.page_block("stillwatch_callback.py"))
    (folder / "custom_auth.py").write_text(CUSTOM_AUTH)
    (folder / "log_writer.py").write_text(LOG_WRITER)


def exhaust(proxy: Proxy) -> None:
    """Put the account `t-over` over its rate."""
    body = {"model": "m-openai", "messages": [{"role": "user", "content": "hello"}]}
    assert proxy.refused("/v1/chat/completions", "t-over", body).status_code == 429


CASES = [(route, model, stream) for route in ROUTES for model in PROVIDERS for stream in (False, True)]


@pytest.mark.parametrize(("route", "model", "stream"), CASES)
def test_the_five_actions(proxy: Proxy, route: str, model: str, stream: bool) -> None:
    allowed = proxy.ask(route, model, "a-nobody", stream=stream)
    assert allowed.status_code == 200
    plain = proxy.last_body()
    assert not STRIPPED & plain.keys()
    assert not [name for name in allowed.headers if "stillwatch" in name]

    marked = proxy.ask(route, model, "a-mark", stream=stream)
    assert marked.status_code == 200
    body = proxy.last_body()
    assert body.pop("watermark") == products.MARK_FIELD
    assert canonical_bytes(body) == canonical_bytes(plain), "the mark's member is the only difference"
    assert not [name for name in marked.headers if "stillwatch" in name], "a mark is announced by its clause alone"

    account = throttled(CASES.index((route, model, stream)))
    within = proxy.ask(route, model, account, stream=stream)
    assert within.status_code == 200
    assert within.headers["x-stillwatch-reason"] == "within-reduced-rate"
    assert canonical_bytes(proxy.last_body()) == canonical_bytes(plain)

    for refused, (status, reason, kind) in {**REFUSALS, account: REFUSALS["t-over"]}.items():
        proxy.refused(route, refused, {"model": model, "stream": stream, **ROUTES[route]("hello")})
        reached = proxy.reached()
        answer = proxy.ask(route, model, refused, stream=stream)
        assert proxy.reached() == reached, "no refused request reaches the model"
        assert answer.status_code == status
        assert answer.headers["x-stillwatch-reason"] == reason
        assert ("retry-after" in answer.headers) == (status == 429)
        error = answer.json()["error"]
        assert (error["type"], "litellm" in answer.text.lower()) == (kind, False)
        assert reason in error["message"]
        assert products.APPEAL in error["message"]
        assert products.CLAUSE in error["message"]


@pytest.mark.parametrize(("route", "model"), [(route, model) for route in ROUTES for model in PROVIDERS])
def test_what_no_client_may_set_reaches_no_model(proxy: Proxy, route: str, model: str) -> None:
    sent = {
        "watermark": {"key": "ab"},
        "watermarking": False,
        "vllm_xargs": {"x": 1},
        "custom_logit_processor": "x",
        "custom_params": {},
    }
    for more in (sent, {"extra_body": sent}, {**sent, "extra_body": sent}):
        answer = proxy.ask(route, model, "a-nobody", stream=False, **more)
        assert answer.status_code == 200
        assert not STRIPPED & proxy.last_body().keys()
    proxy.ask(route, model, "a-mark", stream=False, extra_body={**sent, "top_k": 5})
    assert proxy.last_body()["watermark"] == products.MARK_FIELD
    assert not (STRIPPED - {"watermark"}) & proxy.last_body().keys()


def test_a_second_try_that_the_client_orders_is_marked_and_stripped_as_well(proxy: Proxy) -> None:
    order = [{"model": "m-vllm", "extra_body": {"watermark": {"key": "ab"}, "top_k": 5}}]
    proxy.upstream.misbehaviour = Misbehaviour(fail_status=500)
    try:
        for account, mark in (("a-mark", products.MARK_FIELD), ("a-nobody", None)):
            begun = proxy.reached()
            proxy.ask("/v1/chat/completions", "m-openai", account, stream=False, fallbacks=order)
            bodies = [json.loads(one.body) for one in list(proxy.upstream.asked)[begun:]]
            assert len(bodies) >= 2
            assert [body.get("watermark") for body in bodies] == [mark] * len(bodies)
            assert [body.get("top_k") for body in bodies][-1] == 5, "the second try is the client's own"
    finally:
        proxy.upstream.misbehaviour = Misbehaviour()


def test_official_openai_sdk(proxy: Proxy) -> None:
    def client(account: str, **more: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=f"sk-{account}", **more)

    message: Any = [{"role": "user", "content": "hello"}]
    begun = len(proxy_log(proxy))
    with client("a-block") as one, pytest.raises(openai.PermissionDeniedError) as refused:
        one.chat.completions.create(model="m-openai", messages=message)
    assert refused.value.response.headers["x-stillwatch-decision"] == "d-0123456789ab"
    assert len(proxy_log(proxy, at_least=begun + 1)) == begun + 1, "a 403 is not tried again"
    exhaust(proxy)
    with client("t-over", max_retries=0) as one, pytest.raises(openai.RateLimitError) as slow:
        one.responses.create(model="m-openai", input="hello")
    assert int(slow.value.response.headers["retry-after"]) >= 1
    with client("a-mark") as one:
        whole = one.chat.completions.create(model="m-vllm", messages=message)
        parts = list(one.chat.completions.create(model="m-vllm", messages=message, stream=True))
        events = list(one.responses.create(model="m-openai", input="hello", stream=True))
    assert whole.choices[0].message.content
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert events[-1].type == "response.completed"


def test_official_anthropic_sdk(proxy: Proxy) -> None:
    def client(account: str, **more: Any) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=proxy.url, api_key=f"sk-{account}", **more)

    message: Any = {"model": "m-vllm", "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
    with client("a-challenge") as one, pytest.raises(anthropic.PermissionDeniedError, match="verification-required"):
        one.messages.create(**message)
    exhaust(proxy)
    with client("t-over", max_retries=0) as one, pytest.raises(anthropic.RateLimitError) as slow:
        one.messages.create(**message)
    assert int(slow.value.response.headers["retry-after"]) >= 1
    with client("a-mark") as one:
        assert one.messages.create(**message).content[0].text
        with one.messages.stream(**message) as stream:
            assert stream.get_final_text()
    assert proxy.last_body()["watermark"] == products.MARK_FIELD


def test_a_file_for_batches_is_refused_whole_or_marked_line_by_line(proxy: Proxy) -> None:
    def line(number: int, **more: Any) -> str:
        body = {"model": "still-1", "messages": [{"role": "user", "content": f"q{number}"}], **more}
        return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": "/v1/chat/completions", "body": body})

    content = "\n".join([line(0), line(1, watermark={"key": "ab"}, custom_logit_processor="x"), line(2, top_k=5)])

    def upload(account: str) -> httpx.Response:
        return proxy.client.post(
            f"{proxy.url}/v1/files",
            headers={"Authorization": f"Bearer sk-{account}"},
            data={"purpose": "batch"},
            files={"file": ("batch.jsonl", content.encode(), "application/jsonl")},
        )

    def bodies() -> list[dict[str, Any]]:
        sent = proxy.upstream.asked[-1].body
        return [json.loads(one)["body"] for one in sent.decode().splitlines() if one.startswith("{")]

    reached = proxy.reached()
    refused = upload("a-block")
    assert (refused.status_code, proxy.reached()) == (403, reached)
    assert upload("a-nobody").status_code == 200
    plain = bodies()
    assert len(plain) == 3
    assert not any(STRIPPED & body.keys() for body in plain)
    assert upload("a-mark").status_code == 200
    marked = bodies()
    assert [body.pop("watermark") for body in marked] == [products.MARK_FIELD] * 3
    assert canonical_bytes(marked) == canonical_bytes(plain)
    order = {"input_file_id": "file-0", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    reached = proxy.reached()
    refused = proxy.post("/v1/batches", "a-block", order)
    assert refused.status_code == 403
    assert proxy.reached() == reached


def test_other_routes(proxy: Proxy) -> None:
    embeddings = {"model": "m-vllm", "input": ["a"]}
    reached = proxy.reached()
    assert proxy.post("/v1/embeddings", "a-block", embeddings).status_code == 403
    assert proxy.post("/v1/completions", "a-block", {"model": "m-vllm", "prompt": "hello"}).status_code == 403
    assert proxy.reached() == reached
    assert proxy.post("/v1/embeddings", "a-mark", embeddings).status_code == 200
    assert "watermark" not in proxy.last_body()
    assert proxy.post("/v1/completions", "a-mark", {"model": "m-vllm", "prompt": "hello"}).status_code == 200
    assert proxy.last_body()["watermark"] == products.MARK_FIELD


PASS_THROUGH = {
    "a model of LiteLLM's list": ("/vllm/v1/chat/completions", "m-vllm"),
    "another model": ("/vllm/v1/chat/completions", "unlisted"),
    "OpenAI": ("/openai/v1/chat/completions", "unlisted"),
    "Anthropic": ("/anthropic/v1/messages", "unlisted"),
}


@pytest.mark.parametrize("what", PASS_THROUGH)
def test_pass_through_routes_do_not_go_past_the_guard(proxy: Proxy, what: str) -> None:
    path, model = PASS_THROUGH[what]
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    assert proxy.post(path, "a-nobody", {**body, "watermark": {"key": "ab"}, "vllm_xargs": {}}).status_code == 200
    plain = proxy.last_body()
    assert not STRIPPED & plain.keys()
    assert proxy.post(path, "a-mark", body).status_code == 200
    marked = proxy.last_body()
    assert marked.pop("watermark") == products.MARK_FIELD
    assert canonical_bytes(marked) == canonical_bytes(plain)
    for account, (status, reason, _) in REFUSALS.items():
        begun = time.monotonic()
        answer = proxy.refused(path, account, body)
        assert (answer.status_code, answer.headers["x-stillwatch-reason"]) == (status, reason)
        reached = proxy.reached()
        assert proxy.post(path, account, body).status_code == status
        assert proxy.reached() == reached
        assert time.monotonic() - begun < 5, "LiteLLM does not try a refused request again"
    account = throttled(40 + list(PASS_THROUGH).index(what))
    assert proxy.post(path, account, body).status_code == 200, "a request counts once"
    assert proxy.refused(path, account, body).status_code == 429
    assert proxy.post(path, "a-nobody", body).status_code == 200, "no deployment was put aside for a refusal"


ODD: tuple[dict[str, Any], ...] = (
    {"extra_body": "x"}, {"extra_body": [1]}, {"extra_body": None}, {"fallbacks": "x"}, {"fallbacks": ["m-openai", 3, None]},
    {"metadata": "x"}, {"litellm_metadata": "x"}, {"litellm_metadata": {"spend_logs_metadata": "x", "stillwatch_seen": True}},
    {"metadata": {"stillwatch_seen": True}}, {"proxy_server_request": None}, {"proxy_server_request": {"url": "/v1/embeddings"}},
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_no_odd_request_goes_past_the_guard(proxy: Proxy, route: str) -> None:
    for odd in ODD:
        reached = proxy.reached()
        refused = proxy.ask(route, "m-vllm", "a-block", stream=False, **odd)
        assert refused.status_code in {400, 403}, odd
        assert proxy.reached() == reached
        answer = proxy.ask(route, "m-vllm", "a-mark", stream=False, **odd)
        assert answer.status_code in {200, 400}, odd
        if answer.status_code == 200:
            assert proxy.last_body()["watermark"] == products.MARK_FIELD


def proxy_log(proxy: Proxy, at_least: int = 0) -> list[dict[str, Any]]:
    """Give LiteLLM's log, which it writes a moment after the answer."""
    path = proxy.folder / "log.jsonl"
    end = time.monotonic() + 10
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= at_least or time.monotonic() > end:
            return [json.loads(line) for line in lines]
        time.sleep(0.05)


def test_verdicts_are_in_the_log_that_detect_reads(proxy: Proxy) -> None:
    time.sleep(0.5)
    begun = len(proxy_log(proxy))
    proxy.ask("/v1/chat/completions", "m-openai", "a-mark", stream=False, text=SECRET)
    proxy.ask("/v1/chat/completions", "m-openai", "a-block", stream=False, text=SECRET)
    rows = proxy_log(proxy, at_least=begun + 2)[begun:]
    answered, refused = sorted(rows, key=lambda row: row["status"] == "failure")
    assert answered["metadata"]["spend_logs_metadata"]["stillwatch"]["reason"] == "answers-marked"
    assert refused["error_information"]["error_code"] == "403"
    assert "account-suspended" in refused["error_information"]["error_message"]
    assert [row["metadata"]["user_api_key_user_id"] for row in (answered, refused)] == ["a-mark", "a-block"]
    assert products.MARK not in json.dumps(answered["metadata"])


def test_a_newer_bundle_is_taken_up_and_a_damaged_one_is_not(proxy: Proxy) -> None:
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-nobody", stream=False).status_code == 200
    proxy.swap(accounts={**ACCOUNTS, "a-nobody": products.OURS["a-block"]})
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-nobody", stream=False).status_code == 403
    (proxy.folder / "gateway.bundle").write_bytes(b"SWBUNDL1 damaged")
    time.sleep(0.5)
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-nobody", stream=False).status_code == 403
    proxy.swap(accounts=ACCOUNTS)
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-nobody", stream=False).status_code == 200


def test_once_the_bundle_is_stale_only_what_fails_closed_acts(proxy: Proxy) -> None:
    assert proxy.ask("/v1/responses", "m-openai", "a-block-open", stream=False).status_code == 403
    proxy.swap(accounts=ACCOUNTS, expired=True)
    assert proxy.ask("/v1/responses", "m-openai", "a-block-open", stream=False).status_code == 200
    assert proxy.ask("/v1/responses", "m-openai", "a-block", stream=False).status_code == 403
    proxy.swap(accounts=ACCOUNTS)
    assert proxy.ask("/v1/responses", "m-openai", "a-block-open", stream=False).status_code == 403


def test_without_redis_this_process_counts_and_nobody_waits(proxy: Proxy) -> None:
    if proxy.redis is None:
        pytest.skip("redis-server is not there")
    assert proxy.ask("/v1/chat/completions", "m-openai", "t-redis", stream=False).status_code == 200
    body = {"model": "m-openai", **ROUTES["/v1/chat/completions"]("hello")}
    assert proxy.refused("/v1/chat/completions", "t-redis", body).status_code == 429
    proxy.redis.send_signal(signal.SIGKILL)
    proxy.redis.wait()
    begun = time.monotonic()
    assert proxy.refused("/v1/chat/completions", "t-redis", body).status_code == 429, "this process counts"
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-block", stream=False).status_code == 403
    assert proxy.ask("/v1/chat/completions", "m-openai", "a-nobody", stream=False).status_code == 200
    assert time.monotonic() - begun < 5


def test_no_prompt_is_in_what_the_proxy_prints(proxy: Proxy) -> None:
    proxy.ask("/v1/chat/completions", "m-openai", "a-block", stream=False, text=SECRET)
    assert SECRET not in (proxy.folder / "litellm.txt").read_text()


FAILING = """
import asyncio, os, sys
from types import SimpleNamespace
from litellm.proxy._types import ProxyException
from stillwatch.gateway.plugins.litellm import callback_from_environment

callback = callback_from_environment()
async def broken(request):
    raise KeyError(sys.argv[1])
callback.running.admission.guard.decide_shared = broken

async def ask():
    data = {"model": "m", "messages": [{"role": "user", "content": sys.argv[1]}], "proxy_server_request": {"url": "/v1/messages"}}
    try:
        await callback.async_pre_call_hook(SimpleNamespace(user_id="a-nobody"), None, data, "acompletion")
        print("answered")
    except ProxyException as error:
        print(error.code, error.message)
    print(dict(callback.running.admission.guard.failures))

asyncio.run(ask())
"""


@pytest.mark.parametrize(
    ("when_failing", "said"), [("open", "answered"), ("closed", "503 The gateway could not decide")]
)
def test_a_failure_of_the_guard_is_answered_as_it_is_set_and_its_text_goes_nowhere(
    tmp_path: Path, when_failing: str, said: str
) -> None:
    python = products.environment_of("litellm", "python")
    products.write_files(tmp_path)
    settings = products.settings_in(tmp_path, when_failing=when_failing)
    own = {**products.source_path(), **settings, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": str(python.parent)}
    done = subprocess.run(
        [python, "-c", FAILING, SECRET], env=own, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[0].startswith(said)
    assert "{'KeyError': 1}" in done.stdout
    assert SECRET not in done.stdout + done.stderr
