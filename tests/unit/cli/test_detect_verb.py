"""`stillwatch detect` and what it hands to the pipeline; the pipeline itself is stood in for."""

from __future__ import annotations

import dataclasses
import importlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import example_incident as example
import pytest
from command_line_calls import MISSING_TEST, Said, write_case

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.records.progress import Progress

Stillwatch = Callable[..., Said]


class StandIn:
    """Writes the hand-made incident instead of detecting one."""

    def __init__(self, summary: Any) -> None:
        self.asked: list[Any] = []
        self.summary = summary

    def __call__(self, settings: Any, progress: Progress) -> Any:
        self.asked.append(settings)
        progress.begin("reading", 10)
        progress.advance(10)
        progress.end()
        write_case(settings.out)
        return self.summary


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Stand in for the pipeline."""
    results = importlib.import_module("stillwatch.evidence.run_files")
    known = {
        "version": "0.1.0",
        "input_digest": "in",
        "output_digest": "out",
        "counts": {
            "files": 2, "exchanges": 151_204, "accounts": 3_000, "quarantined": 3, "duplicates": 0,
            "flagged_accounts": 238, "campaigns": 3, "candidates": 41,
        },
        "timings": {"reading": 1.5},
        "tests_not_run": [MISSING_TEST],
        "metadata_only": True,
    }  # fmt: skip
    others = {field.name: None for field in dataclasses.fields(results.DetectSummary) if field.name not in known}
    stand_in = StandIn(results.DetectSummary(**known, **others))
    monkeypatch.setattr(importlib.import_module("stillwatch.cli.detection_run"), "run", stand_in)
    return stand_in


def test_people_read_what_was_found_and_where_the_rest_stands(
    stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path
) -> None:
    said = stillwatch("detect", "logs/*.jsonl", "--out", tmp_path / "case")
    assert said.code == ExitCode.DONE
    for part in (
        example.pool().id,
        "■ operator",
        "◆ reseller",
        (
            "238 of 3,000 accounts flagged in 3 campaigns; 4 other groups considered and left alone; 151,204 exchanges read. "
            "Promised false-discovery rate over campaigns: 0.01."
        ),
        "! 2 accounts set apart, not flagged: a campaign uses their keys beside their owners. Tell the owners",
        "! 3 lines could not be read: ",
        "! No exchange had prompt text: this run is metadata-only.",
        "! not tested: output harvest (no exchange has answer text; needed: the column `response`)",
        f"Report: {tmp_path}/case/report.html",
    ):
        assert part in said.out, part
    assert said.err.startswith("✓ reading (")
    assert len(pipeline.asked) == 1


def test_json_is_one_document_and_people_read_the_other_stream(
    stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path
) -> None:
    said = stillwatch("detect", "logs", "--out", tmp_path / "case", "--json")
    document = said.document
    assert document["verb"] == "detect"
    assert document["counts"]["flagged_accounts"] == 238
    assert document["tests_not_run"] == [MISSING_TEST]
    assert {one["finding"] for one in document["campaigns"]} == {"operator", "reseller"}
    assert document["files"]["report"] == str(tmp_path / "case" / "report.html")
    assert "238 of 3,000" in said.err


def test_findings_fail_only_when_asked_to(stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path) -> None:
    assert stillwatch("detect", "x", "--out", tmp_path).code == ExitCode.DONE
    assert stillwatch("detect", "x", "--out", tmp_path, "--fail-on-findings").code == ExitCode.FINDINGS
    pipeline.summary.counts["campaigns"] = 0
    assert stillwatch("detect", "x", "--out", tmp_path, "--fail-on-findings").code == ExitCode.DONE


def test_every_option_reaches_the_pipeline(stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path) -> None:
    arguments = [
        "detect", "a", "b c", "--out", str(tmp_path), "--format", "generic", "--engine", "spark", "--fdr", "0.05",
        "--reference", "r1", "--reference", "r2", "--releases", "rel.csv", "--accounts", "acc.csv", "--show-text",
        "--threads", "3", "--memory", "2GiB", "--now", "2026-06-05T00:00:00Z", "--assume-zone", "UTC",
        "--account-field", "user", "--time-field", "when", "--default-account", "d", "--default-time",
        "2026-01-01T00:00:00Z", "--encoding", "latin-1", "--year", "2026",
        "--ledger", "ledger.db", "--actor", "alice",
    ]  # fmt: skip
    stillwatch(*arguments)
    asked = dataclasses.asdict(pipeline.asked[0])
    command = asked.pop("command")
    assert asked == {
        "paths": ("a", "b c"), "out": tmp_path, "format": "generic", "engine": "spark", "fdr": 0.05,
        "reference": ("r1", "r2"), "releases": Path("rel.csv"), "accounts": Path("acc.csv"), "show_text": True,
        "threads": 3, "memory_limit_bytes": 2**31, "now_us": 1_780_617_600_000_000, "assume_zone": "UTC",
        "account_field": "user", "time_field": "when", "default_account": "d",
        "default_time": "2026-01-01T00:00:00Z", "encoding": "latin-1", "year": 2026,
        "ledger": "ledger.db", "actor": "alice",
    }  # fmt: skip
    assert "'b c'" in command
    stillwatch(*shlex.split(command)[1:])
    again = pipeline.asked[1]
    unimportant = {"show_text": False, "threads": None, "memory_limit_bytes": None, "ledger": None, "actor": None}
    assert dataclasses.replace(pipeline.asked[0], **unimportant) == again


@pytest.mark.parametrize("half", [("--ledger", "ledger.db"), ("--actor", "alice")])
def test_a_ledger_needs_an_actor_and_an_actor_a_ledger(
    stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path, half: tuple[str, str]
) -> None:
    said = stillwatch("detect", "logs", "--out", tmp_path, *half)
    assert said.code == ExitCode.USAGE
    assert "--ledger and --actor were not both given" in said.err
    assert pipeline.asked == []


def test_without_options_the_pipeline_s_own_values_hold(
    stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path
) -> None:
    stillwatch("detect", "logs", "--out", tmp_path)
    settings = importlib.import_module("stillwatch.pipeline").DetectSettings(paths=("logs",), out=tmp_path)
    assert dataclasses.replace(pipeline.asked[0], command="") == settings


def test_a_quiet_run_says_so(
    stillwatch: Stillwatch, pipeline: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detection_run = importlib.import_module("stillwatch.cli.detection_run")
    read = detection_run.read_campaigns

    def nothing_flagged(folder: Path) -> Any:
        return dataclasses.replace(read(folder), campaigns=())

    monkeypatch.setattr(detection_run, "read_campaigns", nothing_flagged)
    assert "No campaign was flagged." in stillwatch("detect", "logs", "--out", tmp_path).out
