"""What the drills of marking, output surface and log conclude from what they saw. Every probe is looked at; nothing is estimated.

Takes observations, one for each request that was sent. Gives a state and figures by route.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.governance.drills import ControlState
from stillwatch.records.claim import Claim, Inconclusive

NEEDED_FIELDS = (
    "time_us",
    "account_id",
    "exchange_id",
    "prompt",
    "model",
    "endpoint",
    "status",
    "response",
    "latency_ms",
)
"""Columns of an exchange that detection and a case need on every route that answers with text."""
EXPOSURES = ("logprobs", "alternatives", "samples", "reasoning")
"""What an answer may show beyond its text: log-probabilities, alternatives at a token, several samples of one prompt, raw reasoning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedRequest:
    """One request of an account whose answers are to be marked, as the engine got it."""

    route: str
    stream: bool
    key_id: str | None
    """Handle or key that the engine's own member of the body bore; null for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedText:
    """What the test of one route's answers gave."""

    route: str
    expected: bool
    """Whether the answers should bear the key."""
    found: bool
    answers: int
    tokens: int
    units: int
    """Distinct ones that were scored."""
    answer: Claim | Inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What one route gave when it was asked for more than text."""

    route: str
    asked: str
    """Of `EXPOSURES`."""
    status: int
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedProbe:
    """How often one request is in the log, and with which fields."""

    route: str
    stream: bool
    lines: int
    fields: frozenset[str]
    """Needed columns that are filled in its line."""


def marking_outcome(seen: Sequence[MarkedRequest], expected: str) -> tuple[ControlState, str, dict[str, Any]]:
    """Conclude whether every route hands on the campaign's mark: one dark route fails.

    Args:
        seen: every request that reached the engine, at least one.
        expected: the handle, or for an engine that takes keys the key, that each must bear.
    """
    routes: dict[str, Counter[str]] = {}
    for one in seen:
        word = "marked" if one.key_id == expected else "unmarked" if one.key_id is None else "another key"
        routes.setdefault(one.route, Counter())[word] += 1
    dark = sorted(route for route, counts in routes.items() if counts["marked"] < counts.total())
    why = f"{len(seen)} requests on {len(routes)} routes reached the engine; " + (
        f"not all were marked on {', '.join(dark)}" if dark else "each bore the campaign's key"
    )
    state = ControlState.MEASURED_FAIL if dark or not seen else ControlState.MEASURED_PASS
    return state, why, {"routes": {route: dict(counts) for route, counts in sorted(routes.items())}, "dark": dark}


def marked_text_outcome(seen: Sequence[MarkedText]) -> tuple[ControlState, str, dict[str, Any]]:
    """Conclude whether the text of every route bears the mark: one dark route fails, and so does one with too little text.

    Args:
        seen: a test of each set of answers.
    """
    wanted = [one for one in seen if one.expected]
    dark = sorted(one.route for one in wanted if not one.found)
    stray = sorted(one.route for one in seen if one.found and not one.expected)
    parts = [f"in text the key was looked for in {sum(one.answers for one in wanted)} answers on {len(wanted)} routes"]
    parts.append(f"not found on {', '.join(dark)}" if dark else "found on each")
    parts += [f"found where no mark was asked for: {', '.join(stray)}"] if stray else []
    short = sorted(one.route for one in wanted if not one.found and isinstance(one.answer, Inconclusive))
    parts += [f"too little text to exclude it on {', '.join(short)}"] if short else []
    figures = {
        one.route: {"answers": one.answers, "tokens": one.tokens, "units": one.units, "found": one.found}
        for one in seen
    }
    passed = bool(wanted) and not dark and not stray
    return ControlState.MEASURED_PASS if passed else ControlState.MEASURED_FAIL, ", ".join(parts), figures


def surface_outcome(
    seen: Sequence[Exposure], allowed: frozenset[tuple[str, str]]
) -> tuple[ControlState, str, dict[str, Any]]:
    """Conclude whether a route shows what it should not.

    Args:
        seen: every probe.
        allowed: (route, exposure) that may be shown.
    """
    shown = sorted({(one.route, one.asked) for one in seen if one.shown})
    beyond = [one for one in shown if one not in allowed]
    unanswered = sorted({one.route for one in seen} - {one.route for one in seen if one.status == 200})
    listed = ", ".join(f"{asked} on {route}" for route, asked in beyond)
    why = f"{len(seen)} probes on {len({one.route for one in seen})} routes; " + (
        f"shown and not allowed: {listed}" if beyond else "nothing was shown that is not allowed"
    )
    why += f"; no probe was answered on {', '.join(unanswered)}" if unanswered else ""
    table = {
        route: {
            one.asked: {"shown": one.shown, "allowed": (route, one.asked) in allowed, "status": one.status}
            for one in seen
            if one.route == route
        }
        for route in sorted({one.route for one in seen})
    }
    passed = bool(seen) and not beyond and not unanswered
    return ControlState.MEASURED_PASS if passed else ControlState.MEASURED_FAIL, why, {"routes": table}


def log_outcome(probes: Sequence[LoggedProbe]) -> tuple[ControlState, str, dict[str, Any]]:
    """Conclude whether every request is in the log exactly once, with the fields that detection needs.

    Args:
        probes: one for each request that was sent.
    """
    missing = sum(one.lines == 0 for one in probes)
    twice = sum(one.lines > 1 for one in probes)
    routes: dict[str, Any] = {}
    lacking: list[str] = []
    for route in sorted({one.route for one in probes}):
        there = [one for one in probes if one.route == route and one.lines]
        filled = {name: sum(name in one.fields for one in there) for name in NEEDED_FIELDS}
        routes[route] = {"logged": len(there), "filled": filled}
        lacking += [f"{name} on {route}" for name, count in filled.items() if count < len(there)]
    why = f"of {len(probes)} requests {missing} are missing and {twice} are there more than once; " + (
        f"not always filled: {', '.join(lacking)}" if lacking else "every needed field is filled"
    )
    passed = bool(probes) and not missing and not twice and not lacking
    figures: Mapping[str, Any] = {"requests": len(probes), "missing": missing, "twice": twice, "routes": routes}
    return ControlState.MEASURED_PASS if passed else ControlState.MEASURED_FAIL, why, dict(figures)
