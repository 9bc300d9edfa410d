"""Served transcripts over an endpoint, from the draft to the report: who learnt our answers, and who did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from practised_endpoint import DOCS, model

from stillwatch.cli.main import run
from stillwatch.simulation.suspect_server import LetterModel, Misbehaviour, SuspectServer, serving

EXCHANGES = 60
LETTERS = 60
UNSEEN = 4


def transcripts(seed: int) -> list[dict[str, Any]]:
    """What our model answered, with answers that nobody saw."""
    ours, rng = model(), np.random.default_rng(seed)

    def drawn(prompt: str) -> str:
        return "".join(one.text for one in ours.write(prompt, LETTERS, 1.0, rng))

    prompts = [f"Tell me about number {number}." for number in range(EXCHANGES)]
    return [
        {
            "exchange_id": f"x-{number:03d}", "account": f"a-{number % 2}", "prompt": prompt, "served": drawn(prompt),
            "unseen": [drawn(prompt) for _ in range(UNSEEN)], "exchangeable": True,
        }
        for number, prompt in enumerate(prompts)
    ]  # fmt: skip


def report_of(
    folder: Path, suspect: SuspectServer, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    folder.mkdir()
    (folder / "served.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    options = ["--ledger", f"sqlite:{folder}/ledger.db", "--actor"]
    assert run(["ledger", "init", *options, "alice", "--origin", "example.com/l", "--key-file", str(folder / "k")]) == 0
    assert run(["ledger", "role", *options, "alice", "--assign", "analyst", "--to", "bob"]) == 0
    with serving(suspect) as address:
        party = {
            "name": "suspect", "kind": "openai",
            "settings": {"address": address, "model": "m", "style": "completions", "scores": "echo", "requests_per_minute": 60_000, "pause": 0.01},
        }  # fmt: skip
        draft = {
            "suspect": "s", "purpose": "p", "decided_by": "bob", "parties": [party], "materials": {"served": "served.jsonl"},
            "tests": [{"id": "t4", "method": "served-transcript/v1", "parameters": PARAMETERS, "materials": ["served"]}],
            "budget": {"requests": 2000, "seconds": 600}, "seed": 3,
        }  # fmt: skip
        (folder / "draft.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
        for verb in (["plan", str(folder / "draft.yaml")], ["run", str(folder)]):
            assert run(["suspect", *verb, *options, "bob"]) == 0
    capsys.readouterr()
    assert run(["suspect", "report", str(folder), "--out", str(folder / "out"), *options, "bob", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["report"]


PARAMETERS: dict[str, Any] = {"material": "served"}


def learnt(rows: list[dict[str, Any]], account: str) -> LetterModel:
    """A model that learnt other text, and one account's answers many times over."""
    served = "".join(row["prompt"] + row["served"] for row in rows if row["account"] == account)
    return LetterModel((DOCS / "formats.md").read_text(encoding="utf-8") + served * 6)


def words(report: dict[str, Any]) -> dict[tuple[str, str | None], str]:
    return {(line["claim"], line["account"]): line["support"] for line in report["lines"]}


def test_who_learnt_an_accounts_answers_is_found_and_whose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = transcripts(1)
    report = report_of(tmp_path / "p", SuspectServer(learnt(rows, "a-0")), rows, capsys)
    found = words(report)
    assert report["conduct"] == []
    assert found["C3", None] == "strongly supports"
    assert found["C4", "a-0"] == "strongly supports"
    assert found["C4", "a-1"] == "no support"


def test_our_own_model_learnt_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(tmp_path / "p", SuspectServer(model()), transcripts(2), capsys)
    assert {word for (claim, _), word in words(report).items() if claim in {"C3", "C4"}} == {"no support"}
    assert any(line["exculpates"] for line in report["lines"])


@pytest.mark.parametrize("misbehaviour", [Misbehaviour.ANSWERS_ONLY, Misbehaviour.SCORES_BY_ANOTHER], ids=str)
def test_scores_that_are_not_to_be_trusted_decide_nothing(
    misbehaviour: Misbehaviour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = transcripts(1)
    server = SuspectServer(learnt(rows, "a-0"), misbehaves=(misbehaviour,), other=model())
    found = words(report_of(tmp_path / "p", server, rows, capsys))
    assert {word for (claim, _), word in found.items() if claim in {"C3", "C4"}} == {"inconclusive"}
