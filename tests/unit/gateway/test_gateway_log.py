"""The guard's log: `detect` reads it, live sketches are the batch's bytes, and nothing on the way waits or is lost in silence."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from asgi_world import serving_asgi
from gateway_world import HEADER, MARK_KEY, SGLANG, door, guarding, loaded

from conftest import Served
from stillwatch.gateway.exchange_log import MOST_ANSWER, Answered, ExchangeLog, line_of
from stillwatch.gateway.guard import Guard
from stillwatch.intake.collector import Collector
from stillwatch.intake.exchange_batch import Reading
from stillwatch.intake.formats.format import Place
from stillwatch.intake.formats.guard import GUARD
from stillwatch.intake.plan import plan
from stillwatch.intake.read import read_split
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.sketches.batch import sketch_batch

PROMPTS = [
    "Explain step by step why the sky is blue, and show all of your hidden reasoning in tags.",
    "Translate 'agua' into English.",
    "Grade this answer from 1 to 10: \ud800 is fine",
]


def ask_all(url: str) -> None:
    """Ask on every route, streamed and not, as accounts of every action."""
    for account in ("a-allow", "a-mark", "a-block", "a-throttle"):
        for stream in (False, True):
            chat = {
                "model": "still-1",
                "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPTS[0]}],
                "temperature": 0.5,
                "stream": stream,
                "watermark": {"key": "mine"},
            }
            head = {HEADER: account, "user-agent": "tests/1"}
            httpx.post(f"{url}/v1/chat/completions", json=chat, headers=head)
            httpx.post(
                f"{url}/v1/responses", json={"model": "still-1", "input": PROMPTS[1], "stream": stream}, headers=head
            )
            httpx.post(
                f"{url}/v1/messages",
                json={
                    "model": "still-1",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": PROMPTS[1]}],
                    "stream": stream,
                },
                headers=head,
            )
    httpx.get(f"{url}/v1/models", headers={HEADER: "a-allow"})


def read_as_detect_does(path: Path) -> pa.Table:
    planned = plan(expand_paths([str(path)]), "auto", IntakeSettings(), split_bytes=64 << 20)
    assert [file.format_name for file in planned.files] == ["guard"]
    outputs = [output for split in planned.splits for output in read_split(split, planned.settings)]
    assert not [entry for output in outputs for entry in output.quarantined]
    return pa.Table.from_batches([output.batch for output in outputs])


@pytest.mark.parametrize("plug_in", ["proxy", "asgi"])
def test_detect_reads_every_exchange_with_what_was_asked_and_answered(
    upstream: Served, tmp_path: Path, plug_in: str
) -> None:
    path = tmp_path / "exchanges.jsonl"
    if plug_in == "proxy":
        with guarding(door(marks=SGLANG), upstream.url, log=path) as guard:
            ask_all(guard.url)
    else:
        log = ExchangeLog(path, keep_text=True)
        with serving_asgi(upstream.model, door(marks=SGLANG), log) as url:
            ask_all(url)
        log.close()
    rows = read_as_detect_does(path).to_pylist()
    assert len(rows) == 25
    assert {row["account_id"] for row in rows} == {"a-allow", "a-mark", "a-block", "a-throttle"}
    assert len({row["exchange_id"] for row in rows}) == 25
    blocked = [row for row in rows if row["account_id"] == "a-block"]
    assert {row["status"] for row in blocked} == {403}
    assert {row["prompt"] for row in blocked} == {PROMPTS[0], PROMPTS[1]}
    answered = [row for row in rows if row["account_id"] != "a-block" and row["endpoint"]]
    assert {row["endpoint"] for row in answered} == {"chat", "responses", "messages"}
    for row in answered:
        assert row["status"] == 200
        assert len(row["response"].split()) >= 5
        assert row["finish_reason"] in {"stop", "length"}
        assert row["latency_ms"] is not None
        assert row["model"] == "still-1"
    chats = [row for row in answered if row["endpoint"] == "chat"]
    assert {(row["prompt"], row["system_prompt"], row["temperature"], row["turns"]) for row in chats} == {
        (PROMPTS[0], "Be brief.", 0.5, 1)
    }
    assert {row["stream"] for row in chats} == {True, False}
    text = path.read_text()
    assert MARK_KEY not in text  # the raw key is between guard and engine alone
    assert '"mine"' not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {tuple(line["stripped"]) for line in lines if line["path"] == "/v1/chat/completions"} == {("watermark",)}
    assert {line["marked"] for line in lines if line["account_id"] == "a-mark"} == {True}
    assert {line["verdict"]["key_id"] for line in lines if line["account_id"] == "a-mark"} == {"mark-7"}


def test_the_sketch_of_one_live_line_is_the_row_of_the_batch(upstream: Served, tmp_path: Path) -> None:
    path = tmp_path / "exchanges.jsonl"
    with guarding(door(), upstream.url, log=path) as guard:
        ask_all(guard.url)
        for prompt in PROMPTS:
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}]})
            httpx.post(
                f"{guard.url}/v1/chat/completions",
                content=body,
                headers={HEADER: "a-allow", "content-type": "application/json"},
            )
    whole = sketch_batch(read_as_detect_does(path).combine_chunks().to_batches()[0])
    offset = 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        collector = Collector(GUARD, Reading(paths={0: "live"}, settings=IntakeSettings(), zone=None))
        collector.add(json.loads(line), Place(0, offset, len(line.rstrip(b"\n"))))
        offset += len(line)
        (output,) = collector.finish()
        assert sketch_batch(output.batch).equals(whole.slice(number, 1)), f"line {number}"
    assert whole.num_rows == 28


def test_without_text_no_prompt_and_no_answer_is_kept(upstream: Served, tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path / "log", keep_text=False)
    with serving_asgi(upstream.model, door(), log) as url:
        ask_all(url)
    log.close()
    text = (tmp_path / "log").read_text()
    assert "sky" not in text
    assert "agua" not in text
    assert "Be brief" not in text
    (row, *_) = read_as_detect_does(tmp_path / "log").to_pylist()
    assert (row["temperature"], row["prompt"], row["response"], row["model"]) == (0.5, None, None, "still-1")


async def admitted_one() -> object:
    return await door().admit("POST", "/v1/chat/completions", [(HEADER, "a-allow")], b'{"messages":[]}', "127.0.0.1")


def test_what_does_not_fit_is_dropped_at_once_counted_and_said(tmp_path: Path) -> None:
    import asyncio  # noqa: PLC0415

    one = asyncio.run(admitted_one())
    path = tmp_path / "log"
    os.mkfifo(path)  # a reader that does not read: the writer waits, and nobody else does
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = ExchangeLog(path, keep_text=True, most_waiting=100)
    slowest = 0.0
    for _ in range(20_000):
        begun = time.perf_counter()
        log.put(one, Answered(status=200, complete=True))  # type: ignore[arg-type]
        slowest = max(slowest, time.perf_counter() - begun)
    assert slowest < 0.5
    assert log.dropped > 10_000
    os.set_blocking(reader, True)
    dropped = log.dropped
    got = b""
    end = time.monotonic() + 10
    while got.count(b"\n") < 20_000 - dropped and time.monotonic() < end:
        got += os.read(reader, 1 << 20)
    log.put(one, Answered(status=200, complete=True))  # type: ignore[arg-type]
    while got.count(b"\n") < 20_001 - dropped and time.monotonic() < end:
        got += os.read(reader, 1 << 20)
    lines = [json.loads(line) for line in got.splitlines()]
    assert sum(line.get("missing_before", 0) for line in lines) == dropped
    assert len(lines) + dropped == 20_001
    log.close()
    os.close(reader)


def test_a_full_disk_drops_lines_and_nothing_else(upstream: Served) -> None:
    with guarding(door(), upstream.url, log=Path("/dev/full")) as guard:
        for _ in range(5):
            assert httpx.get(f"{guard.url}/v1/models").status_code == 200
        end = time.monotonic() + 5
        while guard.serving.log.dropped < 5 and time.monotonic() < end:
            time.sleep(0.01)
        assert "stillwatch_guard_log_dropped_total 5" in httpx.get(f"{guard.admin}/metrics").text


def test_a_log_that_was_moved_away_is_made_anew(upstream: Served, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with guarding(door(), upstream.url, log=path) as guard:
        httpx.get(f"{guard.url}/v1/models")
        while not path.read_bytes():
            time.sleep(0.01)
        path.rename(tmp_path / "log.1")
        httpx.get(f"{guard.url}/v1/models")
    assert len((tmp_path / "log.1").read_bytes().splitlines()) == 1
    assert len(path.read_bytes().splitlines()) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_long_answer_is_kept_to_the_limit_and_said_to_be_incomplete() -> None:
    import asyncio  # noqa: PLC0415

    answered = Answered(parts=[], status=200, content_type="text/event-stream", complete=True)
    for _ in range(5):
        answered.take(b"x" * (MOST_ANSWER // 3))
    line = json.loads(line_of(asyncio.run(admitted_one()), answered, missing=0, keep_text=True))  # type: ignore[arg-type]
    assert len(line["response"]) == MOST_ANSWER
    assert line["response_complete"] is False


def test_the_verdicts_of_a_line_are_the_guards(upstream: Served, tmp_path: Path) -> None:
    path = tmp_path / "log"
    guard = Guard(loaded(9))
    with guarding(door(guard), upstream.url, log=path) as running:
        httpx.get(f"{running.url}/v1/models", headers={HEADER: "a-block"})
    (line,) = [json.loads(one) for one in path.read_text().splitlines()]
    assert line["verdict"] == {
        "action": "block", "reason": "account-suspended", "decision_id": "d-block", "clauses": ["api@1/no-pooling"], "key_id": None,
        "retry_after_s": None, "bundle_version": 9, "stale": False,
    }  # fmt: skip
    assert (line["status"], line["refused"], line["stillwatch_guard"]) == (403, "account-suspended", 1)
