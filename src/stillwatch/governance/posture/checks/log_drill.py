"""Every request that was sent through the guard stood in its log exactly once, with the fields that detection needs."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence


def check(evidence: Evidence) -> Measurement:
    """Take the newest drill of the log."""
    return judge_drill(evidence, "log", "stillwatch drill log --ledger LEDGER --actor NAME")
