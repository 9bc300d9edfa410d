"""Sketched before or not, day by day or at once: the whole detection gives one output digest, with repeats, mixed with logs, and as reference. On Spark: test_whole_detection.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.cli.result_files import read_campaigns
from stillwatch.evidence.run_files import DetectSummary
from stillwatch.intake.settings import IntakeSettings
from stillwatch.pipeline import NO_TEXT, DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate
from stillwatch.sketching.logs import sketch_logs

SEED = 11


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traffic with a flagged campaign, as one log; `days` holds the same by day."""
    folder = tmp_path_factory.mktemp("world")
    settings = WorldSettings(
        preset="demo", accounts=300, exchanges=8_000, days=10, seed=SEED, with_text=True, only=("shared infrastructure",), campaign_accounts=24,
        campaign_share=0.3,
    )  # fmt: skip
    simulate(settings, folder, Silent())
    traffic = pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("traffic-*")))
    (folder / "days").mkdir()
    days = pc.floor_temporal(traffic["time"], unit="day")
    for number, day in enumerate(pc.unique(days).sort()):
        pq.write_table(traffic.filter(pc.equal(days, day)), folder / "days" / f"day-{number:02d}.parquet")
    return folder


def sketched(out: Path, *paths: Path) -> Path:
    out.mkdir(exist_ok=True)
    sketch_logs(tuple(map(str, paths)), out, "auto", IntakeSettings(), 1, Silent())
    return out


@pytest.fixture(scope="module")
def parts(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The days, sketched one by one."""
    out = tmp_path_factory.mktemp("parts")
    for day in sorted((world / "days").iterdir()):
        sketched(out, day)
    return out


def run(world: Path, out: Path, *paths: Path, **others: object) -> DetectSummary:
    settings = DetectSettings(
        paths=tuple(map(str, paths)), out=out, accounts=world / "accounts.parquet", releases=world / "releases.csv", threads=1, **others,  # type: ignore[arg-type]
    )  # fmt: skip
    return detect(settings, Silent())


@pytest.fixture(scope="module")
def at_once(world: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectSummary:
    found = run(world, tmp_path_factory.mktemp("at-once"), *sorted(world.glob("traffic-*")))
    assert found.counts["campaigns"] >= 1
    return found


def test_day_parts_give_what_the_logs_give_at_once(
    world: Path, parts: Path, at_once: DetectSummary, tmp_path: Path
) -> None:
    assert len(list(parts.iterdir())) > 5
    from_parts = run(world, tmp_path, parts)
    assert from_parts.output_digest == at_once.output_digest
    whole = {name: count for name, count in at_once.counts.items() if name != "files"}
    assert {name: count for name, count in from_parts.counts.items() if name != "files"} == whole
    assert (tmp_path / "accounts.parquet").read_bytes() == (Path(at_once.out) / "accounts.parquet").read_bytes()


def test_any_split_with_repeats_gives_the_same(world: Path, at_once: DetectSummary, tmp_path: Path) -> None:
    traffic = pa.concat_tables(pq.read_table(path) for path in sorted(world.glob("traffic-*")))
    rng = np.random.default_rng(SEED)
    repeated = rng.choice(traffic.num_rows, size=500, replace=False)
    rows = rng.permutation(np.concatenate([np.arange(traffic.num_rows), repeated]))
    for number, chosen in enumerate(np.array_split(rows, 4)):
        pq.write_table(traffic.take(pa.array(chosen)), tmp_path / f"{number}.parquet")
        sketched(tmp_path / "parts", tmp_path / f"{number}.parquet")
    found = run(world, tmp_path / "out", tmp_path / "parts")
    assert found.counts["duplicates"] == 500
    assert found.output_digest == at_once.output_digest


def test_parts_and_logs_go_together_and_exhibits_name_the_part_and_its_row(
    world: Path, parts: Path, at_once: DetectSummary, tmp_path: Path
) -> None:
    days = sorted((world / "days").iterdir())
    some = sketched(tmp_path / "parts", *days[::2])
    mixed = run(world, tmp_path / "out", some, *days[1::2], show_text=True)
    assert (mixed.output_digest, mixed.formats) == (at_once.output_digest, ["generic", "sketches"])
    exhibits = [one for campaign in read_campaigns(tmp_path / "out").campaigns for one in campaign.exhibits]
    from_parts = [one for one in exhibits if one.source_file.startswith(str(some))]
    assert from_parts
    assert len(from_parts) < len(exhibits)
    for one in from_parts:
        row = pq.read_table(one.source_file).slice(one.source_offset, 1).to_pylist()[0]
        assert (row["account_id"], row["exchange_id"], row["time_us"]) == (one.account_id, one.exchange_id, one.time_us)
        assert one.source_length == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count(NO_TEXT) == len(from_parts)
    assert run(world, tmp_path / "again", parts, *days).counts["duplicates"] == at_once.counts["exchanges"]


def test_reference_traffic_is_the_same_from_parts_and_apart_from_the_judged(
    world: Path, parts: Path, tmp_path: Path
) -> None:
    honest = tmp_path / "honest"
    simulate(WorldSettings(preset="demo", accounts=200, exchanges=6_000, seed=SEED, honest_only=True), honest, Silent())
    logs = sorted(honest.glob("traffic-*"))
    reference = sketched(tmp_path / "reference", *logs)
    found = [
        run(world, tmp_path / f"out-{number}", parts, reference=tuple(map(str, paths)))
        for number, paths in enumerate((logs, [reference], [reference, *logs]))
    ]
    assert len({one.output_digest for one in found}) == 1
    assert found[2].counts["duplicates"] == found[0].counts["duplicates"] + 6_000
    # The same exchanges on both sides are no repeats of each other.
    twice = run(world, tmp_path / "twice", parts, reference=(str(parts),))
    assert twice.counts["duplicates"] == 0
    assert twice.counts["accounts"] == found[0].counts["accounts"]
