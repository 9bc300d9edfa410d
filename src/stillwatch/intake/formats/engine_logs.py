"""Engine logs: the request logs of vLLM (text) and SGLang (JSON lines), joined by request id.

Engines know no account. vLLM's times have neither year nor zone, SGLang's no zone: both must be declared, since a guess from the
file's date would change when the file is copied. vLLM shows the prompt only at level DEBUG, and cuts it without a mark
when --max-log-len is set; whether its prompts are whole is therefore unknown.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stillwatch.intake.chat_template import messages_of
from stillwatch.intake.columns import is_one_of, milliseconds_of
from stillwatch.intake.conversation import read_messages, structure
from stillwatch.intake.errors import RecordError
from stillwatch.intake.formats.client import account_in_headers, edge_address, lower_headers
from stillwatch.intake.formats.endings import finish_word
from stillwatch.intake.formats.format import (
    FlatRow,
    Format,
    Joined,
    Orphan,
    Place,
    first,
    has,
    mapping,
    share,
    without_nulls,
)
from stillwatch.intake.formats.open_exchanges import OpenExchange, OpenExchanges
from stillwatch.intake.json_text import without_surrogates
from stillwatch.intake.settings import IntakeSettings

_LINE = re.compile(
    r"(?:\([^)]*\) )?(?:INFO|DEBUG|WARNING|ERROR) (?P<month>\d\d)-(?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d)(?:\.\d+)? \[[^\]]*\] (?P<said>.*)",
    re.DOTALL,
)
_RECEIVED = re.compile(r"Received request (?P<id>\S+): (?P<rest>.*)", re.DOTALL)
_DETAILS = re.compile(r"Request (?P<id>\S+) details: (?P<rest>.*)", re.DOTALL)
_GENERATED = re.compile(
    r"Generated response (?P<id>\S+?)(?P<kind> \(streaming (?:complete|delta)\))?: (?P<rest>.*)", re.DOTALL
)
_QUOTED = r"""('[^'\\]*+(?:\\.[^'\\]*+)*+'|"[^"\\]*+(?:\\.[^"\\]*+)*+")"""
_PROMPT = re.compile(rf"prompt: {_QUOTED}", re.DOTALL)
_OUTPUT = re.compile(rf"output: {_QUOTED}", re.DOTALL)
_PARAMETER = re.compile(r"\b(n|temperature|top_p|max_tokens)=([0-9.eE+-]+)")
_FINISH = re.compile(r"finish_reason: (\w+)\s*$")
_SGLANG_CUT = 2048
_CUT_MARK = "..."
_NO_REQUEST = "lines of the log that are about no request"
_NO_YEAR = "the time has no year: declare the setting `year` (and `assume_zone`)"


def _prompt_fields(text: object) -> FlatRow:
    """Read a rendered prompt; without known markers the whole text is the prompt."""
    if not isinstance(text, str) or not text:
        return {}
    messages = messages_of(text)
    asked = read_messages(messages if messages is not None else text)
    return {"prompt": asked.prompt, "system_prompt": asked.system_prompt, "turns": asked.turns}


def _literal(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    if found is None:
        return None
    try:
        value = ast.literal_eval(found[1])
    except (ValueError, SyntaxError):
        return None
    return str(without_surrogates(value)) if isinstance(value, str) else None


class VllmJoiner:
    """Joins the lines of vLLM's request logger by request id."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Begin at the first line of the first file."""
        self._year = settings.year
        self._month = 0
        self._open = OpenExchanges()
        self._passed = 0

    def add(self, record: Any, place: Place) -> Iterator[Joined | Orphan]:
        """Take a line."""
        line = _LINE.match(record)
        said = "" if line is None else line["said"]
        received, details, generated = _RECEIVED.match(said), _DETAILS.match(said), _GENERATED.match(said)
        found = received or details or generated
        if line is None or found is None or "streaming delta" in said[:200]:
            self._passed += 1
            return
        exchange = self._open.at(found["id"], place)
        exchange.parts.setdefault("time", self._time(line))
        exchange.parts["id"] = found["id"]
        if generated:
            exchange.parts["generated"] = generated["rest"]
            exchange.parts["stream"] = generated["kind"] is not None
            yield self._joined(self._open.close(found["id"]))
        else:
            exchange.parts["details" if details else "received"] = found["rest"]
            if details:
                exchange.place = place
        for old in self._open.overflow():
            yield self._joined(old)

    def _time(self, line: re.Match[str]) -> str | None:
        month = int(line["month"])
        if self._year is not None and month < self._month - 6:  # from December to January: a log goes forward
            self._year += 1
        self._month = month
        return None if self._year is None else f"{self._year:04}-{month:02}-{line['day']}T{line['clock']}"

    def finish(self) -> Iterator[Joined | Orphan]:
        """Give requests whose answer is not in the log."""
        for exchange in self._open.rest():
            yield self._joined(exchange)

    def _joined(self, exchange: OpenExchange) -> Joined | Orphan:
        parts = exchange.parts
        if parts["time"] is None:
            return Orphan(place=exchange.place, reason=_NO_YEAR)
        received, generated = parts.get("received", ""), parts.get("generated", "")
        prompt = first(_literal(_PROMPT, parts.get("details", "")), _literal(_PROMPT, received))
        finish = _FINISH.search(generated)
        row = {
            **dict(_PARAMETER.findall(received)),
            **_prompt_fields(prompt),
            "time": parts["time"],
            "exchange_id": parts["id"],
            "endpoint": "completion"
            if parts["id"].startswith("cmpl")
            else "chat"
            if parts["id"].startswith("chat")
            else None,
            "response": _literal(_OUTPUT, generated),
            "stream": parts.get("stream"),
            "finish_reason": finish_word(finish[1]) if finish and finish[1] != "None" else None,
        }
        return Joined(row=without_nulls(row), record={"request_id": parts["id"]}, place=exchange.place)

    def notes(self) -> Mapping[str, int]:
        """Count the other lines of the server."""
        return {f"passed over: {_NO_REQUEST}": self._passed} if self._passed else {}


def _vllm_share(lines: Sequence[Any]) -> float:
    """Score a text log: one request line makes it vLLM's, since most lines of a server are about other things."""
    said = [line["said"] for text in lines if isinstance(text, str) and (line := _LINE.match(text)) is not None]
    if any(_RECEIVED.match(text) or _GENERATED.match(text) for text in said):
        return 1.0
    return 0.6 if len(said) * 2 > len(lines) else 0.0


class SglangJoiner:
    """Joins `request.received` and `request.finished` of SGLang by rid."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Begin with nothing open."""
        self._settings = settings
        self._open = OpenExchanges()
        self._passed = 0

    def add(self, record: Any, place: Place) -> Iterator[Joined | Orphan]:
        """Take an event."""
        if not isinstance(record, Mapping):
            raise RecordError(f"a JSON {type(record).__name__}, expected an event of SGLang's request log")
        event, identity = record.get("event"), record.get("rid")
        if not is_one_of(event, ("request.received", "request.finished")):
            self._passed += 1
            return
        if isinstance(identity, list):  # a batch of prompts under one event
            identity = "/".join(map(str, identity))
        if not isinstance(identity, str):
            raise RecordError("no `rid`: expected an event of SGLang's request log")
        exchange = self._open.at(identity, place)
        exchange.parts[str(event)] = record
        if event == "request.finished":
            yield _sglang_exchange(self._open.close(identity))
        for old in self._open.overflow():
            yield _sglang_exchange(old)

    def finish(self) -> Iterator[Joined | Orphan]:
        """Give requests whose end is not in the log."""
        for exchange in self._open.rest():
            yield _sglang_exchange(exchange)

    def notes(self) -> Mapping[str, int]:
        """Count the other events of the server."""
        return {f"passed over: {_NO_REQUEST}": self._passed} if self._passed else {}


def is_cut_by_sglang(text: object) -> bool:
    """Say whether SGLang cut a text at level 2: 1024 characters, three dots, 1024 characters."""
    half = _SGLANG_CUT // 2
    return isinstance(text, str) and len(text) == _SGLANG_CUT + len(_CUT_MARK) and text[half:].startswith(_CUT_MARK)


def _sglang_exchange(exchange: OpenExchange) -> Joined:
    received, finished = (mapping(exchange.parts.get(f"request.{name}")) for name in ("received", "finished"))
    asked = mapping(first(received.get("obj"), finished.get("obj")))
    parameters = mapping(structure(asked.get("sampling_params")))
    out = mapping(finished.get("out"))
    meta = mapping(out.get("meta_info"))
    headers = lower_headers(first(received.get("headers"), finished.get("headers")))
    finish = meta.get("finish_reason")
    text = asked.get("text")
    row = {
        **_prompt_fields(text),
        "time": first(received.get("timestamp"), finished.get("timestamp")),
        "account_id": account_in_headers(headers),
        "exchange_id": first(received.get("rid"), finished.get("rid")),
        "ip": edge_address(headers.get("x-forwarded-for"), headers.get("x-real-ip")),
        "user_agent": headers.get("user-agent"),
        "content_complete": not is_cut_by_sglang(text) if isinstance(text, str) and text else None,
        "response": out.get("text"),
        "input_tokens": meta.get("prompt_tokens"),
        "output_tokens": meta.get("completion_tokens"),
        "reasoning_tokens": meta.get("reasoning_tokens"),
        "cache_read_tokens": meta.get("cached_tokens"),
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "max_tokens": parameters.get("max_new_tokens"),
        "n": parameters.get("n"),
        "stream": asked.get("stream"),
        "finish_reason": finish_word(mapping(finish).get("type") or finish),
        "latency_ms": milliseconds_of(meta.get("e2e_latency")),
    }
    return Joined(row=without_nulls(row), record={**finished, **received}, place=exchange.place)


VLLM = Format(
    name="vllm",
    title="vLLM request log",
    about="Text log of a vLLM server started with --enable-log-requests (and --enable-log-outputs, level DEBUG for prompts).",
    fills=(
        "time", "exchange_id", "endpoint", "system_prompt", "prompt", "response", "turns", "temperature", "top_p",
        "max_tokens", "n", "stream", "finish_reason",
    ),
    gotchas=(
        "There is no account: declare default_account for a server of one account, or log at the gateway instead.",
        "Times have neither year nor zone: declare year (of the first line) and assume_zone.",
        "Prompts are logged only at level DEBUG, and cut without a mark by --max-log-len; do not set it.",
        "All other lines of the server are counted and passed over; the access lines cannot be joined to requests.",
    ),
    needs="vLLM logs no account, no year and no zone: declare default_account, year and assume_zone.",
    matches=_vllm_share,
    joiner=VllmJoiner,
    text=True,
)  # fmt: skip

SGLANG = Format(
    name="sglang",
    title="SGLang request log",
    about="JSON lines of SGLang started with --log-requests --log-requests-format json (level 3 for whole texts).",
    fills=(
        "time", "account_id", "exchange_id", "ip", "user_agent", "system_prompt", "prompt", "content_complete",
        "response", "turns", "input_tokens", "output_tokens", "reasoning_tokens", "cache_read_tokens", "temperature",
        "top_p", "max_tokens", "n", "stream", "finish_reason", "latency_ms",
    ),
    gotchas=(
        "Times are local and have no zone: declare assume_zone.",
        (
            "The account is a header that SGLANG_LOG_REQUEST_HEADERS lets through (x-account-id, x-user-id, x-smg-routing-key, ...); "
            "any other is declared with account_field (headers.NAME)."
        ),
        "At level 2 texts over 2048 characters are cut, and such rows are marked; use level 3.",
        "The served model is not in the log.",
    ),
    needs="SGLang logs local times and, unless headers are let through, no account: declare assume_zone, and account_field or default_account.",
    matches=lambda records: share(
        records, lambda record: has(record, "event", "rid") and str(record["event"]).startswith("request.")
    ),
    joiner=SglangJoiner,
)  # fmt: skip
