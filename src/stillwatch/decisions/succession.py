"""Succession: what becomes of a decision when its campaign is decided about again.

Takes the decisions that are on record and those just made. Gives the ones that say something new, each with the older ones that it supersedes;
and on whom each decision still acts. Promises that the same thing is not proposed twice, and that an older decision acts on an account until one
that supersedes it has begun for that account: nobody is let go while a second pair of eyes is awaited, and nobody is held by an old
finding once a newer, milder one has begun. Who is not in the newer decision keeps the older one, until its end.

A campaign is the same where its members are; one that has grown holds all members of the older decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.decisions.approval import has_begun, takes_effect
from stillwatch.records.campaign import Campaign
from stillwatch.records.decision import Action, Approval, Decision

_SAID = (
    "campaign_id", "finding", "terms", "action", "would", "members", "claims", "clauses", "recorded", "appeal", "when_stale",
)  # fmt: skip
"""What two decisions must share to be the same: all but when it was said, and the numbers behind the same claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A decision that was just made, beside what is on record."""

    decision: Decision
    """The one on record where it says the same."""
    is_new: bool
    supersedes: tuple[str, ...]
    """Ids of older decisions, in the order of the record; none where it is not new."""


def proposals_of(
    campaign: Campaign,
    made: Sequence[Decision],
    on_record: Sequence[Decision],
    superseded: frozenset[str],
    now_us: int,
) -> tuple[Proposal, ...]:
    """Compare the decisions on a campaign with those on record.

    Args:
        campaign: that was decided about.
        made: what was decided now.
        on_record: all earlier decisions, in the order in which they were proposed.
        superseded: ids of those that a later one supersedes.
        now_us: present time, microseconds UTC.

    Returns:
        One for each that was made, in that order.
    """
    members = frozenset(campaign.members)
    standing = [one for one in on_record if one.action is Action.ALLOW or now_us < one.until_us]
    about = [one for one in standing if one.campaign_id == campaign.id or members.issuperset(one.members)]
    same = {_said(one): one for one in about if one.id not in superseded}
    kept = {same[_said(one)].id for one in made if _said(one) in same}
    older = tuple(one.id for one in about if one.id not in kept)
    return tuple(
        Proposal(
            decision=same.get(_said(one), one),
            is_new=_said(one) not in same,
            supersedes=older if _said(one) not in same else (),
        )
        for one in made
    )


def acting(
    decisions: Sequence[Decision],
    approvals: Mapping[str, Approval],
    supersedes: Mapping[str, tuple[str, ...]],
    now_us: int,
) -> tuple[tuple[Decision, tuple[str, ...]], ...]:
    """Say which decisions act now, and on whom.

    Args:
        decisions: all that were proposed.
        approvals: by the id of the decision.
        supersedes: id of a decision to the ids of those that it supersedes.
        now_us: present time, microseconds UTC.

    Returns:
        (decision, sorted members on whom it acts, at least one).
    """
    let_go: dict[str, set[str]] = defaultdict(set)
    for one in decisions:
        if has_begun(one, approvals.get(one.id), now_us):
            for older in supersedes.get(one.id, ()):
                let_go[older].update(one.members)
    found = (
        (one, tuple(member for member in one.members if member not in let_go[one.id]))
        for one in decisions
        if takes_effect(one, approvals.get(one.id), now_us)
    )
    return tuple((one, members) for one, members in found if members)


def _said(one: Decision) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in _SAID)
