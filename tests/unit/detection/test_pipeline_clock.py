"""The clock of a run: records from the future are set aside by the present time, or by the time that a replay declares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent

PAST, FUTURE = "2026-05-01T00:00:00Z", "2190-01-01T00:00:00Z"
AFTER_US = 6_974_000_000_000_000


@pytest.mark.parametrize(("now_us", "quarantined"), [(None, 1), (AFTER_US, 0)])
def test_records_from_the_future_are_quarantined(now_us: int | None, quarantined: int, tmp_path: Path) -> None:
    times = [PAST] * 5 + [FUTURE]
    lines = [json.dumps({"time": time, "account_id": f"a-{number}"}) for number, time in enumerate(times)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    settings = DetectSettings(paths=(str(tmp_path / "log.jsonl"),), out=tmp_path / "case", threads=1, now_us=now_us)
    counts = detect(settings, Silent()).counts
    assert (counts["quarantined"], counts["exchanges"]) == (quarantined, 6 - quarantined)
