"""The verb `decide appeal`: what came of an account holder's objection; a decision that is reversed is in no bundle from then on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.cli.terms_register import Register

APPEAL_DECIDED = "appeal decided"
FORMAT = "stillwatch-appeal/v1"
OUTCOMES = ("upheld", "reversed")
LONGEST_REASON = 2_000
APPEAL_HELP = VerbHelp(
    name="appeal",
    purpose="Record what came of an objection: the decision stands, or is reversed; needs the role approver.",
    examples=(
        "stillwatch decide appeal DECISION --outcome reversed --reason 'A course at a school' --ledger ledger.db --actor carol",
    ),
    writes="an entry of the ledger. A reversed decision is left out of every bundle that is built afterwards.",
)


def appeal(
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION", help="Id of the decision, as `decide list` says it.")
    ],
    *,
    outcome: Annotated[str, typer.Option("--outcome", metavar="WORD", help="upheld: it stands. reversed: it ends.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence for the record.")],
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Record an appeal."""
    from stillwatch.cli.decision_register import stored_decision  # noqa: PLC0415
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.decisions.errors import FourEyesError  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    if outcome not in OUTCOMES:
        raise OptionError(f"--outcome got {outcome[:40]!a}, expected one of {', '.join(OUTCOMES)}.")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise OptionError(f"--reason got {len(reason):,} characters, expected 1 to {LONGEST_REASON:,}.")
    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "APPROVE") as register:
        stored = stored_decision(register, decision_id)
        if stored.proposed_by == actor:
            raise FourEyesError(
                f"{decision_id} was proposed by {actor!a}; somebody else decides about an objection to it"
            )
        if decision_id in reversed_decisions(register):
            raise OptionError(f"{decision_id} was reversed before; a new decision is proposed anew.")
        record = {
            "format": FORMAT, "decision": decision_id, "proposed_entry": stored.entry_index, "outcome": outcome, "reason": printable(reason.strip())
        }  # fmt: skip
        entry = register.ledger.append([NewEntry(kind=APPEAL_DECIDED, actor=actor, record=canonical_bytes(record))])[0]
    terminal.say(f"{decision_id}: {outcome}. Entry {entry} of the ledger.")
    if outcome == "reversed":
        terminal.say("Build the next bundle, so that gateways stop acting on it.")
    terminal.document({"verb": "decide appeal", "entry": entry, **record})
    return ExitCode.DONE


def reversed_decisions(register: Register) -> frozenset[str]:
    """Give the ids of decisions that an appeal reversed."""
    records = (json.loads(one.record) for one in register.ledger.entries(APPEAL_DECIDED))
    return frozenset(str(one["decision"]) for one in records if one.get("outcome") == "reversed")
