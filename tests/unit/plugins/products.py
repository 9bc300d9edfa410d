"""What the tests of the plug-ins share: products in environments of their own, settings out of the page, and a bundle with an account per action."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from stillwatch.integrity.enforcement_bundle import write_bundle
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "gateway-plugins.md"
KEY = SignerKey(name="example.com/bundles", type=SignatureType.NOTE, seed=bytes(range(32)))
NAME = "example.com/gateway"
CLAUSE = "general@1/no-pooling"
APPEAL = "appeals@example.com"
HOUR_US = 3_600 * 1_000_000
HANDLE, MARK = "campaign-7", "00ff00ff00ff00ff"
MARK_FIELD = {"key": MARK, "context_window": 4}
RATE = 1
"""Requests a minute of the account that is throttled: a burst of one."""
OURS = {"a-mark": 0, "a-throttle": 1, "a-challenge": 2, "a-block": 3, "a-block-open": 4}
"""Accounts of the bundle and their rows; any other account is allowed."""


def key_line(handle: str, key_hex: str, **more: Any) -> dict[str, Any]:
    """Give a key of SGLang's as `stillwatch keys export --in-use` writes it."""
    return {
        "handle": handle, "scheme": "sglang-gumbel@murmur3-v1", "parameters": {"context_width": 4}, "level": "campaign",
        "assigned_to": "c-7", "key_hex": key_hex, "tokenizer_digest": "", "issued": "2026-11-01T00:00:00+00:00", "retired": None,
        "commitment": "", **more,
    }  # fmt: skip


def environment_of(name: str, program: str) -> Path:
    """Give a program of a product's own environment; skip where that was not made."""
    folder = Path(os.environ.get(f"{name.upper()}_VENV", ROOT / f".venv-{name}"))
    found = folder / "bin" / program
    if not (folder / ".installed").exists() or not found.exists():
        pytest.skip(f"{folder} is not there: make install-{name}")
    return found


def page_block(marker: str) -> str:
    """Give the block of the page that begins with `# marker`, without that line: what users copy is what is tested."""
    found = re.findall(rf"^```\w+\n# {re.escape(marker)}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, marker
    return found[0]


def page_yaml(marker: str) -> Any:
    """Give the same, read as YAML."""
    return yaml.safe_load(page_block(marker))


def free_port() -> int:
    """Give a port of loopback that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_files(
    folder: Path, *, version: int = 1, expired: bool = False, accounts: Mapping[str, int] | None = None
) -> None:
    """Write bundle, public key and keys of marks, as an operator has them; the bundle by a rename."""
    now = time.time_ns() // 1_000
    issued = now - 2 * HOUR_US if expired else now - 1_000_000
    common: dict[str, Any] = {
        "decision_id": "d-0123456789ab",
        "clauses": (CLAUSE,),
        "until_us": now + 100 * HOUR_US,
        "appeal": APPEAL,
    }
    closed = {**common, "when_stale": WhenStale.CLOSED}
    entries = (
        BundleEntry(action=Action.MARK, key_id=HANDLE, **closed),
        BundleEntry(action=Action.THROTTLE, requests_per_minute=RATE, **closed),
        BundleEntry(action=Action.CHALLENGE, **closed),
        BundleEntry(action=Action.BLOCK, **closed),
        BundleEntry(action=Action.BLOCK, **common, when_stale=WhenStale.OPEN),
    )
    bundle = EnforcementBundle(
        name=NAME, version=version, issued_us=issued, expires_us=issued + HOUR_US, salt=b"", accounts=0, entries=entries
    )
    new = folder / "new.bundle"
    new.write_bytes(write_bundle(bundle, OURS if accounts is None else accounts, KEY))
    new.rename(folder / "gateway.bundle")
    (folder / "bundle.pub").write_text(KEY.verifier.text())
    keys = folder / "marks.jsonl"
    keys.write_text(f"{json.dumps(key_line(HANDLE, MARK))}\n")
    keys.chmod(0o600)


def settings_in(folder: Path, **more: str) -> dict[str, str]:
    """Give the environment variables for the files of `write_files`; `engine="vllm"` sets `STILLWATCH_ENGINE`."""
    given = {
        "bundle": str(folder / "gateway.bundle"), "bundle_key": str(folder / "bundle.pub"), "bundle_for": NAME,
        "bundle_state": str(folder / "gateway.state"), "bundle_poll": "0.1", "engine": "sglang",
        "mark_keys": str(folder / "marks.jsonl"), **more,
    }  # fmt: skip
    return {f"STILLWATCH_{name.upper()}": value for name, value in given.items()}


@contextmanager
def process(
    command: list[str], output: Path, *, folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONWARNINGS"}}
    with output.open("wb") as file:
        running = subprocess.Popen(
            command, cwd=folder, env={**kept, **environment}, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def wait_for(url: str, running: subprocess.Popen[bytes], output: Path, *, seconds: float) -> None:
    """Wait until a program answers there; say its last words where it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and running.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(
        f"nothing answers at {url} (exit code {running.poll()}, limit {seconds} s): {output.read_text(errors='replace')[-2_000:]}"
    )


def source_path() -> dict[str, str]:
    """Give the environment by which a product's own Python finds this source."""
    return {"PYTHONPATH": str(ROOT / "src")}


def python() -> str:
    """Give this Python."""
    return sys.executable


def own_environment() -> dict[str, str]:
    """Give the environment for a process of ours: this source, and no colours."""
    return {**os.environ, **source_path(), "NO_COLOR": "1"}
