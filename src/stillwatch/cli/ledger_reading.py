"""The verbs `ledger show` and `ledger prove`: what stands in the ledger, and files that prove it to a stranger."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli import ledger_options as options
from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption
from stillwatch.cli.terminal import Terminal, open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

if TYPE_CHECKING:
    from stillwatch.evidence.access import Access
    from stillwatch.records.ledger import LedgerEntry

SHOW_HELP = VerbHelp(
    name="show",
    purpose="List entries, or show one with its record.",
    examples=(
        "stillwatch ledger show --ledger ledger.db --actor alice",
        "stillwatch ledger show --ledger ledger.db --actor alice 0",
    ),
    writes="nothing, but for the look itself where --show-text shows the text of an exhibit.",
)
PROVE_HELP = VerbHelp(
    name="prove",
    purpose="Write a file that proves an entry, or that the log was only ever added to.",
    examples=("stillwatch ledger prove --ledger ledger.db --actor alice 0 --out entry.tlog-proof",),
    writes="the proof to the terminal, or to the file of --out: C2SP tlog-proof for an entry, JSON for two sizes.",
)


def show(
    index: Annotated[
        int | None, typer.Argument(metavar="INDEX", min=0, help="One entry, with its record.", show_default=False)
    ] = None,
    *,
    ledger: options.Store,
    actor: options.Actor,
    kind: Annotated[str | None, typer.Option("--kind", metavar="WORDS", help="Entries of this kind only.")] = None,
    start: Annotated[int, typer.Option("--from", metavar="INDEX", min=0, help="Where to begin.")] = 0,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")] = 50,
    exhibit: Annotated[
        str | None,
        typer.Option(
            "--exhibit", metavar="FILE:OFFSET:LENGTH", help="Of a sealed run: lead an exhibit back to its log."
        ),
    ] = None,
    located: Annotated[
        Path | None, typer.Option("--located", metavar="FILE", help="Where that log file lies now, if it was moved.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--show-text", metavar="PURPOSE", help="Show its text too, and record that and why.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Show entries."""
    terminal = open_terminal(as_json=as_json)
    if exhibit is None and (purpose is not None or located is not None):
        raise OptionError("--show-text and --located are for --exhibit, which was not given.")
    if exhibit is not None and index is None:
        raise OptionError("--exhibit needs the INDEX of the entry that sealed its run.")
    with options.open_for(ledger, actor, "READ") as (log, access):
        if exhibit is not None and index is not None:
            document = lead_back(access, actor, log.entry(index), exhibit, located, purpose, terminal)
            terminal.document({"verb": "ledger show", **document})
            return ExitCode.DONE
        size = log.size()
        found = [log.entry(index)] if index is not None else list(itertools.islice(log.entries(kind, start), limit))
    for entry in found:
        named = printable(f"{entry.actor}  {entry.kind}")
        terminal.say(f"{entry.index:>8}  {_time(entry.recorded_us)}  {named}  {entry.record_digest}")
        if index is not None:
            terminal.say(json.dumps(_record(entry), indent=2, ensure_ascii=True))
    if index is None:
        terminal.say(f"{len(found)} of {size:,} entries shown.")
    with_records = index is not None
    terminal.document(
        {"verb": "ledger show", "size": size, "entries": [_document(entry, with_records) for entry in found]}
    )
    return ExitCode.DONE


def lead_back(
    access: Access,
    actor: str,
    entry: LedgerEntry,
    exhibit: str,
    located: Path | None,
    purpose: str | None,
    terminal: Terminal,
) -> dict[str, Any]:
    """Lead an exhibit of a sealed run back to its log bytes, and show them where a purpose is given.

    Args:
        access: of the ledger.
        actor: who asks.
        entry: the sealed run.
        exhibit: `FILE:OFFSET:LENGTH`.
        located: where the file lies now.
        purpose: why the text is looked at; null to leave it unseen.
        terminal: where to speak.

    Returns:
        What was found, for the JSON document.

    Raises:
        SealError: where the file is not the sealed one, or the span is not in it.
        AccessError: where the actor may not look at text.
    """
    from stillwatch.evidence.access import TextReference  # noqa: PLC0415
    from stillwatch.evidence.sealing import exhibit_origin, read_exhibit, read_sealed_run  # noqa: PLC0415

    file, _, numbers = exhibit.rpartition(":")
    file, _, offset = file.rpartition(":")
    if not file or not (offset.isascii() and offset.isdigit() and numbers.isascii() and numbers.isdigit()):
        raise OptionError(f"--exhibit got {exhibit!a}, expected FILE:OFFSET:LENGTH, such as logs/a.jsonl:413:412.")
    reference = TextReference(file=file, offset=int(offset[:19]), length=int(numbers[:19]))
    origin = exhibit_origin(read_sealed_run(entry), reference, located)
    terminal.say(printable(f"{origin.located} is the file that was sealed: {origin.file_digest}"))
    terminal.say(f"{origin.span_bytes} bytes at {reference.offset}: {origin.span_digest}")
    document: dict[str, Any] = {
        "file": str(origin.located),
        "file_digest": origin.file_digest,
        "span_digest": origin.span_digest,
        "span_bytes": origin.span_bytes,
    }
    if purpose is not None:
        document["text"] = read_exhibit(access, actor, purpose, origin).decode("utf-8", "backslashreplace")
        terminal.say(printable(document["text"]))
    return document


def prove(
    index: Annotated[int | None, typer.Argument(metavar="INDEX", min=0, help="The entry.", show_default=False)] = None,
    *,
    ledger: options.Store,
    actor: options.Actor,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="N", min=0, help="In the checkpoint of that size; by default the largest."),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="N", min=0, help="Prove that the log continues what it was with N entries."),
    ] = None,
    out: options.OutFile = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Prove an entry or consistency."""
    from stillwatch.integrity.signed_note import proof_text  # noqa: PLC0415

    if (index is None) == (since is None):
        raise OptionError(
            "expected either an INDEX, to prove an entry, or --since N, to prove that nothing was changed."
        )
    terminal = open_terminal(as_json=as_json)
    with options.open_for(ledger, actor, "PROVE") as (log, _):
        checkpoint = log.kept(size)
        if index is not None:
            proof = log.prove(index, checkpoint.size)
            text = proof_text(proof, log.note(checkpoint.size))
            document: dict[str, Any] = {"index": index, "size": checkpoint.size, "hashes": len(proof.hashes)}
        else:
            shown = log.prove_consistency(since or 0, checkpoint.size)
            hashes = [base64.b64encode(one).decode("ascii") for one in shown.hashes]
            document = {"old": shown.old, "new": shown.new, "hashes": hashes, "note": log.note(checkpoint.size)}
            text = json.dumps(document, indent=2) + "\n"
    if out is None:
        terminal.say(printable(text.removesuffix("\n")))
    else:
        options.write_out(out, text.encode())
        terminal.say(f"Proof: {out}")
    terminal.document({"verb": "ledger prove", **document, "proof": text})
    return ExitCode.DONE


def _document(entry: LedgerEntry, with_record: bool) -> dict[str, Any]:
    """Give an entry as the JSON document has it."""
    shown: dict[str, Any] = {
        "index": entry.index,
        "kind": entry.kind,
        "recorded_at": _time(entry.recorded_us),
        "actor": entry.actor,
        "record_digest": entry.record_digest,
    }
    return {**shown, "record": _record(entry)} if with_record else shown


def _record(entry: LedgerEntry) -> Any:
    """Read a record, or say that it is none."""
    try:
        return json.loads(entry.record)
    except (ValueError, RecursionError):
        raise ResultFileError(f"entry {entry.index}: its record is no JSON; see `stillwatch ledger verify`.") from None


def _time(time_us: int) -> str:
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    return iso_time(time_us)
