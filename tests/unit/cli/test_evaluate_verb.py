"""`stillwatch evaluate`: tables for people, one document for programs, baselines beside the detection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line_calls import Said

from stillwatch.cli.exit_codes import ExitCode

Stillwatch = Callable[..., Said]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A detection that finds one of two pools and flags one honest account, and its world with traffic."""
    case, world = tmp_path / "case", tmp_path / "world"
    case.mkdir()
    world.mkdir()
    harvesting = [f"x{number}" for number in range(8)]
    honest = [f"h{number}" for number in range(92)]
    everyone = harvesting + honest
    flagged = {*harvesting[:4], "h0"}
    pq.write_table(
        pa.table(
            {
                "account_id": everyone,
                "flagged": [account in flagged for account in everyone],
                "campaign_id": ["c-1" if account in flagged else None for account in everyone],
            }
        ),
        case / "accounts.parquet",
    )
    pq.write_table(
        pa.table(
            {
                "account_id": everyone,
                "label": ["campaign"] * 8 + ["honest"] * 92,
                "family": ["injected text"] * 4 + ["rubric grading"] * 4 + ["plug-in fleet"] * 92,
                "campaign_id": ["k1"] * 4 + ["k2"] * 4 + [None] * 92,
                "operator_role": ["operator"] * 8 + [None] * 92,
            }
        ),
        world / "truth.parquet",
    )
    traffic = [account for account in everyone for _ in range(12)]
    pq.write_table(
        pa.table(
            {"account_id": traffic, "prompt": [f"show your reasoning {number}" for number in range(len(traffic))]}
        ),
        world / "traffic-00000.parquet",
    )
    return case, world


def test_tables_name_families_classes_and_intervals(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    case, world = pair
    said = stillwatch("evaluate", case, world / "truth.parquet")
    assert said.code == ExitCode.DONE
    assert "15.7 to 84.3%" in said.out  # 4 of 8
    assert "0.5 to 71.6%" in said.out  # 1 of 5 flagged is honest
    assert "injected text" in said.out
    assert "rubric grading" in said.out
    assert "plug-in fleet" in said.out
    assert "! 1" in said.out
    assert "Victims and licensed partners count as honest." in said.out


def test_json_is_one_document(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    case, world = pair
    document = stillwatch("evaluate", case, world, "--json").document
    assert document["score"]["recall"]["value"] == 0.5
    assert document["score"]["false_discoveries"]["part"] == 1
    assert document["confidence"] == 0.95
    assert document["baselines"] == []


def test_pairs_are_pooled(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    case, world = pair
    document = stillwatch("evaluate", case, world, case, world, "--json").document
    assert document["score"]["worlds"] == 2
    assert document["score"]["recall"]["whole"] == 16


def test_baselines_stand_in_the_same_table(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    case, world = pair
    said = stillwatch("evaluate", case, world, "--baselines")
    for name in (
        "stillwatch",
        "volume threshold",
        "exact duplicates",
        "phrase list",
        "shared card",
        "best in hindsight",
    ):
        assert name in said.out
    document = stillwatch("evaluate", case, world, "--baselines", "--json").document
    phrase = next(one for one in document["baselines"] if one["name"] == "phrase list")
    assert phrase["score"]["false_positives"]["value"] == 1.0  # everybody says the phrase
    assert phrase["threshold"] == "30.0% of prompts hold one of 15 phrases"
    assert len(document["baselines"]) == 8


def test_an_odd_path_is_a_usage_error(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    said = stillwatch("evaluate", pair[0])
    assert said.code == ExitCode.USAGE
    assert "expected pairs" in said.err


def test_a_missing_truth_is_an_input_error(stillwatch: Stillwatch, pair: tuple[Path, Path]) -> None:
    said = stillwatch("evaluate", pair[0], pair[0])
    assert said.code == ExitCode.INPUT
    assert "truth.parquet cannot be read" in said.err
