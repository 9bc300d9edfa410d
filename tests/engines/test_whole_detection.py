"""The whole detection gives one output digest: on both engines, in any order of lines, files and batches, with repeated deliveries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engines import Engine
from stillwatch.evidence.run_files import DetectSummary
from stillwatch.intake.settings import IntakeSettings
from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate
from stillwatch.sketching.logs import sketch_logs

SEED = 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    simulate(WorldSettings(preset="june-letter", accounts=600, exchanges=40_000, seed=SEED), folder, Silent())
    return folder


def run(paths: list[Path], out: Path, world: Path, **others: object) -> DetectSummary:
    settings = DetectSettings(
        paths=tuple(map(str, paths)),
        out=out,
        accounts=world / "accounts.parquet",
        releases=world / "releases.csv",
        threads=1,
        **others,  # type: ignore[arg-type]
    )
    return detect(settings, Silent())


@pytest.fixture(scope="module")
def once(world: Path, tmp_path_factory: pytest.TempPathFactory) -> DetectSummary:
    return run(sorted(world.glob("traffic-*")), tmp_path_factory.mktemp("once"), world)


def test_the_same_input_twice_gives_the_same_digests(world: Path, once: DetectSummary, tmp_path: Path) -> None:
    again = run(sorted(world.glob("traffic-*")), tmp_path, world)
    assert (again.input_digest, again.output_digest) == (once.input_digest, once.output_digest)
    assert once.counts["exchanges"] == 40_000
    assert once.counts["candidates"] > 0


def test_order_files_and_repeated_deliveries_change_nothing(world: Path, once: DetectSummary, tmp_path: Path) -> None:
    traffic = pa.concat_tables(pq.read_table(path) for path in sorted(world.glob("traffic-*")))
    rng = np.random.default_rng(SEED)
    repeated = rng.choice(traffic.num_rows, size=500, replace=False)
    rows = rng.permutation(np.concatenate([np.arange(traffic.num_rows), repeated]))
    parts = []
    for number, chosen in enumerate(np.array_split(rows, 3)):
        parts.append(tmp_path / f"part-{2 - number}.parquet")
        pq.write_table(traffic.take(pa.array(chosen)), parts[-1], row_group_size=3_001)
    shuffled = run(parts, tmp_path / "out", world)
    assert shuffled.counts["duplicates"] == 500
    assert shuffled.output_digest == once.output_digest
    assert shuffled.input_digest != once.input_digest


def test_other_traffic_gives_another_digest(world: Path, once: DetectSummary, tmp_path: Path) -> None:
    traffic = pa.concat_tables(pq.read_table(path) for path in sorted(world.glob("traffic-*")))
    pq.write_table(traffic.slice(1), tmp_path / "less.parquet")
    assert run([tmp_path / "less.parquet"], tmp_path / "out", world).output_digest != once.output_digest


@pytest.mark.spark
def test_both_engines_give_the_same_campaigns_byte_for_byte(
    running_spark: Engine, world: Path, once: DetectSummary, tmp_path: Path
) -> None:
    """On Spark, a third of the traffic was sketched before, and some of it is there as a log too."""
    assert running_spark.name == "spark"
    traffic = pa.concat_tables(pq.read_table(path) for path in sorted(world.glob("traffic-*")))
    third = traffic.num_rows // 3
    (tmp_path / "parts").mkdir()
    for name, rows in (("before", traffic.slice(0, third)), ("now", traffic.slice(third - 300))):
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    sketch_logs((str(tmp_path / "before.parquet"),), tmp_path / "parts", "auto", IntakeSettings(), 1, Silent())
    found = run([tmp_path / "parts", tmp_path / "now.parquet"], tmp_path / "out", world, engine="spark")
    assert found.output_digest == once.output_digest
    assert found.counts["duplicates"] == 300
