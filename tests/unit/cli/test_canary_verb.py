"""`stillwatch canary`: slots committed, choices drawn after them, served only where disclosed, and single ones opened."""

from __future__ import annotations

import asyncio
import json
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said

from stillwatch.cli import canary
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.evidence.canaries import PACK, read_slots
from stillwatch.evidence.errors import CanaryError
from stillwatch.gateway.admission import Admission
from stillwatch.gateway.canaries import CanaryTable, read_canary_table
from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.marking import Engine
from stillwatch.records.challenge import LEAST_ANSWERS
from stillwatch.suspects.committed_challenges import read_material

Stillwatch = Callable[..., Said]
TERMS = """\
terms: api
version: "1"
title: API terms
appeal: appeals@example.com
wording: 9.1 Provider may choose among equally good answers by a secret rule.
clauses:
  - {id: canaries, kind: canary-disclosure, clause: "9.1", says: Provider may choose among equally good answers by a secret rule.}
"""
SILENT_TERMS = """\
terms: plain
version: "1"
title: Terms that say nothing of canaries
appeal: appeals@example.com
wording: 1.1 Answers may be marked.
clauses:
  - {id: marks, kind: marking-disclosure, clause: "1.1", says: Answers may be marked.}
"""


def call(stillwatch: Stillwatch, line: str, code: int = ExitCode.DONE) -> Said:
    said = stillwatch(*shlex.split(line))
    assert said.code == code, said.err
    return said


def example(stillwatch: Stillwatch, verb: Any, more: str = "", code: int = ExitCode.DONE) -> Said:
    return call(stillwatch, verb.examples[0].removeprefix("stillwatch ") + more, code)


@pytest.fixture
def told(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two accounts; only a-217 accepted terms that disclose canaries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    call(stillwatch, "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    call(stillwatch, "ledger role --ledger ledger.db --actor alice --assign analyst --to bob")
    for name, text in (("api", TERMS), ("plain", SILENT_TERMS)):
        Path(f"{name}.yaml").write_text(text)
        call(stillwatch, f"terms add {name}.yaml --ledger ledger.db --actor bob")
    accepted = [
        {"account_id": account, "terms": terms, "version": "1", "accepted_at": "2020-01-01T00:00:00Z"}
        for account, terms in (("a-217", "api"), ("a-300", "plain"))
    ]
    Path("accepted.jsonl").write_text("".join(json.dumps(one) + "\n" for one in accepted))
    call(stillwatch, "terms accept accepted.jsonl --ledger ledger.db --actor bob")
    example(stillwatch, canary.PACK_HELP)


def admitted(table: CanaryTable, account: str, body: dict[str, Any]) -> Any:
    door = Admission(Guard(), identity=IdentitySettings(account_header="account"), canaries=table)
    headers = [("account", account), ("content-type", "application/json")]
    data = json.dumps(body).encode()
    return asyncio.run(door.admit("POST", "/v1/chat/completions", headers, data, "10.0.0.1"))


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def test_from_slots_to_an_opening_that_anybody_can_check(told: None, stillwatch: Stillwatch) -> None:
    committed = example(stillwatch, canary.COMMIT_HELP, " --json").document
    issued = example(stillwatch, canary.ISSUE_HELP, " --json").document
    assert committed["entry"] < issued["entries"]["a-217"]  # no choice existed before the slots were fixed
    assert example(stillwatch, canary.ISSUE_HELP, " --json").document["entries"] == {}
    example(stillwatch, canary.TABLE_HELP)
    assert stat.S_IMODE(Path("canaries.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(Path("canary.secret").stat().st_mode) == 0o600
    assert Path("canary.secret").read_text().split()[1] not in Path("canaries.json").read_text()
    opened = example(stillwatch, canary.REVEAL_HELP, " --json").document["opening"]["opening"]
    held = example(stillwatch, canary.VERIFY_HELP, " --json").document
    assert (held["slot"], held["account"], held["answers"]) == ("tree-of-a-house", "a-217", 20)
    served = json.loads(Path("canaries.json").read_text())["accounts"]["a-217"]
    drawn = next(one["answer"] for one in served.values() if one["slot"] == "tree-of-a-house")
    assert opened["slot"]["answers"][opened["target"]["target"]] == drawn
    # Another answer than the drawn one does not verify.
    changed = json.loads(Path("opening.json").read_text())
    changed["opening"]["target"]["target"] = (changed["opening"]["target"]["target"] + 1) % 20
    Path("opening.json").write_text(json.dumps(changed))
    example(stillwatch, canary.VERIFY_HELP, code=ExitCode.UNVERIFIED)


def test_an_accounts_choices_become_the_material_of_the_challenge_test(told: None, stillwatch: Stillwatch) -> None:
    example(stillwatch, canary.COMMIT_HELP)
    example(stillwatch, canary.ISSUE_HELP)
    example(stillwatch, canary.TABLE_HELP)
    written = example(stillwatch, canary.MATERIAL_HELP, " --json").document
    assert stat.S_IMODE(Path("challenges.json").stat().st_mode) == 0o600
    material = read_material(Path("challenges.json"))  # checked against its commitments there
    assert len(material.slots) == written["slots"]
    assert material.targets.audience == "a-217"
    served = {
        one["slot"]: one["answer"]
        for one in json.loads(Path("canaries.json").read_text())["accounts"]["a-217"].values()
    }
    drawn = {slot.slot_id: slot.answers[material.target(place, 0)] for place, slot in enumerate(material.slots)}
    assert served.items() <= drawn.items()
    refused = call(
        stillwatch,
        canary.MATERIAL_HELP.examples[0].removeprefix("stillwatch ").replace("a-217", "a-300"),
        ExitCode.INPUT,
    )
    assert "no choices of 'spring' were committed for this account" in refused.err


def test_nothing_is_issued_or_served_where_terms_do_not_disclose_it(told: None, stillwatch: Stillwatch) -> None:
    example(stillwatch, canary.COMMIT_HELP)
    refused = example(stillwatch, canary.ISSUE_HELP, " --account a-300", code=ExitCode.REFUSED)
    assert "'a-300'" in refused.err
    assert "canary-disclosure" in refused.err
    example(stillwatch, canary.ISSUE_HELP)
    # A later version without the clause ends it: the table leaves the account out.
    Path("api2.yaml").write_text(SILENT_TERMS.replace("terms: plain", "terms: api").replace('"1"', '"2"', 1))
    call(stillwatch, "terms add api2.yaml --ledger ledger.db --actor bob")
    line = {"account_id": "a-217", "terms": "api", "version": "2", "accepted_at": "2021-01-01T00:00:00Z"}
    Path("later.jsonl").write_text(json.dumps(line) + "\n")
    call(stillwatch, "terms accept later.jsonl --ledger ledger.db --actor bob")
    table = example(stillwatch, canary.TABLE_HELP, " --json").document
    assert (table["accounts"], table["undisclosed"]) == (0, 1)
    assert json.loads(Path("canaries.json").read_text())["accounts"] == {}


def test_only_the_open_question_asked_plainly_is_held_to_the_choice(told: None, stillwatch: Stillwatch) -> None:
    example(stillwatch, canary.COMMIT_HELP)
    example(stillwatch, canary.ISSUE_HELP)
    example(stillwatch, canary.TABLE_HELP)
    slot = next(one for one in read_slots(PACK.read_bytes(), "pack") if one.slot_id == "tree-of-a-house")
    for engine, name in ((Engine.VLLM, "structured_outputs"), (Engine.SGLANG, "regex")):
        table = read_canary_table(Path("canaries.json"), engine)
        for stream in (False, True):
            body = asked(slot.context, stream=stream, temperature=0.7)
            found = admitted(table, "a-217", body)
            sent = json.loads(found.forwarded.sent)
            assert found.canary == slot.slot_id
            held = sent.pop(name)
            assert (held["choice"][0] if engine is Engine.VLLM else held) in slot.answers
            assert sent == body  # nothing else differs
            assert json.loads(found.forwarded.logged) == body
    table = read_canary_table(Path("canaries.json"), Engine.VLLM)
    untouched = [
        ("a-300", asked(slot.context)),
        ("a-217", asked(slot.context + " It must be an oak.")),
        ("a-217", asked(slot.context, n=2)),
        ("a-217", asked(slot.context, tools=[])),
        ("a-217", asked(slot.context, response_format={"type": "json_object"})),
        ("a-217", {"model": "m", "messages": [{"role": "system", "content": "Speak French."}, {"role": "user", "content": slot.context}]}),
        ("a-217", asked("What is the boiling point of water?")),
    ]  # fmt: skip
    for account, body in untouched:
        found = admitted(table, account, body)
        assert found.canary is None
        assert found.forwarded.sent == json.dumps(body).encode()


def test_choices_differ_between_accounts_and_from_counter_keys(told: None, stillwatch: Stillwatch) -> None:
    lines = [
        json.dumps({"account_id": f"b-{number}", "terms": "api", "version": "1", "accepted_at": "2020-01-01T00:00:00Z"})
        for number in range(30)
    ]
    Path("more.jsonl").write_text("\n".join(lines) + "\n")
    call(stillwatch, "terms accept more.jsonl --ledger ledger.db --actor bob")
    example(stillwatch, canary.COMMIT_HELP)
    example(stillwatch, canary.ISSUE_HELP, " " + " ".join(f"--account b-{number}" for number in range(30)))
    example(stillwatch, canary.TABLE_HELP)
    accounts = json.loads(Path("canaries.json").read_text())["accounts"]
    pairs = [
        accounts[f"b-{number}"][question]["answer"] == accounts[f"b-{number + 1}"][question]["answer"]
        for number in range(0, 30, 2)
        for question in accounts["b-0"]
    ]
    # 15 pairs of accounts by 40 slots of 20 answers: 30 agreements are expected; the bounds are those of error 1e-6.
    from stillwatch.statistics.intervals import binomial_acceptance  # noqa: PLC0415

    low, high = binomial_acceptance(len(pairs), 1 / 20, 1e-6)
    assert low <= sum(pairs) <= high


def test_slots_and_tables_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    slots = read_slots(PACK.read_bytes(), "pack")
    assert len(slots) == 40
    assert all(len(slot.answers) >= LEAST_ANSWERS for slot in slots)
    for content, words in (
        (b"slots: 3", "is no file of slots"),
        (b"pools: {p: [a, b]}\nslots: [{id: s, ask: q, pool: p}]", "expected at least 16"),
        (b"pools: {p: [a, b]}\nslots: [{id: s, ask: q, pool: p, says: none}]", "must have one {}"),
        (b"a: [", "is no YAML"),
    ):
        with pytest.raises(CanaryError, match="slots.yaml: .*" + words.replace("{}", r"\{\}")):
            read_slots(content, "slots.yaml")
    table = tmp_path / "table.json"
    table.write_text("{}")
    with pytest.raises(GatewaySettingError, match="chmod 600"):
        read_canary_table(table, Engine.VLLM)
    table.chmod(0o600)
    with pytest.raises(GatewaySettingError, match="canary serve-table"):
        read_canary_table(table, Engine.VLLM)
    with pytest.raises(GatewaySettingError, match="--engine"):
        CanaryTable({}, Engine.NONE)
