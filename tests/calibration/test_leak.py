"""Leak test: no single column and no simple feature of an account may give planted campaigns away (DESIGN, rule 7).

Campaign accounts are compared with all honest accounts and with honest automation alone, over several seeds. A feature is
judged by its area under the curve and by its best one-feature stump; a value of a categorical column by the share of campaign
accounts among the accounts that carry it. The checks are themselves tested with planted leaks.
"""

from dataclasses import dataclass

import duckdb
import numpy as np
import pytest
from scipy.stats import rankdata

from stillwatch.records.progress import Silent
from stillwatch.simulation.honest.registry import CLASSES
from stillwatch.simulation.identity import DISPOSABLE_MAIL
from stillwatch.simulation.world import WorldSettings, simulate

SEEDS = (101, 102, 103)
ACCOUNTS, EXCHANGES = 5_500, 275_000
LARGEST_AREA = 0.80
LARGEST_STUMP = 0.80  # balanced accuracy of the best threshold on one feature
SUPPORT = 6  # campaign accounts, of more than one campaign, from which on a value counts
LARGEST_PRECISION = 0.5
AUTOMATION = {name for name, kind in CLASSES.items() if kind.automation}

FEATURES = """
select account_id,
  count(*) as volume,
  count(*) / count(distinct time::date) as per_active_day,
  count(distinct time::date) as active_days,
  avg(length(prompt)) as mean_prompt_length,
  coalesce(stddev_samp(length(prompt)) / nullif(avg(length(prompt)), 0), 0) as prompt_length_variation,
  avg(input_tokens) as mean_input_tokens,
  avg(output_tokens) as mean_output_tokens,
  avg(reasoning_tokens) as mean_reasoning_tokens,
  avg(cache_read_tokens) as mean_cached_tokens,
  avg(latency_ms) as mean_latency,
  avg(turns) as mean_turns,
  count(distinct ip) as addresses,
  count(distinct ip) / count(*) as addresses_per_exchange,
  count(distinct country) as countries,
  count(distinct user_agent) as clients,
  count(distinct model) as models,
  avg((hour(time) < 6)::int) as night_share,
  avg((dayofweek(time) in (0, 6))::int) as weekend_share,
  entropy(hour(time)) as hour_entropy,
  avg((temperature = 0)::int) as zero_temperature,
  avg((temperature is null)::int) as no_temperature,
  coalesce(avg(temperature), -1) as mean_temperature,
  coalesce(avg(max_tokens), 0) as mean_max_tokens,
  avg((max_tokens is null)::int) as no_max_tokens,
  avg((top_p is null)::int) as no_top_p,
  avg(stream::int) as stream_share,
  avg((endpoint = 'batch')::int) as batch_share,
  avg((session_id is null)::int) as no_session,
  avg((system_prompt is null)::int) as no_system_prompt,
  avg((tools is null)::int) as no_tools,
  avg((organization_id is null)::int) as no_organization,
  avg((payment_id is null)::int) as no_payment,
  avg((status <> 200)::int) as error_share,
  avg((finish_reason = 'length')::int) as cut_share,
  avg((finish_reason = 'tool_calls')::int) as tool_share,
  min(epoch(time)) as first_seen,
  max(epoch(time)) as last_seen,
  min(epoch(time)) - min(epoch(account_created_at)) as age_at_first_use,
  avg(epoch(account_created_at)) as created,
  max((email_domain in ({disposable}))::int) as disposable_mail,
  avg((user_agent like 'Mozilla%')::int) as browser_share,
  avg((user_agent like 'python-requests%')::int) as requests_share,
  avg((split_part(ip, '.', 1) in ('3','13','18','20','34','35','52','54','65','95','116','135','159','167'))::int) as data_centre_share,
  avg((length(prompt) <> strlen(prompt))::int) as beyond_ascii,
  avg((prompt ilike '%step%')::int) as says_step,
  avg((prompt ilike '%json%')::int) as says_json,
  avg((prompt ilike '%answer%')::int) as says_answer,
  avg((prompt like '%```%')::int) as has_code,
  avg((prompt like '%?%')::int) as has_question,
  count(distinct prompt) / count(*) as distinct_prompts,
  coalesce(median(gap), 1e7) as median_gap,
from (select *, epoch(time) - lag(epoch(time)) over (partition by account_id order by time) as gap from traffic)
group by account_id
"""
CATEGORICAL = (
    "country", "email_domain", "endpoint", "finish_reason", "max_tokens", "model", "n", "status", "stream", "temperature",
    "tls_fingerprint", "top_p", "turns", "user_agent",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    features: dict[str, np.ndarray]
    campaign: np.ndarray
    automation: np.ndarray
    values: list[tuple[str, str, int, int, int]]
    """Column, value, campaign accounts, campaigns, honest accounts."""


def area(feature, positive):
    """Area under the curve of one feature, at least one half."""
    ranks = rankdata(feature)
    count = positive.sum()
    value = (ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(feature) - count))
    return max(value, 1 - value)


def stump(feature, positive):
    """Balanced accuracy of the best threshold on one feature."""
    order = np.argsort(feature, kind="stable")
    last = np.r_[np.diff(feature[order]) != 0, True]
    hits = np.cumsum(positive[order])[last] / positive.sum()
    false = np.cumsum(~positive[order])[last] / (~positive).sum()
    return float(0.5 + np.abs(hits - false).max() / 2)


def leaking_features(features, positive):
    """Features that separate too well, with their area and stump."""
    found = {}
    for name, feature in features.items():
        measured = area(feature, positive), stump(feature, positive)
        if measured[0] >= LARGEST_AREA or measured[1] >= LARGEST_STUMP:
            found[name] = tuple(round(value, 3) for value in measured)
    return found


def leaking_values(values):
    """Values of categorical columns by which campaign accounts can be told."""
    return [
        row
        for row in values
        if row[2] >= SUPPORT and row[3] > 1 and (row[4] == 0 or row[2] / (row[2] + row[4]) >= LARGEST_PRECISION)
    ]


def measure(folder):
    database = duckdb.connect(config={"threads": 1})
    database.execute("set timezone = 'UTC'")
    database.execute(f"create view traffic as select * from read_parquet('{folder}/traffic-*.parquet')")
    database.execute(f"create view truth as select * from read_parquet('{folder}/truth.parquet')")
    disposable = ", ".join(f"'{name}'" for name in DISPOSABLE_MAIL)
    rows = database.execute(
        f"select * from ({FEATURES.replace('{disposable}', disposable)}) join truth using (account_id)"
    ).fetchnumpy()
    not_features = {"account_id", "label", "family", "campaign_id", "operator_role", "harvest_share"}
    values = []
    for column in CATEGORICAL:
        values += database.execute(
            f"select '{column}', v::varchar, count(*) filter (label = 'campaign'), count(distinct campaign_id),"
            f" count(*) filter (label = 'honest')"
            f" from (select distinct account_id, {column} as v from traffic) join truth using (account_id) group by v"
        ).fetchall()
    return World(
        features={
            name: np.ma.filled(column.astype(np.float64), -1.0)
            for name, column in rows.items()
            if name not in not_features
        },
        campaign=np.asarray(rows["label"] == "campaign"),
        automation=np.isin(np.asarray(rows["family"], dtype=str), sorted(AUTOMATION)),
        values=values,
    )


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    found = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"world{seed}")
        simulate(WorldSettings(accounts=ACCOUNTS, exchanges=EXCHANGES, seed=seed), folder, Silent())
        found.append(measure(folder))
    return found


def pooled(worlds, keep):
    """Features of the accounts that `keep` selects, over all worlds, and which of them are campaigns'."""
    chosen = [keep(world) for world in worlds]
    features = {
        name: np.concatenate([world.features[name][rows] for world, rows in zip(worlds, chosen, strict=True)])
        for name in worlds[0].features
    }
    return features, np.concatenate([world.campaign[rows] for world, rows in zip(worlds, chosen, strict=True)])


@pytest.mark.slow
def test_no_feature_separates_campaigns_from_honest_accounts(worlds):
    features, campaign = pooled(worlds, lambda world: np.ones(len(world.campaign), dtype=bool))
    assert campaign.sum() > 100
    assert leaking_features(features, campaign) == {}


@pytest.mark.slow
def test_no_feature_separates_campaigns_from_honest_automation(worlds):
    features, campaign = pooled(worlds, lambda world: world.campaign | world.automation)
    assert (~campaign).sum() > 3_000
    assert leaking_features(features, campaign) == {}


@pytest.mark.slow
def test_no_value_of_a_column_belongs_to_campaigns(worlds):
    assert all(len(world.values) > 100 for world in worlds)
    assert [leaking_values(world.values) for world in worlds] == [[] for _ in worlds]


def test_a_planted_feature_is_found():
    draw = np.random.default_rng(5)
    campaign = np.arange(4_000) < 60
    features = {"noise": draw.random(4_000), "shifted": draw.standard_normal(4_000) + 1.6 * campaign}
    features["flag"] = np.where(campaign, draw.random(4_000) < 0.85, draw.random(4_000) < 0.1).astype(float)
    assert set(leaking_features(features, campaign)) == {"shifted", "flag"}


def test_a_planted_value_is_found():
    values = [
        ("user_agent", "harvester/1.0", 9, 3, 0),
        ("tls_fingerprint", "t1", 20, 4, 15),
        ("model", "meridian-4", 60, 14, 2_000),
        ("country", "own value of one pool", 12, 1, 0),
        ("country", "rare", 2, 2, 0),
    ]
    assert [row[1] for row in leaking_values(values)] == ["harvester/1.0", "t1"]
