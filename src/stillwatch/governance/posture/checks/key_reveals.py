"""Every hand-out of a raw mark key is recorded with its purpose, before it happened."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Look at every reveal and export of keys."""
    if not evidence.of(EntryKind.KEY_ISSUED):
        return Measurement(outcome=Outcome.NOT_COVERED, why="no mark key was issued, so none can be handed out")
    handed = [*evidence.of(EntryKind.KEY_REVEALED), *evidence.of(EntryKind.KEYS_EXPORTED)]
    silent = [one for one in handed if not str(one.record.get("purpose", "")).strip()]
    refused = len(evidence.of(EntryKind.KEYS_REFUSED))
    return Measurement(
        outcome=Outcome.FAILS if silent else Outcome.HOLDS,
        why=f"{len(handed)} hand-outs of raw keys, {len(silent)} of them without a purpose; {refused} were refused",
        entries=tuple(one.index for one in silent or handed)[:20],
    )
