"""The verb `decide`: what follows from a campaign under the terms that its accounts accepted, and who approved it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import decision_appeal, ledger_options
from stillwatch.cli.case_options import Keys
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.records.decision import Decision

_LIST = "stillwatch decide list --ledger ledger.db --actor bob"
HELP = VerbHelp(
    name="decide",
    purpose="Decide what follows from campaigns under accepted terms; blocks need a second person.",
    examples=(_LIST,),
    writes="into the ledger's store; each verb has --help and --json.",
)
PROPOSE_HELP = VerbHelp(
    name="propose",
    purpose="Decide about the campaigns of a run or of a case, by the terms that their accounts accepted.",
    examples=(
        "stillwatch decide propose run --ledger ledger.db --actor bob",
        "stillwatch decide propose CASE --ledger ledger.db --actor bob --keys keys",
    ),
    writes="a decision and an entry of the ledger for each campaign and set of terms; one that is on record already is named and not "
    "proposed again. A block waits for `decide approve`.",
)
APPROVE_HELP = VerbHelp(
    name="approve",
    purpose="Approve a block that somebody else proposed; needs the role approver.",
    examples=("stillwatch decide approve DECISION --ledger ledger.db --actor carol",),
    writes="an approval, and its entry of the ledger.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List decisions: action, campaign, accounts, clauses, and whether they are approved.",
    examples=(_LIST,),
    writes="nothing.",
)
SHOW_HELP = VerbHelp(
    name="show",
    purpose="Show a decision whole: reasons, clauses, notice and appeal.",
    examples=("stillwatch decide show DECISION --ledger ledger.db --actor bob",),
    writes="nothing.",
)
REPLAY_HELP = VerbHelp(
    name="replay",
    purpose="Evaluate every decision's stored request again, and compare every byte of the answer.",
    examples=("stillwatch decide replay --ledger ledger.db --actor bob",),
    writes="nothing. It ends with exit code 11 where an answer differs.",
)
DecisionId = Annotated[str, typer.Argument(metavar="DECISION", help="Id of the decision, as `decide list` says it.")]


def propose(
    source: Annotated[str, typer.Argument(metavar="CASE_OR_RUN", help="A case's id, or a folder that `detect` wrote.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Decide about groups that were considered and not flagged, too.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Decide about campaigns."""
    from stillwatch.cli import decision_register as decisions  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.records.campaign import FLAGGED_FINDINGS, Finding  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    if source.startswith("case-") and not Path(source).is_dir():
        campaigns = decisions.campaigns_of_case(ledger, actor, source, keys)
    else:
        campaigns = decisions.campaigns_of_run(Path(source))
    told = FLAGGED_FINDINGS | {Finding.VICTIM}  # a stolen key's owner is told, and loses nothing
    chosen = [one for one in campaigns if everything or one.finding in told]
    with open_register(ledger, actor, "APPEND") as register:
        made = decisions.propose(register, chosen)
    for one in made:
        terminal.say(_line(one.decision) + ("" if one.is_new else "; on record, not proposed again"))
        if one.supersedes:
            terminal.say(f"  supersedes {', '.join(one.supersedes)} once it has begun")
    new = [one for one in made if one.is_new]
    waiting = sum(one.decision.action.value == "block" for one in new)
    terminal.say(
        f"{len(new)} new decisions on {len(chosen)} campaigns, {len(made) - len(new)} as before; {waiting} wait for approval by somebody else."
    )
    decided = [{**_document(one.decision), "new": one.is_new, "supersedes": list(one.supersedes)} for one in made]
    terminal.document({"verb": "decide propose", "campaigns": len(chosen), "decisions": decided})
    return ExitCode.DONE


def approve(
    decision_id: DecisionId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Approve a block."""
    from stillwatch.cli.decision_register import approve_decision  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "APPROVE") as register:
        approval = approve_decision(register, decision_id)
    terminal.say(
        f"{decision_id}, proposed by {approval.proposed_by}, is approved by {approval.approved_by}. Build a bundle to enforce it."
    )
    terminal.document(
        {
            "verb": "decide approve",
            "decision": decision_id,
            "proposed_by": approval.proposed_by,
            "approved_by": approval.approved_by,
        }
    )
    return ExitCode.DONE


def list_decisions(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List decisions."""
    from stillwatch.cli.decision_register import decisions_with_approvals, successions  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.decisions.succession import acting  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "READ") as register:
        decisions, approvals = decisions_with_approvals(register)
        supersedes = successions(register)
    acts_on = {one.id: members for one, members in acting(decisions, approvals, supersedes, ledger_options.now_us())}
    later = {older: one for one, listed in supersedes.items() for older in listed}
    listed: list[dict[str, Any]] = []
    for one in decisions:
        approval = approvals.get(one.id)
        on = acts_on.get(one.id, ())
        whom = "" if len(on) in {0, len(one.members)} else f" on {len(on)} accounts"
        terminal.say(
            f"{_line(one)}{f', approved by {approval.approved_by}' if approval else ''}{f', in effect{whom}' if on else ''}"
            + (f"; {later[one.id]} supersedes it" if one.id in later else "")
        )
        listed.append(
            {
                **_document(one), "approved_by": approval.approved_by if approval else None, "in_effect": bool(on),
                "acts_on": len(on), "superseded_by": later.get(one.id),
            }
        )  # fmt: skip
    if not decisions:
        terminal.say("There is no decision; propose some with `stillwatch decide propose`.")
    terminal.document({"verb": "decide list", "decisions": listed})
    return ExitCode.DONE


def show(
    decision_id: DecisionId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show a decision."""
    from stillwatch.cli.decision_register import stored_decision  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.decisions.decision_record import read_decision  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "READ") as register:
        stored = stored_decision(register, decision_id)
    one = read_decision(stored.record)
    terminal.say(_line(one))
    terminal.say(f"Why: {one.remark}.")
    terminal.say(
        f"Proposed by {stored.proposed_by} (entry {stored.entry_index}), approved by {stored.approved_by or 'nobody'}."
    )
    for title, names in (
        ("Terms", one.terms),
        ("Clauses", one.clauses),
        ("Recorded only", one.recorded),
        ("Claims", one.claims),
    ):
        terminal.say(f"{title}: {', '.join(names) or 'none'}")
    terminal.say(f"Accounts: {', '.join(one.members)}")
    terminal.say(f"Notice:\n{one.notice}" if one.notice else "Notice: nobody is told anything.")
    terminal.document(
        {
            "verb": "decide show",
            **_document(one),
            "remark": one.remark,
            "claims": list(one.claims),
            "members": list(one.members),
            "notice": one.notice,
            "appeal": one.appeal,
            "proposed_by": stored.proposed_by,
            "approved_by": stored.approved_by,
            "entry": stored.entry_index,
        }
    )
    return ExitCode.DONE


def replay_all(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Replay evaluations."""
    from stillwatch.cli.decision_register import decisions_with_approvals, evaluators_of  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.decisions.evaluate import replay  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "READ") as register:
        decisions, _ = decisions_with_approvals(register)
        evaluators = evaluators_of(register)
    replayed = 0
    for decision in decisions:
        if not decision.evaluations:
            continue
        for named, record in zip(decision.terms, decision.evaluations, strict=True):
            name, _, version = named.partition("@")
            if (name, version) not in evaluators:
                raise OptionError(f"{decision.id} rests on {named[:80]!a}, which is not in the register.")
            replay(record.encode(), evaluators[name, version].compiled)
            replayed += 1
    terminal.say(f"{replayed} evaluations of {len(decisions)} decisions came out again, byte for byte.")
    terminal.document({"verb": "decide replay", "decisions": len(decisions), "evaluations": replayed})
    return ExitCode.DONE


def _line(one: Decision) -> str:
    rests = f" under {', '.join(one.clauses)}" if one.clauses and one.action.value != "allow" else ""
    return f"{one.id}  {one.action.value}: {len(one.members)} accounts of {one.campaign_id} ({one.finding}){rests}"


def _document(one: Decision) -> dict[str, Any]:
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    return {
        "decision": one.id,
        "campaign": one.campaign_id,
        "finding": one.finding,
        "action": one.action.value,
        "would": one.would.value,
        "accounts": len(one.members),
        "terms": list(one.terms),
        "clauses": list(one.clauses),
        "recorded": list(one.recorded),
        "from": iso_time(one.from_us),
        "until": iso_time(one.until_us),
    }


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (PROPOSE_HELP, propose),
    (APPROVE_HELP, approve),
    (LIST_HELP, list_decisions),
    (SHOW_HELP, show),
    (REPLAY_HELP, replay_all),
    (decision_appeal.APPEAL_HELP, decision_appeal.appeal),
)
"""The verbs below `decide`, in the order of the help."""
