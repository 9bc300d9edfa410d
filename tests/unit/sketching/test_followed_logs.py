"""Lines that are sketched as they come: from a pipe and from a log that grows, is moved, cut and taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.intake.errors import SettingError
from stillwatch.intake.lines import LINE_LIMIT
from stillwatch.intake.plan import plan
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.batch import SKETCH_ARROW
from stillwatch.sketches.part_file import PartFacts, part_facts
from stillwatch.sketching.live import LiveCounts, LiveSettings, LiveSketches, read_before
from stillwatch.sketching.splits import sketches_of
from stillwatch.sketching.streams import Block, growing_blocks

OWN = [name for name in SKETCH.names if not name.startswith("source_")]


def guard_line(number: int, **more: object) -> bytes:
    body = {
        "model": "m",
        "temperature": 0.5,
        "messages": [{"role": "user", "content": f"Explain {number} step by step, and grade it \u2713."}],
    }
    row = {
        "stillwatch_guard": 1, "time_us": 1_793_000_000_000_000 + number, "exchange_id": f"x-{number}", "account_id": f"a-{number % 5}",
        "path": "/v1/chat/completions", "status": 200, "latency_us": 900, "request": body,
        "response": {"choices": [{"message": {"content": "yes"}}]}, **more,
    }  # fmt: skip
    return json.dumps(row).encode() + b"\n"


def parts_in(folder: Path) -> list[PartFacts]:
    found = [part_facts(str(path)) for path in sorted(folder.glob("sketches-*.parquet"))]
    return [facts for facts in found if facts is not None]


def rows_in(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("sketches-*.parquet"))])


def live(out: Path, wrote: Callable[[int], None] = lambda _: None, **more: object) -> LiveSketches:
    return LiveSketches(LiveSettings(**{"out": out, "path": "-", "intake": IntakeSettings(), **more}), wrote)  # type: ignore[arg-type]


def blocks_of(data: bytes, size: int) -> Iterator[Block]:
    for offset in range(0, len(data), size):
        yield Block(head=None, offset=offset, data=data[offset : offset + size])


@pytest.mark.parametrize("size", [7, 1_000, 1 << 20])
def test_the_sketches_are_those_of_the_whole_log_however_the_bytes_come(tmp_path: Path, size: int) -> None:
    lines = [guard_line(number) for number in range(40)]
    lines[5] = b"\n"
    lines[6] = b"{broken\n"
    lines[7] = lines[7][:-1] + b"\r\n"
    data = b"".join(lines).removesuffix(b"\n")
    log = tmp_path / "log.jsonl"
    log.write_bytes(data)
    out = tmp_path / "parts"
    out.mkdir()
    told: list[int] = []
    counts = live(out, told.append, every_lines=9).follow(blocks_of(data, size))
    assert told == [9, 18, 27, 36, 40]
    assert counts == LiveCounts(lines=40, parts=5, rows=38, quarantined=1, missing=0)
    planned = plan(expand_paths([str(log)]), "auto", IntakeSettings())
    whole = pa.Table.from_batches([one.batch for split in planned.splits for one in sketches_of(split, planned.settings)], schema=SKETCH_ARROW)  # fmt: skip
    # The offsets are those of the stream, so that rows and quarantine can be found where it is kept elsewhere.
    assert rows_in(out).sort_by("source_offset").equals(whole)
    (quarantine,) = out.glob("*.quarantine.jsonl")
    entry = json.loads(quarantine.read_text())
    assert data[entry["offset"] : entry["offset"] + entry["length"]] == b"{broken"
    spans = sorted((one.sources[0].begin, one.sources[0].end) for one in parts_in(out))
    assert [begin for begin, _ in spans] == [0, *[end for _, end in spans[:-1]]]
    assert spans[-1][1] == len(data)


def test_a_part_is_due_after_bytes_and_after_time_too(tmp_path: Path) -> None:
    lines = [guard_line(number) for number in range(10)]
    told: list[int] = []
    live(tmp_path, told.append, every_bytes=3 * len(lines[0]) - 3).follow(blocks_of(b"".join(lines), 100))
    assert told == [3, 6, 9, 10]
    now = [0.0]
    late: list[int] = []

    def slowly() -> Iterator[Block]:
        offset = 0
        for line in [*lines, b"", b""]:
            yield Block(head=None, offset=offset, data=line)
            offset += len(line)
            now[0] += 4.0

    settings = LiveSettings(out=tmp_path, path="-", intake=IntakeSettings(), every_s=10.0)
    LiveSketches(settings, late.append, lambda: now[0]).follow(slowly())
    assert late == [4, 8, 10]


def test_a_line_over_the_limit_is_one_entry_and_takes_no_memory(tmp_path: Path) -> None:
    def stream() -> Iterator[Block]:
        offset = 0
        for data in [guard_line(1), *[b"x" * (1 << 20)] * 20, b"\n", guard_line(2)]:
            yield Block(head=None, offset=offset, data=data)
            offset += len(data)

    counts = live(tmp_path).follow(stream())
    assert (counts.rows, counts.quarantined, counts.lines) == (2, 1, 3)
    (quarantine,) = tmp_path.glob("*.quarantine.jsonl")
    assert json.loads(quarantine.read_text())["reason"] == f"line of {20 << 20} bytes, expected at most {LINE_LIMIT}"


def test_what_the_lines_say_to_be_missing_is_added_up(tmp_path: Path) -> None:
    data = guard_line(1, missing_before=3) + guard_line(2, missing_before=True) + guard_line(3, missing_before=4)
    assert live(tmp_path).follow(blocks_of(data, 50)).missing == 7
    assert [one.missing for one in parts_in(tmp_path)] == [7]


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_a_format_of_several_lines_for_an_exchange_cannot_be_followed(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="spread over several lines"):
        live(tmp_path, format=name)


class Log:
    """A log that grows between looks: each step runs when the reader waits."""

    def __init__(self, path: Path, *steps: Callable[[], object]) -> None:
        self.path = path
        self.steps = list(steps)
        self.stopped = False

    def wait(self, _: float) -> None:
        if self.steps:
            self.steps.pop(0)()
        else:
            self.stopped = True

    def add(self, data: bytes) -> Callable[[], object]:
        def step() -> None:
            with self.path.open("ab") as file:
                file.write(data)

        return step

    def follow(self, out: Path, **more: object) -> LiveCounts:
        before = read_before(out, str(self.path))
        blocks = growing_blocks(self.path, lambda head: before.get(head, 0), lambda: self.stopped, self.wait)
        return live(out, path=str(self.path), **more).follow(blocks)


def test_a_log_that_grows_is_taken_up_where_its_parts_end(tmp_path: Path) -> None:
    out = tmp_path / "parts"
    out.mkdir()
    path = tmp_path / "log.jsonl"
    first = Log(path)  # it is not there yet
    lines = [guard_line(number) for number in range(9)]
    first.steps = [first.add(lines[0][:30]), first.add(lines[0][30:]), first.add(lines[1] + lines[2][:-1])]
    assert first.follow(out).lines == 2  # the third line has no end yet
    assert Log(path).follow(out).lines == 0
    second = Log(path)
    second.steps = [second.add(b"\n" + lines[3])]
    assert second.follow(out).lines == 2
    assert Counter(rows_in(out)["exchange_id"].to_pylist()) == Counter(f"x-{number}" for number in range(4))
    data = path.read_bytes()
    for row in rows_in(out).to_pylist():
        begin = row["source_offset"]
        assert json.loads(data[begin : begin + row["source_length"]])["exchange_id"] == row["exchange_id"]


def test_a_log_that_is_moved_away_or_cut_is_read_to_its_end_and_then_anew(tmp_path: Path) -> None:
    out = tmp_path / "parts"
    out.mkdir()
    path = tmp_path / "log.jsonl"
    lines = [guard_line(number) for number in range(9)]
    path.write_bytes(lines[0])
    log = Log(path)

    def move() -> None:
        log.add(lines[1])()
        path.rename(tmp_path / "log.1")

    def cut() -> None:
        path.write_bytes(b"")

    log.steps = [move, log.add(lines[2]), log.add(lines[3]), cut, log.add(lines[4])]
    assert log.follow(out).rows == 5
    assert sorted(rows_in(out)["exchange_id"].to_pylist()) == [f"x-{number}" for number in range(5)]
    assert len({one.sources[0].head for one in parts_in(out)}) == 3


@contextmanager
def verb(folder: Path, *more: str, **pipes: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "stillwatch.cli.main", "sketch", *more, "--out", "parts"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def until(true: Callable[[], bool], wait_s: float = 60.0) -> None:
    end = time.monotonic() + wait_s
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    assert true()


def test_the_verb_follows_a_log_until_a_signal_and_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(guard_line(1) + guard_line(2))
    with verb(tmp_path, "log.jsonl", "--follow", "--every-lines", "2", "--json") as process:
        until(lambda: len(parts_in(tmp_path / "parts")) == 1)
        with path.open("ab") as file:
            file.write(guard_line(3))
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == ExitCode.DONE
    assert json.loads(out) == {
        "verb": "sketch", "out": "parts", "lines": 3, "parts": 2, "rows": 3, "quarantined": 0, "missing": 0,
    }  # fmt: skip
    (with_end,) = {one.sources[0].path for one in parts_in(tmp_path / "parts")}
    assert with_end == str(path)


def test_killed_while_it_follows_it_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    number = 0
    for _ in range(2):
        with verb(tmp_path, "log.jsonl", "--follow", "--every-lines", "7") as process:
            before = len(parts_in(tmp_path / "parts"))
            with path.open("ab", buffering=0) as file:
                while len(parts_in(tmp_path / "parts")) < before + 3:
                    file.write(guard_line(number))
                    number += 1
                    time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
    with verb(tmp_path, "log.jsonl", "--follow", "--every-seconds", "0.1") as process:
        until(lambda: sum(one.read for one in parts_in(tmp_path / "parts")) == number)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert Counter(rows_in(tmp_path / "parts")["exchange_id"].to_pylist()) == Counter(
        f"x-{one}" for one in range(number)
    )


def test_acknowledged_lines_are_on_the_disk_and_only_the_end_of_input_ends_it(tmp_path: Path) -> None:
    with verb(tmp_path, "-", "--acknowledge", "--every-lines", "3", stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"0\n"
        process.stdin.write(b"".join(guard_line(number) for number in range(4)))
        process.stdin.flush()
        assert process.stdout.readline() == b"3\n"
        assert rows_in(tmp_path / "parts").num_rows == 3
        for one in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(one)
        time.sleep(0.5)
        assert process.poll() is None
        process.stdout.close()  # whoever fed it is gone
        process.stdin.close()
        assert process.wait(30) == ExitCode.DONE
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert rows_in(tmp_path / "parts").num_rows == 4


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a", "b", "--follow"], ExitCode.USAGE, "--follow and - take one log alone"),
        (["-", "a"], ExitCode.USAGE, "--follow and - take one log alone"),
        (["a", "--acknowledge"], ExitCode.USAGE, "--acknowledge goes with --follow or -"),
        (["-", "--acknowledge", "--json"], ExitCode.USAGE, "without --json"),
        (["-", "--encoding", "latin-1"], ExitCode.USAGE, "--encoding is for whole logs"),
        (["-", "--format", "vllm"], ExitCode.USAGE, "spread over several lines"),
        (["nowhere.jsonl"], ExitCode.INPUT, "there is no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, words: list[str], code: ExitCode, said: str) -> None:
    with verb(tmp_path, *words, stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"}) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, said in err.decode()) == (code, True), err.decode()
