"""What the checks of posture look at, read from a ledger as it was at a moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stillwatch import __version__
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry, Seal

if TYPE_CHECKING:
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.records.ledger import LedgerEntry

_MANY = frozenset({EntryKind.TERMS_ACCEPTED, EntryKind.CASE_ITEM})
"""Kinds with an entry for each account or item, which no check reads."""


def evidence_of(ledger: Ledger, at_us: int) -> Evidence:
    """Read a ledger as it was.

    Args:
        ledger: opened for somebody who may read.
        at_us: the moment; microseconds UTC. What was recorded, stamped or cosigned later is left out, so that the same ledger gives the same
            evidence for the same moment.
    """
    size = size_at(ledger, at_us)
    signed = max((one.size for one in ledger.store.checkpoints() if one.size <= size), default=0)
    seals = [
        Seal(size=one.size, by=one.authority, at_us=one.stamped_us)
        for one in ledger.store.time_stamps()
        if one.stamped_us <= at_us and one.size <= size
    ]
    seals += [
        Seal(size=one.size, by=one.witness, at_us=one.cosigned_s * 1_000_000)
        for one in ledger.store.cosignatures()
        if one.cosigned_s * 1_000_000 <= at_us and one.size <= size
    ]
    return Evidence(
        now_us=at_us,
        version=__version__,
        size=size,
        signed=signed,
        oldest_unsigned_us=None if signed >= size else ledger.entry(signed).recorded_us,
        seals=tuple(seals),
        entries={
            kind.value: tuple(recorded(one) for one in ledger.entries(kind.value, 0, size))
            for kind in EntryKind
            if kind not in _MANY
        },
    )


def size_at(ledger: Ledger, at_us: int) -> int:
    """Count the entries that were recorded up to a moment.

    It is a search by halves: where the ledger's clock was set back, entries of the hours in question may count to either side, but always to the same.
    """
    low, high = 0, ledger.size()
    while low < high:
        middle = (low + high) // 2
        if ledger.entry(middle).recorded_us <= at_us:
            low = middle + 1
        else:
            high = middle
    return low


def recorded(entry: LedgerEntry) -> RecordedEntry:
    """Read an entry's record; empty where it is no JSON object."""
    try:
        record: Any = json.loads(entry.record)
    except (ValueError, RecursionError):
        record = None
    return RecordedEntry(
        index=entry.index,
        kind=entry.kind,
        time_us=entry.recorded_us,
        actor=entry.actor,
        digest=entry.record_digest,
        record=record if isinstance(record, dict) else {},
    )
