"""Every look at customers' text is recorded with its purpose, before the text was shown."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Look at every look."""
    looks, refused = evidence.of(EntryKind.TEXT_LOOKED_AT), evidence.of(EntryKind.TEXT_REFUSED)
    if not looks and not refused:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="nobody asked to see text, so nothing shows that it would be recorded"
        )
    silent = [one for one in looks if not str(one.record.get("purpose", "")).strip()]
    people = len({one.actor for one in looks})
    return Measurement(
        outcome=Outcome.FAILS if silent else Outcome.HOLDS,
        why=f"{len(looks)} looks by {people} people, {len(silent)} of them without a purpose; {len(refused)} were refused",
        entries=tuple(one.index for one in silent or looks)[:20],
    )
