"""Two providers with customers of their own, and one operator who harvests both: cards and a template are the same at both."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import example_incident as example
import numpy as np

from stillwatch.records.campaign import Campaign, Exhibit

TEMPLATE = (
    "You are a patient teacher of mathematics. Work through the following problem step by step, state every rule that you apply, "
    "try at least two approaches, say which failed and why, and finish with the answer in a box. Problem: {item}"
)
CARDS = ("pm_operator_1", "pm_operator_2")
TLS = "t13d_operator_build"
SHARED_NETWORK = "203.0.113.{host}"
WORDS = (
    *(
        "apple",
        "river",
        "stone",
        "garden",
        "winter",
        "copper",
        "letter",
        "window",
        "market",
        "engine",
        "school",
        "yellow",
    ),
    *("planet", "silver", "basket", "thunder", "pocket", "meadow", "lantern", "harbor", "velvet", "circus", "timber"),
)


def write_provider(folder: Path, name: str, *, operators: int, honest: int = 40, seed: int = 1) -> Path:
    """Write a provider's log as JSON lines; operator accounts are called `NAME-op-N`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(operators):
        for turn in range(6):
            item = " ".join(rng.choice(WORDS, size=9))
            lines.append(
                _line(
                    f"{name}-op-{number}",
                    turn,
                    TEMPLATE.format(item=item),
                    CARDS[number % 2],
                    TLS,
                    f"198.51.100.{number}",
                )
            )
    for number in range(honest):
        for turn in range(3):
            text = "Please help me with this: " + " ".join(rng.choice(WORDS, size=40))
            lines.append(
                _line(
                    f"{name}-honest-{number}",
                    turn,
                    text,
                    f"pm_{name}_{number}",
                    "t13d_browser",
                    SHARED_NETWORK.format(host=number),
                )
            )
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _line(account: str, turn: int, prompt: str, card: str, tls: str, ip: str) -> dict[str, object]:
    return {
        "time": f"2026-05-{1 + turn:02d}T10:00:00Z",
        "account_id": account,
        "exchange_id": f"{account}-{turn}",
        "prompt": prompt,
        "payment_id": card,
        "tls_fingerprint": tls,
        "ip": ip,
        "user_agent": "client/1",
        "email_domain": "mail.example",
    }


def campaign_of(log: Path, name: str) -> Campaign:
    """Give the campaign of a provider's operator, with an exhibit for each of its exchanges."""
    exhibits, offset, members = [], 0, set()
    for raw in log.read_bytes().splitlines(keepends=True):
        row = json.loads(raw)
        if row["account_id"].startswith(f"{name}-op-"):
            members.add(row["account_id"])
            exhibits.append(
                Exhibit(
                    claim="template lift", account_id=row["account_id"], exchange_id=row["exchange_id"],
                    time_us=round(datetime.fromisoformat(row["time"]).timestamp() * 1_000_000),
                    source_file=str(log), source_offset=offset, source_length=len(raw) - 1,
                )
            )  # fmt: skip
        offset += len(raw)
    return replace(
        example.pool(),
        id=example.campaign_id(sorted(members)),
        members=tuple(sorted(members)),
        exhibits=tuple(exhibits),
    )


def prompts_of(log: Path) -> list[tuple[str, str]]:
    """Give (account id, prompt) of every line."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [(row["account_id"], row["prompt"]) for row in rows]


def values_of(log: Path, column: str) -> list[tuple[str, str]]:
    """Give (account id, value) of every line."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [(row["account_id"], row[column]) for row in rows]
