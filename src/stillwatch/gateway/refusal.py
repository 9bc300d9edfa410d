"""Refusals: what a client gets in place of an answer, in the shape of the API that it speaks, with the reason and where to object.

Takes a verdict that does not answer, or a trouble of the transport. Gives status, headers and a JSON body that the official SDKs turn into
their own exceptions. A 403 tells them not to try again; a 429 says when to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from stillwatch.records.decision import Action
from stillwatch.records.verdict import ReasonCode, Verdict

ACTION_HEADER, REASON_HEADER, DECISION_HEADER = "x-stillwatch-action", "x-stillwatch-reason", "x-stillwatch-decision"
LONGEST_WAIT_OF_SDKS = 60
"""Seconds; the official SDKs ignore a longer `Retry-After` and would try again at once."""
_MOST_HEADER = 200


class Trouble(StrEnum):
    """What can be wrong with a request or with the way to the model, apart from any decision."""

    MALFORMED = "malformed-body"
    TOO_LARGE = "body-too-large"
    ENCODED = "encoded-body"
    AMBIGUOUS = "ambiguous-headers"
    NO_UPGRADE = "upgrade-not-supported"
    UNREACHABLE = "model-unreachable"
    TIMED_OUT = "model-timed-out"
    STOPPING = "gateway-stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What is sent in place of an answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case; length and type of the body are among them."""
    body: bytes
    reason: str
    """Word of `ReasonCode` or `Trouble`."""
    message: str
    """The sentence of the body."""


_TROUBLES: dict[Trouble, tuple[int, str]] = {
    Trouble.MALFORMED: (400, "The request body is no JSON text in UTF-8. Send one JSON object."),
    Trouble.TOO_LARGE: (413, "The request body is larger than this gateway takes."),
    Trouble.ENCODED: (415, "The request body is compressed. Send it without Content-Encoding."),
    Trouble.AMBIGUOUS: (400, "A header that says who is asking occurs twice, or two keys were sent. Send one."),
    Trouble.NO_UPGRADE: (501, "This gateway does not carry upgraded connections such as WebSocket."),
    Trouble.UNREACHABLE: (
        502,
        "The model could not be reached, or broke off before it answered. The request was not sent again.",
    ),
    Trouble.TIMED_OUT: (504, "The model did not answer in time. The request was not sent again."),
    Trouble.STOPPING: (503, "This gateway is stopping. Send the request again."),
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 403: "permission_error", 413: "request_too_large", 415: "invalid_request_error",
    429: "rate_limit_error", 504: "timeout_error",
}  # fmt: skip
_OPENAI_TYPES = {
    400: "invalid_request_error", 403: "permission_error", 413: "invalid_request_error", 415: "invalid_request_error",
    429: "rate_limit_error",
}  # fmt: skip


def refusal_of(verdict: Verdict, *, anthropic: bool) -> Refusal:
    """Give the refusal of a request that is not answered.

    Args:
        verdict: with `answers` false.
        anthropic: whether the client speaks Anthropic's API.
    """
    status, sentence = _said(verdict)
    rests_on = [f"reason {verdict.reason.value}"]
    rests_on += [f"decision {verdict.decision_id}"] if verdict.decision_id else []
    rests_on += [f"clauses {', '.join(verdict.clauses)}"] if verdict.clauses else []
    message = f"{sentence} ({'; '.join(rests_on)})."
    if verdict.appeal:
        message += f" To object: {verdict.appeal}."
    headers = dict(verdict_headers(verdict))
    if verdict.retry_after_s is not None:
        headers["retry-after"] = str(verdict.retry_after_s)
    if status == 403 or (verdict.retry_after_s or 0) > LONGEST_WAIT_OF_SDKS:
        headers["x-should-retry"] = "false"
    more: dict[str, object] = {
        "decision": verdict.decision_id,
        "clauses": list(verdict.clauses),
        "appeal": verdict.appeal,
    }
    return _refusal(status, verdict.reason.value, message, headers, more, anthropic=anthropic)


def trouble(what: Trouble, *, anthropic: bool) -> Refusal:
    """Give the refusal of a request that cannot be carried."""
    status, message = _TROUBLES[what]
    return _refusal(status, what.value, message, {}, {}, anthropic=anthropic)


def verdict_headers(verdict: Verdict, *, announce_marks: bool = False) -> tuple[tuple[str, str], ...]:
    """Give the headers by which a client learns of a verdict: of every one but `ALLOW`.

    Marks are disclosed by the clause that every marked account accepted. A header as well would tell a campaign which of its accounts
    were found, so it is left to the operator.
    """
    if verdict.action is Action.ALLOW or (verdict.action is Action.MARK and not announce_marks):
        return ()
    found = [(ACTION_HEADER, verdict.action.value), (REASON_HEADER, verdict.reason.value)]
    if verdict.decision_id:
        found.append((DECISION_HEADER, _header_text(verdict.decision_id)))
    return tuple(found)


def _said(verdict: Verdict) -> tuple[int, str]:
    if verdict.reason is ReasonCode.OVER_RATE:
        wait = verdict.retry_after_s
        return 429, f"This account is answered at a reduced rate; try again in {wait} s"
    if verdict.reason is ReasonCode.CHALLENGED:
        return 403, "This account must be verified before it is answered again"
    if verdict.reason is ReasonCode.GUARD_FAILED:
        return 503, "The gateway could not decide about this request"
    return 403, "This account is suspended and is not answered"


def _refusal(
    status: int, reason: str, message: str, headers: dict[str, str], more: dict[str, object], *, anthropic: bool
) -> Refusal:
    if anthropic:
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        content: dict[str, object] = {
            "type": "error",
            "error": {"type": kind, "message": message, "code": reason, **more},
        }
    else:
        kind = _OPENAI_TYPES.get(status, "server_error")
        content = {"error": {"message": message, "type": kind, "param": None, "code": reason, **more}}
    body = orjson.dumps(content)
    whole = {"content-type": "application/json", "content-length": str(len(body)), REASON_HEADER: reason, **headers}
    return Refusal(status=status, headers=tuple(whole.items()), body=body, reason=reason, message=message)


def _header_text(text: str) -> str:
    """Give text that a header can hold: printable ASCII, so that nothing in a bundle begins a header of its own."""
    return "".join(one if " " <= one <= "~" else "?" for one in text[:_MOST_HEADER])
