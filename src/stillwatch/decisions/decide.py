"""Decide: from a campaign and the terms that its members accepted to decisions.

Takes a campaign, acceptances and evaluators. Gives one decision for each set of terms that members share. Rules, in this order:

1. nobody is held to terms that they did not accept: such members are allowed;
2. an action needs a finding of operator or reseller. A victim's account stays open and its holder is told to change the key. A licensed
   partner's breaches are recorded and raised in person. A look-alike and what is unresolved are left alone;
3. the action is the strictest of the breached clauses in mode enforce; clauses in mode record are listed and do nothing;
4. a reseller is never blocked by a finding, since others' end users stand behind it: it is challenged at most.

More evidence never gives a milder action: the facts that grow with evidence are used in one direction only, which a validator sees to, and
rules 1, 2 and 4 do not look at evidence. The terms of a member are those that were in force when the campaign was last seen.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stillwatch.decisions.evaluate import Evaluation, Evaluator, Held
from stillwatch.decisions.notices import notice_for
from stillwatch.decisions.terms.facts import MOST_NUMBER
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.campaign import FLAGGED_FINDINGS, Campaign, Finding
from stillwatch.records.decision import STRICTNESS, Action, Decision, WhenStale, strictest
from stillwatch.records.terms import Acceptance, Clause, Event, Value, is_grant

DAY_US = 86_400 * 1_000_000
ANY_MODEL = "any"
TermsKey = tuple[str, str]
"""Name and version of terms."""

_CAPS: Mapping[Finding, tuple[Action, str]] = {
    Finding.OPERATOR: (Action.BLOCK, "the finding allows every action that a clause names"),
    Finding.RESELLER: (Action.CHALLENGE, "end users of others stand behind a reseller, so it is challenged at most"),
    Finding.VICTIM: (
        Action.ALLOW,
        "the account's holder is a victim: the account stays open, and its key must be changed",
    ),
    Finding.LICENSED: (
        Action.ALLOW,
        "the accounts harvest under an agreement: a breach of it is recorded and raised in person",
    ),
    Finding.LOOK_ALIKE: (Action.ALLOW, "an innocent explanation stands"),
    Finding.UNRESOLVED: (Action.ALLOW, "telemetry is missing or evidence is short: neither guilty nor cleared"),
    Finding.ORDINARY: (Action.ALLOW, "no candidate contains the accounts"),
}
"""Finding to the strictest action that it allows, and why."""
_EVALUATED = FLAGGED_FINDINGS | {Finding.LICENSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Breach:
    """What a set of terms says to a campaign."""

    evaluations: tuple[tuple[TermsKey, Evaluation], ...]
    clauses: tuple[tuple[TermsKey, Clause], ...]
    """Breached clauses in mode enforce."""


def terms_in_force(acceptances: Sequence[Acceptance], at_us: int) -> dict[str, tuple[TermsKey, ...]]:
    """Say which terms each account was held to.

    Args:
        acceptances: in any order.
        at_us: the time in question, microseconds UTC.

    Returns:
        Account to (name, version) of each of its terms, sorted: of each name the version that was accepted last, at or before the time.
    """
    last: dict[tuple[str, str], Acceptance] = {}
    for one in sorted(acceptances, key=lambda one: (one.accepted_us, one.entry_index)):
        if one.accepted_us <= at_us:
            last[one.account_id, one.name] = one
    found: dict[str, list[TermsKey]] = defaultdict(list)
    for (account, name), one in last.items():
        found[account].append((name, one.version))
    return {account: tuple(sorted(keys)) for account, keys in found.items()}


def decide(
    campaign: Campaign, acceptances: Sequence[Acceptance], evaluators: Mapping[TermsKey, Evaluator], now_us: int
) -> tuple[Decision, ...]:
    """Decide about a campaign.

    Args:
        campaign: flagged or not.
        acceptances: of its members; others are passed over.
        evaluators: of every version that is in force for a member.
        now_us: present time, microseconds UTC.

    Returns:
        A decision for each set of terms that members share, the one without terms first; together they hold every member once.

    Raises:
        PolicyError: where Cedar fails.
    """
    in_force = terms_in_force(acceptances, campaign.last_seen_us)
    groups: dict[tuple[TermsKey, ...], list[str]] = defaultdict(list)
    for member in campaign.members:
        groups[in_force.get(member, ())].append(member)
    return tuple(
        _decision(campaign, keys, tuple(sorted(members)), evaluators, now_us)
        for keys, members in sorted(groups.items())
    )


def campaign_facts(campaign: Campaign, *, licensed: bool) -> dict[str, Value]:
    """Give the facts that a campaign shows.

    Args:
        campaign: whose finding was made.
        licensed: whether the members accepted a licence of distillation.
    """
    facts: dict[str, Value] = {
        "finding": campaign.finding.value,
        "licensed": licensed or campaign.finding is Finding.LICENSED,
        "accounts": len(campaign.members),
        "harvest_exchanges": min(campaign.harvest_exchanges, MOST_NUMBER),
        "exchanges_per_day": _whole(campaign.rate_per_account_day),
        "evidence_log10": _whole(campaign.log_e / math.log(10)),
    }
    if campaign.finding in _EVALUATED:
        facts |= {
            "harvesting": True,
            "coordinated": len(campaign.members) > 1,
            "resale": campaign.finding is Finding.RESELLER,
        }
    return facts


def _decision(
    campaign: Campaign,
    keys: tuple[TermsKey, ...],
    members: tuple[str, ...],
    evaluators: Mapping[TermsKey, Evaluator],
    now_us: int,
) -> Decision:
    breach = _breach(campaign, keys, evaluators)
    cap, why = _CAPS[campaign.finding]
    enforced = strictest(tuple(clause.action for _, clause in breach.clauses))
    action = min(enforced, cap, key=STRICTNESS.index)
    decisive = [(key, clause) for key, clause in breach.clauses if clause.action is enforced]
    acts = action is not Action.ALLOW
    from_us = now_us + max((clause.notice_days for _, clause in decisive), default=0) * DAY_US * acts
    days = max((clause.duration_days for _, clause in decisive), default=0)
    stale = (
        WhenStale.CLOSED
        if acts and any(clause.when_stale is WhenStale.CLOSED for _, clause in decisive)
        else WhenStale.OPEN
    )
    texts = {key: evaluators[key].compiled.terms for key in keys}
    if not keys:
        why = "the accounts accepted no terms that are on record, and nobody is held to what they did not accept"
    elif cap is not Action.ALLOW and not breach.clauses:
        why = "no clause in mode enforce is breached"
    found = Decision(
        id="",
        campaign_id=campaign.id,
        finding=campaign.finding.value,
        terms=tuple(_named(key) for key in keys),
        action=action,
        would=min(strictest(tuple(one.would for _, one in breach.evaluations)), cap, key=STRICTNESS.index),
        members=members,
        claims=tuple(sorted(f"{campaign.id}/{one.name}" for one in campaign.claims)),
        clauses=tuple(sorted(f"{_named(key)}/{clause.id}" for key, clause in breach.clauses)),
        recorded=tuple(
            sorted(
                f"{_named(key)}/{one}"
                for key, came in breach.evaluations
                for one in set(came.breached) - set(came.enforced)
            )
        ),
        evaluations=tuple(came.record.decode() for _, came in breach.evaluations),
        remark=why,
        from_us=from_us,
        until_us=from_us + days * DAY_US * acts,
        notice="",
        appeal="; ".join(dict.fromkeys(texts[key].appeal for key in keys)),
        when_stale=stale,
    )
    noticed = replace(found, notice=notice_for(found, [(texts[key], clause) for key, clause in decisive]))
    return replace(noticed, id=f"d-{hashlib.sha256(canonical_bytes(noticed)).hexdigest()[:12]}")


def _breach(campaign: Campaign, keys: tuple[TermsKey, ...], evaluators: Mapping[TermsKey, Evaluator]) -> _Breach:
    if campaign.finding not in _EVALUATED:
        return _Breach(evaluations=(), clauses=())
    licensed = any(is_grant(clause) for key in keys for clause in evaluators[key].compiled.terms.clauses)
    model = campaign.models[0][0] if campaign.models else ANY_MODEL
    held = Held(
        subject=campaign.id, event=Event.FINDING, model=model, facts=campaign_facts(campaign, licensed=licensed)
    )
    evaluations = tuple((key, evaluators[key].evaluate([held])[0]) for key in keys)
    return _Breach(
        evaluations=evaluations,
        clauses=tuple(
            (key, clause)
            for key, came in evaluations
            for clause in evaluators[key].compiled.terms.clauses
            if clause.id in came.enforced
        ),
    )


def _named(key: TermsKey) -> str:
    return f"{key[0]}@{key[1]}"


def _whole(number: float) -> int:
    """Give a number as whole, from 0, within what a fact holds; evidence may be infinite."""
    if math.isnan(number):
        return 0
    return int(min(max(number, 0.0), float(MOST_NUMBER)))
