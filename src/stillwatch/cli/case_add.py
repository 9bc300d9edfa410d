"""The verb `case add`: campaigns, runs, exchanges, terms, decisions, releases, reports, claims and attestations into a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.case_options import CaseId, Keys, OpenedCases, open_cases
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.evidence.cases.casework import NewItem
    from stillwatch.records.case import ItemKind

ADD_HELP = VerbHelp(
    name="add",
    purpose="Add campaigns with exhibits, terms, decisions, releases, reports, claims or statements.",
    examples=(
        "stillwatch case add CASE --run case --exhibits 'world/traffic-*' --ledger ledger.db --actor bob --keys keys",
        "stillwatch case add CASE --run case --decisions --ledger ledger.db --actor bob --keys keys",
        "stillwatch case add CASE --attest permission --text 'No agreement covers it.' --ledger ledger.db --actor bob --keys keys",
    ),
    writes="items into the case, all or none, and an entry of the ledger for each; a look at text is an entry before it.",
)


RunFolder = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="Folder that `stillwatch detect` wrote.")]
Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", metavar="ID", help="Campaigns of --run; all flagged by default.")
]
Exhibits = Annotated[
    list[str] | None,
    typer.Option("--exhibits", metavar="PATH", help="The run's logs: add the exchanges of the exhibits; repeatable."),
]
MostExhibits = Annotated[
    int, typer.Option("--most-exhibits", metavar="N", min=1, max=1000, help="Exhibits of each campaign at most.")
]
Terms = Annotated[
    Path | None, typer.Option("--terms", metavar="FILE", help="Acceptance of terms, JSON: account_id, terms_version.")
]
Decisions = Annotated[
    Path | None, typer.Option("--decision", metavar="FILE", help="Decisions, JSON: account_id, action, clause, gate.")
]
OnLedger = Annotated[
    bool,
    typer.Option(
        "--decisions", help="The ledger's decisions on the case's campaigns, with approvals and what replays them."
    ),
]
Releases = Annotated[
    Path | None, typer.Option("--releases", metavar="FILE", help="A suspect's releases: columns model, released_at.")
]
Suspect = Annotated[str | None, typer.Option("--suspect", metavar="NAME", help="Whose releases they are.")]
Source = Annotated[str, typer.Option("--source", metavar="TEXT", help="Where the release dates come from.")]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="A report on a suspect, JSON: about, claims.")
]
Claims = Annotated[Path | None, typer.Option("--claim", metavar="FILE", help="Claims, JSON, of other tests.")]
Attested = Annotated[
    str | None, typer.Option("--attest", metavar="ELEMENT", help="Element that --text attests: gate, harm, ...")
]
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="What you attest.")]


def add(
    case_id: CaseId,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    keys: Keys = None,
    run: RunFolder = None,
    campaign: Campaigns = None,
    exhibits: Exhibits = None,
    most_exhibits: MostExhibits = 12,
    terms: Terms = None,
    decision: Decisions = None,
    decisions: OnLedger = False,
    releases: Releases = None,
    suspect: Suspect = None,
    source: Source = "public record",
    report: Report = None,
    claim: Claims = None,
    attest: Attested = None,
    text: Text = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Add items."""
    if (attest is None) != (text is None) or (releases is None) != (suspect is None):
        raise OptionError("--attest needs --text, and --releases needs --suspect; expected both of a pair or neither.")
    if run is None and (campaign or exhibits):
        raise OptionError("--campaign and --exhibits are of a run; name its folder with --run.")
    terminal = open_terminal(as_json=as_json)
    with open_cases(ledger, actor, "APPEND", keys) as cases:
        cases.work.case(case_id)
        items = _of_run(cases, run, campaign, exhibits, most_exhibits, actor, case_id)
        items += _of_files(terms, decision, report, claim)
        items += _of_words(releases, suspect, source, attest, text, actor)
        if decisions:
            from stillwatch.cli.case_decisions import decision_items  # noqa: PLC0415

            items += decision_items(ledger, actor, cases.work.unsealed(case_id), items)
        if not items:
            raise OptionError(
                "nothing was named to add; expected --run, --terms, --decision or another of the options."
            )
        added = cases.work.add(case_id, items, actor)
    for one in added:
        terminal.say(f"Item {one.number}: {one.kind.value}, entry {one.entry_index} of the ledger.")
    terminal.document(
        {
            "verb": "case add",
            "case": case_id,
            "items": [{"number": one.number, "kind": one.kind.value, "entry": one.entry_index} for one in added],
        }
    )
    return ExitCode.DONE


def _of_run(
    cases: OpenedCases,
    run: Path | None,
    only: list[str] | None,
    logs: list[str] | None,
    most: int,
    actor: str,
    case_id: str,
) -> list[NewItem]:
    """Gather the run, its campaigns and their exhibits."""
    if run is None:
        return []
    from stillwatch.cli.case_exhibits import exhibit_items  # noqa: PLC0415
    from stillwatch.cli.result_files import read_campaigns, read_run  # noqa: PLC0415
    from stillwatch.evidence.cases.gathering import campaign_item, run_item, sealed_entry_of  # noqa: PLC0415
    from stillwatch.evidence.sealing import read_sealed_run  # noqa: PLC0415

    found = read_campaigns(run)
    known = {one.id: one for one in (*found.campaigns, *found.considered)}
    missing = sorted(set(only or ()) - set(known))
    if missing:
        raise OptionError(f"--campaign got {missing[0]!a}, which {run} does not hold.")
    chosen = [known[name] for name in only] if only else list(found.campaigns)
    document = read_run(run)
    entry = sealed_entry_of(cases.ledger, document)
    sealed = None if entry is None else read_sealed_run(entry)
    items = [run_item(document, None if entry is None else entry.index)]
    for campaign in chosen:
        items.append(campaign_item(campaign, found.fdr))
        if logs:
            items += exhibit_items(campaign, logs, most, cases.access, actor, case_id, sealed)
    return items


def _of_files(terms: Path | None, decision: Path | None, report: Path | None, claim: Path | None) -> list[NewItem]:
    """Gather what JSON files hold."""
    from stillwatch.evidence.cases.gathering import items_of_claims, items_of_document  # noqa: PLC0415
    from stillwatch.records.case import ItemKind  # noqa: PLC0415

    given: tuple[tuple[Path | None, ItemKind], ...] = (
        (terms, ItemKind.TERMS),
        (decision, ItemKind.DECISION),
        (report, ItemKind.REPORT),
    )
    items = [one for path, kind in given if path is not None for one in items_of_document(kind, _read(path), str(path))]
    return items + ([] if claim is None else items_of_claims(_read(claim), str(claim)))


def _of_words(
    releases: Path | None, suspect: str | None, source: str, attest: str | None, text: str | None, actor: str
) -> list[NewItem]:
    """Gather releases and an attestation."""
    from stillwatch.evidence.cases.gathering import attested_item, releases_item  # noqa: PLC0415
    from stillwatch.intake.releases import read_releases  # noqa: PLC0415

    items = []
    if releases is not None and suspect is not None:
        dates = [(one.model, one.released_us) for one in read_releases(str(releases), "UTC")]
        items.append(releases_item(suspect, dates, source))
    if attest is not None and text is not None:
        items.append(attested_item(attest, text, actor))
    return items


def _read(path: Path) -> bytes:
    from stillwatch.evidence.cases.gathering import MOST_BYTES  # noqa: PLC0415

    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}).") from error
