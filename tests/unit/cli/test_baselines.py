"""Trivial baselines: each rule on traffic made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.simulation.baselines import Baseline, baselines, best_threshold, count_accounts
from stillwatch.simulation.errors import SimulationError

HARVESTING = frozenset({"copy-1", "copy-2"})


def rows() -> list[dict[str, str | None]]:
    """Two accounts that copy each other, one that asks for steps, one that talks a lot, three on one card."""
    traffic: list[dict[str, str | None]] = []
    for number in range(12):
        traffic.append({"account_id": "copy-1", "prompt": f"Solve  exercise {number}", "payment_id": "p1"})
        traffic.append({"account_id": "copy-2", "prompt": f"solve exercise {number}\n", "payment_id": "p2"})
        traffic.append({"account_id": "steps", "prompt": f"Think STEP by step about {number}", "payment_id": None})
    traffic += [{"account_id": "talker", "prompt": f"chat {number}", "payment_id": "p3"} for number in range(60)]
    traffic += [{"account_id": f"card-{who}", "prompt": None, "payment_id": "p4"} for who in "abc"]
    return traffic


def write(folder: Path, form: str) -> Path:
    folder.mkdir()
    traffic = rows()
    half = len(traffic) // 2
    for number, part in enumerate((traffic[:half], traffic[half:])):
        if form == "parquet":
            pq.write_table(pa.Table.from_pylist(part), folder / f"traffic-{number:05d}.parquet")
        else:
            text = "".join(json.dumps({"time": "2026-05-01T00:00:00Z", "turns": 1, **row}) + "\n" for row in part)
            (folder / f"traffic-{number:05d}.jsonl").write_text(text)
    return folder


def flagged(found: tuple[Baseline, ...], name: str) -> set[str]:
    return set(next(one.flags for one in found if one.name == name))


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_each_rule_finds_what_it_looks_for(tmp_path: Path, form: str) -> None:
    found = baselines(write(tmp_path / "world", form), HARVESTING)
    assert flagged(found, "volume threshold") == {"talker"}
    assert flagged(found, "exact duplicates") == {"copy-1", "copy-2"}
    assert flagged(found, "phrase list") == {"steps"}
    assert flagged(found, "shared card") == {"card-a", "card-b", "card-c"}
    assert flagged(found, "exact duplicates, best in hindsight") == {"copy-1", "copy-2"}


def test_thresholds_are_stated(tmp_path: Path) -> None:
    found = {one.name: one.threshold for one in baselines(write(tmp_path / "world", "parquet"), HARVESTING)}
    assert found["volume threshold"] == "60 exchanges or more"
    assert found["exact duplicates"] == "50.0% of prompts also sent by another account"
    assert found["shared card"] == "3 accounts or more on one card"
    assert found["exact duplicates, best in hindsight"] == "100.0% of prompts also sent by another account"


def test_cards_of_the_accounts_file_are_used(tmp_path: Path) -> None:
    world = write(tmp_path / "world", "parquet")
    cards = pa.table({"account_id": ["copy-1", "copy-2", "steps"], "payment_id": ["p9", "p9", "p9"]})
    pq.write_table(cards, world / "accounts.parquet")
    found = baselines(world, HARVESTING)
    assert flagged(found, "shared card") == {"card-a", "card-b", "card-c", "copy-1", "copy-2", "steps"}


def test_repeating_oneself_is_no_duplicate(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    table = pa.table({"account_id": ["a"] * 20 + ["b"] * 20, "prompt": ["again"] * 20 + ["other"] * 20})
    pq.write_table(table, tmp_path / "world" / "traffic-00000.parquet")
    assert count_accounts(tmp_path / "world").duplicates.tolist() == [0, 0]


def test_traffic_without_prompts_and_cards_is_counted(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    pq.write_table(pa.table({"account_id": ["a", "b", "b"]}), tmp_path / "world" / "traffic-00000.parquet")
    counts = count_accounts(tmp_path / "world")
    assert counts.exchanges.tolist() == [1, 2]
    assert counts.duplicates.tolist() == counts.phrases.tolist() == [0, 0]
    assert counts.cards == (None, None)


def test_the_best_threshold_is_the_best() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        scores = rng.integers(0, 6, size=30).astype(np.float64)
        right = rng.random(30) < 0.3
        right[0] = True

        def f1(cut: float, scores: np.ndarray = scores, right: np.ndarray = right) -> float:
            hit = scores >= cut
            return 2.0 * float((hit & right).sum()) / float(hit.sum() + right.sum())

        assert f1(best_threshold(scores, right)) == pytest.approx(max(f1(cut) for cut in scores))


def test_without_harvest_nothing_is_flagged_in_hindsight(tmp_path: Path) -> None:
    found = baselines(write(tmp_path / "world", "parquet"), frozenset())
    assert all(not one.flags for one in found if one.name.endswith("in hindsight"))


def test_a_folder_without_traffic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="holds no traffic: expected traffic-"):
        baselines(tmp_path, HARVESTING)
    (tmp_path / "traffic-00000.parquet").write_bytes(b"none")
    with pytest.raises(SimulationError, match="cannot be read"):
        baselines(tmp_path, HARVESTING)
