"""Approval by a second pair of eyes: no block takes effect that only one person wanted.

Takes a decision, who proposed it and who would approve it. Gives an approval or raises. That the approver has the role for it is checked by
whoever calls, since roles are the ledger's.
"""

from __future__ import annotations

import unicodedata

from stillwatch.decisions.errors import FourEyesError
from stillwatch.records.decision import Action, Approval, Decision


def needs_approval(decision: Decision) -> bool:
    """Say whether a decision takes effect only after somebody else approved it."""
    return decision.action is Action.BLOCK


def approve(decision: Decision, proposed_by: str, approver: str, now_us: int) -> Approval:
    """Approve a decision.

    Args:
        decision: that needs approval.
        proposed_by: who proposed it.
        approver: somebody else.
        now_us: present time, microseconds UTC.

    Raises:
        FourEyesError: where the two are one, nothing is to be approved, or the decision has ended.
    """
    if not needs_approval(decision):
        raise FourEyesError(
            f"{decision.id} is {decision.action.value}, which takes effect without approval; only a block needs one"
        )
    if _person(proposed_by) == _person(approver):
        raise FourEyesError(
            f"{decision.id} was proposed by {proposed_by!a}, so {approver!a} cannot approve it; ask somebody else"
        )
    if now_us >= decision.until_us:
        raise FourEyesError(f"{decision.id} has ended, so there is nothing to approve; propose it again")
    return Approval(decision_id=decision.id, proposed_by=proposed_by, approved_by=approver, approved_us=now_us)


def takes_effect(decision: Decision, approval: Approval | None, now_us: int) -> bool:
    """Say whether a decision acts now: it has begun and not ended, and a block was approved by somebody else than its proposer."""
    return decision.action is not Action.ALLOW and now_us < decision.until_us and has_begun(decision, approval, now_us)


def has_begun(decision: Decision, approval: Approval | None, now_us: int) -> bool:
    """Say whether a decision has begun, whether or not it has ended since: its time has come, and a block was approved by somebody else."""
    if now_us < decision.from_us:
        return False
    if not needs_approval(decision):
        return True
    return (
        approval is not None
        and approval.decision_id == decision.id
        and _person(approval.proposed_by) != _person(approval.approved_by)
    )


def _person(name: str) -> str:
    """Give a name in one writing: `Bob ` and `bob` are no two people."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
