"""What logs show of models and endpoints: counts by model and endpoint, one pass, in memory that does not grow with the logs.

Takes batches of exchanges as intake gives them. Gives a row for each model and endpoint, with what was filled and what was shown. Logs have no
column for log-probabilities; the drill of the output surface asks for those.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

DAY_US = 86_400 * 1_000_000
FIELDS = (
    "time_us", "account_id", "exchange_id", "api_key_id", "session_id", "organization_id", "prompt", "model", "endpoint", "status", "response",
    "input_tokens", "output_tokens", "latency_ms", "ip", "user_agent",
)  # fmt: skip
"""Columns whose filling is counted."""
OF_ANSWERS = ("response", "output_tokens", "latency_ms")
"""Of these, what only an answer has: an exchange that was refused counts as filled."""
MOST_ROUTES = 10_000
"""Models and endpoints; a log in which clients invent names must not fill the memory. Further ones count under `other`."""


@dataclass(slots=True, kw_only=True)
class SeenRoute:
    """What was seen of one model on one endpoint."""

    model: str
    """Empty where the log names none."""
    endpoint: str
    exchanges: int = 0
    first_us: int = 1 << 62
    last_us: int = 0
    tokens: int = 0
    """In and out."""
    attributed_tokens: int = 0
    """Of exchanges with a key or session beside the account."""
    with_reasoning: int = 0
    with_samples: int = 0
    """Exchanges that asked for more than one answer."""
    filled: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FIELDS, 0))


class SeenAssets:
    """Counts over all batches."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], SeenRoute] = {}
        self._days: set[int] = set()
        self.quarantined = 0

    def take(self, batch: Any) -> None:
        """Count a batch of exchanges."""
        table = _prepared(batch)
        columns = {name: f"{name}_{how}" for name, how in _SUMS}
        grouped = table.group_by(["model", "endpoint"]).aggregate(
            [("time_us", "count"), ("time_us", "min"), ("time_us", "max"), *((name, how) for name, how in _SUMS)]
        )
        for row in grouped.to_pylist():
            one = self._route(row["model"], row["endpoint"])
            one.exchanges += row["time_us_count"]
            one.first_us = min(one.first_us, row["time_us_min"])
            one.last_us = max(one.last_us, row["time_us_max"])
            for name in ("tokens", "attributed_tokens", "with_reasoning", "with_samples"):
                setattr(one, name, getattr(one, name) + (row[columns[name]] or 0))
            for name in FIELDS:
                one.filled[name] += row[columns[f"filled_{name}"]] or 0
        self._days |= set(pc.unique(pc.divide(table["time_us"], DAY_US)).to_pylist())

    def _route(self, model: str, endpoint: str) -> SeenRoute:
        key = (model, endpoint)
        if key not in self._routes and len(self._routes) >= MOST_ROUTES:
            key = ("other", "other")
        return self._routes.setdefault(key, SeenRoute(model=key[0], endpoint=key[1]))

    def routes(self) -> tuple[SeenRoute, ...]:
        """Give all routes, most exchanges first."""
        return tuple(sorted(self._routes.values(), key=lambda one: (-one.exchanges, one.model, one.endpoint)))

    def missing_days(self) -> tuple[str, ...]:
        """Give the days between the first and the last on which no exchange stands, `YYYY-MM-DD`."""
        if not self._days:
            return ()
        return tuple(
            dt.datetime.fromtimestamp(day * 86_400, dt.UTC).date().isoformat()
            for day in range(min(self._days), max(self._days))
            if day not in self._days
        )


_SUMS = (
    ("tokens", "sum"), ("attributed_tokens", "sum"), ("with_reasoning", "sum"), ("with_samples", "sum"),
    *((f"filled_{name}", "sum") for name in FIELDS),
)  # fmt: skip


def _prepared(batch: Any) -> Any:
    """Give one column for each thing that is summed."""

    def zero(name: str) -> Any:
        return pc.fill_null(batch[name], 0).cast(pa.int64())

    def there(name: str) -> Any:
        return pc.is_valid(batch[name])

    tokens = pc.add(zero("input_tokens"), zero("output_tokens"))
    attributed = pc.or_(there("api_key_id"), there("session_id"))
    columns: dict[str, Any] = {
        "model": pc.fill_null(batch["model"], ""),
        "endpoint": pc.fill_null(batch["endpoint"], ""),
        "time_us": batch["time_us"],
        "tokens": tokens,
        "attributed_tokens": pc.if_else(attributed, tokens, 0),
        "with_reasoning": there("reasoning").cast(pa.int64()),
        "with_samples": pc.fill_null(pc.greater(batch["n"], 1), False).cast(pa.int64()),
    }
    columns |= {f"filled_{name}": there(name).cast(pa.int64()) for name in FIELDS}
    refused = pc.fill_null(pc.greater_equal(batch["status"], 400), False)  # pyarrow's own way of calling it
    columns |= {f"filled_{name}": pc.or_(there(name), refused).cast(pa.int64()) for name in OF_ANSWERS}
    return pa.table(columns)


def route_document(one: SeenRoute) -> Mapping[str, Any]:
    """Give a route as the ledger and the JSON document hold it."""
    return {
        "model": one.model,
        "endpoint": one.endpoint,
        "exchanges": one.exchanges,
        "first_us": one.first_us,
        "last_us": one.last_us,
        "tokens": one.tokens,
        "attributed_tokens": one.attributed_tokens,
        "with_reasoning": one.with_reasoning,
        "with_samples": one.with_samples,
        "filled": dict(one.filled),
    }


def route_documents(routes: Iterable[SeenRoute]) -> list[Mapping[str, Any]]:
    """Give all routes so."""
    return [route_document(one) for one in routes]
