"""A mark key is in use, each was committed to before its first use, and none that was handed out raw still marks."""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry


def check(evidence: Evidence) -> Measurement:
    """Look at every key that was issued."""
    issued = evidence.of(EntryKind.KEY_ISSUED)
    if not issued:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no mark key was issued; `stillwatch keys issue` issues one"
        )
    using = keys_in_use(evidence)
    early = [one for one in issued if int(one.record.get("valid_from_us", 0)) < one.time_us]
    revealed = {handle for one in evidence.of(EntryKind.KEY_REVEALED) for handle in _handles(one.record)}
    open_keys = [one for one in using if one.record.get("handle") in revealed]
    faults = []
    if not using:
        faults.append("none is in use now")
    if early:
        faults.append(f"{len(early)} were in use before they were committed to")
    if open_keys:
        faults.append(f"{len(open_keys)} in use were revealed, so that others can forge or strip the mark")
    return Measurement(
        outcome=Outcome.FAILS if faults else Outcome.HOLDS,
        why=f"{len(issued)} keys were issued, {len(using)} are in use" + (f"; {', '.join(faults)}" if faults else ""),
        entries=tuple(one.index for one in using or issued)[:20],
        until_us=min((int(one.record["valid_until_us"]) for one in using), default=None),
    )


def keys_in_use(evidence: Evidence) -> list[RecordedEntry]:
    """Give the keys that may mark at the moment."""
    retired = {one.record.get("handle") for one in evidence.of(EntryKind.KEY_RETIRED)}
    return [
        one
        for one in evidence.of(EntryKind.KEY_ISSUED)
        if int(one.record.get("valid_from_us", 0)) <= evidence.now_us < int(one.record.get("valid_until_us", 0))
        and one.record.get("handle") not in retired
    ]


def _handles(record: object) -> Iterable[str]:
    handles = record.get("handles") if isinstance(record, dict) else None
    return handles if isinstance(handles, list) else ()
