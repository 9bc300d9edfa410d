"""Worlds end to end: files, columns, labels, determinism, presets and refusals."""

import csv
import hashlib
import json
from collections import Counter

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.records.progress import Silent
from stillwatch.simulation.campaigns.registry import FAMILIES
from stillwatch.simulation.errors import SettingsError
from stillwatch.simulation.exchanges import COLUMNS
from stillwatch.simulation.honest.registry import CLASSES
from stillwatch.simulation.presets import PRESETS
from stillwatch.simulation.world import WorldSettings, simulate

SMALL = {"accounts": 700, "exchanges": 14_000, "seed": 5}


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def traffic(folder):
    return ds.dataset(sorted(folder.glob("traffic-*.parquet"))).to_table()


def truth(folder):
    return pq.read_table(folder / "truth.parquet").to_pylist()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return folder, simulate(WorldSettings(**SMALL), folder, Silent())


def test_totals_are_exact_and_every_account_is_seen(world):
    folder, summary = world
    table = traffic(folder)
    assert (len(table), summary.exchanges, summary.accounts) == (14_000, 14_000, 700)
    seen = set(table["account_id"].to_pylist())
    assert seen == {row["account_id"] for row in truth(folder)}
    assert seen == set(pq.read_table(folder / "accounts.parquet")["account_id"].to_pylist())
    assert len(seen) == 700


def test_columns_are_the_generic_layout_and_times_are_sorted(world):
    table = traffic(world[0])
    assert table.schema.names == [name for name in COLUMNS.names if name != "response"]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table["time"].is_valid().to_pylist().count(False) == 0
    times = table["time"].cast("int64").to_numpy()
    assert (times[1:] >= times[:-1]).all()
    assert pc.count_distinct(table["exchange_id"]).as_py() == 14_000


def test_every_family_and_class_is_there(world):
    labels = Counter((row["label"], row["family"]) for row in truth(world[0]))
    assert {family for label, family in labels if label == "honest"} == set(CLASSES)
    everyday = {name for name, family in FAMILIES.items() if family.everyday}
    assert {family for label, family in labels if label == "campaign"} == everyday
    assert labels["campaign", "single whale"] == 1


def test_labels_agree_with_each_other(world):
    for row in truth(world[0]):
        if row["label"] == "campaign":
            assert row["campaign_id"]
            assert row["operator_role"] in ("operator", "reseller")
            assert row["harvest_share"] > 0
        else:
            assert row["campaign_id"] is None
            assert row["operator_role"] in (None, "victim", "licensed")
            if row["operator_role"] is None:
                assert row["harvest_share"] == 0
    shares = [row["harvest_share"] for row in truth(world[0]) if row["operator_role"] == "reseller"]
    assert all(0 < share < 1 for share in shares)


def test_a_small_world_warns_that_honest_accounts_are_below_99_percent(world):
    assert any("1%" in warning for warning in world[1].warnings)


def test_no_exchange_before_registration_or_after_closing(world):
    accounts = {row["account_id"]: row for row in pq.read_table(world[0] / "accounts.parquet").to_pylist()}
    spans = traffic(world[0]).group_by("account_id").aggregate([("time", "min"), ("time", "max")]).to_pylist()
    for span in spans:
        facts = accounts[span["account_id"]]
        assert span["time_min"] >= facts["account_created_at"]
        assert facts["closed_at"] is None or span["time_max"] <= facts["closed_at"]
    assert any(facts["closed_at"] for facts in accounts.values())


def test_licensed_partners_carry_their_agreement(world):
    accounts = {row["account_id"]: row["licence"] for row in pq.read_table(world[0] / "accounts.parquet").to_pylist()}
    planted = {row["account_id"]: row for row in truth(world[0])}
    licensed = {account for account, row in planted.items() if row["operator_role"] == "licensed"}
    assert licensed == {account for account, licence in accounts.items() if licence == "data partnership agreement"}
    testers = {account for account, row in planted.items() if row["family"] == "contract red team"}
    assert testers == {account for account, licence in accounts.items() if licence == "security testing agreement"}
    assert licensed
    assert testers


def test_releases_are_a_calendar(world):
    with (world[0] / "releases.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    used = set(traffic(world[0])["model"].to_pylist())
    assert used <= {row["model"] for row in rows}
    assert all(row["released_at"].endswith("Z") for row in rows)
    first_use = {row["model"]: None for row in rows}
    for entry in traffic(world[0]).group_by("model").aggregate([("time", "min")]).to_pylist():
        first_use[entry["model"]] = entry["time_min"].isoformat()
    assert all(first_use[row["model"]] is None or first_use[row["model"]] >= row["released_at"][:-1] for row in rows)


def test_equal_settings_give_equal_bytes(world, tmp_path):
    simulate(WorldSettings(**SMALL), tmp_path, Silent())
    assert digests(tmp_path) == digests(world[0])


def test_chunk_size_changes_no_content(world, tmp_path):
    simulate(WorldSettings(**SMALL, chunk_rows=217), tmp_path, Silent())
    assert traffic(tmp_path).equals(traffic(world[0]))


def test_another_seed_gives_another_world(world, tmp_path):
    simulate(WorldSettings(**{**SMALL, "seed": 6}), tmp_path, Silent())
    assert not set(traffic(tmp_path)["account_id"].to_pylist()) & set(traffic(world[0])["account_id"].to_pylist())


def test_json_lines_hold_the_same_exchanges(world, tmp_path):
    simulate(WorldSettings(**SMALL, format="jsonl"), tmp_path, Silent())
    table = traffic(world[0])
    with (tmp_path / "traffic-00000.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == len(table)
    assert [row["prompt"] for row in rows] == table["prompt"].to_pylist()
    assert rows[0]["time"].endswith("Z")
    first = table.slice(0, 1).to_pylist()[0]
    assert rows[0]["time"][:19] == first["time"].isoformat()[:19]
    assert all(value is not None for row in rows[:50] for value in row.values())


def test_columns_can_be_left_out_and_answers_added(tmp_path):
    settings = WorldSettings(**SMALL, drop_columns=("ip", "payment_id"), with_text=True)
    simulate(settings, tmp_path, Silent())
    table = traffic(tmp_path)
    assert not {"ip", "payment_id"} & set(table.schema.names)
    assert table["response"].null_count == pc.sum(pc.not_equal(table["status"], 200)).as_py()


def test_only_keeps_what_is_named_beside_ordinary_customers(tmp_path):
    settings = WorldSettings(**SMALL, only=("injected text", "judge suite"))
    summary = simulate(settings, tmp_path, Silent())
    families = {(row["label"], row["family"]) for row in truth(tmp_path)}
    assert {family for label, family in families if label == "campaign"} == {"injected text"}
    honest = {family for label, family in families if label == "honest"}
    assert honest == {"judge suite"} | {name for name, kind in CLASSES.items() if kind.ordinary}
    assert summary.warnings == ()


def test_only_a_victim_class_needs_a_campaign(tmp_path):
    simulate(WorldSettings(**SMALL, only=("residential proxies", "stolen key")), tmp_path, Silent())
    victims = [row for row in truth(tmp_path) if row["operator_role"] == "victim"]
    assert victims
    assert all(row["label"] == "honest" and 0 < row["harvest_share"] < 1 for row in victims)


@pytest.mark.parametrize("settings", [{"honest_only": True}, {"preset": "honest"}])
def test_honest_worlds_have_no_campaign_and_no_victim(tmp_path, settings):
    summary = simulate(WorldSettings(**SMALL, **settings), tmp_path, Silent())
    assert {row["label"] for row in truth(tmp_path)} == {"honest"}
    assert "victim" not in {row["operator_role"] for row in truth(tmp_path)}
    assert (summary.campaigns, summary.harvest_exchanges) == (0, 0)


@pytest.mark.parametrize("preset", ["june-letter", "february-letters", "demo"])
def test_incidents_are_at_most_one_percent_of_accounts(tmp_path, preset):
    summary = simulate(WorldSettings(preset=preset, accounts=2_600, exchanges=40_000, seed=2), tmp_path, Silent())
    assert 8 <= summary.campaign_accounts <= 26
    share = PRESETS[preset].share_of_exchanges
    assert summary.harvest_exchanges == round(share * 40_000)
    assert summary.warnings == ()


def test_june_letter_moves_to_a_second_pool_after_the_ban(tmp_path):
    simulate(WorldSettings(preset="june-letter", accounts=1_500, exchanges=30_000, seed=3), tmp_path, Silent())
    pool = {row["account_id"] for row in truth(tmp_path) if row["label"] == "campaign"}
    facts = [row for row in pq.read_table(tmp_path / "accounts.parquet").to_pylist() if row["account_id"] in pool]
    banned = {row["account_id"]: row["closed_at"] for row in facts if row["closed_at"]}
    assert 0.3 < len(banned) / len(pool) < 0.5
    rows = traffic(tmp_path).group_by("account_id").aggregate([("time", "min")]).to_pylist()
    first = {row["account_id"]: row["time_min"] for row in rows}
    assert min(first[account] for account in pool - banned.keys()) > max(banned.values()) - (
        max(banned.values()) - min(banned.values())
    )
    text = [row["prompt"] for row in traffic(tmp_path).to_pylist() if row["account_id"] in pool]
    shared = Counter(word for prompt in text for word in set(prompt.split()))
    assert sum(count == len(text) for count in shared.values()) >= 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "july"}, "june-letter"),
        ({"format": "csv"}, "parquet or jsonl"),
        ({"accounts": 40, "exchanges": 4_000}, "more accounts"),
        ({"exchanges": 1_000}, "at least 4 per account"),
        ({"days": 3}, "7 to 400"),
        ({"seed": -1}, "seed"),
        ({"drop_columns": ("account_id",)}, "drop_columns"),
        ({"drop_columns": ("colour",)}, "colour"),
        ({"only": ("nobody",)}, "nobody"),
    ],
)
def test_worlds_that_cannot_be_made_are_refused(tmp_path, settings, message):
    with pytest.raises(SettingsError, match=message):
        simulate(WorldSettings(**{**SMALL, **settings}), tmp_path / "out", Silent())


def test_progress_hears_of_every_exchange(tmp_path):
    class Ear:
        def __init__(self):
            self.total, self.heard, self.ended = None, 0, False

        def begin(self, stage, total):
            self.total = total

        def advance(self, amount):
            self.heard += amount

        def end(self):
            self.ended = True

    ear = Ear()
    simulate(WorldSettings(**SMALL), tmp_path, ear)
    assert (ear.total, ear.heard, ear.ended) == (14_000, 14_000, True)


def test_campaigns_can_be_given_accounts_and_a_share_of_the_exchanges(tmp_path):
    settings = {**SMALL, "preset": "demo", "only": ("injected text",), "campaign_accounts": 17, "campaign_share": 0.25}
    summary = simulate(WorldSettings(**settings), tmp_path, Silent())
    assert summary.campaign_accounts == 17
    assert summary.harvest_exchanges == round(0.25 * summary.exchanges)
    assert summary.warnings == ()
    for wrong in ({"campaign_accounts": 0}, {"campaign_accounts": 10**9}, {"campaign_share": 1.0}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            simulate(WorldSettings(**{**settings, **wrong}), tmp_path / "out", Silent())
