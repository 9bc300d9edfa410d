"""The files of a run: accounts, campaigns, report, quarantine and the run's own record.

Takes what a run found as records and tables. Gives the files in a folder, each whole or not at all, and a summary. The output
digest covers accounts and campaigns without source spans, so that shuffled or re-cut input gives the same digest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.evidence.incident_report.campaigns_file import campaigns_document
from stillwatch.evidence.incident_report.incident import (
    ColumnPresence,
    ExhibitText,
    IncidentReport,
    RunFacts,
    TestNotRun,
)
from stillwatch.evidence.incident_report.render import render_report
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.digest import digest_bytes
from stillwatch.records.campaign import Campaign

_OF_TEXT = (
    "template lift",
    "sharding without replacement",
    "no repetition",
    "elicitation",
    "capability concentration",
    "concealed reasoning",
    "not ordinary work",
    "one stream dealt out",
    "explore, then exploit",
    "shift of pooled prompts",
)
TELEMETRY = (
    (("exact",), "prompt or messages", _OF_TEXT),
    (("output_tokens",), "output_tokens", ("output harvest",)),
    (("response_signs",), "response", ("inline reasoning", "refusals taken elsewhere")),
    (("reasoning_tokens",), "reasoning_tokens", ("reasoning drawn",)),
    (
        ("ip", "payment", "email_domain", "organization"),
        "ip, payment_id, email_domain or organization_id",
        ("infrastructure lift",),
    ),
    (("account_created_us",), "account_created_at", ("registration in batches",)),
    (("parameters",), "temperature, top_p, max_tokens or n", ("grouping by request parameters",)),
    (("model",), "model", ("pivot to a new model",)),
)
"""(columns of which one suffices, how to name them, tests that need them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFindings:
    """What a run found."""

    campaigns: tuple[Campaign, ...]
    considered: tuple[Campaign, ...]
    accounts: pa.Table
    """Schema ACCOUNTS, times in microseconds, ordered by account id."""
    days: tuple[tuple[int, int], ...]
    columns: Mapping[str, int]
    """Optional column -> exchanges that have it."""
    exchanges: int
    repeats: int
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCircumstances:
    """How it was run."""

    version: str
    engine: str
    fdr: float
    command: str
    input_digest: str
    files: int
    set_aside: tuple[tuple[str, str], ...]
    formats: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: Mapping[str, int]
    quarantine_files: tuple[Path, ...]
    has_releases: bool
    has_reference: bool
    texts: Mapping[tuple[str, int], str]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectSummary:
    """What `detect` gives back to its caller; also the content of run.json."""

    version: str
    engine: str
    fdr: float
    input_digest: str
    output_digest: str
    counts: dict[str, int]
    timings: dict[str, float]
    """Seconds per stage."""
    tests_not_run: list[dict[str, str]]
    metadata_only: bool
    formats: list[str]
    files_set_aside: list[dict[str, str]]
    columns_left_out: list[str]
    notes: dict[str, int]
    """What intake repaired or passed over, and how often."""
    out: str
    sealed_entry: int | None = None
    """Entry of the ledger that seals the run; not part of run.json, which is what is sealed."""


def write_results(out: Path, findings: RunFindings, circumstances: RunCircumstances) -> DetectSummary:
    """Write all files of a run.

    Raises:
        OSError: when a file cannot be written.
    """
    quarantined = _write_quarantine(out / "quarantine.jsonl", circumstances.quarantine_files)
    document = campaigns_document(
        version=circumstances.version,
        fdr=circumstances.fdr,
        campaigns=findings.campaigns,
        considered=findings.considered,
    )
    _write(out / "campaigns.json", orjson.dumps(document, option=orjson.OPT_INDENT_2))
    _write_accounts(out / "accounts.parquet", findings.accounts)
    summary = DetectSummary(
        version=circumstances.version,
        engine=circumstances.engine,
        fdr=circumstances.fdr,
        input_digest=circumstances.input_digest,
        output_digest=output_digest(findings),
        counts={
            "files": circumstances.files,
            "exchanges": findings.exchanges,
            "accounts": findings.accounts.num_rows,
            "quarantined": quarantined,
            "duplicates": findings.repeats,
            "candidates": findings.candidates,
            "campaigns": len(findings.campaigns),
            "considered": len(findings.considered),
            "flagged_accounts": sum(findings.accounts["flagged"].to_pylist()),
        },
        timings=dict(circumstances.seconds),
        tests_not_run=tests_not_run(findings, circumstances),
        metadata_only=findings.columns["exact"] == 0,
        formats=list(circumstances.formats),
        files_set_aside=[{"file": path, "reason": reason} for path, reason in circumstances.set_aside],
        columns_left_out=list(circumstances.left_out),
        notes=dict(circumstances.notes),
        out=str(out),
    )
    _write(out / "report.html", render_report(_incident(findings, circumstances, summary)).encode())
    record = {name: getattr(summary, name) for name in DetectSummary.__slots__ if name not in {"out", "sealed_entry"}}
    _write(out / "run.json", orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return summary


def output_digest(findings: RunFindings) -> str:
    """Digest accounts and campaigns; where in which file an exhibit stands is left out."""
    spanless = [
        replace(
            campaign,
            exhibits=tuple(replace(one, source_file="", source_offset=0, source_length=0) for one in campaign.exhibits),
        )
        for campaign in (*findings.campaigns, *findings.considered)
    ]
    document = campaigns_document(version="", fdr=0.5, campaigns=spanless, considered=())
    return digest_bytes(canonical_bytes([document["campaigns"], findings.accounts.to_pylist()]))


def tests_not_run(findings: RunFindings, circumstances: RunCircumstances) -> list[dict[str, str]]:
    """Name the tests that the whole run could not do, with what they need."""
    missing = []
    for columns, title, tests in TELEMETRY:
        if any(findings.columns[column] for column in columns):
            continue
        missing += [
            {"name": test, "reason": f"no exchange has {title}", "needed": f"logs with {title}"} for test in tests
        ]
    if not circumstances.has_releases and findings.columns["model"]:
        missing.append(
            {
                "name": "pivot to a new model",
                "reason": "no release calendar was given",
                "needed": "--releases FILE with columns model and released_at",
            }
        )
    return missing


def _incident(findings: RunFindings, circumstances: RunCircumstances, summary: DetectSummary) -> IncidentReport:
    accounts = findings.accounts
    return IncidentReport(
        run=RunFacts(
            version=summary.version,
            engine=summary.engine,
            fdr=summary.fdr,
            input_digest=summary.input_digest,
            output_digest=summary.output_digest,
            command=circumstances.command,
            files=circumstances.files,
            exchanges=findings.exchanges,
            accounts=accounts.num_rows,
            flagged_accounts=summary.counts["flagged_accounts"],
            candidates=findings.candidates,
            quarantined=summary.counts["quarantined"],
            duplicates=findings.repeats,
            first_seen_us=min(accounts["first_seen"].to_pylist(), default=0),
            last_seen_us=max(accounts["last_seen"].to_pylist(), default=0),
            metadata_only=summary.metadata_only,
            reference=circumstances.has_reference,
            tests_not_run=tuple(TestNotRun(**test) for test in summary.tests_not_run),
            columns=tuple(
                ColumnPresence(name=name, share=count / max(findings.exchanges, 1))
                for name, count in findings.columns.items()
            ),
        ),
        campaigns=findings.campaigns,
        considered=findings.considered,
        volume=findings.days,
        texts=tuple(
            ExhibitText(source_file=file, source_offset=offset, text=text)
            for (file, offset), text in sorted(circumstances.texts.items())
        ),
    )


def _write_accounts(path: Path, accounts: pa.Table) -> None:
    for name in ("first_seen", "last_seen"):
        place = accounts.schema.get_field_index(name)
        accounts = accounts.set_column(place, name, accounts[name].cast(pa.timestamp("us", tz="UTC")))
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(accounts, unfinished)
    unfinished.replace(path)


def _write_quarantine(path: Path, parts: tuple[Path, ...]) -> int:
    """Join the splits' quarantine files in the order of (file, offset); return the number of entries."""
    entries: list[dict[str, Any]] = [
        json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()
    ]
    entries.sort(key=lambda entry: (entry["file"], entry["offset"], entry["length"]))
    _write(path, b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    return len(entries)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
