"""Trial behind docs/adr/0002-queries.md: the four hardest queries, as narwhals expressions and as plain SQL, on both engines.

Takes a number of rows. Gives one line per engine, way of writing and query: seconds and processor seconds (best of
three), peak memory of the process tree, rows and a digest of the result. Each measurement runs in a process of its own.

    python benchmarks/query_layer_trial.py --rows 1000000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

SCALARS = ("ip", "network", "payment", "tls", "user_agent", "shape")
GAP_US = 600_000_000
LARGEST_BUCKET = 50
SQL = {
    "dedupe": """
SELECT day, count(*) AS exchanges, CAST(sum(source_offset) AS BIGINT) AS offsets
FROM (
    SELECT day, source_offset,
           row_number() OVER (PARTITION BY delivery ORDER BY time_us, source_no, source_offset) AS place
    FROM sketches
)
WHERE place = 1
GROUP BY day""",
    "attributes": """
WITH carried AS (
    SELECT 'spans' AS kind, value, account_id FROM (SELECT account_id, {explode}(spans) AS value FROM sketches)
    UNION ALL
    SELECT 'bands' AS kind, value, account_id FROM (SELECT account_id, {explode}(bands) AS value FROM sketches)
    UNION ALL
    {scalars}
),
counted AS (
    SELECT kind, value, account_id, count(*) AS exchanges
    FROM carried WHERE value IS NOT NULL GROUP BY kind, value, account_id
),
shared AS (SELECT kind, value FROM counted GROUP BY kind, value HAVING count(*) >= 2)
SELECT kind, account_id, count(*) AS attributes, CAST(sum(exchanges) AS BIGINT) AS exchanges
FROM counted JOIN shared USING (kind, value)
GROUP BY kind, account_id""".replace(
        "{scalars}",
        "\n    UNION ALL\n    ".join(
            f"SELECT '{name}' AS kind, {name} AS value, account_id FROM sketches" for name in SCALARS
        ),
    ),
    "profiles": f"""
SELECT account_id, count(*) AS exchanges, count(DISTINCT shape) AS shapes, count(DISTINCT hour) AS hours,
       max(gap) AS longest_gap_us, count(CASE WHEN gap <= {GAP_US} THEN 1 END) AS follow_ups,
       CAST(sum(input_tokens) AS BIGINT) AS tokens, count(input_tokens) AS token_rows,
       min(time_us) AS first_us, max(time_us) AS last_us
FROM (
    SELECT *, time_us - lag(time_us) OVER (PARTITION BY account_id ORDER BY time_us, source_no, source_offset) AS gap
    FROM sketches
)
GROUP BY account_id""",
    "overlaps": f"""
WITH carriers AS (
    SELECT DISTINCT members.group_id, sketches.exact, sketches.account_id
    FROM sketches JOIN members ON sketches.account_id = members.account_id
    WHERE sketches.exact IS NOT NULL
),
buckets AS (
    SELECT group_id, exact FROM carriers GROUP BY group_id, exact HAVING count(*) BETWEEN 2 AND {LARGEST_BUCKET}
)
SELECT one.group_id, one.account_id AS one_id, other.account_id AS other_id, count(*) AS overlap
FROM carriers AS one
JOIN buckets ON one.group_id = buckets.group_id AND one.exact = buckets.exact
JOIN carriers AS other ON one.group_id = other.group_id AND one.exact = other.exact
WHERE one.account_id < other.account_id
GROUP BY one.group_id, one.account_id, other.account_id""",
}


def narwhals_dedupe(sketches: Any, _members: Any) -> Any:
    order = ["time_us", "source_no", "source_offset"]
    return (
        sketches.unique("delivery", keep="first", order_by=order)
        .group_by("day")
        .agg(nw.len().alias("exchanges"), nw.col("source_offset").sum().alias("offsets"))
    )


def narwhals_attributes(sketches: Any, _members: Any) -> Any:
    parts = []
    for kind in ("spans", "bands"):
        exploded = sketches.select("account_id", nw.col(kind).alias("value")).explode("value")
        parts.append(exploded.select(nw.lit(kind).alias("kind"), "value", "account_id"))
    parts.extend(
        sketches.select(nw.lit(kind).alias("kind"), nw.col(kind).alias("value"), "account_id") for kind in SCALARS
    )
    counted = (
        nw.concat(parts, how="vertical")
        .filter(~nw.col("value").is_null())
        .group_by("kind", "value", "account_id")
        .agg(nw.len().alias("exchanges"))
    )
    shared = counted.group_by("kind", "value").agg(nw.len().alias("carriers")).filter(nw.col("carriers") >= 2)
    return (
        counted.join(shared.select("kind", "value"), on=["kind", "value"], how="inner")
        .group_by("kind", "account_id")
        .agg(nw.len().alias("attributes"), nw.col("exchanges").sum().alias("exchanges"))
    )


def narwhals_profiles(sketches: Any, _members: Any) -> Any:
    order = ["time_us", "source_no", "source_offset"]
    gap = nw.col("time_us") - nw.col("time_us").shift(1).over("account_id", order_by=order)
    return (
        sketches.with_columns(gap.alias("gap"))
        .with_columns((nw.col("gap") <= GAP_US).cast(nw.Int64).alias("follow_up"))
        .group_by("account_id")
        .agg(
            nw.len().alias("exchanges"),
            # n_unique counts null as a value; SQL's count(DISTINCT) does not.
            (nw.col("shape").n_unique() - nw.col("shape").is_null().any().cast(nw.Int64)).alias("shapes"),
            nw.col("hour").n_unique().alias("hours"),
            nw.col("gap").max().alias("longest_gap_us"),
            nw.col("follow_up").sum().alias("follow_ups"),
            nw.col("input_tokens").sum().alias("tokens"),
            nw.col("input_tokens").count().alias("token_rows"),
            nw.col("time_us").min().alias("first_us"),
            nw.col("time_us").max().alias("last_us"),
        )
    )


def narwhals_overlaps(sketches: Any, members: Any) -> Any:
    carriers = (
        sketches.filter(~nw.col("exact").is_null())
        .join(members, on="account_id", how="inner")
        .select("group_id", "exact", "account_id")
        .unique(["group_id", "exact", "account_id"])
    )
    buckets = (
        carriers.group_by("group_id", "exact")
        .agg(nw.len().alias("carriers"))
        .filter(nw.col("carriers").is_between(2, LARGEST_BUCKET))
        .select("group_id", "exact")
    )
    one = carriers.join(buckets, on=["group_id", "exact"], how="inner").rename({"account_id": "one_id"})
    other = carriers.rename({"account_id": "other_id"})
    return (
        one.join(other, on=["group_id", "exact"], how="inner")
        .filter(nw.col("one_id") < nw.col("other_id"))
        .group_by("group_id", "one_id", "other_id")
        .agg(nw.len().alias("overlap"))
    )


NARWHALS: dict[str, Callable[[Any, Any], Any]] = {
    "dedupe": narwhals_dedupe,
    "attributes": narwhals_attributes,
    "profiles": narwhals_profiles,
    "overlaps": narwhals_overlaps,
}


def write_tables(folder: Path, rows: int, seed: int) -> None:
    """Write `sketches.parquet` and `members.parquet`: skewed values, nulls, empty lists, two per cent repeated deliveries."""
    rng = np.random.default_rng(seed)
    accounts = max(rows // 50, 10)
    account = rng.zipf(1.3, rows) % accounts

    def hashes(distinct: int, nulls: float) -> pa.Array:
        values = (rng.zipf(1.2, rows) % distinct).astype(np.int64) * np.int64(-7046029254386353131)
        return pa.array(values, mask=rng.random(rows) < nulls)

    def lists(distinct: int, longest: int) -> pa.Array:
        lengths = rng.integers(0, longest + 1, rows)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        values = rng.integers(0, distinct, offsets[-1]) * np.int64(-7046029254386353131)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(rng.random(rows) < 0.05))

    time_us = rng.integers(0, 45 * 86_400_000_000, rows) + 1_780_000_000_000_000
    delivery = np.arange(rows, dtype=np.int64)
    delivery[rng.random(rows) < 0.02] = rng.integers(0, rows)
    table = pa.table(
        {
            "account_id": pa.array([f"account-{number:07d}" for number in account]),
            "delivery": delivery,
            "source_no": rng.integers(0, 8, rows).astype(np.int32),
            "source_offset": rng.permutation(rows).astype(np.int64),
            "time_us": time_us,
            "day": (time_us // 86_400_000_000).astype(np.int32),
            "hour": (time_us // 3_600_000_000).astype(np.int32),
            "exact": hashes(rows // 4 + 1, 0.1),
            "input_tokens": pa.array(rng.integers(0, 5000, rows).astype(np.int32), mask=rng.random(rows) < 0.2),
            "spans": lists(rows // 2 + 1, 6),
            "bands": lists(rows // 2 + 1, 8),
            **{name: hashes(rows // 20 + 1, 0.3) for name in SCALARS},
        }
    )
    pq.write_table(table, folder / "sketches.parquet", row_group_size=122_880)
    names = [f"account-{number:07d}" for number in range(accounts)]
    pq.write_table(
        pa.table({"account_id": names, "group_id": np.arange(accounts) % (accounts // 10)}), folder / "members.parquet"
    )


def duckdb_runner(folder: Path, way: str, query: str) -> Callable[[], pa.Table]:
    connection = duckdb.connect(config={"threads": 1, "memory_limit": "2GiB", "temp_directory": str(folder / "spill")})
    for table in ("sketches", "members"):
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{folder / table}.parquet')")
    if way == "sql":
        return lambda: connection.sql(SQL[query].replace("{explode}", "unnest")).to_arrow_table()
    frames = [nw.from_native(connection.table(table)) for table in ("sketches", "members")]
    return lambda: NARWHALS[query](*frames).to_native().to_arrow_table()


def spark_runner(folder: Path, way: str, query: str) -> Callable[[], pa.Table]:
    from pyspark.sql import SparkSession  # noqa: PLC0415 (only where Spark is measured)

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.driver.memory", "2g")
        .config("spark.driver.maxResultSize", "0")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.local.dir", str(folder / "spill"))
        .getOrCreate()
    )
    for table in ("sketches", "members"):
        session.read.parquet(str(folder / f"{table}.parquet")).createOrReplaceTempView(table)
    if way == "sql":
        return lambda: session.sql(SQL[query].replace("{explode}", "explode")).toArrow()
    frames = [nw.from_native(session.table(table)) for table in ("sketches", "members")]
    return lambda: NARWHALS[query](*frames).to_native().toArrow()


def digest(table: pa.Table) -> str:
    """Return a digest of the rows that does not depend on their order; wide sums become 64 bits."""
    columns = [
        table.column(name).cast(pa.string() if pa.types.is_string(table.schema.field(name).type) else pa.int64())
        for name in sorted(table.column_names)
    ]
    rows = pa.table(columns, names=sorted(table.column_names))
    rows = rows.sort_by([(name, "ascending") for name in rows.column_names]).combine_chunks()
    state = hashlib.blake2b(digest_size=8)
    for column in rows.columns:
        state.update(json.dumps(column.to_pylist()).encode())
    return state.hexdigest()


def processor_seconds() -> float:
    """Return the processor time of this process and its children: Spark computes in a Java process of its own."""
    root = psutil.Process()
    times = [member.cpu_times() for member in [root, *root.children(recursive=True)]]
    return float(sum(time_.user + time_.system for time_ in times))


def measure(folder: Path, engine: str, way: str, query: str) -> dict[str, Any]:
    """Run one query three times in this process."""
    run = (duckdb_runner if engine == "duckdb" else spark_runner)(folder, way, query)
    seconds, processor = [], []
    for _ in range(3):
        start, used = time.perf_counter(), processor_seconds()
        table = run()
        seconds.append(time.perf_counter() - start)
        processor.append(processor_seconds() - used)
    types = sorted({str(field.type) for field in table.schema})
    return {
        "seconds": min(seconds),
        "processor": min(processor),
        "rows": table.num_rows,
        "types": types,
        "digest": digest(table),
    }


def watched(command: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command; return it with the peak resident memory of its process tree in MiB."""
    peak = 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def watch() -> Iterator[int]:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                yield sum(member.memory_info().rss for member in [root, *root.children(recursive=True)])
            except psutil.NoSuchProcess:
                continue
            time.sleep(0.05)

    def keep_peak() -> None:
        nonlocal peak
        for now in watch():
            peak = max(peak, now)

    watcher = threading.Thread(target=keep_peak)
    watcher.start()
    out, err = process.communicate()
    watcher.join()
    return subprocess.CompletedProcess(command, process.returncode, out, err), peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--one", nargs=4, metavar=("FOLDER", "ENGINE", "WAY", "QUERY"), help="measure one case, print JSON"
    )
    chosen = parser.parse_args()
    if chosen.one is not None:
        folder, engine, way, query = chosen.one
        print(json.dumps(measure(Path(folder), engine, way, query)))
        return
    with tempfile.TemporaryDirectory() as name:
        write_tables(Path(name), chosen.rows, chosen.seed)
        print(
            f"{'query':<12}{'engine':<8}{'way':<10}{'seconds':>8}{'CPU s':>8}{'MiB':>7}{'rows':>10}  digest            types"
        )
        for query in SQL:
            for engine in ("duckdb", "spark"):
                for way in ("sql", "narwhals"):
                    command = [sys.executable, __file__, "--one", name, engine, way, query]
                    done, peak = watched(command)
                    if done.returncode:
                        print(f"{query:<12}{engine:<8}{way:<10}failed: {done.stderr.strip().splitlines()[-1][:100]}")
                        continue
                    got = json.loads(done.stdout.splitlines()[-1])
                    print(
                        f"{query:<12}{engine:<8}{way:<10}{got['seconds']:>8.2f}{got['processor']:>8.2f}{peak:>7.0f}{got['rows']:>10}"
                        f"  {got['digest']}  {', '.join(got['types'])}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
