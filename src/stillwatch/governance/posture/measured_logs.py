"""The newest measurement of the logs that is still worth something."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry, day_of, days_between

NEEDED_FIELDS = (
    "time_us", "account_id", "exchange_id", "prompt", "model", "endpoint", "status", "response", "input_tokens", "output_tokens", "session_id",
)  # fmt: skip
"""Columns of an exchange that detection, attribution and a case need."""
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
