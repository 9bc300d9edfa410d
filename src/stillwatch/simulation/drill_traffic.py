"""Drill traffic: a simulated world as the HTTP requests that its customers would send, in the order of their times.

Takes the folder of a world. Gives requests in the shapes of the OpenAI and Anthropic APIs. What a header or a body can carry is carried: account, key,
address, client, system prompt, earlier turns, parameters. Account facts such as the payment method are no part of a request; they stand in the
world's `accounts.parquet`, as a provider has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ACCOUNT_HEADER = "x-drill-account"
"""What the edge in front of the gateway would set."""
_PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "batch": "/v1/chat/completions",
    "completion": "/v1/completions",
}
_EARLIER = "Go on."
"""An earlier message of the customer: the world holds the last one alone."""
_COLUMNS = [
    "time", "account_id", "api_key_id", "ip", "user_agent", "model", "endpoint", "system_prompt", "prompt", "turns", "tools",
    "temperature", "top_p", "max_tokens", "stream", "session_id",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRequest:
    """One request."""

    time_us: int
    """When the world has it sent; microseconds UTC."""
    account_id: str
    of_campaign: bool
    """Planted truth."""
    path: str
    headers: dict[str, str]
    body: bytes
    """JSON."""


def campaign_accounts(world: Path) -> frozenset[str]:
    """Give the accounts that were planted as campaigns' own."""
    truth = pq.read_table(world / "truth.parquet", columns=["account_id", "label"]).to_pylist()
    return frozenset(row["account_id"] for row in truth if row["label"] == "campaign")


def drill_requests(world: Path) -> Iterator[DrillRequest]:
    """Give the requests of a world, day by day.

    Args:
        world: folder that `simulate` wrote, with Parquet traffic.
    """
    planted = campaign_accounts(world)
    for file in sorted(world.glob("traffic-*.parquet")):
        for row in sorted(pq.read_table(file, columns=_COLUMNS).to_pylist(), key=lambda one: one["time"]):
            yield _request(row, planted)


def _request(row: dict[str, Any], planted: frozenset[str]) -> DrillRequest:
    path = _PATHS[row["endpoint"] or "chat"]
    headers = {
        "Content-Type": "application/json",
        ACCOUNT_HEADER: row["account_id"],
        "Authorization": f"Bearer {row['api_key_id']}",
    }
    if row["ip"]:
        headers["X-Forwarded-For"] = row["ip"]
    if row["user_agent"]:
        headers["User-Agent"] = row["user_agent"]
    return DrillRequest(
        time_us=round(row["time"].timestamp() * 1_000_000),
        account_id=row["account_id"],
        of_campaign=row["account_id"] in planted,
        path=path,
        headers=headers,
        body=json.dumps(_body(row, path)).encode(),
    )


def _body(row: dict[str, Any], path: str) -> dict[str, Any]:
    """Give a body; what the row leaves open is left out."""
    body: dict[str, Any] = {
        name: row[name] for name in ("model", "temperature", "top_p", "max_tokens") if row[name] is not None
    }
    body["stream"] = bool(row["stream"])
    if path == "/v1/completions":
        return body | {"prompt": "\n\n".join(text for text in (row["system_prompt"], row["prompt"]) if text)}
    messages: list[dict[str, str]] = []
    for _ in range((row["turns"] or 1) - 1):
        messages += [{"role": "user", "content": _EARLIER}, {"role": "assistant", "content": "…"}]
    messages.append({"role": "user", "content": row["prompt"] or ""})
    system = row["system_prompt"]
    if path == "/v1/chat/completions":
        tools = [{"type": "function", "function": {"name": name}} for name in (row["tools"] or "").split(",") if name]
        first = [{"role": "system", "content": system}] if system else []
        return body | {"messages": first + messages} | ({"tools": tools} if tools else {})
    if path == "/v1/responses":
        limit = body.pop("max_tokens", None)
        body |= {} if limit is None else {"max_output_tokens": limit}
        return body | {"input": messages} | ({"instructions": system} if system else {})
    return {"max_tokens": 1_024} | body | {"messages": messages} | ({"system": system} if system else {})
