"""The hours in which accounts act, as the engine counts them: a minute counts once, and only those asked for are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from planted_accounts import accounts_of, hashes_of

from stillwatch.detection.campaigns.claims.bursts import active_hours
from stillwatch.detection.campaigns.reading import SampledExchanges
from stillwatch.engines.protocol import open_engine

ACCOUNTS = 5
HOUR = 480_000


def hours_read(work: Path, sent: list[tuple[int, int]], asked: list[int]) -> pa.Table:
    """Ask an engine that holds exchanges at (account number, minutes since the first hour)."""
    minutes = [60 * HOUR + minute for _, minute in sent]
    exchanges = pa.table(
        {
            "account": pa.array([10 * number + 7 for number, _ in sent], pa.int64()),
            "hour": pa.array([minute // 60 for minute in minutes], pa.int32()),
            "minute": pa.array(minutes, pa.int32()),
        }
    )
    engine = open_engine("duckdb", work=work, memory_limit_bytes=256 << 20, threads=1)
    engine.register("exchanges", exchanges)
    rows = SampledExchanges(engine=engine, accounts=accounts_of(ACCOUNTS)).hours(np.array(asked))
    engine.close()
    return rows


def test_a_minute_counts_once_however_many_exchanges_fill_it(tmp_path: Path) -> None:
    sent = [(1, 5), (1, 5), (1, 5), (1, 59), (1, 60), (3, 61), (3, 61)]
    rows = hours_read(tmp_path, sent, [1, 3])
    assert rows.to_pylist() == [
        {"account": 17, "hour": HOUR, "minutes": 2},
        {"account": 17, "hour": HOUR + 1, "minutes": 1},
        {"account": 37, "hour": HOUR + 1, "minutes": 1},
    ]
    hours = active_hours(rows, hashes_of(ACCOUNTS))
    assert hours.numbers.tolist() == [1, 3]
    assert hours.of(np.array([1])).toarray()[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert hours.of(np.array([3, 1])).toarray()[0].tolist() == [0.0, 1.0]


def test_the_hours_of_those_alone_are_read_who_are_asked_for(tmp_path: Path) -> None:
    rows = hours_read(tmp_path, [(0, 3), (2, 3), (4, 3)], [2])
    assert rows["account"].to_pylist() == [27]
