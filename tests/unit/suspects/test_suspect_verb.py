"""`stillwatch suspect` from the draft to the sealed report, over a real endpoint, killed in the middle, and with bad access."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from planned_run import SLOTS, Keyed, answers_of, folder_of
from practised_endpoint import model

from stillwatch.cli.main import run
from stillwatch.evidence.cases.gathering import items_of_claims
from stillwatch.records.case import ItemKind
from stillwatch.simulation.suspect_server import Misbehaviour, SuspectServer, serving

LEDGER = "sqlite:{}/ledger.db"


@pytest.fixture
def ledger(tmp_path: Path) -> list[str]:
    """A ledger in which bob is an analyst; gives the options that name it."""
    url = f"sqlite:{tmp_path}/ledger.db"
    assert (
        run(
            [
                "ledger",
                "init",
                "--ledger",
                url,
                "--origin",
                "example.com/l",
                "--actor",
                "alice",
                "--key-file",
                str(tmp_path / "k"),
            ]
        )
        == 0
    )
    assert run(["ledger", "role", "--ledger", url, "--actor", "alice", "--assign", "analyst", "--to", "bob"]) == 0
    return ["--ledger", url, "--actor", "bob"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a verb with --json, and give its document."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def reported(capsys: pytest.CaptureFixture[str], folder: Path, ledger: list[str]) -> dict[str, Any]:
    return said(capsys, "suspect", "report", str(folder), "--out", str(folder / "report"), *ledger)["report"]


def lines_of(report: dict[str, Any]) -> dict[str, str]:
    return {line["claim"]: line["support"] for line in report["lines"]}


def test_from_draft_to_sealed_report(tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "p")
    planned = said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
    assert planned["queries"] == 2 * SLOTS
    assert said(capsys, "suspect", "run", str(folder), *ledger)["observed"] == 2 * SLOTS
    report = reported(capsys, folder, ledger)
    assert lines_of(report) == {
        "C1": "inconclusive",
        "C2": "inconclusive",
        "C3": "strongly supports",
        "C4": "inconclusive",
    }
    assert report["plan"]["entry"] == planned["entry"]
    assert report["plan"]["before_the_first_query"] is True
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert planned["digest"] in page
    assert "Which colour" not in page + (folder / "report" / "report.json").read_text(encoding="utf-8")
    items = items_of_claims((folder / "report" / "claims.json").read_bytes(), "claims.json")
    assert [one.kind for one in items] == [ItemKind.CLAIM]
    listed = said(capsys, "ledger", "show", *ledger, "--kind", "suspect concluded")["entries"]
    assert len(listed) == 1
    assert reported(capsys, folder, ledger) == report
    assert len(said(capsys, "ledger", "show", *ledger, "--kind", "suspect concluded")["entries"]) == 1
    refused = said(capsys, "suspect", "run", str(folder), *ledger, code=11)
    assert "seals the result" in refused["error"]["message"]


def test_nobody_is_asked_before_the_plan_is_committed(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server = SuspectServer(model())
    with serving(server) as address:
        folder = folder_of(tmp_path / "p", address)
        said(capsys, "suspect", "run", str(folder), *ledger, code=3)
        said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
        plan = folder / "plan.json"
        plan.write_bytes(plan.read_bytes().replace(b'"alpha":0.05', b'"alpha":0.06'))
        refused = said(capsys, "suspect", "run", str(folder), *ledger, code=11)
        assert "no plan with these bytes" in refused["error"]["message"]
    assert server.requests == 0


def test_a_changed_material_stops_the_run(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "p")
    said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
    with (folder / "suspect.jsonl").open("ab") as file:
        file.write(b"\n")
    refused = said(capsys, "suspect", "run", str(folder), *ledger, code=11)
    assert "suspect.jsonl" in refused["error"]["message"]


def test_a_plan_is_not_written_over(tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "p")
    said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
    assert (
        "is there already"
        in said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger, code=2)["error"]["message"]
    )


def test_an_actor_without_a_role_is_refused(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "p")
    said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger[:2], "--actor", "mallory", code=7)
    assert not (folder / "plan.json").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """SIGKILL three times: what was answered is asked once, what was on its way twice at most, and nothing is lost."""
    practised = folder_of(tmp_path / "materials")
    server = SuspectServer(Keyed(model(), answers_of(practised / "suspect.jsonl")), delay=0.05)
    with serving(server) as address:
        folder = folder_of(tmp_path / "p", address)
        said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
        command = [sys.executable, "-m", "stillwatch.cli.main", "suspect", "run", str(folder), *ledger]
        for stop in (15, 45, 80):
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
            )
            deadline = time.monotonic() + 60
            while server.requests < stop and time.monotonic() < deadline:
                time.sleep(0.005)
            assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        done = said(capsys, "suspect", "run", str(folder), *ledger)
    kept = [json.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]
    sent = [line["query"] for line in kept if line["kind"] == "sent"]
    answered = [line["query"] for line in kept if line["kind"] == "received"]
    assert done["observed"] == done["queries"] == len(answered) == len(set(answered))
    for query in set(sent):
        places = [place for place, line in enumerate(kept) if line.get("query") == query]
        assert [kept[place]["kind"] for place in places][-1] == "received"
        assert sent.count(query) <= 2, "a query was asked again although it had its answer"
    twice = {query for query in sent if sent.count(query) == 2}
    assert len(twice) <= 3 * 4
    assert {query for query, count in server.answered.items() if count > 1} <= twice
    report = reported(capsys, folder, ledger)
    assert set(report["collection"]["in_flight_at_an_interruption"]) == twice
    assert lines_of(report)["C3"] == "strongly supports"


BAD_ACCESS = (
    (Misbehaviour.DRIFTS, "drifts mid-run"),
    (Misbehaviour.TRUNCATES, "truncates"),
    (Misbehaviour.REFUSES, "refuses"),
    (Misbehaviour.SYSTEM_PROMPT, "adds a system prompt"),
    (Misbehaviour.MIXES_MODELS, "does not repeat itself"),
    (Misbehaviour.REORDERS, "mixes up answers"),
    (Misbehaviour.LIMITS_FOR_GOOD, "gave nothing"),
)


@pytest.mark.parametrize(("misbehaviour", "reason"), BAD_ACCESS, ids=[one.value for one, _ in BAD_ACCESS])
def test_bad_access_makes_it_inconclusive(
    misbehaviour: Misbehaviour, reason: str, tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    practised = folder_of(tmp_path / "materials")
    taught = Keyed(model(), answers_of(practised / "suspect.jsonl"))
    with serving(SuspectServer(taught, misbehaves=(misbehaviour,), other=model("formats.md"))) as address:
        folder = folder_of(tmp_path / "p", address, budget={"requests": 1000, "seconds": 600})
        said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
        said(capsys, "suspect", "run", str(folder), *ledger)
        report = reported(capsys, folder, ledger)
    (line,) = [one for one in report["lines"] if one["claim"] == "C3"]
    assert line["support"] == "inconclusive"
    assert any(reason in why for why in line["missing"]), line["missing"]


def test_a_spent_budget_leaves_the_rest_unasked_and_says_so(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server = SuspectServer(model(), misbehaves=(Misbehaviour.RATE_LIMITS,))
    with serving(server) as address:
        folder = folder_of(tmp_path / "p", address, budget={"requests": 150, "seconds": 600})
        said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
        done = said(capsys, "suspect", "run", str(folder), *ledger)
    assert done["requests"] == 150
    assert done["observed"] < done["queries"]
    assert server.requests <= 150


def test_a_run_may_stop_early_where_the_plan_says_so(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "p", known=1.0, stop_early=True)
    draft = folder / "draft.yaml"
    draft.write_text(
        draft.read_text(encoding="utf-8").replace("question:", "stop_at: 1000.0\n    question:"), encoding="utf-8"
    )
    said(capsys, "suspect", "plan", str(draft), *ledger)
    done = said(capsys, "suspect", "run", str(folder), *ledger)
    assert done["observed"] < done["queries"]
    assert lines_of(reported(capsys, folder, ledger))["C3"] == "strongly supports"


def test_several_suspects_are_held_together(
    tmp_path: Path, ledger: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for number, known in enumerate((0.6, 0.0, 0.0)):
        folder = folder_of(tmp_path / f"p{number}", known=known, suspect=f"suspect {number}")
        said(capsys, "suspect", "plan", str(folder / "draft.yaml"), *ledger)
        said(capsys, "suspect", "run", str(folder), *ledger)
        reported(capsys, folder, ledger)
        reports.append(str(folder / "report" / "report.json"))
    chosen = said(capsys, "suspect", "compare", *reports, "--fdr", "0.05")["selected"]
    assert [one["suspect"].split(" (")[0] for one in chosen["C3"]] == ["suspect 0"]
