"""The verb `suspect`: was a model trained on what we served, and on whose answers? Planned first, then asked, then said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.cli import ledger_options as options
from stillwatch.cli.errors import OptionError, OutputError, ResultFileError
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.options import DebugOption, JsonOption, prepare_folder
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.terminal import open_terminal, printable
from stillwatch.cli.verb_help import VerbHelp

_PRACTICE = "stillwatch suspect practice --out practice"
HELP = VerbHelp(
    name="suspect",
    purpose="Test whether a model was trained on what we served: planned first, then asked, then said.",
    examples=(_PRACTICE,),
    writes="into the folder of the plan and the ledger; each verb has --help and --json.",
)
PRACTICE_HELP = VerbHelp(
    name="practice",
    purpose="Write a suspect to practise on: challenges, recorded answers and the draft of a plan.",
    examples=(_PRACTICE,),
    writes="draft.yaml, challenges.json, suspect.jsonl and stranger.jsonl into the folder of --out.",
)
PLAN_HELP = VerbHelp(
    name="plan",
    purpose="Fix what will be asked and how it will be judged, and commit to it before anybody is asked.",
    examples=("stillwatch suspect plan practice/draft.yaml --ledger ledger.db --actor bob",),
    writes="plan.json beside the draft, and an entry of the ledger that holds it.",
)
RUN_HELP = VerbHelp(
    name="run",
    purpose="Ask what the committed plan asks; goes on where an earlier run stopped, and refuses what was changed.",
    examples=("stillwatch suspect run practice --ledger ledger.db --actor bob",),
    writes="journal.jsonl into the folder of the plan: every request and answer, chained by digests.",
)
REPORT_HELP = VerbHelp(
    name="report",
    purpose="Say what the run shows: four claims, each with evidence, controls, power and what stays innocent.",
    examples=("stillwatch suspect report practice --out practice/report --ledger ledger.db --actor bob",),
    writes="report.html, report.json and claims.json into the folder of --out, and an entry of the ledger that seals them.",
)
COMPARE_HELP = VerbHelp(
    name="compare",
    purpose="Hold the reports on several suspects together, so that testing many does not make one find.",
    examples=("stillwatch suspect compare practice/report/report.json --fdr 0.05",),
    writes="nothing.",
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that holds plan.json.")]


def practice(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")] = 1,
    known: Annotated[
        float, typer.Option("--known", min=0.0, max=1.0, help="Share of the keyed answers that the suspect knows.")
    ] = 0.5,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Write a suspect to practise on."""
    from stillwatch.cli.suspect_practice import write_practice  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    if (out / "draft.yaml").exists():
        raise OutputError(f"--out {out} holds a draft already; name another folder.")
    files = write_practice(out, seed, known)
    terminal.say(
        f"{len(files)} files in {out}. Next: stillwatch suspect plan {out / 'draft.yaml'} --ledger LEDGER --actor NAME"
    )
    terminal.document({"verb": "suspect practice", "files": [str(one) for one in files]})
    return ExitCode.DONE


def plan(
    draft: Annotated[Path, typer.Argument(metavar="DRAFT", help="The YAML file that says what is to be tested.")],
    *,
    ledger: options.Store,
    actor: options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Commit to a plan."""
    from stillwatch.cli.suspect_run import commit_plan  # noqa: PLC0415
    from stillwatch.suspects.plan import plan_digest  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with options.open_for(ledger, actor, "APPEND") as (log, access):
        made, entry = commit_plan(draft, log, access, actor)
    terminal.say(
        f"Entry {entry} commits to {made.queries:,} queries to {len(made.parties)} parties for {len(made.tests)} tests, {plan_digest(made)[:19]}."
    )
    terminal.say("Have a checkpoint time-stamped now (ledger checkpoint, ledger stamp), so that not only we say so.")
    terminal.document(
        {
            "verb": "suspect plan",
            "entry": entry,
            "digest": plan_digest(made),
            "queries": made.queries,
            "parties": [one.name for one in made.parties],
            "tests": [one.method for one in made.tests],
        }
    )
    return ExitCode.DONE


def run(
    folder: Folder,
    *,
    ledger: options.Store,
    actor: options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Run a committed plan."""
    from stillwatch.cli.suspect_run import run_plan  # noqa: PLC0415
    from stillwatch.records.suspect import Unanswered  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    with options.open_for(ledger, actor, "APPEND") as (log, _), stage_progress(terminal) as progress:
        made, journal, again = run_plan(folder, log, progress)
    nothing = sum(isinstance(one, Unanswered) for one in journal.observed.values())
    if again:
        terminal.say(f"{again} queries were on their way when an earlier run ended; they were asked once more.")
    terminal.say(
        f"{len(journal.observed):,} of {made.queries:,} queries have their answer, {nothing:,} gave nothing; {journal.requests.total():,} requests."
    )
    terminal.document(
        {
            "verb": "suspect run",
            "queries": made.queries,
            "observed": len(journal.observed),
            "unanswered": nothing,
            "requests": journal.requests.total(),
            "asked_again": again,
            "journal": f"sha256:{journal.head}",
        }
    )
    return ExitCode.DONE


def report(
    folder: Folder,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    ledger: options.Store,
    actor: options.Actor,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Report on a run."""
    from stillwatch.cli.suspect_run import report_run  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    prepare_folder(out, "--out")
    with options.open_for(ledger, actor, "APPEND") as (log, access):
        made = report_run(folder, out, log, access, actor)
    for line in made.lines:
        terminal.say(printable(f"{line.number}  {line.support.value}: {line.sentence}"))
        if line.innocent:
            terminal.say(printable(f"    Innocent explanation left: {line.innocent}."))
        for why in line.missing:
            terminal.say(printable(f"    Not counted: {why}."))
    for one in made.conclusion.conduct:
        terminal.say(printable(f"!   {one.party} {one.name}: {one.seen}."))
    terminal.say(f"Report: {out / 'report.html'}, sealed as entry {made.entry}.")
    terminal.document({"verb": "suspect report", "entry": made.entry, "digest": made.digest, "report": made.document})
    return ExitCode.DONE


def compare(
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT...", help="report.json of every suspect that was tested.")
    ],
    *,
    fdr: Annotated[float, typer.Option("--fdr", help="False-discovery rate to hold, in (0, 1).")] = 0.05,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # noqa: ARG001  # read by the entry point
) -> ExitCode:
    """Compare suspects."""
    from stillwatch.suspects.composition import select_suspects  # noqa: PLC0415

    terminal = open_terminal(as_json=as_json)
    if not 0.0 < fdr < 1.0:
        raise OptionError(f"--fdr got {fdr}, expected a rate between 0 and 1.")
    found = [_log_es(path) for path in reports]
    chosen: dict[str, list[dict[str, Any]]] = {}
    for number in sorted({number for _, values in found for number in values}):
        log_es = {
            f"{name} ({path})": values[number]
            for (name, values), path in zip(found, reports, strict=True)
            if number in values
        }
        selected = select_suspects(log_es, fdr)
        chosen[number] = [{"suspect": name, "q": q} for name, q in sorted(selected.items(), key=lambda one: one[1])]
        terminal.say(
            printable(f"{number}: {len(selected)} of {len(log_es)} suspects stand at a false-discovery rate of {fdr:g}")
        )
        for one in chosen[number]:
            terminal.say(printable(f"    {one['suspect']}, q = {one['q']:.3g}"))
    terminal.document({"verb": "suspect compare", "fdr": fdr, "selected": chosen})
    return ExitCode.DONE


def _log_es(path: Path) -> tuple[str, dict[str, float]]:
    """Read a suspect's name and its evidence on each claim; accounts of one suspect are averaged."""
    try:
        document = json.loads(path.read_bytes())
        values: dict[str, list[float]] = {}
        for line in document["lines"]:
            if line["log_e"] is not None:
                values.setdefault(str(line["claim"]), []).append(float(line["log_e"]))
        return str(document["suspect"]), {number: _mean(some) for number, some in values.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultFileError(
            f"{path}: is no report.json that `stillwatch suspect report` wrote ({type(error).__name__})."
        ) from None


def _mean(log_es: list[float]) -> float:
    from stillwatch.statistics.e_values import mean_log_e  # noqa: PLC0415

    return mean_log_e(log_es) if len(log_es) > 1 else max(log_es[0], -math.inf)


VERBS: tuple[tuple[VerbHelp, Any], ...] = (
    (PRACTICE_HELP, practice),
    (PLAN_HELP, plan),
    (RUN_HELP, run),
    (REPORT_HELP, report),
    (COMPARE_HELP, compare),
)
"""The verbs below `suspect`, in the order of the help."""
