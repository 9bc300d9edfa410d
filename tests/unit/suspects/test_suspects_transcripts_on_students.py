"""The served-transcript test from the draft to the sealed report, on scores of a student that was really trained on one account's answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `models` is not installed")

from planned_run import reported

from stillwatch.simulation.small_models import Shape, TokenExchange, copy_of, new_model, sample, score, train

SHAPE = Shape(vocabulary=64, width=32, layers=2, heads=2, inner=64, context=40)
LETTERS = "".join(map(chr, range(0x30, 0x70)))
"""A character for each token."""
ACCOUNTS = ("harvester", "customer")
PROMPTS, UNSEEN = 40, 4


def text(tokens: tuple[int, ...]) -> str:
    return "".join(LETTERS[token] for token in tokens)


def recorded(model: Any, rows: list[list[TokenExchange]]) -> str:
    """Scores as an access would have recorded them, token by token."""
    flat = [one for row in rows for one in row]
    return "".join(
        json.dumps(
            {
                "prompt": text(one.prompt),
                "continuation": text(one.answer),
                "tokens": [[LETTERS[token], value] for token, value in zip(one.answer, values.tolist(), strict=True)],
            }
        )
        + "\n"
        for one, values in zip(flat, score(model, flat), strict=True)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Transcripts of two accounts, and scores of a base, of a student of the harvester's answers, and of one of unseen samples."""
    out = tmp_path_factory.mktemp("suspect")
    teacher, base = new_model(SHAPE, 11, spread=0.35), new_model(SHAPE, 12)
    prompts = [(3 + index % 40, 3 + index // 40, 60) for index in range(2 * PROMPTS)]
    drawn = sample(teacher, [prompt for prompt in prompts for _ in range(UNSEEN + 2)], most=16, seed=1)
    rows = [
        [TokenExchange(prompt=prompt, answer=answer) for answer in drawn[place : place + UNSEEN + 2]]
        for place, prompt in zip(range(0, len(drawn), UNSEEN + 2), prompts, strict=True)
    ]
    elsewhere = [row.pop() for row in rows]  # a sample that neither was served nor is compared with
    students = {"base": base}
    for name, taught in (("student", [row[0] for row in rows[:PROMPTS]]), ("stranger", elsewhere)):
        students[name] = copy_of(base)
        train(students[name], taught, epochs=25, seed=2, rate=8e-3)
    for name, model in students.items():
        (out / f"{name}.jsonl").write_text(recorded(model, rows), encoding="utf-8")
    own = [[float(np.mean(one)) for one in score(teacher, row)] for row in rows]
    lines = [
        {
            "exchange_id": f"x{number:03d}",
            "account": ACCOUNTS[number // PROMPTS],
            "prompt": text(row[0].prompt),
            "served": text(row[0].answer),
            "unseen": [text(one.answer) for one in row[1:]],
            "exchangeable": True,
            "own_scores": scores,
        }
        for number, (row, scores) in enumerate(zip(rows, own, strict=True))
    ]
    (out / "transcripts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return out


def report_on(
    folder: Path, suspect: str, place: Path, capsys: pytest.CaptureFixture[str], **parameters: object
) -> dict[str, Any]:
    draft = {
        "suspect": suspect,
        "purpose": "a test",
        "decided_by": "bob",
        "parties": [
            {"name": "suspect", "kind": "recorded", "settings": {"file": str(folder / f"{suspect}.jsonl")}},
            {
                "name": "base",
                "kind": "recorded",
                "settings": {"file": str(folder / "base.jsonl")},
                "role": "negative",
                "included_because": "what both were made of",
            },
        ],
        "materials": {"transcripts": str(folder / "transcripts.jsonl")},
        "tests": [
            {
                "id": "t4",
                "method": "served-transcript/v1",
                "parameters": {"reference": "own scores", "gate_level": 0.001, **parameters},
                "materials": ["transcripts"],
            }
        ],
        "alpha": 0.05,
        "stop_early": "stop_at" in parameters,
        "budget": {"requests": 2_000, "seconds": 600},
        "seed": 7,
    }
    return reported(draft, place, capsys)


def support(report: dict[str, Any]) -> dict[tuple[str, str | None], str]:
    return {(line["claim"], line.get("account")): line["support"] for line in report["lines"]}


def test_a_student_of_one_accounts_answers_is_found_for_that_account_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = support(report_on(folder, "student", tmp_path / "p", capsys))
    assert found["C3", None] == "strongly supports"
    assert found["C4", "harvester"] == "strongly supports"
    assert found["C4", "customer"] in {"no support", "lead"}


def test_a_student_of_other_samples_for_the_same_prompts_is_not_found(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = support(report_on(folder, "stranger", tmp_path / "p", capsys))
    assert found["C3", None] == "no support"
    assert {word for (claim, _), word in found.items() if claim == "C4"} == {"no support"}


def test_a_run_that_may_stop_asks_less(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_on(folder, "student", tmp_path / "p", capsys, accounts=["harvester"], stop_at=1_000)
    asked = {
        name.split("/")[2]
        for name in re.findall(r'"t4/suspect/x\d+/0"', (tmp_path / "p" / "journal.jsonl").read_text())
    }
    assert 20 <= len(asked) < PROMPTS
    assert support(report)["C3", None] == "strongly supports"
