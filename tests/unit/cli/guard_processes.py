"""`stillwatch guard` as a process of its own, and a request to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


@contextmanager
def guard_process(folder: Path, upstream: str, *more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the verb; give the process and what it said when it was ready."""
    command = [
        sys.executable,
        "-m",
        "stillwatch.cli.main",
        "guard",
        "--upstream",
        upstream,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--json",
        *more,
    ]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "}" not in said:
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                said += line
            yield process, json.loads(said)
        finally:
            if process.poll() is None:
                process.kill()


def ask(url: str, account: str, text: str = "Hello") -> httpx.Response:
    body = {"model": "still-1", "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"http://{url}/v1/chat/completions", json=body, headers={"x-account-id": account}, timeout=30)
