"""The middleware as vLLM and SGLang load it: by dotted path and the application alone, with its settings from the environment."""

from __future__ import annotations

import importlib
import inspect
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import fastapi
import httpx
import openai
import products
import pytest
import uvicorn
from fastapi.responses import JSONResponse, StreamingResponse

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.integrity.errors import BundleNameError

PATH = "stillwatch.gateway.plugins.engines.EngineMiddleware"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
EVENT = 'data: {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}\n\n'


def engine(seen: list[dict[str, Any]]) -> fastapi.FastAPI:
    """Give an application as an engine's server makes one: a lifespan, a route that parses the body, a stream, and a check of keys."""

    @asynccontextmanager
    async def lifespan(_app: fastapi.FastAPI) -> AsyncIterator[None]:
        yield

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def chat(request: fastapi.Request) -> fastapi.Response:
        body = await request.json()
        seen.append(body)
        if body.get("stream"):
            return StreamingResponse(iter([EVENT, "data: [DONE]\n\n"]), media_type="text/event-stream")
        message = {"role": "assistant", "content": "hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})

    return app


def load_as_vllm_does(app: fastapi.FastAPI, path: str) -> None:
    """Add a middleware by the steps of vLLM 0.33.0, `entrypoints/serve/middleware/register.py`: a class, and no arguments."""
    module_path, object_name = path.rsplit(".", 1)
    imported = getattr(importlib.import_module(module_path), object_name)
    assert inspect.isclass(imported)
    app.add_middleware(imported)


@contextmanager
def served(app: fastapi.FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        assert server.started
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(params=["vllm", "sglang"])
def guarded(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    products.write_files(tmp_path)
    more = {"account_header": "X-Account-Id", "log": str(tmp_path / "log.jsonl"), "engine": request.param}
    for name, value in products.settings_in(tmp_path, **more).items():
        monkeypatch.setenv(name, value)
    seen: list[dict[str, Any]] = []
    app = engine(seen)
    if request.param == "vllm":
        load_as_vllm_does(app, PATH)
    else:  # the page's program: the class itself, added to the application that the server's module holds
        imports = [line for line in products.page_block("sglang").splitlines() if "stillwatch" in line]
        names: dict[str, Any] = {"app": app}
        exec("\n".join([*imports, "app.add_middleware(EngineMiddleware)"]), names)  # noqa: S102  # what users copy
    with served(app) as url:
        yield url, request.param, seen


def ask(url: str, account: str, **more: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/chat/completions", json={**BODY, **more}, headers={"X-Account-Id": account})


def test_the_engine_gets_the_mark_by_its_own_interface(guarded: tuple[str, str, list[dict[str, Any]]]) -> None:
    url, name, seen = guarded
    marks = {
        "vllm": {"vllm_xargs": {"stillwatch_key": products.HANDLE}},
        "sglang": {"watermark": products.MARK_FIELD},
    }
    sent = {"vllm_xargs": {"x": 1}, "watermark": {"key": "ab"}, "watermarking": False}
    assert ask(url, "a-mark", **sent).status_code == 200
    assert ask(url, "a-mark", stream=True).text == EVENT + "data: [DONE]\n\n"
    assert ask(url, "a-nobody", **sent).status_code == 200
    assert seen == [{**BODY, **marks[name]}, {**BODY, "stream": True, **marks[name]}, BODY]


def test_refusals_and_reduced_rates(guarded: tuple[str, str, list[dict[str, Any]]]) -> None:
    url, _, seen = guarded
    for account in ("a-block", "a-challenge"):
        with (
            openai.OpenAI(base_url=f"{url}/v1", api_key="k", default_headers={"X-Account-Id": account}) as client,
            pytest.raises(openai.PermissionDeniedError),
        ):
            client.chat.completions.create(**BODY)  # type: ignore[call-overload]
    assert [ask(url, "a-throttle").status_code for _ in range(2)] == [200, 429]
    assert len(seen) == 1


def test_a_newer_bundle_is_taken_up_and_the_log_has_a_line_for_each(
    guarded: tuple[str, str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    url, _, _ = guarded
    assert ask(url, "a-new").status_code == 200
    products.write_files(tmp_path, version=2, accounts={"a-new": products.OURS["a-block"]})
    statuses = []
    for _ in range(100):
        statuses.append(ask(url, "a-new").status_code)
        if statuses[-1] == 403:
            break
        time.sleep(0.05)
    assert statuses[-1] == 403
    for _ in range(100):
        rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        if len(rows) == len(statuses) + 1:
            break
        time.sleep(0.05)
    assert [row["status"] for row in rows] == [200, *statuses]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"STILLWATCH_BUNDLE_KEY": None}, "STILLWATCH_BUNDLE_KEY is not set"),
        ({"STILLWATCH_ENGINE": "triton"}, "STILLWATCH_ENGINE: got 'triton', expected none or sglang or vllm"),
        ({"STILLWATCH_MARK_KEYS": None}, "STILLWATCH_MARK_KEYS is not set; expected"),
        ({"STILLWATCH_BUNDLE_POLL": "soon"}, "STILLWATCH_BUNDLE_POLL: got 'soon', expected a number from 0"),
        ({"STILLWATCH_LOG": "/nowhere/log"}, "the log /nowhere/log cannot be opened"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start(
    change: dict[str, str | None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products.write_files(tmp_path)
    for name, value in {**products.settings_in(tmp_path), **change}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    app = engine([])
    load_as_vllm_does(app, PATH)
    with pytest.raises(GatewaySettingError) as raised:
        app.build_middleware_stack()
    assert said in str(raised.value)


def test_a_bundle_that_does_not_pass_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    products.write_files(tmp_path)
    for name, value in products.settings_in(tmp_path, bundle_for="example.com/other").items():
        monkeypatch.setenv(name, value)
    app = engine([])
    load_as_vllm_does(app, PATH)
    with pytest.raises(BundleNameError):
        app.build_middleware_stack()
