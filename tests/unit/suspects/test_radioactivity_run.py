"""Radioactivity over endpoints of this machine: one that scores given text, and one that only writes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers as tokenizers_library
import yaml
from practised_endpoint import DOCS

from stillwatch.cli.main import run
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.simulation.suspect_server import LetterModel, SuspectServer, serving
from stillwatch.watermark.key_file import key_lines
from stillwatch.watermark.scheme import key_row
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.tokenizers import tokenizer_digest

LETTERS = "".join(map(chr, range(32, 127))) + "\n"
ANSWERS, LENGTH = 60, 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the provider and two campaigns, a tokenizer of letters, and answers that the first campaign's key marked."""
    out = tmp_path_factory.mktemp("endpoint")
    vocabulary = {letter: place for place, letter in enumerate(LETTERS)}
    tokenizers_library.Tokenizer(tokenizers_library.models.BPE(vocab=vocabulary, merges=[])).save(
        str(out / "letters.json")
    )
    digest = tokenizer_digest(out / "letters.json")
    keys = [
        MarkKey(
            handle=name, scheme="green-bernoulli@v1", parameters=(("context_width", 1),), level=MarkLevel.CAMPAIGN,
            assigned_to=name, key=np.random.default_rng(place).bytes(8), tokenizer_digest=digest, issued_us=0,
        )
        for place, name in enumerate(("first", "second"))
    ]  # fmt: skip
    (out / "keys.jsonl").touch(mode=0o600)
    (out / "keys.jsonl").write_text(key_lines(keys))
    rng = np.random.default_rng(5)
    ours = LetterModel((DOCS / "detection.md").read_text(encoding="utf-8"), kept=len(LETTERS))
    rows = [
        {
            "exchange_id": f"x{number:03d}", "account": "a", "prompt": f"Tell me of {number}: ", "unseen": [], "exchangeable": True,
            "served": marked(ours, keys[0], rng), "other": marked(ours, None, rng),
        }
        for number in range(ANSWERS)
    ]  # fmt: skip
    (out / "served.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


def marked(model: LetterModel, key: MarkKey | None, rng: np.random.Generator) -> str:
    """Have a model of letters write, green letters four times as likely as they were."""
    text = "It is "
    scheme = open_scheme("green-bernoulli@v1", {"context_width": 1})
    every = np.arange(len(LETTERS), dtype=np.uint32)
    for _ in range(LENGTH):
        (drawn,) = model.write(text, 1, 1.0, rng)
        told = {letter: value for letter, value in drawn.alternatives if letter in LETTERS}
        chances = np.array([math.exp(told[letter]) if letter in told else 0.0 for letter in LETTERS])
        if key is not None:
            context = np.full((len(LETTERS), 1), LETTERS.index(text[-1]), dtype=np.uint32)
            chances *= 1.0 + 7.0 * scheme.values(scheme.units_of(context, every).words, key_row(scheme, key))
        text += LETTERS[rng.choice(len(LETTERS), p=chances / chances.sum())]
    return text[6:]


def report_of(
    folder: Path, learnt: str, method: str, place: Path, capsys: pytest.CaptureFixture[str], **interface: object
) -> dict[str, Any]:
    """Test an endpoint whose model learnt one of the fields of the served file."""
    rows = [json.loads(line) for line in (folder / "served.jsonl").read_text().splitlines()]
    suspect = SuspectServer(LetterModel("".join(row[learnt] for row in rows), kept=12), seed=4)
    place.mkdir()
    materials = {"transcripts": "served.jsonl", "keys": "keys.jsonl", "tokenizer": "letters.json"}
    ledger = ["--ledger", f"sqlite:{place}/ledger.db"]
    by = [*ledger, "--actor", "bob"]
    with serving(suspect) as address:
        settings = {
            "address": address,
            "model": "m",
            "requests_per_minute": 60_000,
            "pause": 0.01,
            "concurrency": 4,
            **interface,
        }
        draft = {
            "suspect": "s", "purpose": "p", "decided_by": "bob",
            "parties": [{"name": "suspect", "kind": "openai", "settings": settings}],
            "materials": {name: str(folder / path) for name, path in materials.items()},
            "tests": [{"id": "r", "method": method, "parameters": {"most_tokens": LENGTH} if "writing" in method else {"alternatives": 12}, "materials": [*materials]}],
            "alpha": 0.001, "budget": {"requests": 1_000, "seconds": 600}, "seed": 3,
        }  # fmt: skip
        (place / "draft.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
        for arguments in (
            [
                "ledger",
                "init",
                *ledger,
                "--origin",
                "example.com/l",
                "--actor",
                "alice",
                "--key-file",
                str(place / "k"),
            ],
            ["ledger", "role", *ledger, "--actor", "alice", "--assign", "analyst", "--to", "bob"],
            ["suspect", "plan", str(place / "draft.yaml"), *by],
            ["suspect", "run", str(place), *by],
        ):
            assert run(arguments) == 0
    capsys.readouterr()
    assert run(["suspect", "report", str(place), "--out", str(place / "report"), *by, "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)["report"]
    report["C3"] = next(line["support"] for line in report["lines"] if line["claim"] == "C3")
    report["found"] = [one["claim"] for one in report["tests"][0]["stated"] if one.get("claim", {}).get("log_p", 0.0) < math.log(1e-6)]  # fmt: skip
    return report


@pytest.mark.parametrize(
    ("method", "interface"),
    [
        ("radioactivity-reading/v1", {"style": "completions", "scores": "echo"}),
        ("radioactivity-writing/v1", {"style": "chat"}),
    ],
    ids=["reading", "writing"],
)
def test_an_endpoint_that_learnt_marked_answers_is_found(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str, interface: dict[str, object]
) -> None:
    report = report_of(folder, "served", method, tmp_path / "p", capsys, **interface)
    assert report["C3"] == "strongly supports"
    assert len(report["found"]) == 1
    assert "campaign key first" in report["found"][0]["statement"]
    assert "of 2 keys together" in report["found"][0]["statement"]
    innocent = report_of(folder, "other", method, tmp_path / "q", capsys, **interface)
    assert innocent["C3"] in {"inconclusive", "no support"}
    assert innocent["found"] == []


def test_an_endpoint_without_scores_cannot_be_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(folder, "served", "radioactivity-reading/v1", tmp_path / "p", capsys, style="chat")
    assert report["C3"] == "inconclusive"
    assert "gives no" in json.dumps(report["tests"][0]["stated"])
