"""ASGI middleware: the guard inside a FastAPI, Starlette or other ASGI application (ASGI 3.0, HTTP message format 2.x).

Takes an application and a door. Gives an application. Bodies are read up to a limit and handed on; uploads and answers pass as they come, one
event of a stream at a time. Only a request whose body must be searched is read before the application is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter_ns
from typing import Any

from stillwatch.gateway.admission import Admission, Admitted
from stillwatch.gateway.exchange_log import Answered, ExchangeLog
from stillwatch.gateway.refusal import Trouble

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
_OURS = b"x-stillwatch-"
_POLICY_VIOLATION = 1008
"""Close code of RFC 6455 for a WebSocket that a policy refuses."""


class StillwatchMiddleware:
    """`app.add_middleware(StillwatchMiddleware, admission=..., log=...)`."""

    def __init__(self, app: Application, *, admission: Admission, log: ExchangeLog | None = None) -> None:
        """Stand before an application.

        Args:
            app: that is guarded.
            admission: the door.
            log: where exchanges go; null for nowhere.
        """
        self._app = app
        self._admission = admission
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = perf_counter_ns()
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        method, path = scope["method"], scope["path"]
        peer = scope["client"][0] if scope.get("client") else None
        body: bytes | None = None
        admission = self._admission
        content_type = next((value for name, value in headers if name == "content-type"), "")
        if admission.reads_body(method, path, content_type):
            read = await _read(receive, admission.most_body)
            if read is None:
                return  # the client has gone; nobody is there to be answered
            if isinstance(read, Trouble):
                await self._refuse(admission.refuse(read, method, path, None), send)
                return
            body = read
        admitted = await admission.admit(method, path, headers, body, peer)
        if admitted.refusal is not None:
            await self._refuse(admitted, send)
            return
        sent = admitted.forwarded
        if sent is not None and sent.sent is not body:
            scope = {**scope, "headers": _sized(scope["headers"], len(sent.sent))}
        if any(name.startswith(_OURS) for name, _ in scope["headers"]):
            scope = {**scope, "headers": [one for one in scope["headers"] if not one[0].lower().startswith(_OURS)]}
        heard = receive if body is None else _replaying(body if sent is None else sent.sent, receive)
        answered = Answered() if self._log is None else self._log.answered()
        try:
            await self._app(scope, heard, _watching(send, admitted, answered, begun))
        finally:
            if self._log is not None:
                answered.duration_us = (perf_counter_ns() - begun) // 1_000
                self._log.put(admitted, answered)

    async def _refuse(self, admitted: Admitted, send: Send) -> None:
        refusal = admitted.refusal
        if refusal is None:
            return
        listed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in refusal.headers]
        await send({"type": "http.response.start", "status": refusal.status, "headers": listed})
        await send({"type": "http.response.body", "body": refusal.body, "more_body": False})
        if self._log is not None:
            self._log.put(admitted, Answered(status=refusal.status, complete=True))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        peer = scope["client"][0] if scope.get("client") else None
        admitted = await self._admission.admit("GET", scope["path"], headers, None, peer)
        if admitted.refusal is None:
            await self._app(scope, receive, send)
            return
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": admitted.refusal.reason})


async def _read(receive: Receive, most: int) -> bytes | Trouble | None:
    """Read a body; null where the client has gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return Trouble.TOO_LARGE
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Give the body once, and then whatever the client does: at most it goes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _watching(send: Send, admitted: Admitted, answered: Answered, begun: int) -> Send:
    """Pass every message on, add the verdict's headers to the first, and keep what the log needs."""

    async def watch(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.first_byte_us = (perf_counter_ns() - begun) // 1_000
            headers = message.get("headers", [])
            answered.content_type = next(
                (bytes(value).decode("latin-1") for name, value in headers if bytes(name).lower() == b"content-type"),
                "",
            )
            if admitted.headers:
                more = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in admitted.headers]
                message = {**message, "headers": [*headers, *more]}
        elif message["type"] == "http.response.body":
            answered.take(message.get("body", b""))
        await send(message)
        if message["type"] == "http.response.body":
            answered.complete = not message.get("more_body", False)

    return watch


def _sized(headers: list[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    """Give the headers of a body of another size."""
    kept = [one for one in headers if one[0].lower() not in {b"content-length", b"transfer-encoding"}]
    return [*kept, (b"content-length", str(size).encode())]
