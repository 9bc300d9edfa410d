"""The provider's own endpoint was asked for more than text, and showed nothing that is not allowed."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence, RecordedEntry

OWN_MODEL = "own"
"""How a drill calls the simulated model that it starts itself; what that shows says nothing of a real endpoint."""


def check(evidence: Evidence) -> Measurement:
    """Take the newest drill of the output surface that asked a real endpoint."""
    return judge_drill(evidence, "surface", "stillwatch drill surface --url URL --ledger LEDGER --actor NAME", is_real)


def is_real(one: RecordedEntry) -> bool:
    """Say whether a drill asked an endpoint of the provider."""
    return bool((one.record.get("settings") or {}).get("url", OWN_MODEL) != OWN_MODEL)
