"""Detection ran over sealed logs within the last week."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence, day_of, days_between

LONGEST_DAYS = 7
"""A campaign of the reference incident takes over six hundred thousand answers a day; a week is what an answer can still be worth."""


def check(evidence: Evidence) -> Measurement:
    """Look at the last sealed run."""
    newest = evidence.newest(EntryKind.RUN_SEALED)
    if newest is None:
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why="no run is sealed in the ledger; `stillwatch detect --ledger LEDGER --actor NAME` seals its own",
        )
    age = days_between(newest.time_us, evidence.now_us)
    runs = len(evidence.of(EntryKind.RUN_SEALED))
    return Measurement(
        outcome=Outcome.FAILS if age >= LONGEST_DAYS else Outcome.HOLDS,
        why=f"the last of {runs} sealed runs is of {day_of(newest.time_us)}, {age} days ago; at most {LONGEST_DAYS} are allowed",
        entries=(newest.index,),
        until_us=newest.time_us + LONGEST_DAYS * DAY_US,
    )
