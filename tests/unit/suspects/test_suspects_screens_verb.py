"""Kinship, equal answers and weights through `stillwatch suspect`: planned, run and reported on recorded answers and open weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stillwatch.cli.main import run
from stillwatch.simulation.small_models import Shape, TokenExchange, copy_of, new_model, train

WORDS = [f"word{number}" for number in range(90)]
PROMPTS = [f"Say something about topic {number}." for number in range(60)]
CONTROLS = 45


def write_answers(path: Path, habits: int, seed: int, samples: int = 1) -> None:
    """Answers of a model with the habits of a seed, drawn by another."""
    model, rng = np.random.default_rng(habits), np.random.default_rng(seed)
    lines = []
    for prompt in PROMPTS:
        weights = model.dirichlet(np.full(len(WORDS), 0.15))
        answers = [" ".join(rng.choice(WORDS, 25, p=weights)) for _ in range(samples)]
        lines.append(json.dumps({"prompt": prompt, "answers": answers}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def a_folder(folder: Path, *, kin: bool) -> Path:
    """A suspect that has our habits, and weights that were tuned from ours; or one that has neither."""
    folder.mkdir()
    parties: list[dict[str, Any]] = [
        {"name": "suspect"},
        {"name": "ours", "role": "own"},
        {"name": "twin", "role": "positive"},
    ]
    parties += [{"name": f"control{number}", "role": "negative"} for number in range(CONTROLS)]
    habits = {"suspect": 1 if kin else 2, "ours": 1, "twin": 1}
    for seed, party in enumerate(parties, start=100):
        party |= {
            "kind": "recorded",
            "settings": {"file": f"{party['name']}.jsonl"},
            "included_because": "made for this test",
        }
        write_answers(folder / f"{party['name']}.jsonl", habits.get(party["name"], seed), seed)
    (folder / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": one}) + "\n" for one in PROMPTS), encoding="utf-8"
    )
    shape = Shape(vocabulary=32, width=16, layers=2, heads=2, inner=48, context=32)
    ours = new_model(shape, 1)
    suspect = copy_of(ours) if kin else new_model(shape, 2)
    train(suspect, [TokenExchange(prompt=(3,), answer=(4, 5, 6))] * 32, epochs=2, seed=0)
    ours.save_pretrained(folder / "our_weights")
    suspect.save_pretrained(folder / "suspect_weights")
    draft = {
        "suspect": "suspect of a test", "purpose": "a test", "decided_by": "bob", "parties": parties, "alpha": 0.05, "seed": 3,
        "budget": {"requests": 100_000, "seconds": 600},
        "materials": {"prompts": "prompts.jsonl", "our_weights": "our_weights", "suspect_weights": "suspect_weights"},
        "tests": [
            {"id": "t2", "method": "kinship/v1", "parameters": {}, "materials": ["prompts"]},
            {"id": "t5", "method": "weight-ancestry/v1", "parameters": {}, "materials": ["our_weights", "suspect_weights"]},
        ],
    }  # fmt: skip
    (folder / "draft.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    return folder


def reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Plan, run and report; give the word for each claim."""
    ledger = ["--ledger", f"sqlite:{folder.parent}/ledger.db", "--actor"]
    key = str(folder.parent / "key")
    assert run(["ledger", "init", *ledger, "alice", "--origin", "example.com/l", "--key-file", key]) == 0
    assert run(["ledger", "role", *ledger, "alice", "--assign", "analyst", "--to", "bob"]) == 0
    assert run(["suspect", "plan", str(folder / "draft.yaml"), *ledger, "bob"]) == 0
    assert run(["suspect", "run", str(folder), *ledger, "bob"]) == 0
    capsys.readouterr()
    assert run(["suspect", "report", str(folder), "--out", str(folder / "report"), *ledger, "bob", "--json"]) == 0
    return {line["claim"]: line["support"] for line in json.loads(capsys.readouterr().out)["report"]["lines"]}


@pytest.mark.parametrize(("kin", "word"), [(True, "strongly supports"), (False, "no support")])
def test_a_relative_and_a_stranger(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, kin: bool, word: str) -> None:
    folder = a_folder(tmp_path / "plan", kin=kin)
    assert reported(folder, capsys) == {"C1": "inconclusive", "C2": word, "C3": "inconclusive", "C4": "inconclusive"}
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "exchangeable with the controls" in page
    assert "topic 17" not in page


def test_kinship_alone_is_a_lead_however_near_the_suspect_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_folder(tmp_path / "plan", kin=True)
    draft = yaml.safe_load((folder / "draft.yaml").read_text(encoding="utf-8"))
    draft["tests"] = draft["tests"][:1]
    (folder / "draft.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    assert reported(folder, capsys)["C2"] == "lead"
