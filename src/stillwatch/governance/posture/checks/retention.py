"""Shadow samples, which hold customers' text, are erased within the days that the asset register names."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Compare the age of each sample that is not erased with the limit."""
    register = evidence.newest(EntryKind.ASSETS_REGISTERED)
    limit = None if register is None else register.record.get("retention_days")
    if register is None or limit is None:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no registered asset list names `retention_days`, so there is no limit to hold samples against"
        )  # fmt: skip
    erased = {one.record.get("id") for one in evidence.of(EntryKind.SHADOW_ERASED)}
    kept = [one for one in evidence.of(EntryKind.SHADOW_SEALED) if one.record.get("id") not in erased]
    old = [one for one in kept if evidence.now_us - one.time_us > int(limit) * DAY_US]
    return Measurement(
        outcome=Outcome.FAILS if old else Outcome.HOLDS,
        why=f"{len(kept)} shadow samples are kept, {len(old)} of them for over the {limit} days that the asset register allows",
        entries=tuple(one.index for one in old or [register])[:20],
        until_us=min((one.time_us + int(limit) * DAY_US for one in kept), default=None) if not old else None,
    )
