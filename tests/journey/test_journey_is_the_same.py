"""The small world gives the same campaigns again, in any order, in any files, and on either engine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import following
import numpy as np
import pyarrow.parquet as pq
import pytest
import small_world

from stillwatch.engines.errors import EngineUnavailableError
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent

PLACES = ("source_file", "source_offset", "source_length")


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_world.write_world(tmp_path_factory.mktemp("same"))


@pytest.fixture(scope="module")
def first(traffic: Path) -> Path:
    return run(traffic.parent / "first", str(traffic))


def run(out: Path, *paths: str, engine: str = "duckdb", threads: int = 1) -> Path:
    detect(DetectSettings(paths=paths, out=out, engine=engine, threads=threads, now_us=following.NOW_US), Silent())
    return out


def campaigns(case: Path) -> list[dict[str, Any]]:
    """The campaigns without the places of their exhibits in files."""
    found = json.loads((case / "campaigns.json").read_text(encoding="utf-8"))
    listed: list[dict[str, Any]] = found["campaigns"] + found["considered"]
    for campaign in listed:
        campaign["exhibits"] = [
            {name: value for name, value in exhibit.items() if name not in PLACES} for exhibit in campaign["exhibits"]
        ]
    return listed


def rows(case: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(case / "accounts.parquet").to_pylist()
    return found


def digest(case: Path) -> str:
    return str(json.loads((case / "run.json").read_text(encoding="utf-8"))["output_digest"])


def test_a_second_run_has_the_same_digest_and_bytes(traffic: Path, first: Path) -> None:
    again = run(traffic.parent / "again", str(traffic), threads=2)
    assert digest(again) == digest(first)
    assert (again / "campaigns.json").read_bytes() == (first / "campaigns.json").read_bytes()
    assert rows(again) == rows(first)


def test_shuffled_lines_in_several_files_give_the_same_campaigns(traffic: Path, first: Path, tmp_path: Path) -> None:
    lines = traffic.read_bytes().splitlines(keepends=True)
    shuffled = [lines[place] for place in np.random.default_rng(5).permutation(len(lines))]
    for number in range(3):
        with gzip.open(tmp_path / f"part-{number}.jsonl.gz", "wb", compresslevel=1) as part:
            part.writelines(shuffled[number::3])
    other = run(tmp_path / "case", str(tmp_path / "part-*"))
    assert campaigns(other) == campaigns(first)
    assert rows(other) == rows(first)


def test_repeated_deliveries_change_nothing_but_their_count(traffic: Path, first: Path, tmp_path: Path) -> None:
    lines = traffic.read_bytes().splitlines(keepends=True)
    (tmp_path / "twice.jsonl").write_bytes(b"".join(lines + lines[::7]))
    other = run(tmp_path / "case", str(tmp_path / "twice.jsonl"))
    assert json.loads((other / "run.json").read_text(encoding="utf-8"))["counts"]["duplicates"] == len(lines[::7])
    assert rows(other) == rows(first)
    assert [campaign["members"] for campaign in campaigns(other)] == [
        campaign["members"] for campaign in campaigns(first)
    ]


@pytest.mark.spark
def test_spark_gives_the_same_bytes(traffic: Path, first: Path, tmp_path: Path) -> None:
    try:
        other = run(tmp_path / "case", str(traffic), engine="spark", threads=2)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    assert (other / "campaigns.json").read_bytes() == (first / "campaigns.json").read_bytes()
    assert rows(other) == rows(first)
    assert digest(other) == digest(first)
