from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.detect_scale import ScaleFigure, figure_of, goals, table
from benchmarks.invocation import Invocation


def _figure(exchanges: int, wall: float, peak: int = 4_000_000_000) -> ScaleFigure:
    return ScaleFigure(
        exchanges=exchanges,
        accounts=10,
        traffic_bytes=1,
        prompt_bytes_mean=130.0,
        wall_seconds=wall,
        processor_seconds=wall,
        peak_bytes=peak,
        exchanges_per_second=exchanges / wall,
        campaigns=3,
        stages={"sketch": wall / 2},
    )


def test_goals_are_met_or_missed_by_the_figures():
    met = goals([_figure(1_000_000, 20.0), _figure(10_000_000, 210.0)], cores=2)
    assert [line.split(":")[0] for line in met] == ["met", "met", "met"]
    missed = goals([_figure(1_000_000, 20.0), _figure(10_000_000, 400.0, peak=7_000_000_000)], cores=2)
    assert [line.split(":")[0] for line in missed] == ["MISSED", "MISSED", "MISSED"]


def test_small_runs_do_not_claim_the_goal():
    (line,) = goals([_figure(100_000, 2.0)], cores=2)
    assert line.startswith("not measured")


def test_the_table_holds_sizes_and_stages():
    text = table([_figure(100_000, 2.0), _figure(1_000_000, 20.0)])
    assert "| 100,000 | 10 | 130 B | 2.0 s | 2.0 s | 50,000 | 4.00 GB |" in text
    assert "| sketch | 1.0 | 10.0 |" in text


def test_figures_are_taken_from_the_run_and_the_files(tmp_path):
    file = tmp_path / "traffic-00000.parquet"
    pq.write_table(pa.table({"prompt": ["four", "é", None]}), file)
    document = {"counts": {"exchanges": 3, "accounts": 2, "campaigns": 1}, "timings": {"sketch": 0.5}}
    run = Invocation(
        command="stillwatch detect", document=document, wall_seconds=1.5, processor_seconds=1.0, peak_bytes=9
    )
    figure = figure_of(run, [file])
    assert figure.exchanges_per_second == pytest.approx(2.0)
    assert figure.prompt_bytes_mean == pytest.approx(3.0)
    assert figure.traffic_bytes == file.stat().st_size
    assert figure.stages == {"sketch": 0.5}
