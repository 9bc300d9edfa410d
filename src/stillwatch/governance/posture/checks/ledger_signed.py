"""A signed checkpoint covers every entry that is a day old, and somebody else's clock or key covers every entry that is a week old."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, Evidence, day_of, days_between

SIGNED_DAYS = 1
SEALED_DAYS = 7


def check(evidence: Evidence) -> Measurement:
    """Compare the ledger's size with what is signed and sealed."""
    if not evidence.size:
        return Measurement(outcome=Outcome.NOT_COVERED, why="there is no entry")
    oldest = evidence.oldest_unsigned_us
    faults = []
    if oldest is not None and evidence.now_us - oldest > SIGNED_DAYS * DAY_US:
        faults.append(f"entries of {day_of(oldest)} and later are signed by no checkpoint")
    newest = max((one.at_us for one in evidence.seals), default=None)
    if newest is None:
        faults.append("no checkpoint was time-stamped or cosigned by anybody else")
    elif days_between(newest, evidence.now_us) >= SEALED_DAYS:
        faults.append(f"the last time stamp or cosignature is of {day_of(newest)}")
    return Measurement(
        outcome=Outcome.FAILS if faults else Outcome.HOLDS,
        why=f"{evidence.signed} of {evidence.size} entries are signed, {len(evidence.seals)} time stamps and cosignatures"
        + (f"; {', '.join(faults)}" if faults else ""),
        until_us=None if newest is None else newest + SEALED_DAYS * DAY_US,
    )
