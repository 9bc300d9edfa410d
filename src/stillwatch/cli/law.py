"""The verb `law`: the register of bills, orders, cases, rules and terms; what changed; and the work that a change opened."""

from __future__ import annotations

import datetime as dt
import getpass
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stillwatch.cli.law_update import Update
    from stillwatch.cli.terminal import Terminal
    from stillwatch.records.law import LawEntry

_LIST = "stillwatch law list --jurisdiction EU"
HELP = VerbHelp(
    name="law",
    purpose="Watch the law on extraction: a dated, graded register, what changed, and the work that it opens.",
    examples=(_LIST,),
    writes="into the folder of --state; each verb has --help and --json. It is not legal advice.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the register: status, date, grade, and where sources disagree.",
    examples=(_LIST,),
    writes="nothing.",
)
SHOW_HELP = VerbHelp(
    name="show",
    purpose="Show an entry whole: gist, sources, who verified it, conflicts, and what it touches here.",
    examples=("stillwatch law show us-hr-8283",),
    writes="nothing.",
)
UPDATE_HELP = VerbHelp(
    name="update",
    purpose="Read what sources say now, from dropped files or the network, and open work for what changed.",
    examples=("stillwatch law update --state law-watch", "stillwatch law update dropped --state law-watch"),
    writes="captures, changes and work into the folder of --state, and with --ledger an entry for each change.",
)
WORK_HELP = VerbHelp(
    name="work",
    purpose="List the work that is open, by what it touches.",
    examples=("stillwatch law work --state law-watch",),
    writes="nothing.",
)
DONE_HELP = VerbHelp(
    name="done",
    purpose="Close work, with a remark on what was done.",
    examples=("stillwatch law done WORK --state law-watch --remark 'Clause 7 amended'",),
    writes="into the folder of --state, and with --ledger an entry.",
)
TERMS_HELP = VerbHelp(
    name="terms",
    purpose="Show how a provider's terms changed, sentence by sentence, from a clone of Open Terms Archive.",
    examples=("stillwatch law terms genai-eu-versions --document 'Anthropic/Commercial Terms'",),
    writes="nothing.",
)
Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--register", metavar="DIR", help="A register of your own; its entries replace shipped ones of the same id."
    ),
]
State = Annotated[Path, typer.Option("--state", metavar="DIR", help="Folder of what the watch saw and opened.")]
OptionalLedger = Annotated[str | None, typer.Option("--ledger", metavar="URL", help="Seal it into this ledger, too.")]
OptionalActor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who does this.")]


def _entries(folders: list[Path] | None) -> dict[str, LawEntry]:
    from stillwatch.governance.law.reading import SHIPPED, read_register  # noqa: PLC0415

    return read_register((SHIPPED, *(folders or ())))


def list_entries(
    *,
    jurisdiction: Annotated[
        str | None, typer.Option("--jurisdiction", help="Only of this one, such as US or EU.")
    ] = None,
    touching: Annotated[
        str | None,
        typer.Option("--touching", metavar="ID", help="Only what touches this control, clause kind or element."),
    ] = None,
    register: Folders = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List the register."""
    terminal = open_terminal(as_json=as_json)
    chosen = [
        one
        for one in _entries(register).values()
        if (jurisdiction is None or one.jurisdiction.split("-")[0] == jurisdiction or one.jurisdiction == jurisdiction)
        and (touching is None or touching in {subject for _, subject in one.touches.all()})
    ]
    for one in sorted(chosen, key=lambda entry: entry.date, reverse=True):
        conflict = "; sources disagree" if one.conflicts else ""
        terminal.say(one.id, style="bold")
        terminal.say(f"    {printable(one.title)}")
        terminal.say(f"    {one.kind}, {one.jurisdiction}, {one.status} {one.date}; grade {one.grade}{conflict}")
    newest = max((one.verified.on for one in chosen), default="never")
    terminal.say(f"{len(chosen)} entries, last verified {newest}. The register ages, and it is not legal advice.")
    terminal.document({"verb": "law list", "entries": [_document(one) for one in chosen]})
    return ExitCode.DONE


def show(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help="Id of the entry, as `law list` says it.")],
    *,
    register: Folders = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show an entry."""
    terminal = open_terminal(as_json=as_json)
    entries = _entries(register)
    if entry_id not in entries:
        raise OptionError(f"ENTRY got {entry_id!a}, which is not in the register; `stillwatch law list` lists them.")
    one = entries[entry_id]
    terminal.say(printable(one.title), style="bold")
    terminal.say(f"{one.kind} · {one.jurisdiction} · {one.status} {one.date} · grade {one.grade}")
    terminal.say(printable(one.gist))
    for source in one.sources:
        terminal.say(f"  source    {printable(source.title)}: {source.url or 'no address of a primary text found'}")
    terminal.say(f"  verified  {one.verified.on} by {one.verified.by}, against {printable(one.verified.against)}")
    for conflict in one.conflicts:
        terminal.say(f"  conflict  {printable(conflict.says)} (says: {printable(conflict.by)})")
    for kind, subject in one.touches.all():
        terminal.say(f"  touches   {kind} {subject}")
    if one.due:
        terminal.say(f"  due       {one.due}")
    terminal.document({"verb": "law show", "entry": _document(one)})
    return ExitCode.DONE


def update(
    dropped: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files, folders, and clones of terms repositories.")
    ] = None,
    *,
    state: State,
    fetch: Annotated[bool, typer.Option("--fetch", help="Ask the addresses of --sources over the network.")] = False,
    sources: Annotated[
        Path | None, typer.Option("--sources", metavar="FILE", help="Addresses to ask; by default the shipped list.")
    ] = None,
    register: Folders = None,
    ledger: OptionalLedger = None,
    actor: OptionalActor = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Read what sources say now."""
    from stillwatch.cli import law_update  # noqa: PLC0415
    from stillwatch.cli.progress_display import stage_progress  # noqa: PLC0415
    from stillwatch.governance.law.fetch import SHIPPED_SOURCES, read_sources  # noqa: PLC0415
    from stillwatch.governance.law.state import WatchState  # noqa: PLC0415

    if ledger is not None and actor is None:
        raise OptionError("--ledger needs --actor: who answers for the entries.")
    terminal = open_terminal(as_json=as_json)
    asked = read_sources(sources or SHIPPED_SOURCES) if fetch else ()
    kept = WatchState(state)
    with kept.alone(), stage_progress(terminal) as progress:
        done = law_update.update(
            kept,
            _entries(register),
            dropped=dropped or (),
            sources=asked,
            now_us=ledger_options.now_us(),
            progress=progress,
        )
        sealed = range(0)
        if ledger is not None and actor is not None and done.new:
            with ledger_options.open_for(ledger, actor, "APPEND") as (opened, _):
                sealed = law_update.seal(opened, actor, kept, done.new)
    _say_update(terminal, done)
    terminal.document(
        {
            "verb": "law update",
            "documents": done.documents,
            "changes": [asdict(one) for one in done.new],
            "work": [asdict(one) for one in done.outcome.work],
            "unchanged": done.outcome.unchanged,
            "flapping": done.outcome.flapping,
            "older": done.outcome.older,
            "passed_over": done.outcome.passed_over,
            "failed": done.failed,
            "sealed": list(sealed),
        }
    )
    return ExitCode.INPUT if done.failed and not done.documents else ExitCode.DONE


def _say_update(terminal: Terminal, done: Update) -> None:
    outcome = done.outcome
    for one in done.new:
        terminal.say(f"{one.kind}  {one.date}  {printable(one.title or one.name)}", style="bold")
        if one.before:
            terminal.say(f"    was: {printable(one.before)}")
        terminal.say(f"    now: {printable(one.after)}" + (f"  {one.url}" if one.url else ""))
    for message in done.failed:
        terminal.say(f"not read: {printable(message)}")
    terminal.say(
        f"{done.documents} documents: {len(done.new)} changes, {len(outcome.work)} pieces of work opened; {outcome.unchanged} unchanged, "
        f"{outcome.flapping} flapping, {outcome.older} older than what was seen, {outcome.passed_over} passed over."
    )


def work(
    *,
    state: State,
    everything: Annotated[bool, typer.Option("--all", help="Show what was closed, too.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List open work."""
    from stillwatch.governance.law.state import WatchState  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    chosen = [one for one in WatchState(state).work().values() if everything or one.closed_us is None]
    for one in sorted(chosen, key=lambda item: (item.subject, item.opened_us, item.id)):
        closed = f"  [closed by {one.closed_by}: {printable(one.remark)}]" if one.closed_us is not None else ""
        terminal.say(f"{one.id}  {one.subject}{closed}\n    {printable(one.what)}")
    terminal.say(f"{sum(one.closed_us is None for one in chosen)} open. Close one with `stillwatch law done`.")
    terminal.document({"verb": "law work", "work": [asdict(one) for one in chosen]})
    return ExitCode.DONE


def done(
    work_id: Annotated[str, typer.Argument(metavar="WORK", help="Id of the work, as `law work` says it.")],
    *,
    state: State,
    remark: Annotated[str, typer.Option("--remark", help="What was done, or why nothing has to be.")],
    ledger: OptionalLedger = None,
    actor: OptionalActor = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Close work."""
    from stillwatch.cli.law_update import WORK_CLOSED  # noqa: PLC0415
    from stillwatch.governance.law.state import WatchState  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    if ledger is not None and actor is None:
        raise OptionError("--ledger needs --actor: who answers for the entry.")
    terminal = open_terminal(as_json=as_json)
    kept = WatchState(state)
    with kept.alone():
        one = kept.work().get(work_id)
        if one is None or one.closed_us is not None:
            said = "is not there" if one is None else f"was closed by {one.closed_by}"
            raise OptionError(f"WORK got {work_id!a}, which {said}; `stillwatch law work` lists what is open.")
        closed = replace(
            one, closed_us=ledger_options.now_us(), closed_by=actor or getpass.getuser(), remark=printable(remark)
        )
        if ledger is not None and actor is not None:
            with ledger_options.open_for(ledger, actor, "APPEND") as (opened, _):
                opened.append([NewEntry(kind=WORK_CLOSED, actor=actor, record=canonical_bytes(asdict(closed)))])
        kept.close(closed)
    terminal.say(f"{work_id} ({one.subject}) is closed.")
    terminal.document({"verb": "law done", "work": asdict(closed)})
    return ExitCode.DONE


def terms(
    repository: Annotated[Path, typer.Argument(metavar="CLONE", help="A git clone of versions of terms.")],
    *,
    document: Annotated[
        str | None, typer.Option("--document", metavar="NAME", help="Only this one: SERVICE/TYPE.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show how terms changed."""
    from stillwatch.governance.law.terms_history import TermsHistory, read_versions  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    history = TermsHistory()
    events = []
    versions = 0
    for version in read_versions(repository):
        if document is not None and version.document != document:
            continue
        versions += 1
        event = history.take(version)
        if event is not None:
            events.append(event)
            terminal.say(f"{_day(event.time_us)}  {printable(event.document)}  {event.commit[:12]}", style="bold")
            for sign, lines in (("-", event.went), ("+", event.came)):
                for line in lines:
                    terminal.say(f"  {sign} {printable(line)}")
    two = sorted(name for name, one in history.documents.items() if one.serves_two_versions)
    terminal.say(
        f"{versions} versions of {len(history.documents)} documents: {len(events)} changes of sentences that bear on extraction."
    )
    if two:
        terminal.say(f"Served in two versions by turns, each turn shown once: {printable(', '.join(two))}.")
    terminal.document(
        {
            "verb": "law terms",
            "versions": versions,
            "events": [asdict(one) for one in events],
            "documents": {
                name: {"versions": one.versions, "changed": one.changed, "flapping": one.flapping}
                for name, one in history.documents.items()
            },
        }
    )
    return ExitCode.DONE


def _day(time_us: int) -> str:
    return dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).date().isoformat()


def _document(one: LawEntry) -> Mapping[str, Any]:
    return asdict(one)


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (LIST_HELP, list_entries),
    (SHOW_HELP, show),
    (UPDATE_HELP, update),
    (WORK_HELP, work),
    (DONE_HELP, done),
    (TERMS_HELP, terms),
)
