"""Accounts that sent nothing: a provider's accounts file lists them, and they change nothing about those that did."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate


def test_facts_of_accounts_without_traffic_fall_on_nobody_else(tmp_path: Path) -> None:
    world = tmp_path / "world"
    simulate(
        WorldSettings(
            preset="demo", accounts=120, exchanges=2_000, days=8, seed=3, only=("shared infrastructure",),
            campaign_accounts=10, campaign_share=0.3,
        ),
        world,
        Silent(),
    )  # fmt: skip
    traffic = pa.concat_tables([pq.read_table(path) for path in sorted(world.glob("traffic-*.parquet"))])
    facts = pq.read_table(world / "accounts.parquet")
    # Half of the customers sent nothing in this window, and a stranger with the last hash of all may be among them.
    seen = sorted(set(facts["account_id"].to_pylist()))[::2]
    pq.write_table(traffic.filter(pc.is_in(traffic["account_id"], pa.array(seen))), tmp_path / "traffic.parquet")
    pq.write_table(facts.filter(pc.is_in(facts["account_id"], pa.array(seen))), tmp_path / "seen.parquet")
    found = []
    for accounts in (world / "accounts.parquet", tmp_path / "seen.parquet"):
        out = tmp_path / accounts.stem
        settings = DetectSettings(
            paths=(str(tmp_path / "traffic.parquet"),),
            out=out,
            accounts=accounts,
            threads=1,
            now_us=1_900_000_000_000_000,
        )
        summary = detect(settings, Silent())
        found.append((summary.output_digest, json.loads((out / "campaigns.json").read_text())["considered"]))
    assert found[0] == found[1]
    assert found[0][1]
