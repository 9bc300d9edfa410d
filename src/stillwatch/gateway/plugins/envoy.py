"""Envoy: the guard behind the filters ext_authz and ext_proc, over gRPC.

Takes Envoy's `CheckRequest` (envoy.service.auth.v3), or its stream of `ProcessingRequest` (envoy.service.ext_proc.v3). Gives the answer that
carries the verdict. ext_authz decides from headers alone: it can refuse, and tell the model's side by header which key marks the answer, so
that a route can lead to a pool that marks; it cannot change a body. ext_proc, with `request_body_mode: BUFFERED`, also takes out what no
client may set and puts the mark in. Neither touches an answer: of that only headers are added.

The log has a line for each request: its verdict, its prompt where the body was read, and the status of the answer where ext_proc saw it; an
answer itself never comes here. What happens when this server is slow or gone is Envoy's to decide, by `failure_mode_allow` and time-outs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from time import perf_counter_ns
from typing import Any
from urllib.parse import unquote

from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2, external_processor_pb2_grpc
from envoy.type.v3 import http_status_pb2

from stillwatch.gateway.admission import Admission, Admitted
from stillwatch.gateway.exchange_log import Answered, ExchangeLog
from stillwatch.gateway.refusal import Refusal, Trouble, mark_headers

OWN_HEADERS = "x-stillwatch-"
"""What a client sends under this prefix is taken out, so that nobody can choose a pool or a mark."""
_PERMISSION_DENIED, _RESOURCE_EXHAUSTED = 7, 8
"""Codes of gRPC (google.rpc.Code)."""
_JOINED = frozenset({"authorization", "x-api-key", "api-key"})
_OVERWRITE = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
Pairs = list[tuple[str, str]]


class ExternalAuthorization:
    """The service `envoy.service.auth.v3.Authorization`."""

    def __init__(self, admission: Admission, log: ExchangeLog | None = None, account_header: str | None = None) -> None:
        """Take the door, the log, and the header that names the account, where one does."""
        self._admission = admission
        self._log = log
        self._joined = _JOINED | ({account_header} if account_header else set())

    async def Check(self, request: Any, _context: Any) -> Any:  # noqa: N802  # gRPC's name
        """Answer one check."""
        http = request.attributes.request.http
        headers = self._headers(http)
        path = unquote(http.path.partition("?")[0])
        peer = request.attributes.source.address.socket_address.address or None
        admitted = await self._admission.admit(http.method, path, headers, None, peer)
        if self._log is not None:
            self._log.put(admitted, Answered())
        if admitted.refusal is not None:
            return _denied(admitted.refusal)
        accepted = external_auth_pb2.OkHttpResponse(
            headers=_options(mark_headers(admitted.verdict)),
            headers_to_remove=_own(headers),
            response_headers_to_add=_options(admitted.headers),
        )
        return external_auth_pb2.CheckResponse(ok_response=accepted)

    def _headers(self, http: Any) -> Pairs:
        """Give the headers: in order and apart where Envoy sends them raw, else apart at the commas by which Envoy joins equal names."""
        if http.header_map.headers:
            return _pairs(http.header_map)
        return [
            (name, value.strip())
            for name, joined in http.headers.items()
            for value in (joined.split(",") if name in self._joined else (joined,))
        ]


class ExternalProcessor:
    """The service `envoy.service.ext_proc.v3.ExternalProcessor`."""

    def __init__(self, admission: Admission, log: ExchangeLog | None = None) -> None:
        """Take the door and the log."""
        self._admission = admission
        self._log = log

    async def Process(self, requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:  # noqa: N802  # gRPC's name
        """Answer the messages about one HTTP request, in turn; Envoy waits for each."""
        exchange = _Exchange(self._admission)
        try:
            async for message in requests:
                kind = message.WhichOneof("request")
                if kind == "request_headers":
                    yield await exchange.headers(message)
                elif kind == "request_body":
                    yield await exchange.body(message.request_body)
                elif kind == "response_headers":
                    yield exchange.answer_headers(message.response_headers)
                else:  # bodies of answers and trailers come only if the filter is set so, and pass unchanged
                    yield _unchanged(kind)
        finally:
            if self._log is not None and exchange.admitted is not None:
                self._log.put(exchange.admitted, exchange.answered)


class _Exchange:
    """One HTTP request on its way through the filter."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._headers: Pairs = []
        self._method = self._path = ""
        self._peer: str | None = None
        self._begun = perf_counter_ns()
        self.admitted: Admitted | None = None
        self.answered = Answered()

    async def headers(self, message: Any) -> Any:
        """Decide where there is no body to read; else wait for it."""
        given = message.request_headers
        everything = _pairs(given.headers)
        pseudo = {name: value for name, value in everything if name.startswith(":")}
        self._headers = [pair for pair in everything if not pair[0].startswith(":")]
        self._method, self._path = pseudo.get(":method", ""), unquote(pseudo.get(":path", "").partition("?")[0])
        self._peer = _peer(message)
        content_type = next((value for name, value in self._headers if name == "content-type"), "")
        if not given.end_of_stream and self._admission.reads_body(self._method, self._path, content_type):
            return _of_headers(header_mutation=_mutation((), remove=_own(self._headers)))
        self.admitted = await self._admission.admit(self._method, self._path, self._headers, None, self._peer)
        if self.admitted.refusal is not None:
            return _immediate(self.admitted.refusal)
        mutation = _mutation(mark_headers(self.admitted.verdict), remove=_own(self._headers))
        answer = _of_headers(header_mutation=mutation, clear_route_cache=True)
        # Obeyed where the filter allows it (`allow_mode_override`); an upload is then not held back.
        answer.mode_override.request_body_mode = processing_mode_pb2.ProcessingMode.NONE
        answer.mode_override.response_header_mode = processing_mode_pb2.ProcessingMode.SEND
        return answer

    async def body(self, given: Any) -> Any:
        """Decide, and change the body where it must be."""
        if self.admitted is not None:
            return _unchanged("request_body")
        if not given.end_of_stream or len(given.body) > self._admission.most_body:
            # A part of a body, from a filter that is not set to BUFFERED: what is not read whole cannot be let through.
            self.admitted = self._admission.refuse(Trouble.TOO_LARGE, self._method, self._path, None)
        else:
            self.admitted = await self._admission.admit(self._method, self._path, self._headers, given.body, self._peer)
        if self.admitted.refusal is not None:
            return _immediate(self.admitted.refusal)
        forwarded = self.admitted.forwarded
        to_set = [*mark_headers(self.admitted.verdict)]
        common = external_processor_pb2.CommonResponse(clear_route_cache=True)
        if forwarded is not None and forwarded.sent != given.body:
            to_set.append(("content-length", str(len(forwarded.sent))))
            common.body_mutation.body = forwarded.sent
        common.header_mutation.CopyFrom(_mutation(to_set, remove=()))
        return external_processor_pb2.ProcessingResponse(
            request_body=external_processor_pb2.BodyResponse(response=common)
        )

    def answer_headers(self, given: Any) -> Any:
        """Tell the client what the verdict lets it know."""
        status = next((value for name, value in _pairs(given.headers) if name == ":status"), "")
        self.answered.status = int(status) if status.isascii() and status.isdigit() else 0
        self.answered.first_byte_us = self.answered.duration_us = (perf_counter_ns() - self._begun) // 1_000
        added = () if self.admitted is None else self.admitted.headers
        common = external_processor_pb2.CommonResponse(header_mutation=_mutation(added, remove=()))
        return external_processor_pb2.ProcessingResponse(
            response_headers=external_processor_pb2.HeadersResponse(response=common)
        )


def register(
    server: Any, admission: Admission, log: ExchangeLog | None = None, account_header: str | None = None
) -> None:
    """Add both services to a gRPC server.

    Args:
        server: of `grpc.aio`.
        admission: the door.
        log: where requests go; null for nowhere.
        account_header: header that names the account, in lower case; null where the API key does.
    """
    authorization = ExternalAuthorization(admission, log, account_header)
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(authorization, server)
    processor = ExternalProcessor(admission, log)
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(processor, server)


def _own(headers: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({name for name, _ in headers if name.startswith(OWN_HEADERS)})


def _pairs(header_map: Any) -> Pairs:
    """Give headers in order; Envoy puts a value into `raw_value`, and older ones into `value`."""
    return [
        (one.key.lower(), one.raw_value.decode("utf-8", "surrogateescape") if one.raw_value else one.value)
        for one in header_map.headers
    ]


def _peer(message: Any) -> str | None:
    """Give the client's address, where the filter is set to send the attribute `source.address`."""
    attributes = message.attributes.get("envoy.filters.http.ext_proc")
    if attributes is None or "source.address" not in attributes.fields:
        return None
    address: str = attributes.fields["source.address"].string_value
    return address.rpartition(":")[0].strip("[]") or None


def _options(pairs: Iterable[tuple[str, str]], *, raw: bool = False) -> list[Any]:
    """Give headers to be set; ext_authz reads `value`, ext_proc `raw_value`, and each ignores the other."""
    return [
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, raw_value=value.encode())
            if raw
            else base_pb2.HeaderValue(key=name, value=value),
            append_action=_OVERWRITE,
        )
        for name, value in pairs
    ]


def _mutation(pairs: Iterable[tuple[str, str]], *, remove: Iterable[str]) -> Any:
    return external_processor_pb2.HeaderMutation(set_headers=_options(pairs, raw=True), remove_headers=remove)


def _of_headers(**common: Any) -> Any:
    return external_processor_pb2.ProcessingResponse(
        request_headers=external_processor_pb2.HeadersResponse(response=external_processor_pb2.CommonResponse(**common))
    )


def _unchanged(kind: str) -> Any:
    answer = external_processor_pb2.ProcessingResponse()
    getattr(answer, kind).SetInParent()
    return answer


def _denied(refusal: Refusal) -> Any:
    denied = external_auth_pb2.DeniedHttpResponse(
        status=http_status_pb2.HttpStatus(code=refusal.status),
        headers=_options(_without_length(refusal)),
        body=refusal.body.decode(),
    )
    answer = external_auth_pb2.CheckResponse(denied_response=denied)
    answer.status.code = _RESOURCE_EXHAUSTED if refusal.status == 429 else _PERMISSION_DENIED
    return answer


def _immediate(refusal: Refusal) -> Any:
    immediate = external_processor_pb2.ImmediateResponse(
        status=http_status_pb2.HttpStatus(code=refusal.status),
        headers=_mutation(_without_length(refusal), remove=()),
        body=refusal.body,
        details=f"stillwatch_{refusal.reason}",
    )
    return external_processor_pb2.ProcessingResponse(immediate_response=immediate)


def _without_length(refusal: Refusal) -> Pairs:
    """Give the headers but for the length, which Envoy sets."""
    return [(name, value) for name, value in refusal.headers if name != "content-length"]
