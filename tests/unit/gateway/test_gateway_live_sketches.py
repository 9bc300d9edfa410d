"""Live sketches, with real processes: the bytes are the batch's, no request waits, and whatever dies, nothing is lost that is not counted."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gateway_world import HEADER, Served, door, guarding

from stillwatch.cli.result_files import read_campaigns
from stillwatch.gateway import live_sketches
from stillwatch.gateway.admission import Admission
from stillwatch.gateway.exchange_log import Answered, ExchangeLog
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.live_sketches import LiveSketches, sketching_command
from stillwatch.gateway.metrics import Parts, metrics_page
from stillwatch.intake.plan import plan
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.records.sketch import SKETCH
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER, drill_requests
from stillwatch.simulation.world import WorldSettings, simulate
from stillwatch.sketches.batch import SKETCH_ARROW
from stillwatch.sketches.part_file import part_facts
from stillwatch.sketching.splits import sketches_of

OWN = [name for name in SKETCH.names if not name.startswith("source_")]


def line(number: int, missing: int = 0, text: str = "Explain it step by step.") -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": f"{number}: {text}"}]}
    row = {
        "stillwatch_guard": 1, "time_us": 1_793_000_000_000_000 + number, "exchange_id": f"x-{number}", "account_id": f"a-{number % 5}",
        "path": "/v1/chat/completions", "status": 200, "latency_us": 900, "request": body, "response": None,
    }  # fmt: skip
    return json.dumps({**row, "missing_before": missing} if missing else row).encode() + b"\n"


def ids_in(folder: Path) -> list[str]:
    return [one for path in folder.glob("sketches-*.parquet") for one in pq.read_table(path)["exchange_id"].to_pylist()]


def missing_in(folder: Path) -> int:
    found = [part_facts(str(path)) for path in folder.glob("sketches-*.parquet")]
    return sum(facts.missing for facts in found if facts is not None)


def turning(live: LiveSketches, true: Callable[[], bool], wait_s: float = 90.0) -> None:
    """Turn, as the log's thread does, until something holds."""
    end = time.monotonic() + wait_s
    while not true() and time.monotonic() < end:
        live.turn()
        time.sleep(0.005)
    assert true()


def child(live: LiveSketches) -> int:
    assert live._child is not None
    return live._child.pid


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start comes soon, and there are few before lines are given up."""
    monkeypatch.setattr(live_sketches, "PAUSE_S", 0.02)
    monkeypatch.setattr(live_sketches, "MOST_FRUITLESS", 2)


@contextmanager
def feeding(command: Sequence[str], **more: object) -> Iterator[LiveSketches]:
    live = LiveSketches(command, **more)  # type: ignore[arg-type]
    try:
        yield live
    finally:
        live.close(30.0)
        assert live._child is None


def test_what_is_acknowledged_is_on_the_disk_and_the_rest_at_the_end(tmp_path: Path) -> None:
    with feeding(sketching_command(tmp_path, every_s=60.0, every_lines=10)) as live:
        for number in range(25):
            live.put(line(number))
        turning(live, lambda: live.written == 20)
        assert sorted(ids_in(tmp_path)) == sorted(f"x-{number}" for number in range(20))
        assert live.kept() == 5
        lowest = 19  # of Linux
        nicer = min(os.getpriority(os.PRIO_PROCESS, 0) + live_sketches.NICER, lowest)
        assert os.getpriority(os.PRIO_PROCESS, child(live)) == nicer
    assert (live.written, live.dropped, live.kept(), live.starts) == (25, 0, 0, 1)
    assert len(ids_in(tmp_path)) == 25


def test_killed_again_and_again_nothing_is_lost_and_repeats_are_known(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    rng = random.Random(3)
    count = 0
    with feeding(sketching_command(parts, every_s=0.05, every_lines=40)) as live:
        for _ in range(3):
            turning(live, lambda: live._child is None or live._acknowledged >= 0)
            due = live.written + rng.randint(1, 60)
            while live.written < due:
                live.put(line(count))
                count += 1
                live.turn()
                time.sleep(0.001)
            os.kill(child(live), signal.SIGKILL)
    assert (live.written, live.dropped) == (count, 0)
    assert live.starts >= 4
    found = ids_in(parts)
    assert set(found) == {f"x-{number}" for number in range(count)}
    summary = detect(DetectSettings(paths=(str(parts),), out=tmp_path / "case", threads=1), Silent())
    assert (summary.counts["exchanges"], summary.counts["duplicates"]) == (count, len(found) - count)


def test_a_child_that_stalls_is_started_again_and_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with feeding(sketching_command(tmp_path, every_s=0.1), most_kept=50, stall_s=2.0) as live:
        live.put(line(0))
        turning(live, lambda: live.written == 1)
        os.kill(child(live), signal.SIGSTOP)
        slowest = 0.0
        for number in range(1, 200):
            begun = time.perf_counter()
            live.put(line(number, live.untold))
            live.turn()
            slowest = max(slowest, time.perf_counter() - begun)
        assert slowest < 0.5
        assert (live.dropped, live.kept()) == (149, 50)
        turning(live, lambda: live.written == 51)
        live.put(line(200, live.untold))
    assert (live.starts, live.written, live.dropped) == (2, 52, 149)
    assert sorted(set(ids_in(tmp_path))) == sorted([*(f"x-{number}" for number in range(51)), "x-200"])
    assert missing_in(tmp_path) == 149


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    with feeding(sketching_command(tmp_path), most_kept_bytes=10_000) as live:
        for number in range(20):
            live.put(line(number, text="x" * 1_000))
        assert 0 < live.kept() < 10
        assert live.kept() + live.dropped == 20
        kept = live.kept()
    assert live.written == kept


def test_a_folder_that_cannot_be_written_to_costs_nothing_once_it_can(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "parts").write_text("a file where the folder should be")
    with feeding(sketching_command(tmp_path / "parts")) as live:
        live.put(line(1))
        turning(live, lambda: live.starts >= live_sketches.MOST_FRUITLESS + 2)
        assert (live.kept(), live.dropped) == (1, 0)
        (tmp_path / "parts").unlink()
    assert (live.written, live.dropped) == (1, 0)
    assert "cannot be written to" in capfd.readouterr().err


def test_a_line_that_kills_every_child_is_dropped_in_the_end_and_counted(tmp_path: Path) -> None:
    """The child is the real one, but for a fault that is put into it."""
    fault = (
        "import os, sys\n"
        "from stillwatch.sketching.live import LiveSketches\n"
        "read = LiveSketches._read\n"
        "def faulty(self, line, place):\n"
        "    os.abort() if b'poison' in line else read(self, line, place)\n"
        "LiveSketches._read = faulty\n"
        "from stillwatch.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", fault, *sketching_command(tmp_path, every_s=0.05, every_lines=1)[3:]]
    with feeding(command) as live:
        live.put(line(1))
        turning(live, lambda: live.written == 1)
        live.put(line(2, text="poison"))
        live.put(line(3))
        turning(live, lambda: live.dropped > 0)
        live.put(line(4, live.untold))
        turning(live, lambda: live.written == 2)
    assert (live.starts, live.dropped) == (live_sketches.MOST_FRUITLESS + 1, 2)
    assert sorted(ids_in(tmp_path)) == ["x-1", "x-4"]
    assert missing_in(tmp_path) == 2


def test_a_command_that_cannot_be_run_drops_what_it_had_at_the_end(tmp_path: Path) -> None:
    live = LiveSketches([str(tmp_path / "nothing")], most_kept=3)
    for number in range(5):
        live.put(line(number))
        live.turn()
    live.close(0.2)
    assert (live.written, live.dropped, live.starts) == (0, 5, 0)


def test_what_the_log_drops_the_sketches_are_told_of(tmp_path: Path) -> None:
    """The log waits for a reader that does not read; what does not fit before it has neither line nor sketch."""
    one = asyncio.run(
        door().admit("POST", "/v1/chat/completions", [(HEADER, "a-allow")], b'{"messages":[]}', "127.0.0.1")
    )
    path = tmp_path / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    live = LiveSketches(sketching_command(tmp_path / "parts"))
    log = ExchangeLog(path, keep_text=False, sketches=live, most_waiting=100)
    for _ in range(5_000):
        log.put(one, Answered(status=200, complete=True))
    assert log.dropped > 1_000
    os.set_blocking(reader, True)
    dropped, got, end = log.dropped, b"", time.monotonic() + 20
    while got.count(b"\n") < 5_000 - dropped and time.monotonic() < end:
        got += os.read(reader, 1 << 20)
    log.put(one, Answered(status=200, complete=True))
    log.close()
    os.close(reader)
    assert live.written + live.dropped == 5_001
    assert live.dropped == dropped
    assert missing_in(tmp_path / "parts") == dropped
    page = metrics_page(Parts(admission=door(), log=log))
    assert f"stillwatch_guard_sketches_dropped_total {dropped}\n" in page
    assert f"stillwatch_guard_sketches_written_total {live.written}\n" in page


def rows_of(path: Path) -> pa.Table:
    planned = plan(expand_paths([str(path)]), "auto", IntakeSettings(), takes_sketches=True)
    outputs = [one for split in planned.splits for one in sketches_of(split, planned.settings)]
    return pa.Table.from_batches([one.batch for one in outputs if one.batch.num_rows], schema=SKETCH_ARROW)


def test_a_provider_that_keeps_no_text_finds_the_campaign_all_the_same(upstream: Served, tmp_path: Path) -> None:
    """Traffic with a campaign through a live gateway: what the child was given, kept as a log with text, and its parts give the same in every byte."""
    import httpx  # noqa: PLC0415

    world, parts, text = tmp_path / "world", tmp_path / "parts", tmp_path / "text.jsonl"
    made = WorldSettings(
        preset="demo", accounts=150, exchanges=3_000, days=10, seed=11, only=("shared infrastructure",), campaign_accounts=24, campaign_share=0.5,
    )  # fmt: skip
    simulate(made, world, Silent())
    now = [0]
    identity = IdentitySettings(account_header=ACCOUNT_HEADER, trusted_hops=1)
    admission = Admission(Guard(), identity=identity, clock=lambda: now[0] * 1_000)
    command = f"tee {shlex.quote(str(text))} | {shlex.join(sketching_command(parts, every_s=1.0))}"
    live = LiveSketches(["sh", "-c", command])
    log = ExchangeLog(tmp_path / "log.jsonl", keep_text=False, sketches=live)
    with guarding(admission, upstream.url, kept=log) as guard, httpx.Client() as client:
        for one in drill_requests(world):
            now[0] = one.time_us
            assert client.post(guard.url + one.path, headers=one.headers, content=one.body).status_code == 200
    assert (live.written, live.dropped) == (log.written, 0)
    whole, found = rows_of(text), rows_of(parts)
    assert found.num_rows == log.written > 2_000
    assert found.select(OWN).sort_by("exchange_id").equals(whole.select(OWN).sort_by("exchange_id"))

    def campaigns_of(path: Path) -> tuple[str, list[str], bytes]:
        out = tmp_path / f"case-{path.stem}"
        settings = DetectSettings(paths=(str(path),), out=out, accounts=world / "accounts.parquet", threads=1)
        summary = detect(settings, Silent())
        return (
            summary.output_digest,
            [one.id for one in read_campaigns(out).campaigns],
            (out / "accounts.parquet").read_bytes(),
        )

    of_text, of_parts, of_log = campaigns_of(text), campaigns_of(parts), campaigns_of(tmp_path / "log.jsonl")
    assert of_parts == of_text
    assert of_text[1]
    assert of_log[0] != of_text[0]  # a log without text alone is less
