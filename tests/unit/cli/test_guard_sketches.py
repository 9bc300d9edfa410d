"""`stillwatch guard --sketches`: a process that keeps no text gives the sketches of what passed, and dies without losing them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from guard_processes import ask, guard_process

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.intake.plan import plan
from stillwatch.intake.settings import IntakeSettings
from stillwatch.intake.sources import expand_paths
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.records.sketch import SKETCH
from stillwatch.simulation.upstream import Upstream, running
from stillwatch.sketches.batch import SKETCH_ARROW
from stillwatch.sketching.splits import sketches_of

OWN = [name for name in SKETCH.names if not name.startswith("source_")]
OPTIONS = ["--account-header", "X-Account-Id", "--log", "log.jsonl", "--log-content", "none", "--sketches", "parts"]
WORD = "heliotrope"


def rows_of(path: Path) -> pa.Table:
    planned = plan(expand_paths([str(path)]), "auto", IntakeSettings(), takes_sketches=True)
    outputs = [one for split in planned.splits for one in sketches_of(split, planned.settings)]
    return pa.Table.from_batches([one.batch for one in outputs if one.batch.num_rows], schema=SKETCH_ARROW)


def ask_all(url: str) -> int:
    """Ask on every route, streamed and whole; give the number of exchanges."""
    asked = 0
    with httpx.Client(base_url=f"http://{url}") as client:
        for number in range(24):
            text = f"Explain step by step how the {WORD} number {number} grows, and show the whole chain of your reasoning. \u2713"
            head = {"x-account-id": f"account-{number % 4}"}
            for stream in (False, True):
                chat = {"role": "user", "content": text}
                for path, body in (
                    (
                        "chat/completions",
                        {"messages": [{"role": "system", "content": f"Be {WORD}."}, chat], "temperature": 0.5},
                    ),
                    ("responses", {"input": text}),
                    ("messages", {"max_tokens": 9, "messages": [chat]}),
                ):
                    answer = client.post(
                        f"/v1/{path}", json={"model": "still-1", "stream": stream, **body}, headers=head
                    )
                    assert answer.status_code == 200
                    asked += 1
    return asked


def with_text(line: dict[str, Any], body: bytes, sent: bytes) -> bytes:
    """Give the line that a log with text has, from what reached the model and what it sent."""
    answer = sent.decode() if json.loads(body)["stream"] else json.loads(sent)
    return json.dumps({**line, "request": json.loads(body), "response": answer}).encode() + b"\n"


def test_the_parts_are_the_sketches_of_the_log_with_text_that_nobody_kept(tmp_path: Path) -> None:
    model = Upstream(seed=1)
    with running(model) as url, guard_process(tmp_path, url, *OPTIONS) as (process, places):
        asked = ask_all(places["listen"])
        assert "stillwatch_guard_sketches_starts_total 1" in httpx.get(f"http://{places['admin']}/metrics").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == ExitCode.DONE
        assert process.stderr is not None
        assert f"Sketches: {asked} exchanges, 0 dropped." in process.stderr.read()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert WORD.encode() not in kept
    assert WORD not in str(rows_of(tmp_path / "parts").to_pylist())
    bare = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert len(bare) == len(model.asked) == asked
    # One after the other, the log has them in the order in which the model was asked.
    full = tmp_path / "full.jsonl"
    full.write_bytes(b"".join(with_text(line, one.body, one.sent) for line, one in zip(bare, model.asked, strict=True)))
    whole, parts = rows_of(full), rows_of(tmp_path / "parts")
    assert whole["exact"].null_count == whole["response_signs"].null_count == 0
    assert parts.select(OWN).sort_by("exchange_id").equals(whole.select(OWN).sort_by("exchange_id"))
    found = [
        detect(DetectSettings(paths=(str(path),), out=tmp_path / f"case-{path.stem}", threads=1), Silent())
        for path in (full, tmp_path / "parts")
    ]
    assert found[0].output_digest == found[1].output_digest


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_the_guard_leaves_a_child_that_writes_what_it_has_and_ends(tmp_path: Path) -> None:
    with running(Upstream(seed=1)) as url, guard_process(tmp_path, url, *OPTIONS) as (process, places):
        for number in range(30):
            assert ask(places["listen"], "a-1", f"{number}").status_code == 200
        told = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
        )
        (child,) = [int(word) for word in told.stdout.split()]
        time.sleep(
            1.0
        )  # every 50 ms, what waits is put into the pipe, and there it is the child's, whether or not it has begun to read
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        end = time.monotonic() + 60
        while alive(child) and time.monotonic() < end:
            time.sleep(0.05)
        assert not alive(child)
    assert rows_of(tmp_path / "parts").num_rows == 30


def test_settings_and_their_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "stillwatch.cli.main", "guard", "--upstream", "http://127.0.0.1:9", "--sketches"]
    checked = subprocess.run([*command, "parts", "--check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (checked.returncode, (tmp_path / "parts").exists()) == (ExitCode.DONE, False)
    refused = subprocess.run([*command, "file"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == ExitCode.OUTPUT
    assert "sketches cannot be written to file" in refused.stderr
