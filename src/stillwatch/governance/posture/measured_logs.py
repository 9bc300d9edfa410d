"""The newest measurement of the logs that is still worth something."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence, RecordedEntry, day_of, days_between

LONGEST_DAYS = 30


def newest_coverage(evidence: Evidence) -> RecordedEntry | Measurement:
    """Give the newest measurement of the logs, or say why there is none."""
    found = evidence.newest(EntryKind.LOG_COVERAGE)
    if found is None:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="the logs were not measured; `stillwatch assets discover LOGS --ledger LEDGER --actor NAME` does"
        )  # fmt: skip
    if days_between(found.time_us, evidence.now_us) >= LONGEST_DAYS:
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why=f"the logs were last measured on {day_of(found.time_us)}, over {LONGEST_DAYS} days ago; `stillwatch assets discover` does it again",
            entries=(found.index,),
        )
    return found


def judge_fields(evidence: Evidence, needed: Sequence[str]) -> Measurement:
    """Say whether fields are always filled on every route, and whether a day is missing or lines could not be read.

    Args:
        evidence: at the moment.
        needed: columns of an exchange.
    """
    found = newest_coverage(evidence)
    if isinstance(found, Measurement):
        return found
    routes = found.record["routes"]
    total = sum(int(one["exchanges"]) for one in routes)
    faults = []
    for name in needed:
        filled = [(int(one["filled"].get(name, 0)), int(one["exchanges"])) for one in routes]
        short = sum(there < of for there, of in filled)
        if short:
            faults.append(
                f"{name} is filled in {sum(there for there, _ in filled) / total:.1%} and lacks on {short} routes"
            )
    missing, quarantined = list(found.record["missing_days"]), int(found.record["quarantined"])
    faults += [f"{len(missing)} days without a line, the first of them {missing[0]}"] if missing else []
    faults += [f"{quarantined:,} lines could not be read"] if quarantined else []
    said = "; ".join(faults) or f"{', '.join(needed)} are always filled, and no day is missing"
    return Measurement(
        outcome=Outcome.FAILS if faults or not total else Outcome.HOLDS,
        why=f"{total:,} exchanges on {len(routes)} routes: {said}",
        entries=(found.index,),
        until_us=found.time_us + LONGEST_DAYS * DAY_US,
    )
