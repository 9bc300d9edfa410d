"""In the logs themselves, model, operation and tokens in and out are filled on every route, and no day is missing."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.evidence import Evidence
from stillwatch.governance.posture.measured_logs import judge_fields

NEEDED = ("model", "endpoint", "input_tokens", "output_tokens")


def check(evidence: Evidence) -> Measurement:
    """Look at the newest measurement of the logs."""
    return judge_fields(evidence, NEEDED)
