"""Each decision of the last ninety days says what a case needs: accounts, claims, clauses, terms, and a sealed run before it."""

from __future__ import annotations

from typing import Any

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence

WINDOW_DAYS = 90
NEEDED = ("campaign_id", "members", "claims", "terms", "evaluations")


def check(evidence: Evidence) -> Measurement:
    """Look at each decision that was proposed in the window."""
    since = evidence.now_us - WINDOW_DAYS * DAY_US
    proposed = [one for one in evidence.of(EntryKind.DECISION_PROPOSED) if one.time_us >= since]
    if not proposed:
        return Measurement(outcome=Outcome.NOT_COVERED, why=f"no decision was proposed in the last {WINDOW_DAYS} days")
    first_run = min((one.index for one in evidence.of(EntryKind.RUN_SEALED)), default=None)
    lacking: dict[str, int] = {}
    for one in proposed:
        for name in _lacking(one.record.get("decision")):
            lacking[name] = lacking.get(name, 0) + 1
        if first_run is None or one.index < first_run:
            lacking["a sealed run before it"] = lacking.get("a sealed run before it", 0) + 1
    said = ", ".join(f"{name} in {count}" for name, count in sorted(lacking.items()))
    return Measurement(
        outcome=Outcome.FAILS if lacking else Outcome.HOLDS,
        why=f"{len(proposed)} decisions of the last {WINDOW_DAYS} days; " + (f"missing: {said}" if said else "each holds what a case needs"),
        entries=tuple(one.index for one in proposed)[:20],
    )  # fmt: skip


def _lacking(decision: Any) -> list[str]:
    fields = decision if isinstance(decision, dict) else {}
    missing = [name for name in NEEDED if not fields.get(name)]
    return missing if fields.get("clauses") or fields.get("recorded") else [*missing, "clauses"]
