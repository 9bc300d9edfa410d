"""`stillwatch guard` as it is run: a process that guards, takes new bundles, is killed, and begins again."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from command_line_calls import Said
from guard_processes import ask, guard_process

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.integrity.enforcement_bundle import write_bundle
from stillwatch.integrity.signing import SignatureType, generate_key
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale
from stillwatch.simulation.upstream import Misbehaviour, Upstream, running

NAME = "example.com/gateway"
HOUR_US = 3_600 * 1_000_000
KEY = generate_key("example.com/bundles", SignatureType.NOTE)


def write_version(path: Path, version: int, blocked: str) -> None:
    now = time.time_ns() // 1_000
    entry = BundleEntry(
        action=Action.BLOCK, decision_id="d-1", clauses=("api@1/no-pooling",), until_us=now + HOUR_US, appeal="appeals@example.com", when_stale=WhenStale.CLOSED,
    )  # fmt: skip
    made = EnforcementBundle(
        name=NAME, version=version, issued_us=now, expires_us=now + HOUR_US, salt=b"", accounts=0, entries=(entry,)
    )
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(write_bundle(made, {blocked: 0}, KEY))
    fresh.replace(path)


def options(folder: Path) -> list[str]:
    (folder / "bundle.pub").write_text(f"{KEY.verifier.text()}\n")
    bundle = ["--bundle", "gateway.bundle", "--key", "bundle.pub", "--for", NAME, "--state", "gateway.state"]
    return [*bundle, "--account-header", "X-Account-Id", "--log", "exchanges.jsonl"]


def test_it_guards_takes_a_new_bundle_and_ends_whole(tmp_path: Path) -> None:
    write_version(tmp_path / "gateway.bundle", 1, "a-1")
    model = Upstream(seed=1)
    with running(model) as url, guard_process(tmp_path, url, *options(tmp_path)) as (process, places):
        assert [ask(places["listen"], account).status_code for account in ("a-1", "a-2")] == [403, 200]
        write_version(tmp_path / "gateway.bundle", 2, "a-2")
        end = time.monotonic() + 20
        while "bundle_version 2" not in httpx.get(f"http://{places['admin']}/metrics").text and time.monotonic() < end:
            time.sleep(0.05)
        assert [ask(places["listen"], account).status_code for account in ("a-1", "a-2")] == [200, 403]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == ExitCode.DONE
        assert process.stderr is not None
        told = process.stderr.read()
    assert "Verdicts: account-suspended 2, no-decision 2." in told
    assert "Log: 4 lines, 0 exchanges dropped." in told
    assert [json.loads(line)["status"] for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()] == [
        403,
        200,
        200,
        403,
    ]
    assert len(model.asked) == 2
    assert json.loads((tmp_path / "gateway.state").read_text())["version"] == 2


def test_killed_under_load_the_client_hears_of_it_and_nothing_is_answered_twice(tmp_path: Path) -> None:
    """A request whose guard is killed is an error for its client; the model was asked for it once at most, before and after."""
    write_version(tmp_path / "gateway.bundle", 1, "a-1")
    model = Upstream(seed=1, misbehaviour=Misbehaviour(delay_s=0.05))
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def load(address: str, worker: int, done: threading.Event) -> None:
        number = 0
        while not done.is_set():
            try:
                word = str(ask(address, "a-2", f"{address} {worker} {number}").status_code)
            except httpx.HTTPError:
                word = "error"
            with lock:
                outcomes[word] += 1
            number += 1

    with running(model) as url:
        for kills in range(2):  # the second one begins where the first was killed
            with guard_process(tmp_path, url, *options(tmp_path)) as (process, places):
                done = threading.Event()
                threads = [threading.Thread(target=load, args=(places["listen"], worker, done)) for worker in range(4)]
                for one in threads:
                    one.start()
                while outcomes["200"] < 20 * (kills + 1):
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
                process.wait(20)
                time.sleep(0.1)
                done.set()
                for one in threads:
                    one.join()
    asked = Counter(json.loads(one.body)["messages"][0]["content"] for one in model.asked)
    assert max(asked.values()) == 1
    assert set(outcomes) == {"200", "error"}
    assert outcomes["error"] >= 4
    assert outcomes["200"] <= len(asked) <= outcomes.total()
    lines = (tmp_path / "exchanges.jsonl").read_bytes().splitlines()
    assert all(json.loads(line)["account_id"] == "a-2" for line in lines[:-1])


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--listen", "nowhere"], ExitCode.USAGE, "--listen got 'nowhere', expected HOST:PORT"),
        (["--engine", "trt"], ExitCode.USAGE, "--engine got 'trt', expected none, sglang or vllm."),
        (["--when-failing", "ajar"], ExitCode.USAGE, "--when-failing got 'ajar', expected open or closed."),
        (["--log", "x", "--log-content", "some"], ExitCode.USAGE, "--log-content got 'some', expected full or none."),
        (["--bundle", "gateway.bundle"], ExitCode.USAGE, "--bundle needs --key, --for and --state as well"),
        (["--accounts", "missing.jsonl"], ExitCode.INPUT, "missing.jsonl: cannot be read"),
        (
            ["--accounts", "bad.jsonl"],
            ExitCode.INPUT,
            "bad.jsonl:2: expected a JSON object with api_key_id and account_id, both text.",
        ),
        (
            ["--engine", "sglang", "--mark-keys", "open.jsonl"],
            ExitCode.USAGE,
            "open.jsonl: others than its owner may read or change it; run chmod 600 on it",
        ),
        (
            ["--engine", "sglang", "--mark-keys", "long.jsonl"],
            ExitCode.USAGE,
            "key h has 9 bytes, expected 8, or 16 of a dual key",
        ),
        (
            ["--log", "no/such/folder"],
            ExitCode.OUTPUT,
            "the log no/such/folder cannot be opened (No such file or directory).",
        ),
    ],
)
def test_what_cannot_be_used_is_said(
    stillwatch: Callable[..., Said],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    code: ExitCode,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text('{"api_key_id":"key-1","account_id":"a"}\n{"api_key_id":"key-2"}\n')
    line = {
        "handle": "h", "scheme": "sglang-gumbel@murmur3-v1", "parameters": {"context_width": 4}, "level": "campaign",
        "assigned_to": "c-7", "key_hex": "0123456789abcdef01", "issued": "2026-11-01T00:00:00+00:00",
    }  # fmt: skip
    (tmp_path / "open.jsonl").write_text(json.dumps(line))
    (tmp_path / "open.jsonl").chmod(0o644)
    (tmp_path / "long.jsonl").write_text(json.dumps(line))
    (tmp_path / "long.jsonl").chmod(0o600)
    checks = [] if "--log" in more else ["--check"]
    done = stillwatch("guard", "--upstream", "http://127.0.0.1:9", *more, *checks)
    assert done.code == code
    assert words in done.err
    assert "0123456789abcdef0" not in done.err


def test_a_bundle_that_does_not_pass_is_no_start(
    stillwatch: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.bundle").write_bytes(b"none")
    done = stillwatch("guard", "--upstream", "http://127.0.0.1:9", *options(tmp_path), "--check")
    assert done.code == ExitCode.UNVERIFIED
    assert "do not begin as an enforcement bundle does" in done.err
    write_version(tmp_path / "gateway.bundle", 3, "a-1")
    done = stillwatch("guard", "--upstream", "http://127.0.0.1:9", *options(tmp_path), "--check", "--json")
    assert (done.code, json.loads(done.out)) == (ExitCode.DONE, {"verb": "guard", "checked": True, "bundle_version": 3})
