"""A detection run from the command line: with progress, its outcome told to people and given as a document."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from stillwatch.cli.campaign_table import campaign_table
from stillwatch.cli.progress_display import stage_progress
from stillwatch.cli.result_files import QUARANTINE_FILE, REPORT_FILE, RESULT_FILES, read_campaigns
from stillwatch.cli.terminal import Terminal
from stillwatch.evidence.incident_report.campaigns_file import iso_time
from stillwatch.evidence.incident_report.wording import counted
from stillwatch.evidence.run_files import DetectSummary
from stillwatch.pipeline import DetectSettings
from stillwatch.pipeline import detect as run
from stillwatch.records.campaign import Finding


def run_detection(settings: DetectSettings, terminal: Terminal) -> DetectSummary:
    """Run a detection with progress, and tell people what was found.

    Args:
        settings: what to detect; the command line that repeats it is added.
        terminal: where to speak.

    Returns:
        The pipeline's summary.
    """
    with stage_progress(terminal) as progress:
        summary = run(replace(settings, command=command_of(settings)), progress)
    _tell(summary, settings.out, terminal)
    return summary


def command_of(settings: DetectSettings) -> str:
    """Give the command line that repeats a run.

    Args:
        settings: what was asked for.

    Returns:
        `stillwatch detect` with every option that changes what is found, quoted for a shell.
    """
    words = ["stillwatch", "detect", *settings.paths, "--out", str(settings.out), "--fdr", f"{settings.fdr:g}"]
    for option, value in (
        ("--format", None if settings.format == "auto" else settings.format),
        ("--engine", None if settings.engine == "duckdb" else settings.engine),
        ("--releases", settings.releases),
        ("--accounts", settings.accounts),
        ("--assume-zone", settings.assume_zone),
        ("--account-field", settings.account_field),
        ("--time-field", settings.time_field),
        ("--default-account", settings.default_account),
        ("--default-time", settings.default_time),
        ("--year", settings.year),
        ("--encoding", settings.encoding),
        ("--now", None if settings.now_us is None else iso_time(settings.now_us)),
    ):
        if value is not None:
            words += [option, str(value)]
    for path in settings.reference:
        words += ["--reference", path]
    return shlex.join(words)


def detection_document(summary: DetectSummary, out: Path) -> dict[str, Any]:
    """Give the outcome as the JSON document has it.

    Args:
        summary: the pipeline's summary.
        out: the results' folder.
    """
    return {
        "version": summary.version,
        "input_digest": summary.input_digest,
        "output_digest": summary.output_digest,
        "metadata_only": summary.metadata_only,
        "counts": dict(summary.counts),
        "timings": dict(summary.timings),
        "tests_not_run": [dict(test) for test in summary.tests_not_run],
        "campaigns": [
            {
                "id": campaign.id,
                "finding": campaign.finding.value,
                "accounts": len(campaign.members),
                "harvest_exchanges": campaign.harvest_exchanges,
                "capability": campaign.capability,
                "q_value": campaign.q_value,
            }
            for campaign in read_campaigns(out).campaigns
        ],
        **({} if summary.sealed_entry is None else {"sealed_entry": summary.sealed_entry}),
        "files": {name.partition(".")[0]: str(out / name) for name in RESULT_FILES if (out / name).exists()},
    }


def _tell(summary: DetectSummary, out: Path, terminal: Terminal) -> None:
    """Say what was found, what could not be tested, and where the rest stands."""
    counts = summary.counts
    found = read_campaigns(out)
    terminal.say()
    if found.campaigns:
        terminal.people.print(campaign_table(found.campaigns, "Flagged campaigns"))
    else:
        terminal.say("No campaign was flagged.")
    terminal.say(
        f"{counts['flagged_accounts']:,} of {counted(counts['accounts'], 'account', 'accounts')} flagged in "
        f"{counted(len(found.campaigns), 'campaign', 'campaigns')}; "
        f"{counted(len(found.considered), 'other group', 'other groups')} considered and left alone; "
        f"{counted(counts['exchanges'], 'exchange', 'exchanges')} read. Promised false-discovery rate over campaigns: {found.fdr:g}."
    )
    owners = sum(len(one.members) for one in found.considered if one.finding is Finding.VICTIM)
    if owners:
        terminal.say(
            f"! {counted(owners, 'account', 'accounts')} set apart, not flagged: a campaign uses their keys beside their owners. "
            "Tell the owners, and change the keys."
        )
    if counts["quarantined"]:
        lines = counted(counts["quarantined"], "line", "lines")
        terminal.say(f"! {lines} could not be read: {out / QUARANTINE_FILE}")
    for what, count in (summary.notes or {}).items():
        if what.startswith("sketched before"):
            terminal.say(f"! {what}: {count:,}")
    if summary.metadata_only:
        terminal.say("! No exchange had prompt text: this run is metadata-only.")
    for test in summary.tests_not_run:
        terminal.say(f"! not tested: {test['name']} ({test['reason']}; needed: {test['needed']})")
    if summary.sealed_entry is not None:
        terminal.say(
            f"Sealed as entry {summary.sealed_entry} of the ledger; sign it with `stillwatch ledger checkpoint`."
        )
    terminal.say(f"Report: {out / REPORT_FILE}")
