"""A provider of 240 accounts in a fortnight, small enough to run in a test: 200 customers, and 40 accounts of one operator.

Takes a folder. Writes `traffic.jsonl` in the generic flat format. The customers write about their own matters, from their own networks, in
their own hours. The operator has a list of tasks worked through by 40 accounts, round the clock: inside a scaffold that asks
for graded reasoning, from a few rented networks, paid by a few cards, registered in two batches. Equal code gives equal bytes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20_261_107
START = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 14
CUSTOMERS, OPERATED = 200, 40
FOLLOWED = "account-0217"
"""One of the operator's accounts; its eighth exchange is followed."""

SCAFFOLD = (
    "You are building a reference solution. Think step by step and show the complete chain of reasoning before the final answer, then"
    " score your own solution from 1 to 10 against the rubric. Task {number}: {task}"
)
WORDS = {
    kind: listed.split()
    for kind, listed in (
        line.split(":") for line in (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").splitlines()
    )
}
ITEM_WORDS = WORDS["things"] + WORDS["deeds"] + WORDS["topics"] + WORDS["verbs"]


def write_world(folder: Path) -> Path:
    """Write the traffic and give its path."""
    rng = np.random.default_rng(SEED)
    rows = [row for number in range(CUSTOMERS) for row in _customer(number, rng)]
    rows += _operator(rng)
    rows.sort(key=lambda row: (row["time"], row["account_id"]))
    path = folder / "traffic.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number, row in enumerate(rows):
            lines.write(json.dumps({"exchange_id": f"x-{number:05d}", **row}, ensure_ascii=False) + "\n")
    return path


def _customer(number: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One customer: about 40 exchanges, most of them around one hour of the day, in words of its own."""
    own = rng.permutation(WORDS["topics"])[:6]
    middle, spread = rng.uniform(6.0, 20.0), rng.uniform(1.0, 4.0)
    account = _account(
        number, f"203.0.{number}.{int(rng.integers(1, 250))}", f"card-{number:03d}", rng.uniform(30.0, 700.0)
    )
    rows = []
    for _ in range(int(rng.integers(28, 56))):
        words = [
            str(rng.choice(WORDS["verbs"])),
            *(str(word) for word in rng.choice(WORDS["fillers"], int(rng.integers(2, 14)))),
        ]
        words.insert(int(rng.integers(1, len(words))), str(rng.choice(own)))
        at = START + timedelta(days=int(rng.integers(DAYS)), hours=float(rng.normal(middle, spread)))
        answer = int(np.clip(rng.lognormal(5.0, 0.7), 5.0, 3_000.0))
        rows.append({"time": _text(at), **account, "prompt": " ".join(words), "output_tokens": answer})
    return rows


def _operator(rng: np.random.Generator) -> list[dict[str, Any]]:
    """The operator's accounts share one list of tasks: each task is sent once, by whichever account is free."""
    accounts = [
        _account(
            CUSTOMERS + place,
            f"198.51.{100 + place % 8}.{int(rng.integers(1, 250))}",
            f"card-9{place % 5:02d}",
            3.0 + place % 2 + float(rng.uniform(0.0, 0.02)),
        )
        for place in range(OPERATED)
    ]
    rows = []
    for task in range(OPERATED * 60):
        words = [str(word) for word in rng.choice(ITEM_WORDS, 16)]
        numbers = rng.integers(2, 400, 2).tolist()
        text = f"{' '.join(words[:9])} {numbers[0]} {' '.join(words[9:])} {numbers[1]}"
        at = START + timedelta(days=float(rng.uniform(0.0, DAYS)))
        rows.append(
            {
                "time": _text(at),
                **accounts[int(rng.integers(OPERATED))],
                "prompt": SCAFFOLD.format(number=task, task=text),
                "output_tokens": int(np.clip(rng.lognormal(6.6, 0.3), 50.0, 4_000.0)),
            }
        )
    return rows


def _account(number: int, ip: str, card: str, days_old: float) -> dict[str, Any]:
    return {
        "account_id": f"account-{number:04d}",
        "ip": ip,
        "payment_id": card,
        "account_created_at": _text(START - timedelta(days=days_old)),
        "model": "meridian-4",
        "turns": 1,
    }


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
