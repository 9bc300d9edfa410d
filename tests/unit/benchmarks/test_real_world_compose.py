from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.real_world import campaigns, infrastructure
from benchmarks.real_world.compose import _world, compose, shared_folder
from benchmarks.real_world.errors import WorldSettingsError

GENERIC_COLUMNS = {
    "time", "account_id", "prompt", "exchange_id", "organization_id", "api_key_id", "ip", "user_agent",
    "tls_fingerprint", "payment_id", "email_domain", "account_created_at", "model", "endpoint", "system_prompt", "turns",
    "tools", "session_id", "input_tokens", "output_tokens", "reasoning_tokens", "temperature", "top_p", "max_tokens", "n",
    "stream", "status", "finish_reason", "latency_ms",
}  # fmt: skip
SEED = 3


@pytest.fixture(scope="module")
def world(shared, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("real")
    compose(shared, out, SEED, 900, "development")
    return out


@pytest.fixture(scope="module")
def traffic(world) -> pa.Table:
    return pq.read_table(world / "traffic-00000.parquet")


@pytest.fixture(scope="module")
def truth(world) -> pa.Table:
    return pq.read_table(world / "truth.parquet")


@pytest.fixture(scope="module")
def builder(shared):
    return _world(shared, SEED, "report")


def test_columns_are_the_generic_ones(traffic):
    assert set(traffic.column_names) == GENERIC_COLUMNS
    assert traffic.schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert not traffic.column("time").null_count
    assert not traffic.column("account_id").null_count


def test_rows_are_sorted_by_time_and_ids_are_unique(traffic):
    times = traffic.column("time").cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()
    assert len(set(traffic.column("exchange_id").to_pylist())) == traffic.num_rows


def test_at_least_99_per_cent_of_the_accounts_are_honest(truth, world):
    labels = truth.column("label").to_pylist()
    assert labels.count("honest") >= 0.99 * len(labels)
    assert labels.count("campaign") >= 6
    summary = json.loads((world / "world.json").read_text(encoding="utf-8"))
    assert summary["campaign_accounts"] == labels.count("campaign")
    assert summary["accounts"] == len(labels)


def test_truth_and_facts_name_the_accounts_of_the_traffic(traffic, truth, world):
    seen = set(traffic.column("account_id").to_pylist())
    assert set(truth.column("account_id").to_pylist()) == seen
    assert set(pq.read_table(world / "accounts.parquet").column("account_id").to_pylist()) == seen


def test_truth_is_consistent(truth):
    for row in truth.to_pylist():
        campaign = row["label"] == "campaign"
        assert (row["campaign_id"] is not None) == campaign
        assert (row["family"] in campaigns.FAMILIES) == campaign
        if campaign:
            assert 0.0 <= row["harvest_share"] <= 1.0
            assert row["operator_role"] in {"operator", "reseller"}


def test_a_licensed_partner_is_honest_and_named_in_the_facts(truth, world):
    licensed = {row["account_id"] for row in truth.to_pylist() if row["operator_role"] == "licensed"}
    facts = pq.read_table(world / "accounts.parquet").to_pylist()
    assert licensed
    assert {row["account_id"] for row in facts if row["licence"]} == licensed
    assert all(row["label"] == "honest" for row in truth.to_pylist() if row["account_id"] in licensed)


def test_every_honest_class_is_there(truth):
    honest = {row["family"] for row in truth.to_pylist() if row["label"] == "honest"}
    assert len(honest) == 20
    assert {"benchmark harness", "judge suite", "plug-in fleet", "class homework", "crowd red team"} <= honest


def test_account_ids_say_nothing_about_the_label(truth):
    rows = sorted(truth.to_pylist(), key=lambda row: row["account_id"])
    places = [place for place, row in enumerate(rows) if row["label"] == "campaign"]
    assert max(places) - min(places) > len(rows) / 4


def test_same_seed_gives_the_same_world(shared, world, traffic, tmp_path):
    compose(shared, tmp_path / "again", SEED, 900, "development")
    again = pq.read_table(tmp_path / "again" / "traffic-00000.parquet")
    assert again.equals(traffic)
    assert (tmp_path / "again" / "world.json").read_text() == (world / "world.json").read_text()


def test_residential_addresses_lie_outside_every_listed_range(shared, builder):
    ranges = pq.read_table(shared / "data" / "enrichment" / "ip_ranges.parquet", columns=["cidr", "ip_version"])
    networks = [ipaddress.ip_network(row["cidr"], strict=False) for row in ranges.to_pylist() if row["ip_version"] == 4]
    firsts = np.array([int(network.network_address) for network in networks])
    lasts = np.array([int(network.broadcast_address) for network in networks])
    rng = np.random.default_rng(5)
    for _ in range(200):
        address = ipaddress.ip_address(builder.internet.residential(rng))
        assert address.is_global
        assert not ((firsts <= int(address)) & (int(address) <= lasts)).any()
    cloud = int(ipaddress.ip_address(builder.internet.data_centre(rng)[0]))
    assert ((firsts <= cloud) & (cloud <= lasts)).any()


def test_a_campaign_shards_its_pool_without_replacement(builder):
    plan = replace(campaigns.draw(builder, "bare shards", 8), harvest_share=1.0, per_day=12.0)
    before = len(builder.traffic.columns["prompt"])
    campaigns.carry_out(builder, plan)
    prompts = builder.traffic.columns["prompt"][before:]
    owners = builder.traffic.columns["account_id"][before:]
    assert len(set(owners)) == 8
    assert len(prompts) > 400
    assert len(set(prompts)) == len(prompts)
    pool = next(pool for pool in builder.sources.pools if pool.name == plan.pool)
    assert set(prompts) <= set(pool.questions)


def test_injected_text_is_in_every_harvest_request(builder):
    plan = campaigns.draw(builder, "injected constant", 6)
    rng = np.random.default_rng(1)
    words = [set(plan.maker(place, rng).prompt.split(" ")) for place in range(40)]
    common = set.intersection(*words)
    assert len(common) >= 12


def test_paraphrased_scaffolds_differ(builder):
    plan = campaigns.draw(builder, "paraphrased scaffold", 6)
    rng = np.random.default_rng(1)
    assert len({plan.maker(7, rng).prompt for _ in range(40)}) > 25


def test_a_reseller_carries_ordinary_traffic(builder):
    plan = replace(campaigns.draw(builder, "resold mixture", 6), harvest_share=0.3, per_day=40.0)
    campaigns.carry_out(builder, plan)
    mine = [account for account in builder.traffic.accounts if account.campaign == plan.campaign_id]
    counts = np.array([builder.traffic.counts[account.number] for account in mine]).sum(axis=0)
    assert all(account.operator_role == "reseller" for account in mine)
    assert 0.2 < counts[1] / counts[0] < 0.4


@pytest.mark.parametrize("family", campaigns.FAMILIES)
def test_every_family_can_be_drawn_and_carried_out(builder, family):
    plan = campaigns.draw(builder, family, 1 if family == "whale" else 6)
    before = len(builder.traffic.columns["time"])
    campaigns.carry_out(builder, plan)
    added = {name: column[before:] for name, column in builder.traffic.columns.items()}
    assert len(added["time"]) >= plan.size
    assert len({len(column) for column in added.values()}) == 1
    assert all(isinstance(prompt, str) and prompt for prompt in added["prompt"])


def test_shared_infrastructure_is_shared_and_nothing_shared_is_not(builder):
    seen = {}
    for regime in ("shared", "nothing shared"):
        plan = campaigns.draw(builder, "templated", 6)
        cards = 6 if regime == "shared" else 1
        before = len(builder.traffic.columns["time"])
        campaigns.carry_out(builder, replace(plan, infrastructure=regime, accounts_per_card=cards))
        columns = {name: builder.traffic.columns[name][before:] for name in ("account_id", "ip", "payment_id")}
        seen[regime] = {name: len(set(column)) for name, column in columns.items()}
    assert seen["shared"]["ip"] <= 3
    assert seen["shared"]["payment_id"] == 1
    assert seen["nothing shared"]["ip"] >= 6
    assert seen["nothing shared"]["payment_id"] == 6


def test_unknown_family_is_refused(builder):
    with pytest.raises(WorldSettingsError, match="bare shards"):
        campaigns.draw(builder, "no such family", 6)


def test_too_few_accounts_are_refused(shared, tmp_path):
    with pytest.raises(WorldSettingsError, match="at least 700"):
        compose(shared, tmp_path, 1, 100, "report")


def test_the_shared_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("STILLWATCH_SHARED", str(tmp_path))
    assert shared_folder() == tmp_path


def test_merged_ranges_cover_exactly_their_parts():
    firsts, lasts = infrastructure._merged([(10, 20), (15, 30), (31, 40), (50, 60)])
    assert firsts.tolist() == [10, 50]
    assert lasts.tolist() == [40, 60]
