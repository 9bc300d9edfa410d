"""From a finding to a mark and back: every step by its real verb, a guard that runs, and a model that marks as SGLang does.

A log is detected on, the campaign is decided about, its key is issued and committed to, the bundle goes to a guard that is running already, the
campaign's accounts collect answers, and the collected set is found to bear that campaign's key and no other. An honest account's set bears none.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import small_world

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.main import run
from stillwatch.simulation.upstream import Upstream, running
from stillwatch.watermark.marking.word_model import WordModel, tokenizer_file, word_tokenizer
from stillwatch.watermark.schemes import open_scheme

Say = Callable[[str], dict[str, Any]]
SCHEME = "sglang-gumbel@murmur3-v1"
HONEST = "account-0003"
ANSWERS, WORDS = 60, 100
TERMS = """\
terms: api
version: "1"
title: API terms
appeal: appeals@example.com
wording: 7.3 Customer will not pool accounts. 8.1 Provider may mark Output.
clauses:
  - {id: marks, kind: marking-disclosure, clause: "8.1", says: Provider may mark Output.}
  - {id: no-pooling, kind: coordination, class: measure, mode: enforce, clause: "7.3", says: Customer will not pool accounts.,
     action: mark, when: {coordinated: true, harvesting: true}}
"""
LEDGER = "--ledger ledger.db --actor bob"


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line in an empty folder; give its document."""
    monkeypatch.chdir(tmp_path)
    for name in ("STILLWATCH_LEDGER_KEY_FILE", "STILLWATCH_BUNDLE_KEY_FILE", "STILLWATCH_MARK_MASTER"):
        monkeypatch.delenv(name, raising=False)

    def call(line: str) -> dict[str, Any]:
        capsys.readouterr()
        code = run([*shlex.split(line), "--json"])
        said = capsys.readouterr()
        assert code == ExitCode.DONE, f"{line}: {said.err}"
        return dict(json.loads(said.out))

    return call


def as_sglang(prompt: str, body: Mapping[str, Any], length: int, sample: int) -> list[str]:
    """Write as a server with SGLang's `watermark` parameter: whoever gives a key gets its mark."""
    field = body.get("watermark")
    if field is None:
        return MODEL.answer(prompt, length, sample, None)
    scheme = open_scheme(SCHEME, {"context_width": field["context_window"]})
    return MODEL.answer(prompt, length, sample, scheme, bytes.fromhex(field["key"]))


MODEL = WordModel(seed=11)


@contextmanager
def guarding(upstream: str) -> Iterator[str]:
    """Run `stillwatch guard` in front of the model; give its address."""
    line = (
        f"guard --upstream {upstream} --listen 127.0.0.1:0 --bundle gateway.bundle --key bundle.pub --for example.com/gateway "
        "--state gateway.state --account-header x-account-id --engine sglang --mark-keys marks.jsonl --log exchanges.jsonl --json"
    )
    command = [sys.executable, "-m", "stillwatch.cli.main", *shlex.split(line)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "}" not in said:
                more = process.stdout.readline()
                assert more, process.communicate()[1]
                said += more
            yield f"http://{json.loads(said)['listen']}"
        finally:
            process.terminate()
            process.communicate(timeout=20)


def decided(say: Say) -> tuple[str, list[str]]:
    """Detect on the log and decide under accepted terms; give the campaign and its accounts."""
    say("ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    say("ledger role --ledger ledger.db --actor alice --assign analyst --to bob")
    log = small_world.write_world(Path())
    say(f"detect {log} --out run")
    (campaign,) = json.loads(Path("run/campaigns.json").read_text())["campaigns"]
    Path("terms.yaml").write_text(TERMS)
    accounts = sorted({json.loads(line)["account_id"] for line in log.read_text().splitlines()})
    accepted = [
        {"account_id": one, "terms": "api", "version": "1", "accepted_at": "2026-01-01T00:00:00Z"} for one in accounts
    ]
    Path("accepted.jsonl").write_text("".join(json.dumps(one) + "\n" for one in accepted))
    say(f"terms add terms.yaml {LEDGER}")
    say(f"terms accept accepted.jsonl {LEDGER}")
    (decision,) = say(f"decide propose run {LEDGER}")["decisions"]
    assert (decision["action"], decision["campaign"]) == ("mark", campaign["id"])
    return campaign["id"], campaign["members"]


def issue(say: Say, campaign: str) -> str:
    """Issue a key for a campaign; give its handle."""
    line = f"keys issue {LEDGER} --master file:marks.secret --level campaign --scheme {SCHEME} --valid-until 2099-01-01T00:00:00Z"
    (key,) = say(f"{line} --subject {campaign} --tokenizer-digest {word_tokenizer().digest}")["keys"]
    time.sleep(1.1)  # a key is committed to a second before its first use
    return str(key["handle"])


def hand_out(say: Say) -> None:
    """Build the bundle and export the keys in use, each put in its place at once."""
    say(f"keys export --in-use {LEDGER} --master file:marks.secret --purpose gateway --out new.jsonl")
    Path("new.jsonl").replace("marks.jsonl")
    say(f"bundle build {LEDGER} --for example.com/gateway --key-file bundle.key --out gateway.bundle")


def collect(guard: str, accounts: list[str], out: Path) -> None:
    """Collect answers as accounts do, into a set of their own."""
    with httpx.Client(base_url=guard, timeout=60) as client, out.open("w") as file:
        for number in range(ANSWERS):
            body = {
                "model": "still-1",
                "max_tokens": WORDS,
                "messages": [{"role": "user", "content": f"Solve task {number} of the set."}],
            }
            headers = {"x-account-id": accounts[number % len(accounts)]}
            answer = client.post("/v1/chat/completions", json=body, headers=headers).raise_for_status().json()
            file.write(json.dumps({"answer": answer["choices"][0]["message"]["content"]}) + "\n")


def wait_for_mark(guard: str, account: str, model: Upstream) -> None:
    """Wait until the running guard has taken bundle and keys."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        body = {"model": "still-1", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello."}]}
        httpx.post(f"{guard}/v1/chat/completions", json=body, headers={"x-account-id": account}).raise_for_status()
        if "watermark" in json.loads(model.asked[-1].body):
            return
        time.sleep(0.2)
    pytest.fail("the guard did not take the new bundle and keys")


def test_from_a_finding_to_a_mark_and_back(say: Say, tmp_path: Path) -> None:
    campaign, members = decided(say)
    say("bundle key --name example.com/bundles --key-file bundle.key --out bundle.pub")
    say("keys master --out marks.secret")
    others = [issue(say, "c-of-others")]
    hand_out(say)
    Path("tokenizer.json").write_bytes(tokenizer_file())
    model = Upstream(seed=5, words=as_sglang)
    with running(model) as upstream, guarding(upstream) as guard:
        handle = issue(say, campaign)
        hand_out(say)
        wait_for_mark(guard, members[0], model)
        collect(guard, members, Path("campaign.jsonl"))
        collect(guard, [HONEST], Path("honest.jsonl"))
        say(f"keys export {LEDGER} --master file:marks.secret --purpose detection --out keys.jsonl")
        Path("headers").write_text(f"x-account-id: {members[1]}\n")
        drilled = say(
            f"drill marking --url {guard} --headers-file headers --keys keys.jsonl --handle {handle} --tokenizer tokenizer.json "
            f"--samples 4 --answer-tokens 100 {LEDGER}"
        )
    assert HONEST not in members
    found = {name: scored(say, name) for name in ("campaign", "honest")}
    assert [key["handle"] for key in found["campaign"] if key["found"]] == [handle]
    assert next(key["assigned_to"] for key in found["campaign"] if key["found"]) == campaign
    assert [key["handle"] for key in found["honest"] if key["found"]] == []
    assert {key["handle"] for key in found["honest"] if "claim" in key} == {
        handle,
        *others,
    }  # excluded, and not merely not found
    assert drilled["state"] == "measured-pass"
    raw = [json.loads(line)["key_hex"] for line in Path("keys.jsonl").read_text().splitlines()]
    for name in ("gateway.bundle", "exchanges.jsonl", "gateway.state"):
        content = Path(name).read_bytes()
        assert not any(key.encode() in content or bytes.fromhex(key) in content for key in raw)
    lines = [json.loads(line) for line in Path("exchanges.jsonl").read_text().splitlines()]
    assert {line["verdict"]["key_id"] for line in lines if line["marked"]} == {handle}
    assert {line["account_id"] for line in lines if line["marked"]} <= set(members)


def scored(say: Say, name: str) -> list[dict[str, Any]]:
    """Test all keys on a collected set."""
    keys = say(f"mark detect {name}.jsonl --keys keys.jsonl --tokenizer tokenizer.json --field answer")["keys"]
    return list(keys)
