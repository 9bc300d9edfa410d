"""Notices: what an account holder is told, in plain words: what happens, why, under which clause, for how long, and how to object.

Takes a decision and the clauses that it rests on. Gives the text. Promises that it names no other account and holds no prompt. Who is only
marked is told nothing, since the terms told it before; who is allowed is told nothing, but for the holder of a stolen key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from stillwatch.records.campaign import Finding
from stillwatch.records.decision import Action, Decision
from stillwatch.records.terms import Clause, Terms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOES = {
    Action.THROTTLE: "fewer requests of your account are answered, and the rest are refused with a message",
    Action.CHALLENGE: "requests of your account are answered after you have shown who you are and what you use the service for",
    Action.BLOCK: "requests of your account are not answered",
}
_STOLEN = (
    "Your key appears to be used by somebody else beside you. Your account stays open. Please make a new key and revoke the old one, and tell us "
    "where the old one was kept. Nothing is held against you."
)


def notice_for(decision: Decision, clauses: Sequence[tuple[Terms, Clause]]) -> str:
    """Give the notice of a decision.

    Args:
        decision: whose action is settled.
        clauses: the clauses that lead to the action, with their terms.

    Returns:
        The text; empty where nobody is told anything.
    """
    if decision.finding == Finding.VICTIM:
        return _STOLEN
    if decision.action not in _DOES:
        return ""
    lines = [f"From {_day(decision.from_us)} to {_day(decision.until_us)} UTC, {_DOES[decision.action]}.", ""]
    lines.append("This rests on what you accepted:")
    for terms, clause in sorted(clauses, key=lambda pair: (pair[0].name, pair[1].id)):
        lines.append(
            f"- {terms.title}, version {terms.version}, clause {clause.number}: {' '.join(clause.says.split())}"
        )
    lines.append("")
    lines.append(
        f"What was found: the traffic of your account, and of any others in group {decision.campaign_id}, looks like a harvest of answers, and the "
        "innocent explanations that were tested were rejected. Such a finding can be wrong."
    )
    if decision.finding == Finding.RESELLER:
        lines.append(
            "If you resell access, tell us, and pass on an id for each end user; your own traffic is then told apart from theirs."
        )
    days = max((clause.cure_days for _, clause in clauses), default=0)
    if days:
        lines.append(f"You can put this right within {days} days of this notice.")
    lines += [
        "",
        f"If this is wrong, object at: {decision.appeal}. Name {decision.campaign_id}. A person will look at it.",
    ]
    return "\n".join(lines)


def _day(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%d %H:%M")
