"""A campaign that spreads over many accounts, each below every limit of its own, was found and acted on all the same."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence

SPREAD = frozenset({"k-accounts", "probe-then-scale"})
"""Profiles whose accounts share no address, card or client."""


def check(evidence: Evidence) -> Measurement:
    """Take the newest campaign drill whose accounts hide from each other."""
    return judge_drill(
        evidence, "campaign", "stillwatch drill run --profile k-accounts --ledger LEDGER --actor NAME",
        lambda one: (one.record.get("settings") or {}).get("profile") in SPREAD,
    )  # fmt: skip
