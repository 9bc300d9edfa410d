"""The guard's own log, line by line: what each holds is read to values that were written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD: dict[str, Any] = {
    "stillwatch_guard": 1, "time_us": 1_792_742_401_120_000, "exchange_id": "d913ce45901dffeb", "account_id": "acct_48213",
    "api_key_id": "key-9f2c1e77a0b34d15c6e8", "ip": "203.0.113.77", "user_agent": "OpenAI/Python 3.54.0", "method": "POST", "model": "m-large",
    "refused": None, "latency_us": 8_360_900, "first_byte_us": 120_000, "response_complete": True, "stripped": ["watermark"], "marked": False,
    "verdict": {"action": "allow", "reason": "no-decision", "decision_id": None, "clauses": [], "key_id": None, "retry_after_s": None, "bundle_version": 3, "stale": False},
}  # fmt: skip
READ = {
    "time_us": 1_792_742_401_120_000, "account_id": "acct_48213", "exchange_id": "d913ce45901dffeb", "api_key_id": "key-9f2c1e77a0b34d15c6e8",
    "ip": "203.0.113.77", "user_agent": "OpenAI/Python 3.54.0", "model": "m-large",
}  # fmt: skip
STREAM = (
    'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":"First"},"finish_reason":null}]}\n\n'
    'data: {"id":"c1","choices":[{"index":0,"delta":{"content":", compare"},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":61,"completion_tokens":742}}\n\ndata: [DONE]\n\n'
)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a streamed chat": (
        {
            "path": "/v1/chat/completions", "status": 200, "response": STREAM,
            "request": {"model": "m-large", "stream": True, "temperature": 1.0, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Merge two lists."}]},
        },
        {
            "endpoint": "chat", "status": 200, "response": "First, compare", "prompt": "Merge two lists.", "system_prompt": "Be brief.", "turns": 1,
            "content_complete": True, "temperature": 1.0, "stream": True, "input_tokens": 61, "output_tokens": 742, "finish_reason": "stop", "latency_ms": 8_360,
        },
    ),
    "a message": (
        {
            "path": "/v1/messages", "status": 200,
            "request": {"model": "m-large", "max_tokens": 9, "system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Merge."}]}]},
            "response": {"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "So."}], "stop_reason": "max_tokens", "usage": {"input_tokens": 5, "output_tokens": 9}},
        },
        {
            "endpoint": "messages", "status": 200, "response": "So.", "prompt": "Merge.", "system_prompt": "Be brief.", "turns": 1, "content_complete": True,
            "max_tokens": 9, "input_tokens": 5, "output_tokens": 9, "finish_reason": "length", "latency_ms": 8_360,
        },
    ),
    "a refusal": (
        {"path": "/v1/responses", "status": 403, "refused": "account-suspended", "latency_us": 0, "request": {"model": "m-large", "input": "Merge."}, "response": None},
        {"endpoint": "responses", "status": 403, "prompt": "Merge.", "turns": 1, "content_complete": True, "latency_ms": 0},
    ),
    "no text kept": (
        {"path": "/v1/chat/completions", "status": 200, "request": {"model": "m-large", "temperature": 0.5, "stream": False}},
        {"endpoint": "chat", "status": 200, "temperature": 0.5, "stream": False, "latency_ms": 8_360},
    ),
    "another call": (
        {"path": "/v1/models", "method": "GET", "model": None, "status": 200, "request": None, "response": {"object": "list", "data": []}},
        {"status": 200, "latency_ms": 8_360, "model": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_a_line_is_recognised_and_read_to_the_expected_values(
    name: str, tmp_path: Path, read: Callable[..., Any]
) -> None:
    given, expected = CASES[name]
    path = tmp_path / "exchanges.jsonl"
    path.write_text(json.dumps({**HEAD, **given}) + "\n", encoding="utf-8")
    result = read(path)
    assert result.formats == ["guard"]
    assert not result.quarantined
    row = {column: value for column, value in result.row.items() if not column.startswith("source_")}
    assert row == {column: value for column, value in {**READ, **expected}.items() if value is not None}


def test_a_line_without_an_account_is_set_aside_with_what_to_do(tmp_path: Path, read: Callable[..., Any]) -> None:
    path = tmp_path / "exchanges.jsonl"
    lines = [json.dumps({**HEAD, **CASES["a message"][0], "account_id": account}) for account in ("a", "b", None)]
    path.write_text("\n".join(lines), encoding="utf-8")
    result = read(path)
    assert len(result.rows) == 2
    (reason,) = result.reasons
    assert "account is missing" in reason
