"""From decisions to an enforcement bundle: which account meets which action, now.

Takes decisions with their approvals. Gives the table and the accounts of a bundle, which `integrity/enforcement_bundle.py` writes. Promises
that nothing enters that has not begun, has ended, is superseded, or is a block without a second pair of eyes; and that of two decisions about one
account the stricter one counts, and of two alike the one that lasts longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stillwatch.decisions.succession import acting
from stillwatch.records.decision import STRICTNESS, Action, Approval, BundleEntry, Decision, EnforcementBundle
from stillwatch.records.key_registry import IssuedKey


def bundle_of(
    decisions: Sequence[Decision],
    approvals: Mapping[str, Approval],
    *,
    name: str,
    version: int,
    issued_us: int,
    expires_us: int,
    requests_per_minute: int,
    mark_keys: Mapping[str, IssuedKey] | None = None,
    supersedes: Mapping[str, tuple[str, ...]] | None = None,
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
        mark_keys: campaign id to its mark key, in use now; a mark ends with its key. A campaign that is missing has its own id as handle, which no
            table of keys holds: the gateway counts such answers as unmarked.
        supersedes: id of a decision to the ids of those that it supersedes.

    Returns:
        The bundle without its salt, and account id to row of its table.
    """
    ranked = sorted(
        acting(decisions, approvals, supersedes or {}, issued_us),
        key=lambda pair: (STRICTNESS.index(pair[0].action), pair[0].until_us, pair[0].id),
    )
    entries = tuple(_entry(one, requests_per_minute, (mark_keys or {}).get(one.campaign_id)) for one, _ in ranked)
    accounts = {
        member: row for row, (_, members) in enumerate(ranked) for member in members
    }  # the stricter one comes later
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


def _entry(one: Decision, requests_per_minute: int, key: IssuedKey | None) -> BundleEntry:
    marks = one.action is Action.MARK
    return BundleEntry(
        action=one.action,
        decision_id=one.id,
        clauses=one.clauses,
        until_us=one.until_us if key is None or not marks else min(one.until_us, key.valid_until_us),
        appeal=one.appeal,
        when_stale=one.when_stale,
        requests_per_minute=requests_per_minute if one.action is Action.THROTTLE else None,
        key_id=(one.campaign_id if key is None else key.handle) if marks else None,
    )
