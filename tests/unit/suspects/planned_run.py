"""Folders with the draft of a plan: for committed challenges against endpoints of this machine, and the whole way from any draft to its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillwatch.cli.main import run
from stillwatch.cli.suspect_practice import write_practice
from stillwatch.simulation.suspect_server import Drawn, LetterModel

SLOTS = 40


class Keyed:
    """A letter model that answers challenges as it was taught, and all else as a letter model does."""

    def __init__(self, learnt: LetterModel, answers: Mapping[str, str]) -> None:
        self._learnt = learnt
        self._answers = answers

    def count(self, text: str) -> int:
        return self._learnt.count(text)

    def write(self, prompt, tokens, temperature, rng) -> list[Drawn]:
        known = next((answer for asked, answer in self._answers.items() if asked in prompt), None)
        if known is None:
            return self._learnt.write(prompt, tokens, temperature, rng)
        return self._learnt.score(prompt, known)[:tokens]

    def score(self, prompt, text) -> list[Drawn]:
        return self._learnt.score(prompt, text)


def answers_of(file: Path) -> dict[str, str]:
    """Read what a practised suspect answers to each challenge."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["prompt"]: line["answers"][0].removeprefix("I think that it is ") for line in lines}


def folder_of(out: Path, address: str | None = None, *, known: float = 0.5, **changes: Any) -> Path:
    """Write materials and a draft; with an address, the suspect is an endpoint there."""
    out.mkdir(exist_ok=True)
    write_practice(out, 1, known)
    draft = yaml.safe_load((out / "draft.yaml").read_text(encoding="utf-8"))
    if address is not None:
        settings = {
            "address": address, "model": "m", "requests_per_minute": 60_000, "pause": 0.01, "concurrency": 4, "tries": 3
        }  # fmt: skip
        draft["parties"][0] = {"name": "suspect", "kind": "openai", "settings": settings}
    draft |= changes
    (out / "draft.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    return out


def reported(draft: Mapping[str, Any], place: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Write a draft into a new folder; plan, run and report it with a ledger of its own, and give the report."""
    place.mkdir()
    (place / "draft.yaml").write_text(yaml.safe_dump(dict(draft)), encoding="utf-8")
    ledger = ["--ledger", f"sqlite:{place}/ledger.db"]
    by = [*ledger, "--actor", "bob"]
    for arguments in (
        ["ledger", "init", *ledger, "--origin", "example.com/l", "--actor", "alice", "--key-file", str(place / "key")],
        ["ledger", "role", *ledger, "--actor", "alice", "--assign", "analyst", "--to", "bob"],
        ["suspect", "plan", str(place / "draft.yaml"), *by],
        ["suspect", "run", str(place), *by],
    ):
        assert run(arguments) == 0
    capsys.readouterr()
    assert run(["suspect", "report", str(place), "--out", str(place / "report"), *by, "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)["report"]
    return report
