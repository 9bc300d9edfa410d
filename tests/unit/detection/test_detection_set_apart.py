"""Whoever is linked to a campaign and stands apart from it: named in a group of their own, so that somebody can write to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.pipeline import DetectSettings, detect
from stillwatch.records.progress import Silent
from stillwatch.simulation.world import WorldSettings, simulate

OPERATED = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a campaign that also uses two stolen keys, among 300 accounts."""
    folder = tmp_path_factory.mktemp("apart")
    settings = WorldSettings(
        preset="demo", accounts=300, exchanges=12_000, days=20, seed=1, only=("injected text", "stolen key"),
        campaign_accounts=OPERATED, campaign_share=0.3,
    )  # fmt: skip
    simulate(settings, folder, Silent())
    return folder


def truth(world: Path, role: str) -> list[str]:
    rows = pq.read_table(world / "truth.parquet").to_pylist()
    return sorted(row["account_id"] for row in rows if row["operator_role"] == role)


def found(world: Path, out: Path, licensed: list[str]) -> tuple[list[Any], list[Any], dict[str, tuple[str, bool, Any]]]:
    """Detect with these accounts under an agreement; give campaigns, what was considered, and (finding, flagged, campaign) by account."""
    facts = pq.read_table(world / "accounts.parquet").to_pylist()
    known = [{**row, "licence": "order form 7" if row["account_id"] in licensed else None} for row in facts]
    out.mkdir()
    pq.write_table(pa.Table.from_pylist(known), out / "facts.parquet")
    settings = DetectSettings(
        paths=(str(world / "traffic-*.parquet"),), out=out / "case", accounts=out / "facts.parquet", threads=2,
        now_us=1_900_000_000_000_000,
    )  # fmt: skip
    detect(settings, Silent())
    document = json.loads((out / "case" / "campaigns.json").read_text())
    rows = pq.read_table(out / "case" / "accounts.parquet").to_pylist()
    of = {row["account_id"]: (row["finding"], row["flagged"], row["campaign_id"]) for row in rows}
    return document["campaigns"], document["considered"], of


def test_owners_of_stolen_keys_and_licensed_members_are_groups_of_their_own(world: Path, tmp_path: Path) -> None:
    owners, operated = truth(world, "victim"), truth(world, "operator")
    licensed = operated[:3]
    (campaign,), considered, of = found(world, tmp_path / "some", licensed)
    assert campaign["members"] == operated[3:]
    (stolen,) = (group for group in considered if group["finding"] == "victim")
    (agreed,) = (group for group in considered if group["finding"] == "licensed")
    assert (stolen["members"], agreed["members"]) == (owners, licensed)
    assert campaign["id"] in stolen["finding_reason"]
    assert campaign["id"] in agreed["finding_reason"]
    assert stolen["exhibits"] == []
    assert stolen["exchanges"] < campaign["exchanges"]
    assert {of[owner] for owner in owners} == {("victim", False, campaign["id"])}
    assert {of[member] for member in licensed} == {("licensed", False, None)}
    assert {of[member] for member in operated[3:]} == {("operator", True, campaign["id"])}


def test_a_group_that_mostly_has_an_agreement_is_one_group_with_all_its_members(world: Path, tmp_path: Path) -> None:
    owners, operated = truth(world, "victim"), truth(world, "operator")
    campaigns, considered, of = found(world, tmp_path / "most", operated[2:])
    assert campaigns == []
    (agreed,) = (group for group in considered if group["finding"] == "licensed")
    assert agreed["members"] == operated
    (stolen,) = (group for group in considered if group["finding"] == "victim")
    assert stolen["members"] == owners
    assert {of[member] for member in operated} == {("licensed", False, None)}
    assert {of[owner] for owner in owners} == {("victim", False, agreed["id"])}
