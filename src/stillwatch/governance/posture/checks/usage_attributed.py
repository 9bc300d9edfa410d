"""Of the tokens in the logs, the share that a key or session ties to more than an account is not below the floor that was registered."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence, day_of
from stillwatch.governance.posture.measured_logs import newest_coverage


def check(evidence: Evidence) -> Measurement:
    """Look at the newest measurement of the logs."""
    found = newest_coverage(evidence)
    if isinstance(found, Measurement):
        return found
    routes = found.record.get("routes") or []
    tokens = sum(int(one["tokens"]) for one in routes)
    attributed = sum(int(one["attributed_tokens"]) for one in routes)
    if not tokens:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="the logs that were measured hold no token counts", entries=(found.index,)
        )
    register = evidence.newest(EntryKind.ASSETS_REGISTERED)
    floor = 1.0 if register is None else float(register.record.get("attribution_floor") or 1.0)
    return Measurement(
        outcome=Outcome.HOLDS if attributed >= floor * tokens else Outcome.FAILS,
        why=f"{attributed / tokens:.2%} of {tokens:,} tokens in the logs up to {day_of(found.time_us)} bear a key or session; the floor is {floor:.0%}",
        entries=(found.index,),
    )
