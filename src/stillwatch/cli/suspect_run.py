"""Behind `stillwatch suspect`: the plan in the ledger, the run that it allows, and the report that is sealed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.ledger_options import now_us, small_file, write_out
from stillwatch.records.ledger import NewEntry
from stillwatch.records.progress import Progress
from stillwatch.records.suspect import SuspectPlan
from stillwatch.suspects.access.opening import open_access
from stillwatch.suspects.collect import collect
from stillwatch.suspects.composition import Line, compose
from stillwatch.suspects.conclude import Conclusion, conclude
from stillwatch.suspects.errors import PlanChangedError
from stillwatch.suspects.journal import Journal
from stillwatch.suspects.plan import (
    check_plan,
    files_of,
    plan_bytes,
    plan_digest,
    plan_of,
    read_plan,
    setting_of,
    tests_of,
)
from stillwatch.suspects.report import Sealed, render_suspect_report, report_document

if TYPE_CHECKING:
    from stillwatch.evidence.access import Access
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.records.ledger import LedgerEntry

PLANNED = "suspect planned"
CONCLUDED = "suspect concluded"
PLAN_FILE = "plan.json"
JOURNAL_FILE = "journal.jsonl"
REPORT_FILE = "report.html"
REPORT_DOCUMENT = "report.json"
CLAIMS_FILE = "claims.json"
RESULT_FORMAT = "suspect-result/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report that was written."""

    document: Mapping[str, Any]
    lines: tuple[Line, ...]
    conclusion: Conclusion
    entry: int
    digest: str


def commit_plan(draft: Path, ledger: Ledger, access: Access, actor: str) -> tuple[SuspectPlan, int]:
    """Make a plan of a draft, commit it to the ledger, and write it beside the draft.

    Returns:
        The plan, and the index of its entry.

    Raises:
        OptionError: where a plan stands beside the draft already.
        SuspectError: where the draft cannot be used.
        AccessError: where the actor may not append records.
    """
    folder, file = draft.parent, draft.parent / PLAN_FILE
    if file.exists():
        raise OptionError(
            f"{file} is there already, and a plan is never changed; make the new one in a folder of its own."
        )
    try:
        said = yaml.safe_load(small_file(draft))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ResultFileError(f"{draft}: is no YAML ({type(error).__name__}).") from None
    if not isinstance(said, dict):
        raise ResultFileError(f"{draft}: holds no mapping; expected suspect, purpose, parties, tests and the like.")
    plan = plan_of(said, folder, secrets.token_hex(16))
    content = plan_bytes(plan)
    entry = access.append(actor, [NewEntry(kind=PLANNED, actor=actor, record=content)])[0]
    write_out(file, content)
    del ledger
    return plan, entry


def committed_plan(folder: Path, ledger: Ledger) -> tuple[SuspectPlan, LedgerEntry]:
    """Read the plan of a folder, and find its entry.

    Raises:
        PlanChangedError: where the ledger holds no entry with exactly these bytes.
        PlanError: where the file is no plan.
    """
    file = folder / PLAN_FILE
    content = small_file(file)
    plan = read_plan(content, str(file))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    found = next((one for one in ledger.entries(PLANNED) if one.record_digest == digest), None)
    if found is None:
        raise PlanChangedError(
            f"{file}: the ledger holds no plan with these bytes ({digest}), so nobody may be asked by it; commit one with `stillwatch suspect plan`"
        )
    return plan, found


def run_plan(folder: Path, ledger: Ledger, progress: Progress) -> tuple[SuspectPlan, Journal, int]:
    """Ask what a committed plan asks, from where an earlier run stopped.

    Returns:
        The plan, the journal as it is now, and the number of queries that an interruption caught on their way.

    Raises:
        PlanChangedError: where anything is not as it was committed to, or the result was sealed already.
        SuspectError: where a party cannot be reached as the plan says.
    """
    plan, entry = committed_plan(folder, ledger)
    queries = check_plan(plan, folder)
    sealed = next((one for one in ledger.entries(CONCLUDED, entry.index) if _plan_of(one) == plan_digest(plan)), None)
    if sealed is not None:
        raise PlanChangedError(
            f"entry {sealed.index} seals the result of this plan already; whoever wants to know more plans anew"
        )
    files = files_of(plan, folder)
    tests = {name: (test, setting_of(plan, planned, folder))
             for planned in plan.tests for name, test in tests_of(plan).items() if name == planned.id}  # fmt: skip
    with Journal(folder / JOURNAL_FILE, plan_digest(plan), plan.budget, now_us) as journal:
        again = len(journal.asked_again)
        accesses = {one.name: open_access(one, files, journal, now_us) for one in plan.parties}
        asyncio.run(collect(plan, queries, tests, accesses, journal, progress))
    return plan, journal, again


def report_run(folder: Path, out: Path, ledger: Ledger, access: Access, actor: str) -> Reported:
    """Conclude a run, write its report, and seal it.

    Raises:
        PlanChangedError: where anything is not as it was committed to.
        SuspectError: where the journal does not belong to the plan, or was changed.
        AccessError: where the actor may not append records.
    """
    plan, entry = committed_plan(folder, ledger)
    queries = check_plan(plan, folder)
    with Journal(folder / JOURNAL_FILE, plan_digest(plan), plan.budget, now_us, only_read=True) as journal:
        conclusion = conclude(plan, queries, journal.observed, journal.requests, folder)
    tests = tests_of(plan)
    lines = compose(plan, conclusion.results, tests)
    sealed = Sealed(
        origin=ledger.identity.origin,
        plan_entry=entry.index,
        planned_us=entry.recorded_us,
        planned_by=entry.actor,
        time_stamp=_stamped(ledger, entry.index, journal.first_us),
    )
    document = report_document(plan, conclusion, lines, journal, sealed, tests)
    content = _json(document)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    index = _seal(ledger, access, actor, plan, entry.index, journal.head, digest)
    write_out(out / REPORT_DOCUMENT, content)
    write_out(out / CLAIMS_FILE, _json(claims_of(document)))
    write_out(out / REPORT_FILE, render_suspect_report(document, index, digest).encode())
    return Reported(document=document, lines=lines, conclusion=conclusion, entry=index, digest=digest)


def claims_of(document: Mapping[str, Any]) -> list[Any]:
    """Give the claims of a report alone, as a case takes them."""
    return [stated["claim"] for test in document["tests"] for stated in test["stated"] if "claim" in stated]


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=True).encode() + b"\n"


def _seal(
    ledger: Ledger, access: Access, actor: str, plan: SuspectPlan, plan_entry: int, head: str, digest: str
) -> int:
    """Append the result; one that is there already is not appended again."""
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415

    record = canonical_bytes(
        {
            "format": RESULT_FORMAT,
            "journal": f"sha256:{head}",
            "plan": plan_digest(plan),
            "plan_entry": plan_entry,
            "report": digest,
        }
    )
    found = next((one for one in ledger.entries(CONCLUDED, plan_entry) if one.record == record), None)
    if found is not None:
        return found.index
    return access.append(actor, [NewEntry(kind=CONCLUDED, actor=actor, record=record)])[0]


def _plan_of(entry: LedgerEntry) -> str:
    """Give the plan that a result is of."""
    return str(json.loads(entry.record).get("plan", ""))


def _stamped(ledger: Ledger, index: int, first_us: int | None) -> str:
    """Say which authority fixed the plan before the first query; empty where none did."""
    from stillwatch.evidence.incident_report.campaigns_file import iso_time  # noqa: PLC0415

    for stamp in ledger.store.time_stamps():
        if stamp.size > index and (first_us is None or stamp.stamped_us <= first_us):
            return f"A checkpoint that holds the plan was stamped at {iso_time(stamp.stamped_us)} by {stamp.authority}."
    return ""
