"""The gateway's table of mark keys: read again when the file changes, and never half."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_world import KEY, NAME, NOW, bundle_bytes

from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.mark_keys import WatchedKeys
from stillwatch.gateway.marking import Engine, Marks
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust


def write_keys(path: Path, *handles: str, **more: Any) -> None:
    lines = [
        {
            "handle": handle, "scheme": "sglang-gumbel@murmur3-v1", "parameters": {"context_width": 4}, "level": "campaign",
            "assigned_to": "c-7", "key_hex": f"{number:016x}", "issued": "2026-11-01T00:00:00+00:00", **more,
        }
        for number, handle in enumerate(handles, start=1)
    ]  # fmt: skip
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text("".join(json.dumps(line) + "\n" for line in lines))
    fresh.replace(path)


def test_keys_that_come_and_go_are_used_and_gone_without_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "marks.jsonl"
    write_keys(path, "mk-1")
    keys = WatchedKeys(path)
    marks = Marks(engine=Engine.SGLANG, keys=keys)
    (tmp_path / "bundle").write_bytes(bundle_bytes())
    source = BundleSource(
        Guard(),
        tmp_path / "bundle",
        BundleTrust(key=KEY.verifier, name=NAME),
        BundleState(None),
        keys=keys,
        clock=lambda: NOW * 1_000,
    )
    source.open()
    assert marks.member("mk-1") == ("watermark", {"key": f"{1:016x}", "context_window": 4})
    assert marks.member("mk-2") is None
    write_keys(path, "mk-0", "mk-2")
    assert asyncio.run(source.look()) is False  # the bundle is the same
    assert (marks.member("mk-1"), sorted(keys)) == (None, ["mk-0", "mk-2"])
    path.chmod(0o644)
    path.write_text("{")
    asyncio.run(source.look())
    assert (source.refused["GatewaySettingError"], sorted(keys)) == (1, ["mk-0", "mk-2"])
    asyncio.run(source.look())
    assert source.refused["GatewaySettingError"] == 1  # one file is refused once


def test_a_file_without_a_key_for_the_engine_is_no_start(tmp_path: Path) -> None:
    write_keys(tmp_path / "marks.jsonl", "mk-1", scheme="green-bernoulli@v1")
    with pytest.raises(GatewaySettingError, match="no key in use of SGLang's schemes"):
        WatchedKeys(tmp_path / "marks.jsonl")
    with pytest.raises(GatewaySettingError, match="cannot be read"):
        WatchedKeys(tmp_path / "missing.jsonl")


def test_reading_keys_loads_no_kernels(tmp_path: Path) -> None:
    write_keys(tmp_path / "marks.jsonl", "mk-1")
    code = (
        "import sys, pathlib, stillwatch.gateway.settings, stillwatch.gateway.mark_keys as keys; "
        "print(len(keys.WatchedKeys(pathlib.Path('marks.jsonl'))), sorted({'numba', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "1 []\n"
