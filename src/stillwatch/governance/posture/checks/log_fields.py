"""In the logs themselves, what detection and a case need of requests, answers and sessions is filled on every route, and no day is missing."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.evidence import Evidence
from stillwatch.governance.posture.measured_logs import judge_fields

NEEDED = ("account_id", "exchange_id", "session_id", "prompt", "response", "status")


def check(evidence: Evidence) -> Measurement:
    """Look at the newest measurement of the logs."""
    return judge_fields(evidence, NEEDED)
