"""Decisions in the register: proposing, approving and reading them, each act with its entry of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stillwatch.cli.errors import OptionError
from stillwatch.cli.ledger_options import now_us
from stillwatch.cli.terms_register import Register, acceptances_of, agrees, all_terms

if TYPE_CHECKING:
    from stillwatch.decisions.evaluate import Evaluator
    from stillwatch.decisions.succession import Proposal
    from stillwatch.records.campaign import Campaign
    from stillwatch.records.decision import Approval, Decision
    from stillwatch.records.terms import StoredDecision
    from stillwatch.stores.protocol import LedgerWriter
    from stillwatch.stores.terms_protocol import TermsWriter

PROPOSED = "decision proposed"
APPROVED = "decision approved"
BUNDLE_ISSUED = "bundle issued"


def campaigns_of_run(folder: Path) -> tuple[Campaign, ...]:
    """Give the flagged campaigns of a run, and after them the considered ones.

    Raises:
        ResultFileError: where the folder is none that `stillwatch detect` wrote.
    """
    from stillwatch.cli.result_files import read_campaigns  # noqa: PLC0415

    file = read_campaigns(folder)
    return (*file.campaigns, *file.considered)


def campaigns_of_case(url: str, actor: str, case_id: str, keys: Path | None) -> tuple[Campaign, ...]:
    """Give the campaigns that a case holds.

    Raises:
        UnknownCaseError: where there is no such case.
        CaseKeyError: where its key cannot be used.
        CampaignsFileError: where an item was made by a newer version.
    """
    from stillwatch.cli.case_options import open_cases  # noqa: PLC0415
    from stillwatch.evidence.incident_report import read_campaigns_document  # noqa: PLC0415
    from stillwatch.records.case import ItemKind  # noqa: PLC0415

    with open_cases(url, actor, "READ", keys) as cases:
        fields = [
            {name: value for name, (_, value) in one.disclosures.items()}
            for one in cases.work.unsealed(case_id)
            if one.item.kind is ItemKind.CAMPAIGN and one.disclosures
        ]
    document = {"version": "", "fdr": 0.5, "campaigns": fields, "considered": []}
    return read_campaigns_document(document, case_id).campaigns


def evaluators_of(register: Register) -> dict[tuple[str, str], Evaluator]:
    """Compile every version in the register.

    Raises:
        PolicyError: where Cedar refuses one.
    """
    from stillwatch.decisions.compile_policy import compile_terms  # noqa: PLC0415
    from stillwatch.decisions.evaluate import Evaluator  # noqa: PLC0415

    return {key: Evaluator(compile_terms(terms)) for key, terms in all_terms(register.store).items()}


def propose(register: Register, campaigns: Sequence[Campaign]) -> tuple[Proposal, ...]:
    """Decide about campaigns, and keep the decisions that are new, all or none.

    Raises:
        PolicyError: where Cedar fails.
    """
    from stillwatch.decisions.decide import decide  # noqa: PLC0415
    from stillwatch.decisions.decision_record import decision_record  # noqa: PLC0415
    from stillwatch.decisions.succession import proposals_of  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    evaluators = evaluators_of(register)
    now = now_us()
    on_record, _ = decisions_with_approvals(register)
    superseded = frozenset(older for listed in successions(register).values() for older in listed)
    proposals = tuple(
        proposal
        for campaign in campaigns
        for proposal in proposals_of(
            campaign,
            decide(campaign, acceptances_of(register, campaign.members), evaluators, now),
            on_record,
            superseded,
            now,
        )
    )
    new = [one for one in proposals if one.is_new]

    def keep(writer: LedgerWriter, indices: range) -> None:
        for one, index in zip(new, indices, strict=True):
            cast("TermsWriter", writer).add_decision(one.decision.id, index)

    entries = [
        NewEntry(kind=PROPOSED, actor=register.actor, record=decision_record(one.decision, one.supersedes))
        for one in new
    ]
    if entries:
        register.ledger.append(entries, keep)
    return proposals


def successions(register: Register) -> dict[str, tuple[str, ...]]:
    """Give, by the id of each decision that supersedes any, the ids of those.

    Raises:
        DecisionRecordError: where a record cannot be read.
    """
    from stillwatch.decisions.decision_record import supersedes_of  # noqa: PLC0415

    listed = {one.id: supersedes_of(one.record) for one in register.store.decisions()}
    return {decision_id: older for decision_id, older in listed.items() if older}


def stored_decision(register: Register, decision_id: str) -> StoredDecision:
    """Give a decision that the register keeps.

    Raises:
        OptionError: where there is none of that id.
    """
    found = register.store.decision(decision_id)
    if found is None:
        raise OptionError(f"there is no decision {decision_id[:40]!a}; `stillwatch decide list` names those there are.")
    return found


def approve_decision(register: Register, decision_id: str) -> Approval:
    """Approve a decision in the name of the register's actor, whose role was checked.

    Raises:
        OptionError: where there is no such decision, or it was approved before.
        FourEyesError: where the actor proposed it, or nothing is to be approved.
    """
    from stillwatch.decisions.approval import approve  # noqa: PLC0415
    from stillwatch.decisions.decision_record import read_decision  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    stored = stored_decision(register, decision_id)
    if stored.approved_by is not None:
        raise OptionError(f"{decision_id} was approved before, by {stored.approved_by!a}.")
    approval = approve(read_decision(stored.record), stored.proposed_by, register.actor, now_us())

    def keep(writer: LedgerWriter, indices: range) -> None:
        cast("TermsWriter", writer).add_approval(decision_id, indices[0])

    register.ledger.append(
        [NewEntry(kind=APPROVED, actor=register.actor, record=canonical_bytes(_approval_record(stored)))], keep
    )
    return approval


def decisions_with_approvals(register: Register) -> tuple[tuple[Decision, ...], dict[str, Approval]]:
    """Give all decisions, and the approvals by the id of the decision.

    Raises:
        DecisionRecordError: where one cannot be read.
        LedgerDamagedError: where an approval is not what its entry says.
    """
    from stillwatch.decisions.decision_record import read_decision  # noqa: PLC0415
    from stillwatch.records.decision import Approval  # noqa: PLC0415

    stored = register.store.decisions()
    for one in stored:
        if one.approval_index is not None:
            agrees(register.store, one.approval_index, APPROVED, _approval_record(one), f"the approval of {one.id}")
    approvals = {
        one.id: Approval(
            decision_id=one.id,
            proposed_by=one.proposed_by,
            approved_by=one.approved_by,
            approved_us=one.approved_us or 0,
        )
        for one in stored
        if one.approved_by is not None
    }
    return tuple(read_decision(one.record) for one in stored), approvals


def _approval_record(stored: StoredDecision) -> dict[str, object]:
    return {"format": "stillwatch-approval/v1", "decision": stored.id, "proposed_entry": stored.entry_index}
