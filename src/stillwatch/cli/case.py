"""The verb `case`: gather what is held against somebody, by elements, and hand it out so that anybody can check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.case_add import ADD_HELP, add
from stillwatch.cli.case_options import CaseId, Keys, open_cases
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

_OPEN = "stillwatch case open 'Harvest of June' --ledger ledger.db --actor bob --keys keys"
HELP = VerbHelp(
    name="case",
    purpose="Gather a case by what has to be shown, and export it so that anybody can check it.",
    examples=(_OPEN, "stillwatch case list --ledger ledger.db --actor bob --keys keys"),
    writes="into the ledger's store, the folder of case keys, and the bundles that its verbs name; each verb has --help and --json.",
)
OPEN_HELP = VerbHelp(
    name="open",
    purpose="Open a case, with a key of its own.",
    examples=(_OPEN,),
    writes="an entry of the ledger, and the case's key into the folder of --keys (mode 0600).",
)
NOTE_HELP = VerbHelp(
    name="note",
    purpose="Write a note into a case.",
    examples=("stillwatch case note CASE 'Asked the account holder.' --ledger ledger.db --actor bob --keys keys",),
    writes="a sealed item, and an entry of the ledger that commits to it.",
)
STATUS_HELP = VerbHelp(
    name="status",
    purpose="Say where a case stands, what it has and what is missing; or set its status.",
    examples=(
        "stillwatch case status CASE --ledger ledger.db --actor bob --keys keys",
        "stillwatch case status CASE --set 'under review' --ledger ledger.db --actor bob --keys keys",
    ),
    writes="nothing, or with --set an item and its entry.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the cases of a ledger.",
    examples=("stillwatch case list --ledger ledger.db --actor bob --keys keys",),
    writes="nothing.",
)
EXPORT_HELP = VerbHelp(
    name="export",
    purpose="Write a case as a bundle with report, proofs, draft certificates and a verifier.",
    examples=(
        "stillwatch case export CASE --ledger ledger.db --actor bob --keys keys --key-file ledger.key --out bundle",
        "stillwatch case export CASE --share --ledger ledger.db --actor bob --keys keys --key-file ledger.key --out shared.zip",
    ),
    writes="the folder, or the zip where the name ends in .zip, of --out; and an entry that says so. Make a checkpoint first.",
)
VERIFY_HELP = VerbHelp(
    name="verify",
    purpose="Check a bundle step by step, offline, as the verifier inside it does without us.",
    examples=("stillwatch case verify bundle --log-key LOG_KEY_FILE --authority tsa.pem",),
    writes="nothing. It ends with exit code 11 where a step failed or could not be established.",
)
ERASE_HELP = VerbHelp(
    name="erase",
    purpose="Erase the fields of a case for good, by destroying its key; the ledger stays whole.",
    examples=("stillwatch case erase CASE --reason 'retention ended' --ledger ledger.db --actor carol --keys keys",),
    writes="an entry of the ledger; it deletes the key of the case. Nobody can undo that.",
)


def open_case(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="A line; it is sealed like all else.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Open a case."""
    terminal = open_terminal(as_json=as_json)
    if not title.strip():
        raise OptionError("TITLE is empty; expected a line that tells this case from others.")
    with open_cases(ledger, actor, "APPEND", keys) as cases:
        opened = cases.work.open_case(title, actor)
    terminal.say(f"Opened {opened.id}. Keep {keys}/{opened.id}.key apart from the store, and back it up.")
    terminal.document({"verb": "case open", "case": opened.id})
    return ExitCode.DONE


def note(
    case_id: CaseId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write a note."""
    from stillwatch.evidence.cases.gathering import note_item  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_cases(ledger, actor, "APPEND", keys) as cases:
        (added,) = cases.work.add(case_id, [note_item(text)], actor)
    terminal.say(f"Item {added.number}: note, entry {added.entry_index} of the ledger.")
    terminal.document({"verb": "case note", "case": case_id, "number": added.number, "entry": added.entry_index})
    return ExitCode.DONE


def status(
    case_id: CaseId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    to: Annotated[
        str | None, typer.Option("--set", metavar="STATUS", help="open, under review, referred or closed.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Say or set where a case stands."""
    from stillwatch import __version__  # noqa: PLC0415
    from stillwatch.evidence.cases.bundle import case_file_of  # noqa: PLC0415
    from stillwatch.records.case import CaseStatus  # noqa: PLC0415

    words = [one.value for one in CaseStatus]
    if to is not None and to not in words:
        raise OptionError(f"--set got {to!a}, expected one of {', '.join(words)}.")
    terminal = open_terminal(as_json=as_json)
    with open_cases(ledger, actor, "READ" if to is None else "APPEND", keys) as cases:
        if to is not None:
            cases.work.set_status(case_id, CaseStatus(to), actor)
        file = case_file_of(cases.work, case_id, made_us=ledger_options.now_us(), version=__version__, shared=True)
    terminal.say(f"{file.case_id}: {file.status.value}{', erased' if file.erased else ''}, {len(file.custody)} acts.")
    for element in file.elements:
        terminal.say(f"  {element.title}: {len(element.statements)} statements, {len(element.gaps)} missing")
        for gap in element.gaps:
            terminal.say(f"    - {gap.what}")
    terminal.document(
        {
            "verb": "case status",
            "case": file.case_id,
            "status": file.status.value,
            "erased": file.erased,
            "elements": {
                one.key: {"statements": len(one.statements), "gaps": [gap.what for gap in one.gaps]}
                for one in file.elements
            },
        }
    )
    return ExitCode.DONE


def list_cases(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List the cases."""
    terminal = open_terminal(as_json=as_json)
    with open_cases(ledger, actor, "READ", keys) as cases:
        listed: list[dict[str, Any]] = [
            {
                "case": one.id,
                "status": one.status.value,
                "title": cases.work.title(one),
                "items": one.items,
                "erased": one.erased,
            }
            for one in cases.work.cases()
        ]
    for one in listed:
        title = "erased" if one["erased"] else one["title"] or "its key is not in this folder"
        terminal.say(f"{one['case']}  {one['status']}, {one['items']} items: {title}")
    if not listed:
        terminal.say("The ledger has no case.")
    terminal.document({"verb": "case list", "cases": listed})
    return ExitCode.DONE


def export(
    case_id: CaseId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="A new folder, or a new file that ends in .zip.")],
    keys: Keys = None,
    key_file: ledger_options.KeyFile = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="Withhold fields that name persons or show text; they are still committed to."),
    ] = False,
    tsa_certificates: Annotated[
        Path | None,
        typer.Option("--tsa-certificates", metavar="FILE", help="Certificates to put beside the time stamps, PEM."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Export a bundle."""
    from stillwatch import __version__  # noqa: PLC0415
    from stillwatch.evidence.cases.bundle import ExportTerms, export_bundle, write_bundle  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    signer = ledger_options.read_key(ledger_options.needed_key(key_file))
    terms = ExportTerms(
        shared=share,
        made_us=ledger_options.now_us(),
        version=__version__,
        certificates=b"" if tsa_certificates is None else ledger_options.small_file(tsa_certificates),
    )
    with open_cases(ledger, actor, "PROVE", keys) as cases:
        files, entry = export_bundle(cases.work, cases.ledger, cases.access, case_id, actor, signer, terms)
        write_bundle(files, out)
    terminal.say(f"Bundle of {len(files)} files: {out}. Entry {entry} of the ledger says so.")
    terminal.say(f"Hand out the log's key by another way than the bundle: {signer.verifier.text()}")
    terminal.document({"verb": "case export", "case": case_id, "out": str(out), "files": len(files), "entry": entry})
    return ExitCode.DONE


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder or zip.")],
    *,
    log_key: Annotated[
        Path | None,
        typer.Option("--log-key", metavar="FILE", help="The log's public key, from elsewhere than the bundle."),
    ] = None,
    authority: Annotated[
        list[Path] | None,
        typer.Option(
            "--authority", metavar="FILE", help="Root certificate of a time-stamping authority, PEM; repeatable."
        ),
    ] = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option("--witness", metavar="FILE", help="Public key of a witness that must have cosigned; repeatable."),
    ] = None,
    seen: Annotated[
        Path | None, typer.Option("--seen", metavar="FILE", help="A checkpoint of the log that you saw before.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Check a bundle."""
    from stillwatch.evidence import verify as verifier  # noqa: PLC0415
    from stillwatch.evidence.cases.errors import BundleError, BundleVerificationError  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    small = ledger_options.small_file
    trust = verifier.Trust(
        log_key=None if log_key is None else small(log_key).decode("utf-8", "replace"),
        authorities=b"\n".join(small(path) for path in authority or ()),
        seen=b"" if seen is None else small(seen),
        witnesses=tuple(small(path).decode("utf-8", "replace") for path in witness or ()),
    )
    try:
        found = verifier.verify_bundle(verifier.read_bundle(str(bundle)), trust)
    except verifier.UnreadableBundleError as error:
        raise BundleError(str(error)) from error
    except verifier.VerificationError as error:
        raise BundleVerificationError(f"{bundle}: {error}") from error
    for number, title in verifier.STEPS.items():
        word = "OPEN" if number in found.open else "ok"
        terminal.say(f"{word:5}{number}  {title}: {found.open.get(number) or found.established[number]}")
    terminal.document(
        {
            "verb": "case verify",
            "case": found.case,
            "established": {str(number): text for number, text in found.established.items()},
            "open": {str(number): text for number, text in found.open.items()},
        }
    )
    return ExitCode.UNVERIFIED if found.open else ExitCode.DONE


def erase(
    case_id: CaseId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="A line that names nobody; the ledger keeps it.")
    ],
    keys: Keys = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Erase a case's fields."""
    terminal = open_terminal(as_json=as_json)
    with open_cases(ledger, actor, "APPROVE", keys) as cases:
        erased = cases.work.erase(case_id, reason, actor)
    terminal.say(
        f"The key of {erased.id} is destroyed. Destroy its backups too; bundles that were exported stay as they are."
    )
    terminal.document({"verb": "case erase", "case": erased.id, "erased": erased.erased})
    return ExitCode.DONE


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (OPEN_HELP, open_case),
    (ADD_HELP, add),
    (NOTE_HELP, note),
    (STATUS_HELP, status),
    (LIST_HELP, list_cases),
    (EXPORT_HELP, export),
    (VERIFY_HELP, verify),
    (ERASE_HELP, erase),
)
"""The verbs below `case`, in the order of the help."""
