"""A model server that is none: OpenAI's and Anthropic's APIs on loopback, with deterministic answers, which can misbehave on demand.

Takes a seed. Gives an aiohttp application, or a server in a thread of its own with its URL. It keeps what it was asked and whether it finished
answering, so that a test can prove that a request was answered once and that its body came through unchanged. Misbehaviour is set while it
runs: it fails, delays, stalls before or within an answer, or drops the connection in the middle of one.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiohttp import web

from stillwatch.simulation import answers

FINGERPRINT = "fp_still_1"
MODEL = "still-1"
MOST_BYTES = 64 << 20
Words = Callable[[str, Mapping[str, Any], int, int], Sequence[str]]
"""Writes an answer: prompt, body, number of words and number of the sample to words."""
Maker = tuple[
    Callable[[answers.Answer, Mapping[str, Any]], dict[str, Any]],
    Callable[[answers.Answer, Mapping[str, Any]], Iterator[bytes]],
]
_ROUTES: dict[str, Maker] = {
    "/v1/chat/completions": (answers.chat_body, answers.chat_events),
    "/v1/completions": (answers.completion_body, answers.completion_events),
    "/v1/responses": (answers.responses_body, answers.responses_events),
    "/v1/messages": (answers.message_body, answers.message_events),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """What goes wrong, for every request until it is set anew."""

    fail_status: int | None = None
    """Answer with this status and an error body."""
    delay_s: float = 0.0
    """Wait before the answer begins."""
    stall: bool = False
    """Take the request and never begin to answer."""
    stall_after_events: int | None = None
    """Of a stream: send so many events, and nothing more."""
    drop_after_events: int | None = None
    """Of a stream: send so many events, and cut the connection; of a whole answer: cut it half way."""
    event_gap_s: float = 0.0
    """Wait between the events of a stream."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request that reached the model."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    """In order, duplicates included."""
    body: bytes
    answered: bool = False
    """Whether the last byte of the answer was handed to the connection."""
    sent: bytes = b""
    """The answer's bytes, as far as they were handed to the connection."""


@dataclass(slots=True, kw_only=True)
class Upstream:
    """A simulated model server."""

    seed: int
    fingerprint: str = FINGERPRINT
    """What it reports as its system; set it to another to serve another snapshot."""
    words: Words | None = None
    """What writes the answers in place of the simulator's own words; null for those."""
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    keep: int = 10_000
    """How many requests are kept, the newest."""
    asked: deque[Asked] = field(init=False)
    """What it was asked, in order."""
    answered: Counter[str] = field(default_factory=Counter)
    """Finished answers by path."""
    _samples: Counter[str] = field(default_factory=Counter)
    _files: dict[str, bytes] = field(default_factory=dict)
    _batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make room for what is kept."""
        self.asked = deque(maxlen=self.keep)

    def application(self) -> web.Application:
        """Give the application."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked = Asked(method=request.method, path=request.path_qs, headers=tuple(request.headers.items()), body=body)
        self.asked.append(asked)
        wrong = self.misbehaviour
        await asyncio.sleep(wrong.delay_s)
        if wrong.stall:
            await asyncio.Event().wait()
        if wrong.fail_status is not None:
            content = {"error": {"message": "the model fails on purpose", "type": "server_error", "code": "on-purpose"}}
            return await self._whole(request, asked, content, wrong.fail_status)
        if request.method == "POST" and request.path in _ROUTES:
            return await self._generate(request, asked)
        return await self._other(request, asked)

    async def _generate(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        try:
            given = json.loads(asked.body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return await self._whole(request, asked, {"error": {"message": "no JSON object", "code": "malformed"}}, 400)
        answer = self._answer(given)
        whole, events = _ROUTES[request.path]
        if given.get("stream") is not True:
            return await self._whole(request, asked, whole(answer, given))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        response.headers["x-request-id"] = answer.id
        await response.prepare(request)
        wrong = self.misbehaviour
        for number, event in enumerate(events(answer, given)):
            if number == wrong.drop_after_events:
                return _cut(request, response)
            if number == wrong.stall_after_events:
                await asyncio.Event().wait()
            asked.sent += event
            await response.write(event)
            await asyncio.sleep(wrong.event_gap_s)
        await response.write_eof()
        self._finished(asked)
        return response

    def _answer(self, body: Mapping[str, Any]) -> answers.Answer:
        """Draw the next sample, or the one that the request's own seed names; temperature 0 always gives the first."""
        prompt = json.dumps([body.get(name) for name in ("system", "messages", "input", "prompt")])
        sample = self._samples[prompt]
        if body.get("temperature") == 0:
            sample = 0
        elif isinstance(body.get("seed"), int):
            sample = int(body["seed"])
        else:
            self._samples[prompt] += 1
        if self.words is None:
            return answers.answer_to(body, seed=self.seed, sample=sample, fingerprint=self.fingerprint)
        return answers.written_answer(body, self.words, seed=self.seed, sample=sample, fingerprint=self.fingerprint)

    async def _whole(
        self, request: web.Request, asked: Asked, content: Mapping[str, Any] | bytes, status: int = 200
    ) -> web.StreamResponse:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
        response.content_length = len(data)
        await response.prepare(request)
        if self.misbehaviour.drop_after_events is not None:
            await response.write(data[: len(data) // 2])
            return _cut(request, response)
        asked.sent = data
        await response.write(data)
        await response.write_eof()
        self._finished(asked)
        return response

    def _finished(self, asked: Asked) -> None:
        asked.answered = True
        self.answered[asked.path.partition("?")[0]] += 1

    async def _other(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer what is no generation: embeddings, models, files and batches."""
        path, method = request.path, request.method
        if (method, path) == ("POST", "/v1/embeddings"):
            return await self._whole(request, asked, answers.embeddings_body(json.loads(asked.body), seed=self.seed))
        if (method, path) == ("GET", "/v1/models"):
            model = {"id": MODEL, "object": "model", "created": answers.CREATED, "owned_by": "still"}
            return await self._whole(request, asked, {"object": "list", "data": [model]})
        if (method, path) == ("POST", "/v1/files"):
            name = f"file-{len(self._files)}"
            self._files[name] = _uploaded(request.headers.get("Content-Type", ""), asked.body)
            size = len(self._files[name])
            content = {
                "id": name, "object": "file", "bytes": size, "created_at": answers.CREATED, "filename": "batch.jsonl",
                "purpose": "batch", "status": "processed",
            }  # fmt: skip
            return await self._whole(request, asked, content)
        if method == "GET" and path.startswith("/v1/files/") and path.endswith("/content"):
            kept = self._files.get(path.split("/")[3])
            if kept is not None:
                return await self._whole(request, asked, kept)
        if (method, path) == ("POST", "/v1/batches"):
            return await self._whole(request, asked, self._batch(json.loads(asked.body)))
        if method == "GET" and path.startswith("/v1/batches/") and path.split("/")[3] in self._batches:
            return await self._whole(request, asked, self._batches[path.split("/")[3]])
        missing = {
            "error": {"message": f"no {method} {path} here", "type": "invalid_request_error", "code": "not-found"}
        }
        return await self._whole(request, asked, missing, 404)

    def _batch(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Run a batch at once."""
        lines = []
        for line in self._files.get(str(order.get("input_file_id")), b"").splitlines():
            item = json.loads(line)
            maker = _ROUTES.get(str(item.get("url")), _ROUTES["/v1/chat/completions"])[0]
            body = maker(self._answer(item["body"]), item["body"])
            answered = {"status_code": 200, "request_id": body["id"], "body": body}
            lines.append(
                json.dumps({"id": body["id"], "custom_id": item["custom_id"], "response": answered, "error": None})
            )
        output = f"file-{len(self._files)}"
        self._files[output] = "\n".join(lines).encode()
        batch = {
            "id": f"batch-{len(self._batches)}", "object": "batch", "endpoint": order.get("endpoint"), "status": "completed",
            "input_file_id": order.get("input_file_id"), "output_file_id": output, "completion_window": "24h",
            "created_at": answers.CREATED, "request_counts": {"total": len(lines), "completed": len(lines), "failed": 0},
        }  # fmt: skip
        self._batches[str(batch["id"])] = batch
        return batch


def _uploaded(content_type: str, body: bytes) -> bytes:
    """Give the part named `file` of a form; empty where there is none."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in form.get_payload() if form.is_multipart() else ():
        if isinstance(part, Message) and part.get_param("name", header="Content-Disposition") == "file":
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b""
    return b""


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


@contextmanager
def running(upstream: Upstream, port: int = 0) -> Iterator[str]:
    """Serve in a thread of its own, on loopback.

    Args:
        upstream: to be served.
        port: 0 for any that is free.

    Yields:
        URL without a slash at the end, such as `http://127.0.0.1:40001`.
    """
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    places: list[str] = []

    async def serve() -> web.AppRunner:
        runner = web.AppRunner(upstream.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        places.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        return runner

    def work() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        left = asyncio.all_tasks(loop)  # requests that were made to stall
        for one in left:
            one.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=work, name="simulated upstream", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield places[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
