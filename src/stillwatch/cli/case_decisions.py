"""Decisions as items of a case: what the ledger holds on the case's campaigns, with approvals and what is needed to evaluate them again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stillwatch.cli.decision_register import decisions_with_approvals, evaluators_of, successions
from stillwatch.cli.errors import OptionError
from stillwatch.cli.terms_register import Register, open_register
from stillwatch.evidence.cases.casework import NewItem
from stillwatch.records.case import ItemKind

if TYPE_CHECKING:
    from stillwatch.decisions.evaluate import Evaluator
    from stillwatch.evidence.cases.casework import UnsealedItem
    from stillwatch.records.decision import Decision
    from stillwatch.records.terms import StoredDecision


def decision_items(url: str, actor: str, held: Collection[UnsealedItem], adding: Collection[NewItem]) -> list[NewItem]:
    """Gather the decisions on a case's campaigns.

    Args:
        url: of the ledger's store.
        actor: who adds them; must be allowed to read.
        held: what the case holds already; a decision that is among it, with the approval that it has now, is left out.
        adding: what is added in the same act.

    Returns:
        An item for each decision, in the order in which they were proposed.

    Raises:
        OptionError: where the case has no campaign, there is no new decision on one, or terms are missing from the register.
    """
    fields = [
        {name: value for name, (_, value) in one.disclosures.items()}
        for one in held
        if one.item.kind is ItemKind.CAMPAIGN
    ]
    fields += [dict(one.fields) for one in adding if one.kind is ItemKind.CAMPAIGN]
    campaigns = {one["id"] for one in fields if "id" in one}
    if not campaigns:
        raise OptionError("--decisions: the case holds no campaign that can be read; add a run first, with --run.")
    kept = {
        (one.disclosures["decision"][1], one.disclosures["approved_entry"][1])
        for one in held
        if one.item.kind is ItemKind.DECISION and {"decision", "approved_entry"} <= one.disclosures.keys()
    }
    with open_register(url, actor, "READ") as register:
        items = _items(register, campaigns, kept)
    if not items:
        raise OptionError(
            "--decisions: the ledger holds no decision on the case's campaigns that the case does not hold; make one with `stillwatch decide "
            "propose`."
        )
    return items


def _items(register: Register, campaigns: set[Any], kept: set[tuple[Any, Any]]) -> list[NewItem]:
    decisions, _ = decisions_with_approvals(register)
    stored = {one.id: one for one in register.store.decisions()}
    evaluators = evaluators_of(register)
    supersedes = successions(register)
    return [
        NewItem(
            kind=ItemKind.DECISION,
            fields=_fields(one, stored[one.id], evaluators) | {"supersedes": list(supersedes.get(one.id, ()))},
        )
        for one in decisions
        if one.campaign_id in campaigns and (one.id, stored[one.id].approval_index) not in kept
    ]


def _fields(one: Decision, stored: StoredDecision, evaluators: dict[tuple[str, str], Evaluator]) -> dict[str, Any]:
    """Give a decision's fields, beside them its proposal and approval, and the policies under which it was evaluated."""
    said = asdict(one)
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items() if name != "id"}
    policies = []
    for named in one.terms if one.evaluations else ():
        name, _, version = named.partition("@")
        if (name, version) not in evaluators:
            raise OptionError(f"--decisions: {one.id} rests on {named[:80]!a}, which is not in the register.")
        compiled = evaluators[name, version].compiled
        policies.append(
            {"terms": named, "digest": compiled.digest, "policies": compiled.policies, "schema": compiled.schema}
        )
    return fields | {
        "decision": one.id,
        "action": one.action.value,
        "would": one.would.value,
        "when_stale": one.when_stale.value,
        "policies": policies,
        "proposed_by": stored.proposed_by,
        "proposed_entry": stored.entry_index,
        "approved_by": stored.approved_by,
        "approved_entry": stored.approval_index,
        "approved_us": stored.approved_us,
    }
