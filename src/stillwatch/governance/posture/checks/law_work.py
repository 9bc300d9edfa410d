"""Work that a change of law or terms opened is closed within thirty days."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence
from stillwatch.governance.posture.open_work import open_law_work

LONGEST_DAYS = 30


def check(evidence: Evidence) -> Measurement:
    """Look at every piece of work that is not closed."""
    changes = evidence.of(EntryKind.LAW_CHANGE)
    if not changes:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no change of law is in the ledger; `stillwatch law update --ledger` watches for them"
        )  # fmt: skip
    waiting = open_law_work(evidence)
    late = [one for one in waiting if evidence.now_us - one.opened_us > LONGEST_DAYS * DAY_US]
    return Measurement(
        outcome=Outcome.FAILS if late else Outcome.HOLDS,
        why=f"{len(changes)} changes; {len(waiting)} pieces of work are open, {len(late)} of them for over {LONGEST_DAYS} days",
        entries=tuple(sorted({one.entry for one in late or waiting}))[:20],
        until_us=min((one.opened_us + LONGEST_DAYS * DAY_US for one in waiting), default=None),
    )
