"""`stillwatch posture` and `stillwatch assets`: from logs and drills through a real ledger to where controls stand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said
from test_decide_verb import TERMS

from stillwatch.cli import assets, posture
from stillwatch.cli.exit_codes import ExitCode

Stillwatch = Callable[..., Said]
LEDGER = "--ledger ledger.db --actor bob"


@pytest.fixture(autouse=True)
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stillwatch: Stillwatch) -> None:
    """A ledger with its people, and logs of three exchanges."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    call(stillwatch, "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    call(stillwatch, "ledger role --ledger ledger.db --actor alice --assign analyst --to bob")
    call(stillwatch, "ledger role --ledger ledger.db --actor alice --assign viewer --to vera")
    folder = Path("world")
    folder.mkdir()
    rows = [
        {"time": f"2026-11-0{day}T10:00:00Z", "account_id": "a", "exchange_id": f"x{day}", "model": "still-1", "endpoint": "chat", "prompt": "hello",
         "response": "hi", "session_id": "s", "status": 200, "input_tokens": 3, "output_tokens": 2, "n": 1}
        for day in (1, 2, 3)
    ]  # fmt: skip
    (folder / "traffic-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def call(stillwatch: Stillwatch, line: str, *more: str, code: int = ExitCode.DONE) -> Said:
    said = stillwatch(*shlex.split(line), *more)
    assert said.code == code, said.err
    return said


def states(stillwatch: Stillwatch, *more: str) -> dict[str, str]:
    document = call(stillwatch, f"posture {LEDGER} --json", *more).document
    return {one["id"]: one["state"] for one in document["controls"]}


def discovered(stillwatch: Stillwatch, *more: str) -> Said:
    return call(stillwatch, "assets discover world/traffic-0.jsonl", *more)


def fill_in(stillwatch: Stillwatch) -> None:
    """Fill in a discovered register, with terms that are in the ledger and a scheme as mark."""
    Path("terms.yaml").write_text(TERMS)
    call(stillwatch, f"terms add terms.yaml {LEDGER}")
    text = Path("assets.yaml").read_text(encoding="utf-8")
    Path("assets.yaml").write_text(
        text.replace('owner: ""', "owner: team")
        .replace("terms: []", "terms: [api]")
        .replace("marks: []", "marks: [sglang-gumbel]")
    )


def test_examples_of_posture(stillwatch: Stillwatch) -> None:
    Path("attestations.yaml").write_text("[]\n")
    first, second = (call(stillwatch, example.removeprefix("stillwatch ")) for example in posture.HELP.examples)
    assert "0 measured-pass, 0 measured-fail" in first.out
    assert "These are counts and no score." in second.out
    assert {one.name for one in Path("posture").iterdir()} == {
        "posture.json", "posture.html", "oscal-catalog.json", "oscal-assessment-results.json"
    }  # fmt: skip
    assert Path("results.json").read_bytes() == Path("posture/oscal-assessment-results.json").read_bytes()


def test_examples_of_assets(stillwatch: Stillwatch) -> None:
    for example in assets.DISCOVER_HELP.examples:
        call(stillwatch, example.removeprefix("stillwatch "))
    for verb in (assets.CHECK_HELP, assets.REGISTER_HELP):
        for example in verb.examples:
            assert "2 assets" in call(stillwatch, example.removeprefix("stillwatch ")).out
    assert {verb.name for verb, _ in assets.VERBS} == {"discover", "check", "register"}


def test_from_logs_to_controls_that_hold_or_fail(stillwatch: Stillwatch) -> None:
    discovered(stillwatch, "--out", "assets.yaml")
    discovered(stillwatch, *shlex.split(LEDGER))
    call(stillwatch, f"assets register assets.yaml {LEDGER}")
    before = states(stillwatch)
    assert (before["stillwatch-assets"], before["aisvs-1.0-C12.2.5"]) == ("measured-fail", "measured-pass")
    fill_in(stillwatch)
    assert call(stillwatch, f"assets register assets.yaml {LEDGER} --json").document["gaps"] == []
    assert states(stillwatch)["stillwatch-assets"] == "measured-pass"
    call(
        stillwatch, f"posture {LEDGER} --fail-on-findings", code=ExitCode.FINDINGS
    )  # nobody else's word is on the ledger


def test_a_real_drill_counts_until_the_routes_change(stillwatch: Stillwatch) -> None:
    discovered(stillwatch, *shlex.split(LEDGER))
    discovered(stillwatch, "--out", "assets.yaml")
    fill_in(stillwatch)
    call(stillwatch, f"assets register assets.yaml {LEDGER}")
    call(stillwatch, f"drill log --samples 2 {LEDGER}")
    assert states(stillwatch)["aisvs-1.0-C12.1.1"] == "measured-pass"
    with Path("assets.yaml").open("a") as file:
        file.write("  - {kind: endpoint, name: batch, owner: team, terms: [api], marks: [sglang-gumbel]}\n")
    call(stillwatch, f"assets register assets.yaml {LEDGER}")
    assert states(stillwatch)["aisvs-1.0-C12.1.1"] == "not-covered"


def test_a_posture_is_sealed_and_the_past_can_be_asked(stillwatch: Stillwatch) -> None:
    discovered(stillwatch, *shlex.split(LEDGER))
    sealed: dict[str, Any] = call(stillwatch, f"posture {LEDGER} --seal --json").document
    assert sealed["entry"] == sealed["ledger_entries"]
    then = call(stillwatch, f"posture {LEDGER} --at 2026-01-01 --json").document
    assert (then["ledger_entries"], then["counts"]["measured-pass"]) == (0, 0)


def test_who_may_not_read_is_refused_and_who_may_only_read_seals_nothing(stillwatch: Stillwatch) -> None:
    assert (
        "'mallory' may not read"
        in call(stillwatch, "posture --ledger ledger.db --actor mallory", code=ExitCode.REFUSED).err
    )
    call(stillwatch, "posture --ledger ledger.db --actor vera")
    call(stillwatch, "posture --ledger ledger.db --actor vera --seal", code=ExitCode.REFUSED)
    call(stillwatch, "assets discover world --ledger ledger.db --actor vera", code=ExitCode.REFUSED)


def test_options_that_make_no_sense_are_told(stillwatch: Stillwatch) -> None:
    for line, says in (
        ("posture --ledger ledger.db", "expected both"), ("posture --seal", "--seal keeps the posture of now"),
        (f"posture {LEDGER} --at soon", "expected a day or time"), ("assets check assets.yaml --actor bob", "expected both"),
    ):  # fmt: skip
        assert says in call(stillwatch, line, code=ExitCode.USAGE).err
    Path("assets.yaml").write_text("assets: []\n")
    assert "is there already" in call(stillwatch, "assets discover world --out assets.yaml", code=ExitCode.USAGE).err
    assert "cannot be read" in call(stillwatch, "posture --attest nowhere.yaml", code=ExitCode.INPUT).err
