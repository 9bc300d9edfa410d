"""The stand-alone guard: an HTTP/1.1 reverse proxy before any OpenAI- or Anthropic-compatible server. Needs the extra `gateway`.

Takes a door and the address of the model's server. Gives a handler for an aiohttp server. Answers pass as they come, unbuffered and unchanged;
uploads too. A request is sent once: whatever fails after that is told to the client, never tried again, so that nothing is answered twice. An
answer that breaks off is broken off towards the client as well, so that a cut answer never looks whole. Headers that belong to one connection
(RFC 9110, 7.6.1) are not passed on, and what is ambiguous is refused by the server's parser or by the door.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter_ns

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from stillwatch.gateway.admission import Admission, Admitted
from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.exchange_log import Answered, ExchangeLog
from stillwatch.gateway.refusal import Trouble

CONNECT_S = 10.0
SILENCE_S = 600.0
"""How long the model may say nothing before it is taken for stalled; long prompts take minutes to their first token."""
_ONE_CONNECTION = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
_NOT_FORWARDED = _ONE_CONNECTION | {"host", "content-length", "expect", "accept-encoding"}
_OURS = "x-stillwatch-"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Where the model is, and how long it is waited for."""

    url: str
    """Such as `http://localhost:8000`; a path is put before every path."""
    connect_s: float = CONNECT_S
    silence_s: float = SILENCE_S
    most_connections: int = 0
    """To the model at once; 0 for any number."""


class ReverseProxy:
    """Handles requests of one server."""

    def __init__(self, admission: Admission, upstream: UpstreamSettings, log: ExchangeLog | None = None) -> None:
        """Take what is needed; `start` opens it.

        Args:
            admission: the door.
            upstream: where the model is.
            log: where exchanges go; null for nowhere.

        Raises:
            GatewaySettingError: for an address that is none.
        """
        url = URL(upstream.url)
        if url.scheme not in {"http", "https"} or url.host is None or url.query_string or url.fragment:
            raise GatewaySettingError(
                f"upstream got {upstream.url[:80]!a}, expected a URL such as http://localhost:8000"
            )
        self.admission = admission
        self._base = upstream.url.rstrip("/")
        self._upstream = upstream
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self.outcomes: Counter[str] = Counter()
        """What came of requests that went to the model: `answered`, `broken-off`, `left` by the client, or a trouble."""
        self.in_flight = 0
        self.stopping = False
        self._idle: asyncio.Event | None = None

    async def start(self) -> None:
        """Open the connections to the model."""
        wait = aiohttp.ClientTimeout(
            total=None, sock_connect=self._upstream.connect_s, sock_read=self._upstream.silence_s
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._upstream.most_connections, ttl_dns_cache=60),
            timeout=wait,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        )

    def server(self) -> web.Server:
        """Give the server, for a runner."""
        return web.Server(self.handle, handler_cancellation=True, auto_decompress=False)

    async def stop(self, grace_s: float) -> None:
        """Refuse what is new, wait for what is being answered, and end the connections to the model.

        Args:
            grace_s: how long answers may still take.
        """
        self.stopping = True
        self._idle = asyncio.Event()
        if self.in_flight:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_s)
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        begun = perf_counter_ns()
        self.in_flight += 1
        try:
            admitted, read = await self._admit(request)
            if admitted.refusal is not None:
                return await self._refuse(request, admitted, close=not read)
            return await self._forward(request, admitted, begun)
        finally:
            self.in_flight -= 1
            if self._idle is not None and not self.in_flight:
                self._idle.set()

    async def _admit(self, request: web.BaseRequest) -> tuple[Admitted, bool]:
        """Look at a request; say too whether its body was read to the end."""
        admission, method, path = self.admission, request.method, request.path
        if self.stopping:
            return admission.refuse(Trouble.STOPPING, method, path, None), False
        if not request.raw_path.startswith("/"):
            return admission.refuse(Trouble.AMBIGUOUS, method, path, None), False
        if "upgrade" in request.headers:
            return admission.refuse(Trouble.NO_UPGRADE, method, path, None), False
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        body: bytes | None = None
        if admission.reads_body(method, path, request.headers.get(hdrs.CONTENT_TYPE, "")):
            size = request.content_length
            if size is not None and size > admission.most_body:
                return admission.refuse(Trouble.TOO_LARGE, method, path, None), False
            await _say_continue(request)
            body = await _read(request, admission.most_body)
            if body is None:
                return admission.refuse(Trouble.TOO_LARGE, method, path, None), False
        admitted = await admission.admit(method, path, headers, body, request.remote)
        return admitted, body is not None or not request.body_exists

    async def _refuse(self, request: web.BaseRequest, admitted: Admitted, *, close: bool) -> web.StreamResponse:
        """Send a refusal; where a body was left unread, the connection cannot go on."""
        refusal = admitted.refusal
        assert refusal is not None  # noqa: S101  # told by the caller
        if self._log is not None:
            self._log.put(admitted, Answered(status=refusal.status, complete=True))
        response = web.StreamResponse(status=refusal.status, headers=CIMultiDict(refusal.headers))
        if close:
            response.force_close()
        await response.prepare(request)
        await response.write_eof(refusal.body)
        return response

    async def _forward(self, request: web.BaseRequest, admitted: Admitted, begun: int) -> web.StreamResponse:
        assert self._session is not None, "start() was not called"  # noqa: S101
        answered = Answered() if self._log is None else self._log.answered()
        outcome = "left"
        try:
            async with self._session.request(
                request.method,
                URL(self._base + request.raw_path, encoded=True),
                headers=_asked_headers(request, admitted),
                data=await _data(request, admitted),
                allow_redirects=False,
            ) as upstream:
                answered.status = upstream.status
                answered.first_byte_us = (perf_counter_ns() - begun) // 1_000
                answered.content_type = upstream.headers.get(hdrs.CONTENT_TYPE, "")
                response, outcome = await _pass_on(request, upstream, admitted, answered)
                return response
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            what = Trouble.TIMED_OUT if isinstance(error, TimeoutError) else Trouble.UNREACHABLE
            outcome = what.value
            return await self._in_place(request, admitted, answered, what)
        finally:
            self.outcomes[outcome] += 1
            if self._log is not None:
                answered.duration_us = (perf_counter_ns() - begun) // 1_000
                self._log.put(admitted, answered)

    async def _in_place(
        self, request: web.BaseRequest, admitted: Admitted, answered: Answered, what: Trouble
    ) -> web.StreamResponse:
        """Tell a trouble that came before the answer began."""
        refusal = self.admission.refuse(what, admitted.method, admitted.request.path, None).refusal
        assert refusal is not None  # noqa: S101  # `refuse` gives one always
        answered.status = refusal.status
        response = web.StreamResponse(status=refusal.status, headers=CIMultiDict(refusal.headers))
        response.force_close()
        await response.prepare(request)
        await response.write_eof(refusal.body)
        return response


async def _pass_on(
    request: web.BaseRequest, upstream: aiohttp.ClientResponse, admitted: Admitted, answered: Answered
) -> tuple[web.StreamResponse, str]:
    """Pass an answer on as it comes; cut the connection where the answer breaks off."""
    response = web.StreamResponse(
        status=upstream.status, reason=upstream.reason, headers=_answer_headers(upstream, admitted)
    )
    try:
        await response.prepare(request)
    except ConnectionError:
        return response, "left"
    source = upstream.content
    while True:
        try:
            part = await source.readany()
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
            return response, "broken-off"
        if not part:
            break
        answered.take(part)
        try:
            await response.write(part)
        except ConnectionError:
            return response, "left"
    try:
        await response.write_eof()
    except ConnectionError:
        return response, "left"
    answered.complete = True
    return response, "answered"


async def _read(request: web.BaseRequest, most: int) -> bytes | None:
    """Read a body; null for one that is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        part = await request.content.readany()
        if not part:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        size += len(part)
        if size > most:
            return None
        parts.append(part)


async def _data(request: web.BaseRequest, admitted: Admitted) -> bytes | AsyncIterator[bytes] | None:
    """Give what is sent as the body: the bytes that were read, or an upload as it comes."""
    if admitted.forwarded is not None:
        return admitted.forwarded.sent
    if not request.body_exists:
        return None
    await _say_continue(request)
    return request.content.iter_any()


async def _say_continue(request: web.BaseRequest) -> None:
    """Ask for the body of a client that waits to be asked (RFC 9110, 10.1.1)."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _asked_headers(request: web.BaseRequest, admitted: Admitted) -> CIMultiDict[str]:
    """Give the headers that go to the model."""
    left = _NOT_FORWARDED | _named_by_connection(request.headers.getall(hdrs.CONNECTION, []))
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers.items():
        lower = name.lower()
        if lower not in left and not lower.startswith(_OURS):
            found.add(name, value)
    if request.remote:
        before = ", ".join(found.popall("X-Forwarded-For", []))
        found["X-Forwarded-For"] = f"{before}, {request.remote}" if before else request.remote
    # The log holds what was answered, and nobody has to unpack it first.
    found["Accept-Encoding"] = "identity"
    if admitted.forwarded is None and request.body_exists and request.content_length is not None:
        found[hdrs.CONTENT_LENGTH] = str(request.content_length)
    return found


def _answer_headers(upstream: aiohttp.ClientResponse, admitted: Admitted) -> CIMultiDict[str]:
    """Give the headers that go to the client."""
    left = _ONE_CONNECTION | _named_by_connection(upstream.headers.getall(hdrs.CONNECTION, []))
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in upstream.headers.items():
        lower = name.lower()
        if lower not in left and not lower.startswith(_OURS):
            found.add(name, value)
    for name, value in admitted.headers:
        found[name] = value
    return found


def _named_by_connection(values: list[str]) -> set[str]:
    return {one.strip().lower() for value in values for one in value.split(",")}
