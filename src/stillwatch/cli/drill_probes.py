"""Probes of the drills of marking, output surface and log: requests through a gateway, and what is found on its other side."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stillwatch.cli.drill_gateway import BUNDLE_NAME, Answered, DrillGateway
from stillwatch.gateway.marking import VLLM_ARGUMENT
from stillwatch.governance.drill_checks import NEEDED_FIELDS, Exposure, LoggedProbe, MarkedRequest
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER
from stillwatch.simulation.upstream import MODEL, Asked

ROUTES: Mapping[str, str] = {
    "chat": "/v1/chat/completions",
    "completion": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
Send = Callable[[str, dict[str, str], bytes], Answered]
"""Sends path, headers and body, and gives the answer."""
HOUR_US = 3_600 * 1_000_000
BEGIN_US = 1_780_000_000 * 1_000_000
"""Where the clock of these drills begins; microseconds UTC."""
_MORE: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("chat", "logprobs"): {"logprobs": True},
    ("chat", "alternatives"): {"logprobs": True, "top_logprobs": 5},
    ("chat", "samples"): {"n": 3},
    ("chat", "reasoning"): {"reasoning_effort": "high", "include_reasoning": True},
    ("completion", "logprobs"): {"logprobs": 1},
    ("completion", "alternatives"): {"logprobs": 5},
    ("completion", "samples"): {"n": 3},
    ("responses", "logprobs"): {"include": ["message.output_text.logprobs"]},
    ("responses", "alternatives"): {"include": ["message.output_text.logprobs"], "top_logprobs": 5},
    ("responses", "reasoning"): {"reasoning": {"effort": "high", "summary": "detailed"}},
    ("messages", "reasoning"): {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
}
"""What a body asks for besides text, by route and exposure."""


def probe_body(
    route: str, text: str, *, stream: bool = False, model: str = MODEL, tokens: int | None = None
) -> dict[str, Any]:
    """Give the body of a plain request on a route, with a limit of tokens where one is given."""
    body: dict[str, Any] = {"model": model, "stream": stream}
    if route == "completion":
        return body | {"prompt": text, "max_tokens": tokens or 32}
    if route == "responses":
        return body | {"input": text} | ({} if tokens is None else {"max_output_tokens": tokens})
    return body | {"messages": [{"role": "user", "content": text}], "max_tokens": tokens or 32}


def probe_marking(gateway: DrillGateway, send: Send, handle: str, samples: int) -> list[MarkedRequest]:
    """Send requests of an account whose answers are to be marked, and look at what the engine got.

    Args:
        gateway: whose guard gets a bundle that marks the account.
        send: sends to the gateway, or to whatever stands before it.
        handle: of the mark key.
        samples: requests on each route, streamed and whole in turn.
    """
    account = mark_account(gateway, handle)
    before = len(gateway.upstream.asked)
    for route, path in ROUTES.items():
        for number in range(samples):
            body = json.dumps(probe_body(route, f"Drill probe {number}.", stream=number % 2 == 1)).encode()
            send(path, {"Content-Type": "application/json", ACCOUNT_HEADER: account}, body)
    return [_as_marked(one) for one in list(gateway.upstream.asked)[before:]]


def mark_account(gateway: DrillGateway, handle: str) -> str:
    """Give the gateway a bundle that marks a new account with a key; give the account."""
    account = f"drill-{secrets.token_hex(6)}"
    gateway.now_us = gateway.now_us or BEGIN_US
    entry = BundleEntry(
        action=Action.MARK,
        decision_id="d-drill",
        clauses=("drill-terms@1/answers-marked",),
        until_us=gateway.now_us + HOUR_US,
        appeal="nobody: this is a drill",
        when_stale=WhenStale.OPEN,
        key_id=handle,
    )
    held = gateway.guard.bundle
    bundle = EnforcementBundle(
        name=BUNDLE_NAME,
        version=1 if held is None else held.bundle.version + 1,
        issued_us=gateway.now_us,
        expires_us=gateway.now_us + HOUR_US,
        salt=b"",
        accounts=1,
        entries=(entry,),
    )
    gateway.load(bundle, {account: 0})
    return account


def _as_marked(asked: Asked) -> MarkedRequest:
    """Read the member by which the engine takes a mark: SGLang's, or vLLM's arguments."""
    body = json.loads(asked.body)
    sglang, vllm = body.get("watermark"), body.get("vllm_xargs")
    key = sglang.get("key") if isinstance(sglang, dict) else None
    if key is None and isinstance(vllm, dict):
        key = vllm.get(VLLM_ARGUMENT)
    route = next((name for name, path in ROUTES.items() if asked.path.startswith(path)), asked.path)
    return MarkedRequest(route=route, stream=body.get("stream") is True, key_id=key)


def probe_surface(send: Send, headers: Mapping[str, str], model: str) -> list[Exposure]:
    """Ask every route for more than text, and look at what comes.

    Args:
        send: sends to the endpoint.
        headers: of the account that asks.
        model: to be named.
    """
    seen = []
    for (route, asked), more in _MORE.items():
        body = probe_body(route, "Name a colour and say why.", model=model) | dict(more)
        if "thinking" in more:
            body["max_tokens"] = 2_048
        answer = send(ROUTES[route], {"Content-Type": "application/json", **headers}, json.dumps(body).encode())
        try:
            content = json.loads(answer.body) if answer.status == 200 else None
        except ValueError:
            content = None
        seen.append(Exposure(route=route, asked=asked, status=answer.status, shown=_shows(content, asked)))
    return seen


def _shows(content: object, asked: str) -> bool:
    """Say whether an answer holds what was asked for, wherever it stands."""
    if asked == "samples":
        return isinstance(content, dict) and len(content.get("choices") or ()) > 1
    names = {
        "logprobs": ("logprob", "token_logprobs"),
        "alternatives": ("top_logprobs",),
        "reasoning": ("reasoning_content", "reasoning", "thinking"),
    }[asked]
    for name, value in _members(content):
        if name in names and value not in (None, [], {}, ""):
            # The Responses API repeats the setting of its request under `reasoning`; text is what counts.
            if name == "reasoning" and not isinstance(value, str):
                continue
            return True
    return False


def _members(content: object) -> Iterator[tuple[str, object]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield name, value
            yield from _members(value)
    elif isinstance(content, list):
        for value in content:
            yield from _members(value)


def probe_log(gateway: DrillGateway, samples: int) -> list[LoggedProbe]:
    """Send requests with a word of their own on every route, and read the log as the detection does.

    Args:
        gateway: that runs; its log is read once every line is written.
        samples: requests on each route, streamed and whole in turn.
    """
    gateway.now_us = gateway.now_us or BEGIN_US
    sent: dict[str, tuple[str, bool]] = {}
    for route, path in ROUTES.items():
        for number in range(samples):
            word, stream = f"drill-{secrets.token_hex(8)}", number % 2 == 1
            sent[word] = (route, stream)
            body = json.dumps(probe_body(route, f"Repeat {word}.", stream=stream)).encode()
            headers = {
                "Content-Type": "application/json",
                ACCOUNT_HEADER: f"drill-{number}",
                "Authorization": "Bearer drill",
            }
            gateway.now_us += 1_000_000
            gateway.send(path, headers, body)
    gateway.wait_for_log()
    return logged_probes(gateway.log_path, sent, gateway.now_us)


def logged_probes(log: Path, sent: Mapping[str, tuple[str, bool]], now_us: int) -> list[LoggedProbe]:
    """Look for each request in a log, as intake reads it.

    Args:
        log: of the guard.
        sent: the word of each request to its route, and whether it was streamed.
        now_us: time after which a line would be from the future; microseconds UTC.
    """
    lines: Counter[str] = Counter()
    fields: dict[str, frozenset[str]] = {}
    planned = plan(expand_paths((str(log),)), "guard", IntakeSettings(now_us=now_us + HOUR_US))
    for split in planned.splits:
        for output in read_split(split, planned.settings):
            for row in output.batch.to_pylist():
                word = str(row["prompt"]).removeprefix("Repeat ").rstrip(".")
                if word in sent:
                    lines[word] += 1
                    fields[word] = frozenset(name for name in NEEDED_FIELDS if row[name] is not None)
    return [
        LoggedProbe(route=route, stream=stream, lines=lines[word], fields=fields.get(word, frozenset()))
        for word, (route, stream) in sent.items()
    ]
