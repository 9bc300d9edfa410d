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
    """By the ledger's clock; microseconds UTC."""
    entry: int
    """The ledger's entry of the change."""


def open_law_work(evidence: Evidence) -> list[OpenWork]:
    """Give the work that is open at the moment, oldest first."""
    closed = {str(one.record.get("id")) for one in evidence.of(EntryKind.LAW_WORK_CLOSED)}
    found = [
        OpenWork(
            id=str(work.get("id")),
            subject=str(work.get("subject")),
            what=str(work.get("what")),
            opened_us=one.time_us,
            entry=one.index,
        )
        for one in evidence.of(EntryKind.LAW_CHANGE)
        for work in one.rows("work")
        if str(work.get("id")) not in closed
    ]
    return sorted(found, key=lambda one: (one.opened_us, one.id))
