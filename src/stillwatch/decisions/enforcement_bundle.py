"""From decisions to an enforcement bundle: which account meets which action, now.

Takes decisions with their approvals. Gives the table and the accounts of a bundle, which `integrity/enforcement_bundle.py` writes. Promises
that nothing enters that has not begun, has ended, or is a block without a second pair of eyes; and that of two decisions about one
account the stricter one counts, and of two alike the one that lasts longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stillwatch.decisions.approval import takes_effect
from stillwatch.records.decision import STRICTNESS, Action, Approval, BundleEntry, Decision, EnforcementBundle


def bundle_of(
    decisions: Sequence[Decision],
    approvals: Mapping[str, Approval],
    *,
    name: str,
    version: int,
    issued_us: int,
    expires_us: int,
    requests_per_minute: int,
    mark_keys: Mapping[str, str] | None = None,
) -> tuple[EnforcementBundle, dict[str, int]]:
    """Gather what takes effect.

    Args:
        decisions: all that were proposed.
        approvals: by the id of the decision.
        name: whom the bundle is for.
        version: larger than that of every bundle of this name before.
        issued_us: present time, microseconds UTC.
        expires_us: when the bundle is stale.
        requests_per_minute: how many requests of a throttled account are answered.
        mark_keys: campaign id to handle of its mark key; a campaign that is missing has its own id as handle.

    Returns:
        The bundle without its salt, and account id to row of its table.
    """
    acting = [one for one in decisions if takes_effect(one, approvals.get(one.id), issued_us)]
    acting.sort(key=lambda one: (STRICTNESS.index(one.action), one.until_us, one.id))
    handles = mark_keys or {}
    entries = tuple(
        BundleEntry(
            action=one.action,
            decision_id=one.id,
            clauses=one.clauses,
            until_us=one.until_us,
            appeal=one.appeal,
            when_stale=one.when_stale,
            requests_per_minute=requests_per_minute if one.action is Action.THROTTLE else None,
            key_id=handles.get(one.campaign_id, one.campaign_id) if one.action is Action.MARK else None,
        )
        for one in acting
    )
    accounts = {member: row for row, one in enumerate(acting) for member in one.members}  # the stricter one comes later
    bundle = EnforcementBundle(
        name=name,
        version=version,
        issued_us=issued_us,
        expires_us=expires_us,
        salt=b"",
        accounts=len(accounts),
        entries=entries,
    )
    return bundle, accounts
