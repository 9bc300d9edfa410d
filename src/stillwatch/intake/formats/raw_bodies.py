"""Raw bodies: request and response bodies of OpenAI and Anthropic as SDKs and proxies store them, and their batch files.

A pair is one record with `request` and `response` (and, where somebody kept them, `request_headers`). A batch is two files, in which
`custom_id` joins a request with its result; the order of results is not guaranteed. Both files of a batch must be
in one folder, and a folder may hold several batches only if no `custom_id` occurs in two of them.

Time: a response's `created`; there is none in Anthropic's bodies. Account: the end user that the client named (`user`,
`safety_identifier`, `metadata.user_id`), the weakest of identities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stillwatch.intake.columns import is_one_of, milliseconds_of, number_of, text_of
from stillwatch.intake.errors import RecordError
from stillwatch.intake.formats.format import (
    FlatRow,
    Format,
    Joined,
    Orphan,
    Parsed,
    Place,
    Record,
    first,
    has,
    mapping,
    share,
    single,
    without_nulls,
)
from stillwatch.intake.formats.request_body import account_in_request, is_request, request_fields
from stillwatch.intake.formats.response_body import response_fields
from stillwatch.intake.settings import IntakeSettings

_UNPAIRED = 0.6
"""Certainty of bodies without their partner, below that of generic columns, which may hold `messages` and `model` too."""
_TWICE = "`custom_id` occurs twice in this folder; put the files of each batch in a folder of its own"
_RESPONSES = frozenset({"chat.completion", "text_completion", "response"})
_ANTHROPIC_KEYS = frozenset({"system", "thinking", "metadata", "stop_sequences"})


def pair_fields(request: object, response: object, *, answered_by: bool = False) -> FlatRow:
    """Read a request and its response.

    Args:
        request: body that the client sent.
        response: body that came back; may be null.
        answered_by: take the model that answered where the request names none.
    """
    asked, answer = request_fields(request), response_fields(response)
    model = first(asked.get("model"), answer.get("model") if answered_by else None)
    tools = first(asked.get("tools"), answer.get("tools"))
    row = {**answer, **asked, "model": model, "tools": tools}
    if asked.get("prompt") is not None:
        row["content_complete"] = True
    return without_nulls(row)


def time_in_response(response: object) -> Any:
    """Give the time that a response body states: `created` (OpenAI chat) or `created_at` (OpenAI responses), seconds."""
    body = mapping(response)
    return first(body.get("created_at"), body.get("created"))


def _is_pair(record: Record) -> bool:
    return (
        has(record, "request", "response") and is_request(record["request"]) and isinstance(record["response"], Mapping)
    )


def _is_anthropic(request: Record, response: Record) -> bool:
    return response.get("type") == "message" or (
        "choices" not in response
        and "messages" in request
        and bool(_ANTHROPIC_KEYS & set(request))
        and "output" not in response
    )


def _anthropic_pair(record: Record) -> bool:
    return _is_pair(record) and _is_anthropic(mapping(record["request"]), mapping(record["response"]))


def _openai_pair(record: Record) -> bool:
    return _is_pair(record) and not _anthropic_pair(record)


def _bare(record: Record) -> bool:
    """Say whether a record is a body itself, without its partner."""
    return "custom_id" not in record and (_bare_response(record) or (is_request(record) and "model" in record))


def _bare_response(record: Record) -> bool:
    return is_one_of(record.get("object"), _RESPONSES) or (record.get("type") == "message" and "usage" in record)


def _bodies(record: Record) -> tuple[object, object]:
    """Give the request and the response of a record."""
    if "request" in record or ("response" in record and not is_request(record)):
        return record.get("request"), record.get("response")
    return ({}, record) if _bare_response(record) else (record, None)


def _headers(record: Record) -> Record:
    headers = mapping(first(record.get("request_headers"), record.get("headers")))
    return {str(name).lower(): value for name, value in headers.items()}


def _parse_pair(record: Record, settings: IntakeSettings) -> Iterable[Parsed]:  # noqa: ARG001
    request, response = _bodies(record)
    if not is_request(request) and not response:
        raise RecordError("no `request` body with messages, input or prompt")
    body, headers = mapping(response), _headers(record)
    row = pair_fields(request, response, answered_by=not request)
    created, finished = number_of(body.get("created_at")), number_of(body.get("completed_at"))
    row["time"] = first(record.get("time"), record.get("timestamp"), time_in_response(body))
    row["account_id"] = first(record.get("account_id"), account_in_request(request))
    row["endpoint"] = _endpoint(mapping(request), body)
    row["user_agent"] = headers.get("user-agent")
    row["ip"] = first(record.get("ip"), _forwarded(headers.get("x-forwarded-for")))
    row["status"] = first(record.get("status_code"), record.get("status"))
    if created is not None and finished is not None:
        row["latency_ms"] = milliseconds_of(finished - created)
    return single(row, record)


def _forwarded(value: object) -> str | None:
    return value.split(",", 1)[0].strip() if isinstance(value, str) else None


def _endpoint(request: Record, response: Record) -> str:
    if response.get("object") == "response" or "input" in request:
        return "responses"
    if _is_anthropic(request, response):
        return "messages"
    return "completion" if "prompt" in request else "chat"


OPENAI = Format(
    name="openai",
    title="OpenAI request/response bodies",
    about="Pairs of bodies of the Chat Completions or Responses API, one record with `request` and `response` each.",
    fills=(
        "time", "account_id", "exchange_id", "user_agent", "model", "endpoint", "system_prompt", "prompt",
        "content_complete", "response", "reasoning", "turns", "tools", "session_id", "input_tokens", "output_tokens",
        "reasoning_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "stream", "finish_reason",
        "latency_ms",
    ),
    gotchas=(
        "The account is `user` or `safety_identifier`, which the client chooses; name a better field with account_field.",
        "The time is the response's `created`; a request without response has none (declare time_field or default_time).",
        "A streamed answer stored as events is put together again.",
    ),
    needs="Bodies name no account but the client's own `user`, and only responses a time: declare account_field, time_field, default_account or default_time.",
    matches=lambda records: max(share(records, _openai_pair), _UNPAIRED * share(records, _bare)),
    parse=_parse_pair,
)  # fmt: skip

ANTHROPIC = Format(
    name="anthropic",
    title="Anthropic request/response bodies",
    about="Pairs of bodies of the Messages API, one record with `request` and `response` each.",
    fills=(
        "account_id", "exchange_id", "user_agent", "model", "endpoint", "system_prompt", "prompt", "content_complete",
        "response", "reasoning", "turns", "tools", "input_tokens", "output_tokens", "cache_read_tokens", "temperature",
        "top_p", "max_tokens", "stream", "finish_reason",
    ),
    gotchas=(
        "There is no time in these bodies: declare time_field if the log adds one, or default_time.",
        "The account is `metadata.user_id`, which the client chooses; name a better field with account_field.",
        "input_tokens is the sum of fresh, cache-read and cache-written input, as other providers count it.",
        "A user message that only returns tool results is not a turn.",
    ),
    needs="Bodies have no time, and no account but the client's own metadata.user_id: declare time_field or default_time, and account_field or default_account.",
    matches=lambda records: share(records, _anthropic_pair),
    parse=_parse_pair,
)  # fmt: skip


class BatchJoiner:
    """Joins the requests and results of batch files by `custom_id` within one folder."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Begin a folder."""
        self._settings = settings
        self._requests: dict[str, list[tuple[Record, Place]]] = {}
        self._results: dict[str, list[tuple[Record, Place]]] = {}

    def add(self, record: Any, place: Place) -> Iterable[Joined | Orphan]:
        """Keep a record until the end: its partner may be in a later file."""
        if not isinstance(record, Mapping):
            raise RecordError(f"a JSON {type(record).__name__}, expected an object with `custom_id`")
        for item in _batch_items(record):
            kept = self._results if _is_result(item) else self._requests
            kept.setdefault(text_of(item.get("custom_id")) or "", []).append((item, place))
        return ()

    def finish(self) -> Iterator[Joined | Orphan]:
        """Give all exchanges, in the order of the requests, then results whose request is missing."""
        for identity in [*self._requests, *(name for name in self._results if name not in self._requests)]:
            requests, results = self._requests.get(identity, []), self._results.get(identity, [])
            if len(requests) > 1 or len(results) > 1:
                # Which result belongs to which request cannot be told, and a wrong pair would be false evidence.
                yield from (Orphan(place=place, reason=_TWICE) for _, place in [*requests, *results])
                continue
            item, place = requests[0] if requests else ({}, results[0][1])
            yield _batch_exchange(item, results[0][0] if results else {}, place)

    def notes(self) -> Mapping[str, int]:
        """Nothing is passed over."""
        return {}


def _batch_items(record: Record) -> Sequence[Record]:
    requests = record.get("requests")
    items = [item for item in requests if isinstance(item, Mapping)] if isinstance(requests, list) else [record]
    if not items or not all("custom_id" in item for item in items):
        raise RecordError("no `custom_id`: expected a record of a batch input or output file")
    return items


def _is_result(item: Record) -> bool:
    return "result" in item or "response" in item or "error" in item


def _batch_exchange(item: Record, result: Record, place: Place) -> Joined:
    request = mapping(first(item.get("body"), item.get("params")))
    outcome = mapping(result.get("result"))
    answered = mapping(result.get("response"))
    response = mapping(first(answered.get("body"), outcome.get("message")))
    row = pair_fields(request, response, answered_by=not request)
    row["exchange_id"] = first(result.get("id"), response.get("id"), item.get("custom_id"), result.get("custom_id"))
    row["time"] = time_in_response(response)
    row["account_id"] = account_in_request(request)
    row["endpoint"] = "batch"
    row["status"] = first(answered.get("status_code"), _batch_status(outcome))
    return Joined(row=without_nulls(row), record={**result, **item}, place=place)


def _batch_status(outcome: Record) -> int | None:
    kind = outcome.get("type")
    if kind == "succeeded":
        return 200
    error = mapping(mapping(outcome.get("error")).get("error")).get("type")
    return {"overloaded_error": 529, "rate_limit_error": 429, "invalid_request_error": 400}.get(str(error))


def _openai_batch(record: Record) -> bool:
    return "custom_id" in record and (
        has(record, "url", "body")
        or "status_code" in mapping(record.get("response"))
        or (has(record, "response", "error"))
    )


def _anthropic_batch(record: Record) -> bool:
    if isinstance(record.get("requests"), list):
        return any(has(mapping(item), "custom_id", "params") for item in record["requests"])
    return "custom_id" in record and ("params" in record or "type" in mapping(record.get("result")))


OPENAI_BATCH = Format(
    name="openai-batch",
    title="OpenAI batch files",
    about="Input and output files of the Batch API; put both in one folder, and they are joined by `custom_id`.",
    fills=(
        "time", "account_id", "exchange_id", "model", "endpoint", "system_prompt", "prompt", "content_complete",
        "response", "reasoning", "turns", "tools", "input_tokens", "output_tokens", "reasoning_tokens",
        "cache_read_tokens", "temperature", "top_p", "max_tokens", "n", "status", "finish_reason",
    ),
    gotchas=(
        "The time is in the output file, the account (`user`) in the input file: one without the other needs default_time or default_account.",
        "No item has an address or client of its own, and all times of a batch lie close together.",
        "A `custom_id` that two batches of one folder share is quarantined.",
    ),
    needs="Put the input file (account) and the output file (time) in one folder, or declare default_time and default_account.",
    matches=lambda records: share(records, _openai_batch),
    joiner=BatchJoiner,
)  # fmt: skip

ANTHROPIC_BATCH = Format(
    name="anthropic-batch",
    title="Anthropic batch files",
    about="Requests and results of the Message Batches API; put both in one folder, and they are joined by `custom_id`.",
    fills=(
        "account_id", "exchange_id", "model", "endpoint", "system_prompt", "prompt", "content_complete", "response",
        "reasoning", "turns", "tools", "input_tokens", "output_tokens", "cache_read_tokens", "temperature", "top_p",
        "max_tokens", "status", "finish_reason",
    ),
    gotchas=(
        "There is no time in either file: declare default_time (when the batch was made).",
        "The account is `metadata.user_id` in the requests; results alone need default_account.",
        "One JSON object with all requests may have at most 16 MB; write larger batches as one request per line.",
    ),
    needs="Batches have no time: declare default_time; results without their requests need default_account.",
    matches=lambda records: share(records, _anthropic_batch),
    joiner=BatchJoiner,
)  # fmt: skip
