"""Work that changes of law opened and nobody closed, as the ledger tells it."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.governance.posture.evidence import EntryKind, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """A piece of work that is open."""

    id: str
    subject: str
    what: str
    opened_us: int
    entry: int
    """The ledger's entry of the change."""


def open_law_work(evidence: Evidence) -> list[OpenWork]:
    """Give the work that is open at the moment, oldest first."""
    closed = {one.record.get("id") for one in evidence.of(EntryKind.LAW_WORK_CLOSED)}
    found = [
        OpenWork(
            id=str(work["id"]), subject=str(work["subject"]), what=str(work["what"]), opened_us=int(work["opened_us"]), entry=one.index
        )
        for one in evidence.of(EntryKind.LAW_CHANGE)
        for work in one.record.get("work") or ()
        if work.get("id") not in closed
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.opened_us, one.id))
