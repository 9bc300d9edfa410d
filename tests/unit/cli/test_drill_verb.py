"""`stillwatch drill`: a campaign through a live gateway, and the drills of marking, surface and log with what makes each fail."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line_calls import Said

from stillwatch.cli import drill, drill_text
from stillwatch.cli.drill_gateway import Answered, open_gateway
from stillwatch.cli.drill_probes import (
    BEGIN_US,
    ROUTES,
    logged_probes,
    mark_account,
    probe_log,
    probe_marking,
    probe_surface,
)
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.governance.drill_checks import log_outcome, marking_outcome, surface_outcome
from stillwatch.governance.drills import ControlState
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER
from stillwatch.simulation.upstream import Upstream, running
from stillwatch.watermark.key_file import key_lines
from stillwatch.watermark.marking.sglang import gateway_fields
from stillwatch.watermark.marking.word_model import WordModel, tokenizer_file, word_tokenizer

Stillwatch = Callable[..., Said]


@pytest.fixture
def ledger(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    for line in (
        "ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key",
        "ledger role --ledger ledger.db --actor alice --assign analyst --to bob",
    ):
        assert stillwatch(*shlex.split(line)).code == ExitCode.DONE
    return "--ledger ledger.db --actor bob"


@pytest.mark.slow
def test_a_campaign_goes_through_a_live_gateway_and_is_stopped(ledger: str, stillwatch: Stillwatch) -> None:
    said = stillwatch(
        *shlex.split(
            f"drill run --profile k-accounts --accounts 200 --campaign-accounts 20 --requests 4000 --keep kept --json {ledger}"
        )
    )
    assert said.code == ExitCode.DONE, said.err
    result = said.document
    (run,) = result["figures"]["runs"]
    assert run["requests"] == 4_000
    assert run["control_alarms"] == run["wrongly_flagged"] == run["wrongly_refused"] == 0
    assert 0 < run["before_alert"] <= run["before_action"] < run["served"] < run["sent"] == 1_200
    assert run["linked"] == 20
    assert run["hours_to_action"] == pytest.approx(run["hours_to_alert"] + 4.0)
    assert result["state"] == "measured-pass"
    # One seed gives no interval and no claim.
    assert result["claims"][0]["kind"] == "inconclusive"
    assert result["figures"]["answers_before_action"]["interval"] == [None, None]
    # The log is the guard's own, with refusals under the decision's clause.
    rows = [json.loads(line) for line in Path("kept/k-accounts-1/guard.jsonl").read_bytes().splitlines()]
    refused = [row for row in rows if row["refused"] is not None]
    assert len(rows) == 4_000
    assert len(refused) == run["sent"] - run["served"]
    assert {row["verdict"]["clauses"][0] for row in refused} == {"drill-terms@1/no-pooled-harvest"}
    # The result is an entry of the ledger.
    (listed,) = stillwatch(*shlex.split(f"drill list {ledger} --json")).document["results"]
    assert listed["entry"] == result["entry"]
    assert (listed["drill"], listed["expired"]) == ("campaign", False)


@pytest.mark.parametrize("verb", [drill.MARKING_HELP, drill.LOG_HELP, drill.SURFACE_HELP], ids=lambda one: one.name)
def test_the_other_drills_run_as_their_examples_stand(verb: Any, ledger: str, stillwatch: Stillwatch) -> None:
    said = stillwatch(*shlex.split(verb.examples[0])[1:], *shlex.split(f"{ledger} --json"))
    assert said.code == ExitCode.DONE, said.err
    expected = (
        "measured-fail" if verb is drill.SURFACE_HELP else "measured-pass"
    )  # the simulated server shows alternatives
    assert said.document["state"] == expected
    (listed,) = stillwatch(*shlex.split(f"drill list {ledger} --json")).document["results"]
    assert listed["state"] == expected
    missed = stillwatch(*shlex.split(verb.examples[0])[1:], "--fail-on-miss")
    assert missed.code == (ExitCode.DRILL_MISSED if verb is drill.SURFACE_HELP else ExitCode.DONE)


@pytest.mark.parametrize(("engine", "expected"), [(Engine.VLLM, "handle-1"), (Engine.SGLANG, "00aa")])
def test_marking_turned_off_on_one_route_fails_within_one_run(tmp_path: Path, engine: Engine, expected: str) -> None:
    with open_gateway(tmp_path, seed=1, marks=Marks(engine=engine, keys={"handle-1": {"key": "00aa"}})) as gateway:
        whole = probe_marking(gateway, gateway.send, "handle-1", 4)
        with running(gateway.upstream) as unguarded:  # a second way to the same model, past the guard

            def around(path: str, headers: dict[str, str], body: bytes) -> Answered:
                if path != ROUTES["messages"]:
                    return gateway.send(path, headers, body)
                kept, gateway.url = gateway.url, unguarded
                try:
                    return gateway.send(path, headers, body)
                finally:
                    gateway.url = kept

            gateway.now_us += 1
            dark = probe_marking(gateway, around, "handle-1", 4)
    assert marking_outcome(whole, expected)[0] is ControlState.MEASURED_PASS
    state, why, figures = marking_outcome(dark, expected)
    assert state is ControlState.MEASURED_FAIL
    assert figures["dark"] == ["messages"]
    assert figures["routes"]["messages"] == {"unmarked": 4}
    assert "messages" in why


def test_marking_with_another_key_or_an_engine_that_takes_none_fails(tmp_path: Path) -> None:
    with open_gateway(tmp_path, seed=1, marks=Marks(engine=Engine.SGLANG, keys={"other": {"key": "00aa"}})) as gateway:
        seen = probe_marking(gateway, gateway.send, "handle-1", 2)
    state, _, figures = marking_outcome(seen, "00aa")
    assert state is ControlState.MEASURED_FAIL
    assert figures["dark"] == sorted(ROUTES)
    assert marking_outcome([], "00aa")[0] is ControlState.MEASURED_FAIL


def test_a_line_that_is_missing_or_there_twice_or_without_text_fails(tmp_path: Path) -> None:
    with open_gateway(tmp_path, seed=1) as gateway:
        probes = probe_log(gateway, 6)
        log = gateway.log_path
        assert log_outcome(probes)[0] is ControlState.MEASURED_PASS
        lines = log.read_bytes().splitlines(keepends=True)
        assert len(lines) == 24
        words = {json.loads(line)["exchange_id"]: line for line in lines}
    assert len(words) == 24
    sent = {}
    for line in lines:
        row = json.loads(line)
        text = row["request"].get("input") or row["request"].get("prompt") or row["request"]["messages"][0]["content"]
        route = next(name for name, path in ROUTES.items() if path == row["path"])
        sent[text.removeprefix("Repeat ").rstrip(".")] = (route, False)
    now_us = BEGIN_US + 3_600_000_000

    def outcome(kept: list[bytes]) -> tuple[ControlState, dict[str, Any]]:
        log.write_bytes(b"".join(kept))
        state, _, figures = log_outcome(logged_probes(log, sent, now_us))
        return state, figures

    assert outcome(lines)[0] is ControlState.MEASURED_PASS
    state, figures = outcome(lines[1:])
    assert (state, figures["missing"]) == (ControlState.MEASURED_FAIL, 1)
    again = json.dumps(json.loads(lines[3]) | {"exchange_id": "0" * 16}).encode() + b"\n"
    state, figures = outcome([*lines, again])
    assert (state, figures["twice"]) == (ControlState.MEASURED_FAIL, 1)
    bare = json.loads(lines[3])
    bare["response"] = None
    state, figures = outcome([*lines[:3], json.dumps(bare).encode() + b"\n", *lines[4:]])
    assert (state, figures["missing"], figures["twice"]) == (ControlState.MEASURED_FAIL, 0, 0)


def test_what_a_route_shows_is_found_wherever_it_stands() -> None:
    def endpoint(shown: dict[str, Any]) -> Callable[[str, dict[str, str], bytes], Answered]:
        return lambda path, headers, body: Answered(status=200, body=json.dumps(shown.get(path, {})).encode())

    chat = ROUTES["chat"]
    cases: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
        ({}, set()),
        ({chat: {"choices": [{"message": {"content": "x", "reasoning_content": "hm"}}]}}, {("chat", "reasoning")}),
        (
            {chat: {"choices": [{"logprobs": {"content": [{"logprob": -1.0, "top_logprobs": []}]}}]}},
            {("chat", "logprobs")},
        ),
        ({chat: {"choices": [{}, {}]}}, {("chat", "samples")}),
        ({ROUTES["messages"]: {"content": [{"type": "thinking", "thinking": "hm"}]}}, {("messages", "reasoning")}),
        ({ROUTES["responses"]: {"reasoning": {"effort": "high", "summary": None}, "output": []}}, set()),
    ]
    for shown, expected in cases:
        seen = probe_surface(endpoint(shown), {}, "m")
        assert {(one.route, one.asked) for one in seen if one.shown} == expected
        state, _, _ = surface_outcome(seen, frozenset())
        assert state is (ControlState.MEASURED_FAIL if expected else ControlState.MEASURED_PASS)
        assert surface_outcome(seen, frozenset(expected))[0] is ControlState.MEASURED_PASS


def test_options_that_cannot_be_used_are_told_before_anything_runs(stillwatch: Stillwatch) -> None:
    for line, words in (
        ("drill run --profile sly", "naive, k-accounts, probe-then-scale"),
        ("drill surface --allow chat:weights", "logprobs"),
        ("drill log --ledger ledger.db", "--actor"),
        ("drill marking --engine none", "vllm or sglang"),
        ("drill surface --url ftp://x", "--url"),
    ):
        said = stillwatch(*shlex.split(line))
        assert said.code == ExitCode.USAGE, said.err
        assert words in said.err


GUMBEL = "sglang-gumbel@murmur3-v1"


def key_file(path: Path, *keys: MarkKey) -> Path:
    path.touch(mode=0o600)
    path.write_text(key_lines(keys))
    return path


def mark_key(
    handle: str, *, scheme: str = GUMBEL, level: MarkLevel = MarkLevel.CAMPAIGN, words: int = 1, **more: int
) -> MarkKey:
    raw = hashlib.sha256(handle.encode()).digest()[: 8 * words]
    parameters = tuple(sorted({"context_width": 4, **more}.items()))
    return MarkKey(
        handle=handle, scheme=scheme, parameters=parameters, level=level, assigned_to="c-1", key=raw, tokenizer_digest="", issued_us=0
    )  # fmt: skip


@pytest.mark.parametrize(("engine", "scheme", "words"), [("sglang", GUMBEL, 1), ("vllm", "sglang-dual@murmur3-v1", 2)])
def test_the_key_is_found_in_the_text_of_every_route_and_in_nobody_elses(
    ledger: str, stillwatch: Stillwatch, engine: str, scheme: str, words: int
) -> None:
    key = mark_key("mk-on", scheme=scheme, words=words)
    key_file(Path("keys.jsonl"), key, mark_key("mk-provider", level=MarkLevel.PROVIDER))
    said = stillwatch(
        *shlex.split(f"drill marking --engine {engine} --keys keys.jsonl --samples 6 --json --fail-on-miss {ledger}")
    )
    assert said.code == ExitCode.DONE, said.err
    assert said.document["state"] == "measured-pass"
    text = said.document["figures"]["text"]
    assert {name for name, one in text.items() if one["found"]} == set(ROUTES)
    assert {name for name, one in text.items() if not one["found"]} == {f"{route} without a mark" for route in ROUTES}
    assert [one["kind"] for one in said.document["claims"]][:4] == ["claim"] * 4
    assert key.key.hex()[:16] not in said.out + said.err


def test_a_dark_route_has_no_mark_in_its_text_and_fails(tmp_path: Path) -> None:
    key = mark_key("mk-on")
    probe = drill_text.TextProbe(key=key, samples=6, tokens=128)
    upstream = Upstream(seed=1, words=drill_text._marking_words(key, WordModel(1)))
    marks = Marks(engine=Engine.SGLANG, keys=gateway_fields([key]))
    with open_gateway(tmp_path, seed=1, marks=marks, upstream=upstream) as gateway, running(upstream) as unguarded:
        account = mark_account(gateway, key.handle)

        def around(path: str, headers: dict[str, str], body: bytes) -> Answered:
            kept, gateway.url = gateway.url, unguarded if path == ROUTES["messages"] else gateway.url
            try:
                return gateway.send(path, headers, body)
            finally:
                gateway.url = kept

        texts = drill_text.answers_by_route(around, {ACCOUNT_HEADER: account}, probe)
    state, why, figures, claims = drill_text.in_texts(texts, {}, probe, word_tokenizer())
    assert state is ControlState.MEASURED_FAIL
    assert [route for route, one in figures.items() if not one["found"]] == ["messages"]
    assert "not found on messages" in why
    assert "too little text to exclude it on messages" in why
    silent = drill_text.in_texts({**texts, "messages": []}, {}, probe, word_tokenizer())
    assert silent[0] is ControlState.MEASURED_FAIL
    stray = drill_text.in_texts({"chat": texts["chat"]}, {"chat": texts["chat"]}, probe, word_tokenizer())
    assert stray[0] is ControlState.MEASURED_FAIL
    assert "found where no mark was asked for" in stray[1]
    assert len(claims) == 4


def test_the_drill_of_marks_in_text_at_ones_own_gateway(ledger: str, stillwatch: Stillwatch, tmp_path: Path) -> None:
    key = mark_key("mk-on")
    key_file(Path("keys.jsonl"), key, mark_key("mk-other"))
    Path("tokenizer.json").write_bytes(tokenizer_file())
    upstream = Upstream(seed=1, words=drill_text._marking_words(key, WordModel(1)))
    (tmp_path / "gateway").mkdir()
    marks = Marks(engine=Engine.SGLANG, keys=gateway_fields([key]))
    with open_gateway(tmp_path / "gateway", seed=1, marks=marks, upstream=upstream) as gateway:
        Path("headers").write_text(f"{ACCOUNT_HEADER}: {mark_account(gateway, key.handle)}\n")
        line = f"drill marking --keys keys.jsonl --url {gateway.url} --headers-file headers --samples 6 --answer-tokens 128 --json"
        said = stillwatch(*shlex.split(f"{line} --handle mk-on --tokenizer tokenizer.json"))
        assert said.code == ExitCode.DONE, said.err
        assert said.document["state"] == "measured-pass"
        other = stillwatch(*shlex.split(f"{line} --handle mk-other --tokenizer tokenizer.json --fail-on-miss"))
        assert other.code == ExitCode.DRILL_MISSED
        assert "needs --tokenizer" in stillwatch(*shlex.split(f"{line} --handle mk-on")).err
        assert "name it with --handle" in stillwatch(*shlex.split(line)).err


def test_the_check_in_text_says_what_it_cannot_use(ledger: str, stillwatch: Stillwatch) -> None:
    key_file(Path("keys.jsonl"), mark_key("mk-green", scheme="green-bernoulli@v1"))
    said = stillwatch(*shlex.split("drill marking --keys keys.jsonl"))
    assert said.code == ExitCode.USAGE
    assert "Name your own gateway with --url" in said.err
    assert "name the keys with --keys" in stillwatch(*shlex.split("drill marking --handle mk-green")).err
