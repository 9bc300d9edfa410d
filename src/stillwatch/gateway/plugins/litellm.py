"""LiteLLM: the guard as a callback of the LiteLLM proxy.

Takes LiteLLM's own request, in its hook before the call. Gives it back, marked where it is to be marked and without what no client may set; or
raises LiteLLM's own error, which reaches the client in the shape of the API that it speaks. It is a callback and no guardrail: a guardrail can
be switched off for a key or a team, and its name goes to the client. No text of an error of ours may reach LiteLLM: it sends it to the client.

A file for batches is asked about once, and each of its lines is handed in as well: those are marked and stripped, and not counted again.
LiteLLM has routes that go past that hook (`/vllm/...` with a model of its own list, in 1.109.3). They meet the guard where LiteLLM chooses a
deployment, which is before any model is called and does not count as a failure of one.
Exchanges are in LiteLLM's own log, which `detect` reads as format `litellm`; the verdict stands there in `spend_logs_metadata`. This module
alone imports LiteLLM, which is no dependency of ours: it runs inside the proxy's own environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from time import time_ns
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import ProxyException

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.marking import asks_for_text
from stillwatch.gateway.refusal import Refusal, refusal_of, verdict_headers
from stillwatch.gateway.request import GatewayRequest, Route, request_of, speaks_anthropic
from stillwatch.gateway.settings import GuardSettings, RunningGuard, settings_of
from stillwatch.records.decision import Action
from stillwatch.records.verdict import Verdict

ACCOUNT_VARIABLE = "STILLWATCH_LITELLM_ACCOUNT"
ACCOUNT_FIELDS = ("end_user_id", "user_id", "team_id", "api_key", "org_id", "key_alias")
DEFAULT_ACCOUNT = "end_user_id,user_id,team_id,api_key"
"""The order in which `detect` reads LiteLLM's log: the first that is there is the account."""
_SEEN = "stillwatch_seen"
"""Note on a request that was decided about."""
_HEADERS = "stillwatch_headers"
_METADATA = {
    "end_user_id": "user_api_key_end_user_id", "user_id": "user_api_key_user_id", "team_id": "user_api_key_team_id",
    "api_key": "user_api_key_hash", "org_id": "user_api_key_org_id", "key_alias": "user_api_key_alias",
}  # fmt: skip
"""Where LiteLLM notes the fields of its key, for requests that come without one."""
_PAST_THE_HOOK = "allm_passthrough_route"
_BODY_AS_IT_IS = "pass_through_endpoint"
"""The kind of call whose body goes to the model as it is, without `extra_body` being merged."""
_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_ROUTES = {
    "completion": Route.CHAT, "acompletion": Route.CHAT, "text_completion": Route.COMPLETION,
    "atext_completion": Route.COMPLETION, "responses": Route.RESPONSES, "aresponses": Route.RESPONSES,
    "anthropic_messages": Route.MESSAGES, "embeddings": Route.EMBEDDINGS, "embedding": Route.EMBEDDINGS,
    "aembedding": Route.EMBEDDINGS,
}  # fmt: skip
"""LiteLLM's words for the calls that have a route of ours, for requests that come without a URL."""
Fields = MutableMapping[str, Any]


class StillwatchCallback(CustomLogger):  # type: ignore[misc]  # LiteLLM is not there when types are checked
    """`litellm_settings: {callbacks: ["stillwatch_callback.guard"]}`, with `guard` an object of this class."""

    enforces_request_content = True
    """LiteLLM's word for: hand in each line of a batch file as well."""

    def __init__(
        self, settings: GuardSettings, account: str = DEFAULT_ACCOUNT, *, clock: Callable[[], int] = time_ns
    ) -> None:
        """Open the bundle.

        Args:
            settings: of the operator; LiteLLM's own log is the log, so `log` is not used.
            account: fields of LiteLLM's key that name the account, with commas; the first that is there does.
            clock: nanoseconds since 1970, UTC.

        Raises:
            GatewaySettingError: where a setting cannot be used.
        """
        super().__init__()
        self._fields = tuple(name.strip() for name in account.split(","))
        unknown = [name for name in self._fields if name not in ACCOUNT_FIELDS]
        if unknown:
            raise GatewaySettingError(
                f"{ACCOUNT_VARIABLE}: got {unknown[0][:40]!a}, expected some of {', '.join(ACCOUNT_FIELDS)}, with commas"
            )
        if settings.log is not None:
            raise GatewaySettingError("STILLWATCH_LOG: LiteLLM writes the log of its exchanges; unset this one")
        if settings.sketches is not None:
            raise GatewaySettingError(
                "STILLWATCH_SKETCHES: answers do not pass here; unset it, and let `stillwatch sketch --follow` read LiteLLM's log"
            )
        self.running = RunningGuard(settings, clock=clock)
        self._settings = settings
        self._clock = clock

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Let a request pass, changed where it must be.

        Raises:
            ProxyException: in place of an answer.
        """
        del cache
        guard = self.running.admission.guard
        try:
            refusal = await self._admit(user_api_key_dict, data, call_type)
        except Exception as error:  # noqa: BLE001  # LiteLLM would send its text to the client
            verdict = guard.failed(error)
            refusal = None if verdict.answers else refusal_of(verdict, anthropic=False)
        if refusal is not None:
            raise _proxy_exception(refusal)
        return data

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,
        response: Any,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """Tell the client what the verdict lets it know."""
        del user_api_key_dict, response, request_headers, litellm_call_info
        headers = _notes(data).get(_HEADERS)
        return headers if isinstance(headers, dict) else None

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: list[Any],
        messages: list[Any] | None,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: Any = None,
    ) -> list[Any]:
        """Refuse a request that went past the hook before the call; every deployment stays.

        Raises:
            ProxyException: in place of an answer.
        """
        del model, messages, parent_otel_span
        notes = _notes(request_kwargs or {})
        guard = self.running.admission.guard
        refusal = notes.get(_SEEN)
        if refusal is None:
            try:
                refusal = await self._admit_late(notes, request_kwargs or {})
            except Exception as error:  # noqa: BLE001  # as above
                verdict = guard.failed(error)
                refusal = None if verdict.answers else refusal_of(verdict, anthropic=False)
            notes[_SEEN] = True if refusal is None else refusal
        if isinstance(refusal, Refusal):
            raise _late_exception(refusal)
        return healthy_deployments

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Strip and mark the body of a request that went past the hook before the call.

        Raises:
            ProxyException: for one that was refused where deployments are chosen: LiteLLM goes on without a deployment then.
        """
        if getattr(call_type, "value", call_type) != _PAST_THE_HOOK:
            return None
        guard = self.running.admission.guard
        refusal = _notes(kwargs).get(_SEEN)
        if isinstance(refusal, Refusal):
            raise _late_exception(refusal)
        try:
            body = kwargs.get("json")
            if isinstance(body, dict):
                changed = dict(body)
                request = self._late_request(_notes(kwargs), kwargs)
                self._change(changed, request, guard.standing(request), into_body=True)
                kwargs["json"] = changed
        except Exception as error:  # noqa: BLE001  # as above
            verdict = guard.failed(error)
            if not verdict.answers:
                raise _late_exception(refusal_of(verdict, anthropic=False)) from None
        return kwargs

    async def _admit(self, key: Any, data: Fields, call_type: str) -> Refusal | None:
        """Decide about a request, and change it."""
        self.running.watch()
        account = self._account({name: getattr(key, name, None) for name in self._fields})
        request = self._request(account, data, call_type)
        guard = self.running.admission.guard
        line_of_a_batch = "proxy_server_request" not in data and call_type != _BODY_AS_IT_IS
        verdict = guard.standing(request) if line_of_a_batch else await guard.decide_shared(request)
        if not verdict.answers:
            return refusal_of(verdict, anthropic=speaks_anthropic(request.path))
        self._change(data, request, verdict, into_body=line_of_a_batch or call_type == _BODY_AS_IT_IS)
        if not line_of_a_batch:
            _note(data, verdict, announce_marks=self._settings.announce_marks)
        return None

    async def _admit_late(self, notes: Mapping[str, Any], call: Mapping[str, Any]) -> Refusal | None:
        """Decide about a request of which there are only LiteLLM's notes."""
        self.running.watch()
        request = self._late_request(notes, call)
        if request.account_id is None:  # LiteLLM's own, such as a look at a model's health
            return None
        verdict = await self.running.admission.guard.decide_shared(request)
        return None if verdict.answers else refusal_of(verdict, anthropic=speaks_anthropic(request.path))

    def _account(self, fields: Mapping[str, Any]) -> str | None:
        return next((str(value) for name in self._fields if (value := fields.get(name))), None)

    def _late_request(self, notes: Mapping[str, Any], call: Mapping[str, Any]) -> GatewayRequest:
        return request_of(
            account_id=self._account({name: notes.get(_METADATA[name]) for name in self._fields}),
            time_us=self._clock() // 1_000,
            path=f"/{str(call.get('endpoint', '')).lstrip('/')}",
        )

    def _request(self, account: str | None, data: Mapping[str, Any], call_type: str) -> GatewayRequest:
        sent = data.get("proxy_server_request")
        url = str(sent.get("url", "")) if isinstance(sent, Mapping) else ""
        request = request_of(
            account_id=account, time_us=self._clock() // 1_000, path=unquote(urlsplit(url).path), body=data
        )
        route = _ROUTES.get(call_type)
        if request.route is not Route.OTHER or route is None:
            return request
        path = "/v1/messages" if route is Route.MESSAGES else request.path
        return GatewayRequest(account_id=account, time_us=request.time_us, route=route, path=path)

    def _change(self, data: Fields, request: GatewayRequest, verdict: Verdict, *, into_body: bool) -> None:
        """Change what goes to the model, and nothing but that."""
        self._strip(data)
        if verdict.action is Action.MARK:
            self._mark(data, request, verdict, into_body=into_body)

    def _strip(self, data: Fields) -> None:
        """Take out what no client may set, wherever LiteLLM would take it from."""
        for place in _places(data):
            for name in self._settings.marks.stripped & place.keys():
                del place[name]
                self.running.admission.stripped[name] += 1

    def _mark(self, data: Fields, request: GatewayRequest, verdict: Verdict, *, into_body: bool) -> None:
        """Put the mark in: into `extra_body`, which LiteLLM merges into the body on every route, or into the body itself."""
        if not asks_for_text(data, request.route):
            return
        member = None if verdict.key_id is None else self._settings.marks.member(verdict.key_id)
        if member is None:
            self.running.admission.unmarked += 1
            return
        name, value = member
        if into_body:
            data[name] = value
            return
        for place in (data, *(one for one in _fallbacks(data) if "extra_body" in one)):
            given = place.get("extra_body")
            place["extra_body"] = {**(given if isinstance(given, Mapping) else {}), name: value}


def callback_from_environment() -> StillwatchCallback:
    """Make the callback as the variables of `stillwatch.gateway.settings.VARIABLES` say, and `STILLWATCH_LITELLM_ACCOUNT`.

    Raises:
        GatewaySettingError: naming the variable that is missing or cannot be used; the proxy does not start then.
        IntegrityError: where the bundle does not pass; likewise.
    """
    return StillwatchCallback(settings_of(os.environ), os.environ.get(ACCOUNT_VARIABLE) or DEFAULT_ACCOUNT)


def _places(data: Fields) -> Iterator[Fields]:
    """Give every object of a request from which LiteLLM takes members of the model's body."""
    for place in (data, *_fallbacks(data)):
        yield place
        inner = place.get("extra_body")
        if isinstance(inner, MutableMapping):
            yield inner


def _fallbacks(data: Fields) -> Iterator[Fields]:
    """Give the client's own orders for a second try, each of which may replace members of the request."""
    for name in _FALLBACKS:
        listed = data.get(name)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, MutableMapping):
                yield one


def _notes(data: Mapping[str, Any]) -> Fields:
    """Give LiteLLM's own notes on a request; on some routes `metadata` is the client's, and LiteLLM's are in `litellm_metadata`."""
    for name in ("litellm_metadata", "metadata"):
        notes = data.get(name)
        if isinstance(notes, MutableMapping):
            return notes
    return {}


def _note(data: Mapping[str, Any], verdict: Verdict, *, announce_marks: bool) -> None:
    """Keep the verdict for the answer's headers, and say it in LiteLLM's log."""
    notes = _notes(data)
    notes[_SEEN] = True
    if verdict.action is Action.ALLOW:
        return
    notes[_HEADERS] = dict(verdict_headers(verdict, announce_marks=announce_marks))
    said = {
        "action": verdict.action.value,
        "reason": verdict.reason.value,
        "decision_id": verdict.decision_id,
        "bundle_version": verdict.bundle_version,
    }
    logged = notes.get("spend_logs_metadata")
    notes["spend_logs_metadata"] = {**(logged if isinstance(logged, Mapping) else {}), "stillwatch": said}


def _late_exception(refusal: Refusal) -> Any:
    """Give LiteLLM's error for the place where it chooses deployments and counts their failures.

    It takes `status_code` for the model's: after a 400 it neither tries again nor puts a deployment aside. The client gets `code`.
    """
    error = _proxy_exception(refusal)
    error.status_code = 400
    return error


def _proxy_exception(refusal: Refusal) -> Any:
    """Give LiteLLM's error; it writes the body itself, so that the reason stands in message and header."""
    headers = {name: value for name, value in refusal.headers if name not in {"content-type", "content-length"}}
    kind = orjson.loads(refusal.body)["error"]["type"]
    return ProxyException(message=refusal.message, type=kind, param=None, code=refusal.status, headers=headers)
