"""An endpoint over HTTP: paced, retried, and kept raw; the interfaces of OpenAI and Anthropic say only what a body looks like.

Takes queries and an interface. Gives observations. A request is kept before it is sent and carries its query's id, so that a run which was
killed shows which requests were on their way. Answers 408, 409, 425, 429 and 5xx and broken connections are asked again, after
`Retry-After` where it is given (RFC 9110, section 10.2.3), else after a pause that doubles. Redirects are not followed: whoever answers is
the one that was asked.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from stillwatch.records.suspect import Ability, Answer, Observation, Party, Query, Scored, Unanswered
from stillwatch.suspects.access.protocol import Collector
from stillwatch.suspects.access.settings import key_of, needed, setting
from stillwatch.suspects.errors import AccessSettingError

if TYPE_CHECKING:
    from aiohttp import ClientSession

Clock = Callable[[], int]
"""Gives the present time: microseconds since the Unix epoch, UTC."""
AGAIN = frozenset({408, 409, 425, 429})
MOST_PAUSE = 60.0
"""Seconds between two tries at most."""
LARGEST_ANSWER = 32 << 20
"""Bytes of an answer that are read."""
ENDPOINT_SETTINGS = frozenset(
    {"address", "model", "key_file", "key_variable", "concurrency", "requests_per_minute", "tries", "pause", "timeout", "certificates"}
)  # fmt: skip
_SHOWN_CERTIFICATE: ContextVar[str | None] = ContextVar("shown_certificate", default=None)
"""Of the request that this task waits for."""
_NEVER_KEPT = frozenset({"authorization", "x-api-key", "cookie", "set-cookie", "proxy-authorization"})


class Interface(Protocol):
    """What a body looks like."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What such an endpoint can do, if it does."""

    def headers(self, key: str | None) -> dict[str, str]:
        """Give the headers that carry the key."""

    def request(self, query: Query) -> tuple[str, dict[str, object]]:
        """Give path and body of a query."""

    def read(self, query: Query, body: Mapping[str, Any], now_us: int) -> Answer | Scored | Unanswered:
        """Read an answer.

        Raises:
            KeyError, TypeError, ValueError, IndexError: where it is none.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """What came back for one try."""

    status: int
    """0 where nothing came."""
    headers: dict[str, str]
    body: bytes
    failure: str
    peer: str | None


class Endpoint:
    """A party behind HTTP."""

    def __init__(self, party: Party, interface: Interface, collector: Collector, clock: Clock) -> None:
        """Take where it is and how it is paced.

        Raises:
            AccessSettingError: where the plan says it wrongly.
        """
        self._interface = interface
        self._collector = collector
        self._clock = clock
        self._address = needed(party, "address").rstrip("/")
        if not self._address.startswith(("http://", "https://")):
            raise AccessSettingError(f"party {party.name!a}: the address does not begin with http:// or https://")
        self._key = key_of(party)
        self._tries = setting(party, "tries", 5)
        self._first_pause = setting(party, "pause", 0.5)
        self._timeout = setting(party, "timeout", 120.0)
        self._gap = 60.0 / max(setting(party, "requests_per_minute", 600.0), 1e-3)
        self._slots = asyncio.Semaphore(max(1, setting(party, "concurrency", 4)))
        certificates = setting(party, "certificates", "")
        try:
            self._trust = ssl.create_default_context(cafile=certificates or None)
        except OSError:
            raise AccessSettingError(f"party {party.name!a}: {certificates} holds no certificates") from None
        self._next = 0.0
        self._session: ClientSession | None = None

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the interface can do."""
        return self._interface.abilities

    async def answer(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have text written; see `Access.answer`."""
        async for one in self._all(queries):
            yield one

    async def score(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have text scored; see `Access.score`."""
        async for one in self._all(queries):
            yield one

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _all(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        tasks = [asyncio.ensure_future(self._one(query)) for query in queries]
        try:
            for task in asyncio.as_completed(tasks):
                yield await task
        finally:
            for task in tasks:
                task.cancel()

    async def _one(self, query: Query) -> Observation:
        """Ask until there is an answer or no try left."""
        async with self._slots:
            path, body = self._interface.request(query)
            content = json.dumps(body, ensure_ascii=False).encode()
            last = Unanswered(query_id=query.id, reason="unreachable", detail="never sent", answered_us=self._clock())
            for number in range(1, self._tries + 1):
                await self._pace()
                sent = {"path": path, "body": base64.b64encode(content).decode(), "try": number}
                if not self._collector.sent(query.id, {**sent, "sent_us": self._clock()}):
                    return Unanswered(query_id=query.id, reason="out of budget", detail="", answered_us=self._clock())
                reply = await self._send(query.id, path, content)
                observation, again = self._read(query, reply)
                final = not again or number == self._tries
                self._collector.received(query.id, self._raw(reply, number), observation if final else None)
                if final:
                    return observation
                if isinstance(observation, Unanswered):
                    last = observation
                await asyncio.sleep(_pause(reply.headers, self._first_pause * 2 ** (number - 1)))
            return last

    async def _pace(self) -> None:
        """Wait until the next request may start."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self._gap
        if start > now:
            await asyncio.sleep(start - now)

    async def _send(self, query_id: str, path: str, content: bytes) -> _Reply:
        """Send one request, and give what came."""
        import aiohttp  # noqa: PLC0415  # an extra, loaded where an endpoint is asked

        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout), connector=_connector(self._trust)
            )
        headers = {
            "Content-Type": "application/json", "X-Request-Id": query_id, **self._interface.headers(self._key)
        }  # fmt: skip
        try:
            async with self._session.post(
                f"{self._address}{path}", data=content, headers=headers, allow_redirects=False
            ) as response:
                peer = _SHOWN_CERTIFICATE.get()
                body = b""
                while chunk := await response.content.readany():
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        return _Reply(status=0, headers={}, body=b"", failure="over 32 MiB", peer=peer)
                kept = {name: value for name, value in response.headers.items() if name.lower() not in _NEVER_KEPT}
                return _Reply(status=response.status, headers=kept, body=body, failure="", peer=peer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _Reply(status=0, headers={}, body=b"", failure=type(error).__name__, peer=None)

    def _read(self, query: Query, reply: _Reply) -> tuple[Observation, bool]:
        """Read an answer, and tell whether it is worth asking again."""
        now = self._clock()

        def nothing(reason: str, detail: str) -> Unanswered:
            return Unanswered(query_id=query.id, reason=reason, detail=detail, answered_us=now)

        if reply.status == 0:
            return nothing("unreachable", reply.failure), True
        if reply.status != 200:
            again = reply.status in AGAIN or reply.status >= 500
            reason = "rate limited" if reply.status == 429 else "unreachable" if again else "refused"
            return nothing(reason, f"status {reply.status}"), again
        try:
            body = json.loads(reply.body)
            return self._interface.read(query, body, now), False
        except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
            return nothing("unreadable", type(error).__name__), True

    def _raw(self, reply: _Reply, number: int) -> dict[str, object]:
        return {
            "status": reply.status,
            "headers": reply.headers,
            "body": base64.b64encode(reply.body).decode(),
            "failure": reply.failure,
            "tls_peer": reply.peer,
            "try": number,
            "received_us": self._clock(),
        }


def _pause(headers: Mapping[str, str], otherwise: float) -> float:
    """Give the seconds to wait before the next try: what was asked for, else the pause that doubles."""
    told = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        asked = float(told)
    except ValueError:  # a date, or nothing: the doubling pause serves
        asked = math.nan
    if math.isfinite(asked) and asked >= 0.0:
        return min(asked, MOST_PAUSE)
    return min(otherwise, MOST_PAUSE)


def _connector(trust: ssl.SSLContext) -> Any:
    """Give a connector that notes, for the request that waits for it, which certificate the other side showed."""
    import aiohttp  # noqa: PLC0415  # an extra, loaded where an endpoint is asked

    class Noting(aiohttp.TCPConnector):
        """By the time an answer is read its connection may be given back, so it is looked at here."""

        async def connect(self, *given: Any, **named: Any) -> Any:
            """Connect, and note the certificate."""
            connection = await super().connect(*given, **named)
            transport = connection.transport
            tls = None if transport is None else transport.get_extra_info("ssl_object")
            shown = None if tls is None else tls.getpeercert(binary_form=True)
            _SHOWN_CERTIFICATE.set(None if shown is None else f"sha256:{hashlib.sha256(shown).hexdigest()}")
            return connection

    return Noting(ssl=trust)
