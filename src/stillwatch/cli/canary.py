"""The verb `canary`: committed choices among equally good answers, for accounts whose terms disclose them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OutputError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stillwatch.cli.terms_register import Register
    from stillwatch.evidence.access import Access
    from stillwatch.records.challenge import ChallengeSlot

SECRET_VERSION = "stillwatch-canary-secret/v1"  # noqa: S105  # says what a secret is for
_PACK = "stillwatch canary pack --out slots.yaml"
_SET = "slots.yaml --set spring --secret canary.secret --ledger ledger.db --actor bob"
HELP = VerbHelp(
    name="canary",
    purpose="Commit to choices among equally good answers, and serve them where terms disclose it.",
    examples=(_PACK,),
    writes="only the files that its verbs name, and entries of the ledger; each verb has --help and --json.",
)
PACK_HELP = VerbHelp(
    name="pack",
    purpose="Write a file of slots to begin with: questions that leave the choice open, with 20 answers each.",
    examples=(_PACK,),
    writes="the file of --out.",
)
COMMIT_HELP = VerbHelp(
    name="commit",
    purpose="Commit a set of slots and a new secret to the ledger; no choice exists before.",
    examples=(f"stillwatch canary commit {_SET}",),
    writes="the secret (mode 0600), and an entry of the ledger.",
)
ISSUE_HELP = VerbHelp(
    name="issue",
    purpose="Draw the choices of accounts by the committed secret, and commit to them; refused where terms do not disclose it.",
    examples=(f"stillwatch canary issue {_SET} --account a-217",),
    writes="an entry of the ledger for each account.",
)
TABLE_HELP = VerbHelp(
    name="serve-table",
    purpose="Write the table from which the gateway serves choices, of accounts to which canaries are disclosed now.",
    examples=(f"stillwatch canary serve-table {_SET} --out canaries.json",),
    writes="the file of --out, mode 0600; it holds no secret and no counter-key.",
)
MATERIAL_HELP = VerbHelp(
    name="material",
    purpose="Write all choices of one account as the material of the challenge test of a suspect; anybody who holds it knows them.",
    examples=(f"stillwatch canary material {_SET} --account a-217 --out challenges.json",),
    writes="the file of --out (mode 0600), and an entry of the ledger that says what was written.",
)
REVEAL_HELP = VerbHelp(
    name="reveal",
    purpose="Open one choice of one account, with the proofs that it was committed to; all others stay closed.",
    examples=(f"stillwatch canary reveal {_SET} --account a-217 --slot tree-of-a-house --out opening.json",),
    writes="the file of --out, and an entry of the ledger that says what was opened.",
)
VERIFY_HELP = VerbHelp(
    name="verify",
    purpose="Check an opening against the entries of the ledger, without the secret.",
    examples=("stillwatch canary verify opening.json --ledger ledger.db --actor bob",),
    writes="nothing. It ends with exit code 11 where the opening does not hold.",
)
MATERIAL = "canary material"
REVEALED = "canary revealed"
Slots = Annotated[Path, typer.Argument(metavar="SLOTS", help="The YAML file of slots.")]
SetName = Annotated[str, typer.Option("--set", metavar="NAME", help="Name of the set in the ledger.")]
Secret = Annotated[Path, typer.Option("--secret", metavar="FILE", help="The set's secret, mode 0600.")]
Accounts = Annotated[list[str], typer.Option("--account", metavar="ID", help="An account; repeatable.")]


def pack(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the slots; a file that is there stays.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write slots to begin with."""
    from stillwatch.evidence.canaries import PACK  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    if out.exists():
        raise OutputError(f"--out {out} is there already; name another file.")
    ledger_options.write_out(out, PACK.read_bytes())
    terminal.say(f"{out}: change it before you commit it; a set that is public is no secret.")
    terminal.document({"verb": "canary pack", "out": str(out)})
    return ExitCode.DONE


def commit(
    slots: Slots,
    *,
    name: SetName,
    secret: Secret,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Commit a set."""
    from stillwatch.evidence.canaries import SLOTS_COMMITTED, commit_set  # noqa: PLC0415
    from stillwatch.integrity.text_keys import write_secret  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed = _slots(slots)
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        if any(json.loads(one.record)["challenge_id"] == name for one in book.entries(SLOTS_COMMITTED)):
            raise ResultFileError(f"the ledger holds a set named {name[:60]!a} already; name another one.")
        entry = commit_set(access, actor, name, listed, write_secret(secret, SECRET_VERSION))
    terminal.say(f"Entry {entry}: {len(listed)} slots of {name}. Secret: {secret}; sign with `ledger checkpoint` now.")
    terminal.document({"verb": "canary commit", "set": name, "slots": len(listed), "entry": entry})
    return ExitCode.DONE


def issue_choices(
    slots: Slots,
    *,
    name: SetName,
    secret: Secret,
    account: Accounts,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    beacon: Annotated[
        str, typer.Option("--beacon", metavar="HEX", help="Bytes from after the commitment that nobody here chose.")
    ] = "",
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Draw and commit choices."""
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.decisions.disclosure import require_disclosed  # noqa: PLC0415
    from stillwatch.evidence.access import Access  # noqa: PLC0415
    from stillwatch.evidence.canaries import issue  # noqa: PLC0415
    from stillwatch.integrity.text_keys import read_secret  # noqa: PLC0415
    from stillwatch.records.terms import ClauseKind  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed = _slots(slots)
    with open_register(ledger, actor, "APPEND") as register:
        require_disclosed(account, _told(register, account), ClauseKind.CANARY_DISCLOSURE)
        made = issue(
            Access(register.ledger), register.ledger, actor, name, listed, read_secret(secret, SECRET_VERSION), account, beacon
        )  # fmt: skip
    terminal.say(f"{len(made)} accounts got choices of {len(listed)} slots; {len(set(account)) - len(made)} had them.")
    terminal.document({"verb": "canary issue", "set": name, "entries": made})
    return ExitCode.DONE


def serve_table(
    slots: Slots,
    *,
    name: SetName,
    secret: Secret,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the table; what is there is replaced.")],
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write the gateway's table."""
    from stillwatch.cli.terms_register import open_register  # noqa: PLC0415
    from stillwatch.evidence.canaries import choices, committed_set, committed_targets  # noqa: PLC0415
    from stillwatch.gateway.canaries import FORMAT, question_digest  # noqa: PLC0415
    from stillwatch.integrity.text_keys import read_secret  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed, key = _slots(slots), read_secret(secret, SECRET_VERSION)
    with open_register(ledger, actor, "READ") as register:
        _, commitment = committed_set(register.ledger, name)
        held = committed_targets(register.ledger, name)
        told = _told(register, sorted(held))
    accounts = {
        account: {
            question_digest(question): {"slot": slot, "answer": answer}
            for question, (slot, answer) in choices(commitment, targets, listed, key).items()
        }
        for account, (_, targets) in held.items()
        if account in told
    }
    content = json.dumps({"format": FORMAT, "set": name, "accounts": accounts}).encode() + b"\n"
    ledger_options.write_out(out, content, private=True)
    left = len(held) - len(accounts)
    terminal.say(f"{out}: {len(accounts)} accounts; {left} left out, whose terms do not disclose canaries now.")
    terminal.document({"verb": "canary serve-table", "set": name, "accounts": len(accounts), "undisclosed": left})
    return ExitCode.DONE


def write_material(
    slots: Slots,
    *,
    name: SetName,
    secret: Secret,
    account: Annotated[str, typer.Option("--account", metavar="ID", help="Whose choices a suspect is tested for.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the material; what is there is replaced.")],
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write the material of the challenge test."""
    from stillwatch.evidence.canaries import committed_set, committed_targets  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.integrity.challenges import material_of  # noqa: PLC0415
    from stillwatch.integrity.text_keys import read_secret  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed, key = _slots(slots), read_secret(secret, SECRET_VERSION)
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        _, commitment = committed_set(book, name)
        held = committed_targets(book, name)
        if account not in held:
            raise ResultFileError(f"no choices of {name[:60]!a} were committed for this account; see `canary issue`.")
        content = canonical_bytes(material_of(commitment, held[account][1], listed, key))
        entry = _recorded(
            access, actor, MATERIAL, {"format": "stillwatch-canary-material/v1", "set": name, "account_id": account}
        )
    ledger_options.write_out(out, content, private=True)
    terminal.say(
        f"{out}: {len(listed)} slots of {account}. Whoever reads it knows the choices; keep it as you keep the secret."
    )
    terminal.document({"verb": "canary material", "entry": entry, "slots": len(listed), "file": str(out)})
    return ExitCode.DONE


def reveal_choice(
    slots: Slots,
    *,
    name: SetName,
    secret: Secret,
    account: Annotated[str, typer.Option("--account", metavar="ID", help="Whose choice is opened.")],
    slot: Annotated[str, typer.Option("--slot", metavar="ID", help="Which slot is opened.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="For the opening.")],
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Open a choice."""
    from stillwatch.evidence.canaries import reveal  # noqa: PLC0415
    from stillwatch.integrity.text_keys import read_secret  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    listed, key = _slots(slots), read_secret(secret, SECRET_VERSION)
    with ledger_options.open_for(ledger, actor, "APPEND") as (book, access):
        opened = reveal(book, name, listed, key, account, slot)
        entry = _recorded(
            access,
            actor,
            REVEALED,
            {"format": "stillwatch-canary-revealed/v1", "set": name, "account_id": account, "slot": slot},
        )
    ledger_options.write_out(out, json.dumps(opened, indent=2).encode() + b"\n")
    terminal.say(
        f"{out}: one choice of {account}; anybody can check it against entries {opened['slots_entry']} and {opened['targets_entry']}."
    )
    terminal.document({"verb": "canary reveal", "entry": entry, "opening": opened})
    return ExitCode.DONE


def verify_choice(
    opening: Annotated[Path, typer.Argument(metavar="OPENING", help="The file that `canary reveal` wrote.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Check an opening."""
    from stillwatch.evidence.canaries import verify  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    try:
        document: Any = json.loads(ledger_options.small_file(opening))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ResultFileError(f"{opening}: is no JSON object; expected what `canary reveal` writes.")
    with ledger_options.open_for(ledger, actor, "READ") as (book, _):
        held = verify(book, document)
    terminal.say(
        f"It holds: slot {held.slot.slot_id} for {held.target.audience}, one of {len(held.slot.answers)} answers."
    )
    terminal.document(
        {
            "verb": "canary verify",
            "slot": held.slot.slot_id,
            "account": held.target.audience,
            "answers": len(held.slot.answers),
        }
    )
    return ExitCode.DONE


def _told(register: Register, accounts: list[str]) -> Mapping[str, tuple[str, ...]]:
    """Say which of these accounts were told of canaries by terms in force now."""
    from stillwatch.cli.terms_register import acceptances_of, all_terms  # noqa: PLC0415
    from stillwatch.decisions.disclosure import disclosed_to  # noqa: PLC0415
    from stillwatch.records.terms import ClauseKind  # noqa: PLC0415

    accepted = acceptances_of(register, accounts)
    return disclosed_to(accepted, all_terms(register.store), ClauseKind.CANARY_DISCLOSURE, ledger_options.now_us())


def _recorded(access: Access, actor: str, kind: str, record: Mapping[str, str]) -> int:
    """Say in the ledger who learns of choices; give the entry's number."""
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    return access.append(actor, [NewEntry(kind=kind, actor=actor, record=canonical_bytes(record))])[0]


def _slots(path: Path) -> tuple[ChallengeSlot, ...]:
    from stillwatch.evidence.canaries import read_slots  # noqa: PLC0415

    return read_slots(ledger_options.small_file(path), str(path))


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (PACK_HELP, pack),
    (COMMIT_HELP, commit),
    (ISSUE_HELP, issue_choices),
    (TABLE_HELP, serve_table),
    (MATERIAL_HELP, write_material),
    (REVEAL_HELP, reveal_choice),
    (VERIFY_HELP, verify_choice),
)
"""The verbs below `canary`, in the order of the help."""
