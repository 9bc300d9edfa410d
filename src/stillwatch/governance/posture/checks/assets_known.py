"""The register of assets has no gap: each has an owner and terms, routes are marked, and what the logs show is registered."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Count the gaps that were registered with the assets."""
    register = evidence.newest(EntryKind.ASSETS_REGISTERED)
    if register is None:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no assets are registered; `stillwatch assets register` registers them"
        )
    gaps = register.record.get("gaps") or []
    kinds: dict[str, int] = {}
    for one in gaps:
        kinds[str(one["gap"])] = kinds.get(str(one["gap"]), 0) + 1
    said = ", ".join(f"{name}: {count}" for name, count in sorted(kinds.items()))
    return Measurement(
        outcome=Outcome.FAILS if gaps else Outcome.HOLDS,
        why=f"{len(register.record.get('assets') or [])} assets are registered" + (f"; gaps: {said}" if said else ", without a gap"),
        entries=(register.index,),
    )  # fmt: skip
