"""Forwarded questions over HTTP: APISIX's plug-in `forward-auth`, Envoy's ext_authz with `http_service`, and others that ask so.

Takes a request whose headers are those of the client's. The client's path and method are in `X-Forwarded-Uri` and `X-Forwarded-Method`, or, as Envoy
asks, the question's own after the prefix. Gives 200 with headers, or the refusal whole. No body is looked at, so nothing is stripped and no
mark is put in; the key of a mark is named to the model's side by header.
"""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import Answered, ExchangeLog
from stillwatch.gateway.refusal import mark_headers

PREFIX = "/check"


class ForwardAuth:
    """Answers questions: `web.Server(ForwardAuth(admission).handle)`."""

    def __init__(self, admission: Admission, log: ExchangeLog | None = None) -> None:
        """Take the door and the log."""
        self._admission = admission
        self._log = log

    async def handle(self, question: web.BaseRequest) -> web.StreamResponse:
        """Answer one question."""
        asked = question.rel_url.raw_path
        if not (asked + "/").startswith(PREFIX + "/"):
            return web.Response(text=f"questions are asked at {PREFIX}\n", status=404)
        headers = [(name.lower(), value) for name, value in question.headers.items()]
        named = dict(headers)
        uri = named.get("x-forwarded-uri") or asked.removeprefix(PREFIX) or "/"
        method = named.get("x-forwarded-method") or question.method
        path = unquote(uri.partition("?")[0])
        admitted = await self._admission.admit(method, path, headers, None, question.remote)
        if self._log is not None:
            self._log.put(admitted, Answered())
        refusal = admitted.refusal
        if refusal is not None:
            return web.Response(status=refusal.status, headers=dict(refusal.headers), body=refusal.body)
        return web.Response(headers={**dict(admitted.headers), **dict(mark_headers(admitted.verdict))})
