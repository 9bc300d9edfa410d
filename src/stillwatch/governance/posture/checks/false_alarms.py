"""Over at least twenty seeds, no shuffled control of the campaign drill raised an alarm; the interval says what that is worth."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.drill_freshness import judge_drill
from stillwatch.governance.posture.evidence import Evidence, RecordedEntry

LEAST_SEEDS = 20
"""Fewer give no interval worth acting on, as the drill itself says."""


def check(evidence: Evidence) -> Measurement:
    """Take the newest campaign drill over enough seeds."""
    judged = judge_drill(
        evidence, "campaign", f"stillwatch drill run --seeds {LEAST_SEEDS} --ledger LEDGER --actor NAME", _has_seeds
    )
    if judged.outcome is Outcome.NOT_COVERED:
        return judged
    controls = judged.figures["control_alarmed"]
    low, high = controls["interval"]
    honest = judged.figures.get("honest_accounts_flagged", 0)
    return Measurement(
        outcome=Outcome.FAILS if controls["count"] else Outcome.HOLDS,
        why=(
            f"{controls['count']} of {controls['of']} shuffled controls raised an alarm (95% interval {low:.1%} to {high:.1%}); "
            f"{honest} honest accounts were flagged beside the planted campaigns"
        ),
        entries=judged.entries,
        until_us=judged.until_us,
        figures=judged.figures,
    )


def _has_seeds(one: RecordedEntry) -> bool:
    figures = one.record.get("figures") or {}
    return int(figures.get("seeds", 0)) >= LEAST_SEEDS and "control_alarmed" in figures
