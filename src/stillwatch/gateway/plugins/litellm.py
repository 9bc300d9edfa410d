"""LiteLLM: the guard as a callback of the LiteLLM proxy.

Takes LiteLLM's own request, in its hook before the call. Gives it back, marked where it is to be marked and without what no client may set; or
raises LiteLLM's own error, which reaches the client in the shape of the API that it speaks. It is a callback and no guardrail: a guardrail can
be switched off for a key or a team, and its name goes to the client. No text of an error of ours may reach LiteLLM: it sends it to the client.

A file for batches is asked about once, and each of its lines is handed in as well: those are marked and stripped, and not counted again.
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
_VERDICT = "stillwatch_verdict"
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
        verdict = _notes(data).get(_VERDICT)
        if not isinstance(verdict, Verdict):
            return None
        return dict(verdict_headers(verdict, announce_marks=self._settings.announce_marks))

    async def _admit(self, key: Any, data: Fields, call_type: str) -> Refusal | None:
        """Decide about a request, and change it."""
        self.running.watch()
        request = self._request(key, data, call_type)
        guard = self.running.admission.guard
        line_of_a_batch = "proxy_server_request" not in data and call_type != _BODY_AS_IT_IS
        verdict = guard.standing(request) if line_of_a_batch else await guard.decide_shared(request)
        if not verdict.answers:
            return refusal_of(verdict, anthropic=speaks_anthropic(request.path))
        self._strip(data)
        if verdict.action is Action.MARK:
            self._mark(data, request, verdict, into_body=line_of_a_batch or call_type == _BODY_AS_IT_IS)
        if not line_of_a_batch and verdict.action is not Action.ALLOW:
            _note(data, verdict)
        return None

    def _request(self, key: Any, data: Mapping[str, Any], call_type: str) -> GatewayRequest:
        sent = data.get("proxy_server_request")
        url = str(sent.get("url", "")) if isinstance(sent, Mapping) else ""
        account = next((str(value) for name in self._fields if (value := getattr(key, name, None))), None)
        request = request_of(
            account_id=account, time_us=self._clock() // 1_000, path=unquote(urlsplit(url).path), body=data
        )
        if request.route is Route.OTHER and call_type in _ROUTES:
            endings = {Route.MESSAGES: "/v1/messages"}
            route = _ROUTES[call_type]
            return GatewayRequest(
                account_id=account, time_us=request.time_us, route=route, path=endings.get(route, request.path)
            )
        return request

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


def _note(data: Mapping[str, Any], verdict: Verdict) -> None:
    """Keep the verdict for the answer's headers, and say it in LiteLLM's log."""
    notes = _notes(data)
    notes[_VERDICT] = verdict
    said = {
        "action": verdict.action.value,
        "reason": verdict.reason.value,
        "decision_id": verdict.decision_id,
        "bundle_version": verdict.bundle_version,
    }
    logged = notes.get("spend_logs_metadata")
    notes["spend_logs_metadata"] = {**(logged if isinstance(logged, Mapping) else {}), "stillwatch": said}


def _proxy_exception(refusal: Refusal) -> Any:
    """Give LiteLLM's error; it writes the body itself, so that the reason stands in message and header."""
    headers = {name: value for name, value in refusal.headers if name not in {"content-type", "content-length"}}
    kind = orjson.loads(refusal.body)["error"]["type"]
    return ProxyException(message=refusal.message, type=kind, param=None, code=refusal.status, headers=headers)
