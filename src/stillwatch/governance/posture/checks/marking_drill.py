"""On every route, requests of an account under a mark reached the engine with the campaign's key."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence


def check(evidence: Evidence) -> Measurement:
    """Take the newest drill of marking."""
    return judge_drill(evidence, "marking", "stillwatch drill marking --ledger LEDGER --actor NAME")
