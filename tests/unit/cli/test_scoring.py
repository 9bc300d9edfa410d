"""Scoring: worked by hand on a small world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from stillwatch.simulation.errors import SimulationError
from stillwatch.simulation.scoring import (
    ScoredWorld,
    TrueAccount,
    clopper_pearson,
    read_truth,
    read_world,
    score,
)


def world(flags: dict[str, str | None]) -> ScoredWorld:
    """Two pools of four, a whale, and three honest accounts."""
    truth = {f"p{number}": TrueAccount(family="pool", campaign_id="k1") for number in range(4)}
    truth |= {f"q{number}": TrueAccount(family="pool", campaign_id="k2") for number in range(4)}
    truth["w"] = TrueAccount(family="whale", campaign_id="k3")
    truth |= {f"h{number}": TrueAccount(family="chat", campaign_id=None) for number in range(2)}
    truth["v"] = TrueAccount(family="victim", campaign_id=None)
    return ScoredWorld(truth=truth, flags=flags, unseen=5)


def test_worked_example() -> None:
    # c1 holds three of k1 and one of k2; c2 holds two of k2 and an honest account; the whale is missed.
    result = score([world({"p0": "c1", "p1": "c1", "p2": "c1", "q0": "c1", "q1": "c2", "q2": "c2", "h0": "c2"})])
    assert (result.accounts, result.flagged, result.unseen) == (12, 7, 5)
    assert (result.recall.part, result.recall.whole) == (6, 9)
    assert (result.false_discoveries.part, result.false_discoveries.whole) == (1, 7)
    assert (result.false_positives.part, result.false_positives.whole) == (1, 3)
    assert result.purity == pytest.approx((3 + 2) / 7)
    assert result.completeness == pytest.approx((3 + 2 + 0) / 9)
    pool, whale = result.families
    assert (pool.family, pool.campaigns, pool.campaigns_found) == ("pool", 2, 2)
    assert (pool.recall.part, pool.recall.whole) == (6, 8)
    assert pool.purity == pytest.approx(5 / 7)
    assert pool.completeness == pytest.approx(5 / 8)
    assert (whale.campaigns_found, whale.recall.value, whale.purity) == (0, 0.0, None)
    assert [(one.name, one.flagged.part, one.flagged.whole) for one in result.look_alikes] == [
        ("chat", 1, 2),
        ("victim", 0, 1),
    ]


def test_worlds_are_pooled_and_the_worst_is_named() -> None:
    result = score([world({"p0": "c1", "p1": "c1"}), world({"h0": "c1", "w": "c2"})])
    assert (result.recall.part, result.recall.whole) == (3, 18)
    assert (result.false_discoveries.part, result.false_discoveries.whole) == (1, 4)
    assert result.worst_false_discoveries == 0.5
    assert [family.campaigns for family in result.families] == [4, 2]


def test_equal_campaign_ids_of_two_worlds_are_two_campaigns() -> None:
    result = score([world({"p0": "c1", "p1": "c1"}), world({"p2": "c1", "p3": "c1"})])
    assert result.families[0].completeness == pytest.approx(4 / 16)


def test_a_detected_campaign_of_honest_accounts_counts_against_purity() -> None:
    result = score([world({"h0": "c1", "h1": "c1", "p0": "c2"})])
    assert result.purity == pytest.approx(1 / 3)
    assert result.families[0].purity == 1.0


def test_without_groups_there_is_no_purity() -> None:
    result = score([world({"p0": None})])
    assert (result.purity, result.completeness, result.families[0].purity) == (None, None, None)


def test_nothing_flagged() -> None:
    result = score([world({})])
    assert result.false_discoveries.value is None
    assert (result.false_discoveries.low, result.false_discoveries.high) == (0.0, 1.0)
    assert result.worst_false_discoveries == 0.0


def test_no_world_is_refused() -> None:
    with pytest.raises(SimulationError, match="got no world"):
        score([])


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (3, 10, 0.06673951, 0.6524529),  # R 4.3: binom.test(3, 10)
        (0, 10, 0.0, 0.3084971),  # 1 - 0.025 ** (1 / 10)
        (10, 10, 0.6915029, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_clopper_pearson_values(part: int, whole: int, low: float, high: float) -> None:
    assert clopper_pearson(part, whole) == pytest.approx((low, high), abs=1e-6)


def test_clopper_pearson_covers_whatever_the_truth_is() -> None:
    trials = 40
    ends = [clopper_pearson(part, trials) for part in range(trials + 1)]
    for truth in np.linspace(0.001, 0.999, 97):
        chances = stats.binom.pmf(np.arange(trials + 1), trials, truth)
        covered = sum(chance for chance, (low, high) in zip(chances, ends, strict=True) if low <= truth <= high)
        assert covered >= 0.95 - 1e-12


def write_truth(file: Path, rows: list[tuple[str, str, str, str | None, str | None]]) -> Path:
    names = ("account_id", "label", "family", "campaign_id", "operator_role")
    pq.write_table(pa.table({name: [row[at] for row in rows] for at, name in enumerate(names)}), file)
    return file


def write_accounts(file: Path, flags: dict[str, str | None]) -> Path:
    table = pa.table(
        {
            "account_id": list(flags),
            "flagged": [group is not None for group in flags.values()],
            "campaign_id": pa.array(list(flags.values()), pa.string()),
        }
    )
    pq.write_table(table, file)
    return file


ROWS: list[tuple[str, str, str, str | None, str | None]] = [
    ("a", "campaign", "pool", "k1", "operator"),
    ("b", "campaign", "pool", "k1", "victim"),
    ("c", "honest", "licensed partner", None, "licensed"),
    ("d", "honest", "chat", None, None),
    ("silent", "honest", "chat", None, None),
]


def test_victims_and_licensed_partners_are_honest(tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "truth.parquet", ROWS))
    assert {account for account, what in truth.items() if what.harvests} == {"a"}
    assert truth["b"].family == "victim in pool"
    assert truth["c"].family == "licensed partner"


def test_accounts_that_sent_nothing_are_counted_apart(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.parquet", ROWS)
    read = read_world(
        write_accounts(tmp_path / "accounts.parquet", {"a": "c1", "b": None, "c": None, "d": "c1"}), truth
    )
    assert read.unseen == 1
    assert read.flags == {"a": "c1", "d": "c1"}
    assert score([read]).false_discoveries.part == 1


def test_a_truth_of_another_world_is_refused(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.parquet", ROWS)
    accounts = write_accounts(tmp_path / "accounts.parquet", {"a": None, "stranger": None})
    with pytest.raises(SimulationError, match="got 1 accounts that the truth does not hold, expected none"):
        read_world(accounts, truth)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "truth.parquet").write_bytes(b"no parquet")
    with pytest.raises(SimulationError, match=r"truth\.parquet cannot be read"):
        read_truth(tmp_path / "truth.parquet")
    pq.write_table(pa.table({"account_id": ["a"], "label": ["honest"]}), tmp_path / "half.parquet")
    with pytest.raises(SimulationError, match=r"half\.parquet lacks family, campaign_id, operator_role"):
        read_truth(tmp_path / "half.parquet")
