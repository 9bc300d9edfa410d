"""No approval is by whoever proposed the decision."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Compare the actor of each approval with that of the decision's own entry."""
    approvals = evidence.of(EntryKind.DECISION_APPROVED)
    if not approvals:
        return Measurement(outcome=Outcome.NOT_COVERED, why="no decision was approved")
    proposers = {one.index: one.actor for one in evidence.of(EntryKind.DECISION_PROPOSED)}
    alone = [one for one in approvals if proposers.get(one.record.get("proposed_entry", -1), one.actor) == one.actor]
    return Measurement(
        outcome=Outcome.FAILS if alone else Outcome.HOLDS,
        why=f"{len(approvals)} approvals, {len(alone)} of them by whoever proposed the decision or of a decision that is not in the ledger",
        entries=tuple(one.index for one in alone or approvals)[:20],
    )
