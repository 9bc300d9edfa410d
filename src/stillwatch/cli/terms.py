"""The verb `terms`: contracts as data, who accepted which version when, and clauses that are tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import ledger_options
from stillwatch.cli.errors import OptionError, OutputError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.terminal import open_terminal
from stillwatch.cli.verb_help import VerbHelp

_PACK = "stillwatch terms pack --out clauses"
HELP = VerbHelp(
    name="terms",
    purpose="Keep contract terms as data: clauses that are checked, and who accepted which version when.",
    examples=(_PACK, "stillwatch terms lint clauses/marks.yaml"),
    writes="into the ledger's store, and the folder of `pack`; each verb has --help and --json.",
)
PACK_HELP = VerbHelp(
    name="pack",
    purpose="Write the clause pack: sample wording with facts and tables; it is not legal advice.",
    examples=(_PACK,),
    writes="YAML files into the folder of --out; a file that is there stays, and ends it.",
)
LINT_HELP = VerbHelp(
    name="lint",
    purpose="Check terms for what they must not say, and show each problem with line, caret and hint.",
    examples=("stillwatch terms lint clauses/marks.yaml",),
    writes="nothing. With --show-policies it prints the Cedar policies.",
)
CHECK_HELP = VerbHelp(
    name="check",
    purpose="Run tables of given, when, then against terms, and name clauses that no table tests.",
    examples=(
        "stillwatch terms check clauses/tests.yaml clauses/access-limits.yaml clauses/marks.yaml clauses/rights.yaml clauses/training-limits.yaml",
    ),
    writes="nothing. It ends with exit code 11 where a row fails or a clause is untested.",
)
DIFF_HELP = VerbHelp(
    name="diff",
    purpose="Compare two versions of terms: sentences that came and went, and clauses that changed.",
    examples=("stillwatch terms diff clauses/marks.yaml clauses/rights.yaml",),
    writes="nothing.",
)
ADD_HELP = VerbHelp(
    name="add",
    purpose="Keep a version of terms in the register, for good.",
    examples=("stillwatch terms add clauses/marks.yaml --ledger ledger.db --actor bob",),
    writes="text and facts into the store, and an entry of the ledger with their digests.",
)
ACCEPT_HELP = VerbHelp(
    name="accept",
    purpose="Keep who accepted which version when, from lines of JSON, all or none.",
    examples=("stillwatch terms accept accepted.jsonl --ledger ledger.db --actor bob",),
    writes="an acceptance and an entry of the ledger for each line: account_id, terms, version, accepted_at, accepted_by, how.",
)
LIST_HELP = VerbHelp(
    name="list",
    purpose="List the versions in the register, and with --account what an account accepted.",
    examples=("stillwatch terms list --ledger ledger.db --actor bob --account a-217",),
    writes="nothing.",
)
FACTS_HELP = VerbHelp(
    name="facts",
    purpose="List the facts that a clause may speak of, with type and event.",
    examples=("stillwatch terms facts",),
    writes="nothing.",
)
TermsPath = Annotated[Path, typer.Argument(metavar="TERMS", help="The YAML file; its text stands beside it.")]


def pack(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write the clause pack."""
    from stillwatch.decisions.clause_pack import FOLDER, TABLES, pack_files  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    sources = [*pack_files(), FOLDER / TABLES]
    there = [one.name for one in sources if (out / one.name).exists()]
    if there:
        raise OutputError(f"--out {out} holds {', '.join(there)} already; name another folder.")
    for one in sources:
        ledger_options.write_out(out / one.name, one.read_bytes())
    terminal.say(
        f"{len(sources)} files in {out}. Sample wording, not legal advice; every clause begins in mode record."
    )
    terminal.document({"verb": "terms pack", "out": str(out), "files": [one.name for one in sources]})
    return ExitCode.DONE


def lint(
    file: TermsPath,
    *,
    show_policies: Annotated[bool, typer.Option("--show-policies", help="Print the Cedar policies.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Check terms."""
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415
    from stillwatch.decisions.compile_policy import compile_terms  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    terms = read_terms_file(file).terms
    compiled = compile_terms(terms)
    if show_policies:
        terminal.say(compiled.policies.rstrip("\n"))
    enforced = sum(one.mode.value == "enforce" for one in terms.clauses)
    terminal.say(
        f"{terms.name} {terms.version}: {len(terms.clauses)} clauses, {enforced} in mode enforce, no problem. "
        f"Text {terms.text_digest[:19]}, policies {compiled.digest[:19]}."
    )
    terminal.document(
        {
            "verb": "terms lint",
            "terms": terms.name,
            "version": terms.version,
            "text_digest": terms.text_digest,
            "facts_digest": terms.facts_digest,
            "policies_digest": compiled.digest,
            "clauses": [
                {
                    "id": one.id,
                    "clause": one.number,
                    "class": one.decided.value,
                    "mode": one.mode.value,
                    "action": one.action.value,
                }
                for one in terms.clauses
            ],
        }
    )
    return ExitCode.DONE


def check(
    tables: Annotated[Path, typer.Argument(metavar="TABLES", help="The YAML file of rows.")],
    files: Annotated[list[Path], typer.Argument(metavar="TERMS...", help="The terms that the rows name.")],
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run tables."""
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415
    from stillwatch.decisions.clause_tables import read_rows, run_rows, untested  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    terms = {one.name: one for one in (read_terms_file(path).terms for path in files)}
    if len(terms) < len(files):
        raise OptionError("two of the files hold terms of one name; give each version its own run.")
    rows, lines = read_rows(ledger_options.small_file(tables), tables.name)
    results = run_rows(rows, terms, tables.name, lines)
    missing = untested(results, terms)
    for one in results:
        terminal.say(
            f"{'FAIL' if one.failure else 'ok':5}given {one.row.given}: {', '.join(one.row.breached) or 'no breach'}"
        )
        if one.failure:
            terminal.say(f"     {tables.name}:{one.row.place.line}: {one.failure}")
    for name in missing:
        terminal.say(f"FAIL no row breaches {name}, or every row does")
    failed = sum(one.failure is not None for one in results)
    terminal.say(f"{len(results)} rows, {failed} failed; {len(missing)} clauses untested.")
    terminal.document(
        {
            "verb": "terms check",
            "rows": len(results),
            "failed": [{"line": one.row.place.line, "failure": one.failure} for one in results if one.failure],
            "untested": list(missing),
        }
    )
    return ExitCode.UNVERIFIED if failed or missing else ExitCode.DONE


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier YAML file.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later YAML file.")],
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Show sentences that speak of nothing relevant too.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Compare two versions."""
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415
    from stillwatch.decisions.terms_difference import difference, is_relevant  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    one, other = read_terms_file(old), read_terms_file(new)
    found = difference(one.terms, one.text.decode(), other.terms, other.text.decode())
    shown: dict[str, list[str]] = {
        "removed": [text for text in found.removed if everything or is_relevant(text)],
        "added": [text for text in found.added if everything or is_relevant(text)],
        "clauses": list(found.clauses),
    }
    for sign, name in (("-", "removed"), ("+", "added"), ("~", "clauses")):
        for text in shown[name]:
            terminal.say(f"{sign} {text}")
    hidden = len(found.removed) + len(found.added) - len(shown["removed"]) - len(shown["added"])
    terminal.say(
        f"{len(shown['removed'])} sentences went, {len(shown['added'])} came, {len(found.clauses)} clauses differ; {hidden} other sentences."
    )
    terminal.document({"verb": "terms diff", **shown, "hidden": hidden})
    return ExitCode.DONE


def add(
    file: TermsPath,
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Keep a version."""
    from stillwatch.cli.terms_files import read_terms_file  # noqa: PLC0415
    from stillwatch.cli.terms_register import add_terms, open_register  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    read = read_terms_file(file)
    with open_register(ledger, actor, "APPEND") as register:
        index = add_terms(register, read)
    terms = read.terms
    terminal.say(f"{terms.name} {terms.version} kept, text {terms.text_digest}. Entry {index} of the ledger.")
    terminal.document(
        {
            "verb": "terms add",
            "terms": terms.name,
            "version": terms.version,
            "text_digest": terms.text_digest,
            "entry": index,
        }
    )
    return ExitCode.DONE


def accept(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Acceptances, a JSON object a line.")],
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Keep acceptances."""
    from stillwatch.cli.terms_register import add_acceptances, open_register, read_acceptances  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    acceptances = read_acceptances(file)
    with open_register(ledger, actor, "APPEND") as register:
        indices = add_acceptances(register, acceptances)
    terminal.say(f"{len(acceptances):,} acceptances kept. Entries {indices[0]} to {indices[-1]} of the ledger.")
    terminal.document(
        {"verb": "terms accept", "acceptances": len(acceptances), "first_entry": indices[0], "last_entry": indices[-1]}
    )
    return ExitCode.DONE


def list_terms(
    *,
    ledger: ledger_options.Store,
    actor: ledger_options.Actor,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="What this account accepted.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List versions and acceptances."""
    from stillwatch.cli.terms_register import all_terms, open_register  # noqa: PLC0415
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with open_register(ledger, actor, "READ") as register:
        versions = all_terms(register.store)
        accepted = [] if account is None else list(register.store.acceptances([account]))
    document: dict[str, Any] = {
        "verb": "terms list",
        "terms": [{"terms": one.name, "version": one.version, "text_digest": one.text_digest} for one in versions.values()],
        "acceptances": [
            {"terms": one.name, "version": one.version, "accepted_at": iso_time(one.accepted_us), "accepted_by": one.accepted_by,
             "how": one.how, "entry": one.entry_index}
            for one in accepted
        ],
    }  # fmt: skip
    for one in document["terms"]:
        terminal.say(f"{one['terms']} {one['version']}  text {one['text_digest']}")
    for one in document["acceptances"]:
        terminal.say(
            f"accepted {one['terms']} {one['version']} at {one['accepted_at']} by {one['accepted_by']}, {one['how']}, entry {one['entry']}"
        )
    if not versions:
        terminal.say("The register holds no terms; add some with `stillwatch terms add`.")
    elif account is not None and not accepted:
        terminal.say("The account accepted no terms that the register knows of.")
    terminal.document(document)
    return ExitCode.DONE


def facts(
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """List the facts."""
    from stillwatch.decisions.terms.facts import FACTS  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    for fact in FACTS.values():
        events = ", ".join(sorted(event.value for event in fact.events))
        terminal.say(
            f"{fact.name}: {fact.type.value}; {fact.about}. Known at: {events}.{' Evidence.' if fact.evidence else ''}"
        )
    terminal.document(
        {
            "verb": "terms facts",
            "facts": [
                {"name": fact.name, "type": fact.type.value, "events": sorted(event.value for event in fact.events), "about": fact.about,
                 "evidence": fact.evidence, "words": list(fact.words)}
                for fact in FACTS.values()
            ],
        }
    )  # fmt: skip
    return ExitCode.DONE


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (PACK_HELP, pack),
    (LINT_HELP, lint),
    (CHECK_HELP, check),
    (DIFF_HELP, diff),
    (ADD_HELP, add),
    (ACCEPT_HELP, accept),
    (LIST_HELP, list_terms),
    (FACTS_HELP, facts),
)
"""The verbs below `terms`, in the order of the help."""
