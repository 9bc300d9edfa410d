"""Admission: everything between reading a request and sending it on, the same for every plug-in that carries HTTP.

Takes method, path, headers, body and peer. Gives what goes to the model, or what is sent in its place. It reads and writes no connection.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter_ns, time_ns
from typing import Any

from stillwatch.gateway.canaries import CanaryChoice, CanaryTable
from stillwatch.gateway.errors import UnreadableBodyError
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import Headers, Identity, IdentitySettings, identify
from stillwatch.gateway.json_members import parsed, with_member
from stillwatch.gateway.marking import ForwardedBody, Marks, asks_for_text, forwarded
from stillwatch.gateway.refusal import Refusal, Trouble, refusal_of, trouble, verdict_headers
from stillwatch.gateway.request import GENERATING, GatewayRequest, request_of, route_of, speaks_anthropic
from stillwatch.records.decision import Action
from stillwatch.records.verdict import Verdict

MOST_BODY = 64 << 20
"""Bytes; room for a request with pictures."""
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_STREAMED = (
    "multipart/",
    "application/octet-stream",
    "application/jsonl",
    "application/x-ndjson",
    "audio/",
    "image/",
    "video/",
)
"""Uploads, which are passed on without being read, but on the routes that generate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that was looked at: it goes to the model, or is refused."""

    exchange_id: str
    """16 hex digits, unique."""
    method: str
    request: GatewayRequest
    verdict: Verdict | None
    """Null where a trouble came before any verdict."""
    refusal: Refusal | None
    """What is sent in place of an answer; null for what goes to the model."""
    forwarded: ForwardedBody | None
    """The body for the model, and for the log; null where the body was not read, and is passed on as it comes."""
    headers: tuple[tuple[str, str], ...]
    """To be added to the answer."""
    canary: str | None = None
    """Slot of the canary that the answer is held to; null for none, which is nearly always."""


class Admission:
    """The door. One for a process; safe for any number of requests at once in one event loop."""

    def __init__(
        self,
        guard: Guard,
        *,
        identity: IdentitySettings | None = None,
        marks: Marks | None = None,
        canaries: CanaryTable | None = None,
        most_body: int = MOST_BODY,
        announce_marks: bool = False,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        """Open the door.

        Args:
            guard: that decides.
            identity: where the account stands.
            marks: how marks reach the engine.
            canaries: choices of accounts whose terms disclose them; null to serve none.
            most_body: largest body that is read, bytes.
            announce_marks: whether a header says that an answer is marked.
            clock: nanoseconds since 1970, UTC.
        """
        self.guard = guard
        self.most_body = most_body
        self._identity = IdentitySettings() if identity is None else identity
        self._marks = Marks() if marks is None else marks
        self._canaries = canaries
        self._announce = announce_marks
        self._clock = clock
        self.stripped: Counter[str] = Counter()
        """Members that were taken out, by name."""
        self.unmarked = 0
        """Requests under `MARK` that went on without a mark: the engine takes none, its key is missing, or nothing could carry it."""
        self.troubles: Counter[str] = Counter()
        """Refusals for another reason than a decision, by word."""
        self.spent_ns = 0
        """Time spent on all requests until now, nanoseconds."""
        self.passed = 0
        """Number of these."""

    @staticmethod
    def reads_body(method: str, path: str, content_type: str) -> bool:
        """Say whether a body must be read before the request is admitted."""
        if method not in _BODY_METHODS:
            return False
        return route_of(path) in GENERATING or not content_type.lower().lstrip().startswith(_STREAMED)

    async def admit(self, method: str, path: str, headers: Headers, body: bytes | None, peer: str | None) -> Admitted:
        """Look at a request.

        Args:
            method: of HTTP.
            path: decoded, without query.
            headers: names in lower case, in order, duplicates included.
            body: what was read; null where it was not.
            peer: address of the connection.
        """
        begun = perf_counter_ns()
        who = identify(headers, peer, self._identity)
        if who is None:
            return self.refuse(Trouble.AMBIGUOUS, method, path, None)
        content: Any = None
        if body is not None and any(
            name == "content-encoding" and value.lower() != "identity" for name, value in headers
        ):
            return self.refuse(Trouble.ENCODED, method, path, who)
        if body:
            try:
                content = parsed(body)
            except UnreadableBodyError:
                if route_of(path) in GENERATING or _says_json(headers):
                    return self.refuse(Trouble.MALFORMED, method, path, who)
        fields = content if isinstance(content, dict) else None
        request = self._request(path, fields, who)
        verdict = await self.guard.decide_shared(request)
        refusal = None if verdict.answers else refusal_of(verdict, anthropic=speaks_anthropic(path))
        sent = self._forwarded(method, body, fields, request, verdict)
        canary = None if self._canaries is None or refusal is not None else self._canaries.choice(request)
        if canary is not None and sent is not None:
            sent = self._held_to(sent, canary)
        self.spent_ns += perf_counter_ns() - begun
        self.passed += 1
        return Admitted(
            exchange_id=secrets.token_hex(8),
            method=method,
            request=request,
            verdict=verdict,
            refusal=refusal,
            forwarded=sent,
            headers=verdict_headers(verdict, announce_marks=self._announce),
            canary=None if canary is None else canary.slot_id,
        )

    def refuse(self, what: Trouble, method: str, path: str, who: Identity | None) -> Admitted:
        """Refuse a request that cannot be carried; nothing is decided about its account."""
        self.troubles[what.value] += 1
        unknown = Identity(account_id=None, api_key_id=None, client_address=None, user_agent=None)
        return Admitted(
            exchange_id=secrets.token_hex(8),
            method=method,
            request=self._request(path, None, who or unknown),
            verdict=None,
            refusal=trouble(what, anthropic=speaks_anthropic(path)),
            forwarded=None,
            headers=(),
        )

    def now_us(self) -> int:
        """Give the present time, microseconds UTC."""
        return self._clock() // 1_000

    def _held_to(self, sent: ForwardedBody, canary: CanaryChoice) -> ForwardedBody:
        """Add the member that holds the model to the canary's answer, which is as good as any other."""
        assert self._canaries is not None  # noqa: S101  # told by the caller
        return replace(sent, sent=with_member(sent.sent, *self._canaries.member(canary)))

    def _request(self, path: str, fields: Mapping[str, Any] | None, who: Identity) -> GatewayRequest:
        return request_of(
            account_id=who.account_id,
            time_us=self.now_us(),
            path=path,
            body=fields,
            client_address=who.client_address,
            user_agent=who.user_agent,
            api_key_id=who.api_key_id,
        )

    def _forwarded(
        self,
        method: str,
        body: bytes | None,
        fields: Mapping[str, Any] | None,
        request: GatewayRequest,
        verdict: Verdict,
    ) -> ForwardedBody | None:
        sent = None
        if body is not None and fields is not None:
            sent = forwarded(body, fields, request.route, verdict, self._marks)
            self.stripped.update(sent.stripped)
        elif body is not None:
            sent = ForwardedBody(sent=body, logged=b"", stripped=(), marked=False)
        if verdict.action is Action.MARK:
            asks = asks_for_text(fields, request.route) if fields is not None else method in _BODY_METHODS
            self.unmarked += asks and not (sent is not None and sent.marked)
        return sent


def _says_json(headers: Headers) -> bool:
    return any(name == "content-type" and "json" in value.lower() for name, value in headers)
