"""A simulated campaign among honest traffic was found by the real detection, was acted on, and the shuffled control raised no alarm."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence


def check(evidence: Evidence) -> Measurement:
    """Take the newest campaign drill of any profile."""
    return judge_drill(evidence, "campaign", "stillwatch drill run --ledger LEDGER --actor NAME")
