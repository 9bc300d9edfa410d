"""The newest bundle of each gateway is not out of date, so that no gateway acts on stale rules."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence, day_of


def check(evidence: Evidence) -> Measurement:
    """Look at the last bundle that was issued for each name."""
    newest = {str(one.record.get("for")): one for one in evidence.of(EntryKind.BUNDLE_ISSUED)}
    if not newest:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no bundle was issued; `stillwatch bundle build` issues one"
        )
    ends = {name: int(one.record.get("expires_us", 0)) for name, one in newest.items()}
    stale = sorted(name for name, end in ends.items() if end <= evidence.now_us)
    said = ", ".join(f"{name} until {day_of(ends[name])}" for name in sorted(ends))
    return Measurement(
        outcome=Outcome.FAILS if stale else Outcome.HOLDS,
        why=f"newest bundles: {said}" + (f"; out of date: {', '.join(stale)}" if stale else ""),
        entries=tuple(one.index for one in newest.values()),
        until_us=min(ends.values()),
    )
