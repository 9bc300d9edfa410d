"""`stillwatch audit report`: a period of a real ledger, told twice alike and sealed once."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said
from test_decide_verb import begun, call, example, proposed

from stillwatch.cli import audit_report, bundle, decide, decision_appeal
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.ledger_options import open_for
from stillwatch.evidence.sealing import SealedRun, seal_run, sealed_results
from stillwatch.governance.posture.evidence import EntryKind

__all__ = ["begun"]  # the ledger with its people, run and terms is made once
Stillwatch = Callable[..., Said]
FINDINGS = {
    "version": "0.1.0", "day": "2026-11-20", "exchanges": 9,
    "findings": [{"check": "secret", "state": "new"}, {"check": "secret", "state": "open"}, {"check": "canary", "state": "fixed"}],
}  # fmt: skip


@pytest.fixture
def told(begun: list[dict[str, Any]], stillwatch: Stillwatch) -> str:  # the fixture of the other module
    """Decisions, approval, bundle, appeal and law changes in the ledger; give the moment after them."""
    block = proposed(stillwatch)["decision"]
    example(stillwatch, bundle.KEY_HELP)
    example(stillwatch, decide.APPROVE_HELP, DECISION=block)
    example(stillwatch, bundle.BUILD_HELP)
    example(stillwatch, decision_appeal.APPEAL_HELP, DECISION=block)
    Path("changes.jsonl").write_text(
        json.dumps(
            {"change": {"id": "c-1", "kind": "moved", "entry_id": "eu-ai-act-50", "title": "Art. 50 <moved>", "date": "2026-11-20", "url": ""},
             "work": [{"id": "w-1", "subject": "control eu-ai-act-50-2", "what": "probe the marks", "opened_us": time.time_ns() // 1000}]}
        ) + "\n"
    )  # fmt: skip
    call(stillwatch, "ledger append --ledger ledger.db --actor bob --kind 'law change' changes.jsonl")
    Path("findings.json").write_text(json.dumps(FINDINGS))
    time.sleep(1.1)  # the moment has no fraction of a second, and lies after the entries and not after now
    return datetime.fromtimestamp(int(time.time()), UTC).isoformat()


def report(stillwatch: Stillwatch, until: str, out: str) -> dict[str, Any]:
    line = f"audit report --from 2026-01-01 --to {until} --ledger ledger.db --actor bob --out {out} --own-use findings.json --json"
    return call(stillwatch, line).document


def test_a_period_is_told_whole(told: str, stillwatch: Stillwatch) -> None:
    document = report(stillwatch, told, "report")
    assert document["appeal_figures"] == {
        "decided": 1,
        "reversed": 1,
        "decisions_that_acted_so_far": 1,
        "of_these_reversed_so_far": 1,
    }
    (block,) = [one for one in document["decisions"] if one["action"] == "block"]
    assert (block["by"], block["approved_by"], block["appeal"], block["clauses"]) == (
        "bob",
        "carol",
        "reversed",
        ["api@1/no-pooling"],
    )
    assert [(one["version"], one["for"]) for one in document["bundles"]] == [(1, "example.com/gateway")]
    assert document["own_use"]["counts"] == {
        "canary": {"new": 0, "open": 0, "fixed": 1},
        "secret": {"new": 1, "open": 1, "fixed": 0},
    }
    assert document["law_changes"][0]["title"] == "Art. 50 <moved>"
    assert {"control fails", "legal watch"} <= {one["kind"] for one in document["open_work"]}
    assert document["entries_in_period"]["decision approved"] == 1
    page = Path("report/audit-report.html").read_text(encoding="utf-8")
    assert "Art. 50 &lt;moved&gt;" in page
    assert "<script" not in page


def test_q_values_come_from_runs_that_were_sealed(told: str, stillwatch: Stillwatch) -> None:
    line = "audit report --from 2026-01-01 --ledger ledger.db --actor bob --out report --run run --json"
    assert "no entry up to the end of the period seals this" in call(stillwatch, line, code=ExitCode.USAGE).err
    sealed = SealedRun(
        version="0.1.0", input_digest="x", output_digest="y", inputs=(), results=sealed_results(Path("run"), ["campaigns.json"])
    )  # fmt: skip
    with open_for("ledger.db", "bob", "SEAL_RUN") as (_, access):
        entry = seal_run(access, "bob", sealed)
    document = call(stillwatch, line).document
    (block,) = [one for one in document["decisions"] if one["action"] == "block"]
    campaigns = {one["id"]: one for one in json.loads(Path("run/campaigns.json").read_text())["campaigns"]}
    assert block["error_rate"] == {"q_value": campaigns[block["campaign"]]["q_value"], "fdr": 0.01, "entry": entry}
    assert block["evidence_log10"] >= 1
    assert "promises a false-discovery rate of 0.01" in Path("report/audit-report.html").read_text(encoding="utf-8")


def test_the_same_period_gives_the_same_bytes_and_one_entry(told: str, stillwatch: Stillwatch) -> None:
    first = report(stillwatch, told, "first")
    call(stillwatch, "ledger checkpoint --ledger ledger.db --actor alice --key-file ledger.key")
    second = report(stillwatch, told, "second")
    assert first["entry"] == second["entry"]
    for name, digest in first["files"].items():
        content = Path("first", name).read_bytes()
        assert content == Path("second", name).read_bytes()
        assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    entry = call(stillwatch, f"ledger show {first['entry']} --ledger ledger.db --actor bob --json").document
    assert entry["entries"][0]["record"]["files"] == first["files"]


def test_a_record_of_another_form_does_not_stop_the_report(told: str, stillwatch: Stillwatch) -> None:
    rows: list[dict[str, Any]] = [
        {}, {"decision": 7, "figures": 7, "work": 7, "change": 7, "gaps": 7, "claims": 7, "controls": 7, "assets": 7, "handles": 7},
        {"decision": {"members": 3, "clauses": 4, "evaluations": ["x"]}, "work": [3], "gaps": [3], "controls": [3]},
    ]  # fmt: skip
    Path("odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    taken = 0
    for kind in EntryKind:  # the ledger refuses some kinds to `append`, and takes the others from whoever may append
        said = stillwatch(
            "ledger", "append", "--ledger", "ledger.db", "--actor", "bob", "--kind", kind.value, "odd.jsonl"
        )
        assert said.code in {ExitCode.DONE, ExitCode.REFUSED}, said.err
        taken += said.code == ExitCode.DONE
    assert taken > 20
    document = call(
        stillwatch, "audit report --from 2026-01-01 --ledger ledger.db --actor bob --out odd --json"
    ).document
    assert "decided" in document["appeal_figures"]


def test_what_came_after_the_period_is_not_told(told: str, stillwatch: Stillwatch) -> None:
    before = report(stillwatch, "2026-01-02", "before")
    assert (before["ledger_entries"], before["decisions"], before["entries_in_period"]) == (0, [], {})


def test_the_pdf_says_what_the_page_says(told: str, stillwatch: Stillwatch) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on the path; install the package `poppler-utils`")
    report(stillwatch, told, "report")
    text = subprocess.run(
        ["pdftotext", "-layout", "report/audit-report.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in (
        "Audit report, 2026-01-01",
        "Appeals and reversals",
        "A course at a school",
        "Art. 50 <moved>",
        "probe the marks",
        "measured-fail",
    ):
        assert words in text
    assert "[U+" not in text


def test_the_example_runs_and_what_is_no_period_is_refused(told: str, stillwatch: Stillwatch) -> None:
    assert "Entry" in example(stillwatch, audit_report.REPORT_HELP).out
    for line, says in (
        ("--from 2026-11-02 --to 2026-11-01", "no period that has ended"), ("--from 2026-01-01 --to 2099-01-01", "no period that has ended"),
        ("--from yesterday", "expected a day or time"),
    ):  # fmt: skip
        said = call(stillwatch, f"audit report {line} --ledger ledger.db --actor bob --out report", code=ExitCode.USAGE)
        assert says in said.err
    Path("findings.json").write_text("[]")
    line = "audit report --from 2026-01-01 --ledger ledger.db --actor bob --out report --own-use findings.json"
    assert "is not what `stillwatch audit own-use` writes" in call(stillwatch, line, code=ExitCode.INPUT).err
    call(stillwatch, line.replace("bob", "vera"), code=ExitCode.INPUT)
    call(stillwatch, line.replace("bob", "vera").replace(" --own-use findings.json", ""), code=ExitCode.REFUSED)
