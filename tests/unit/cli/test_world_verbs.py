"""`stillwatch simulate` and `stillwatch formats`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

from stillwatch.cli.exit_codes import ExitCode

Stillwatch = Callable[..., Said]


def test_simulate_writes_a_world_and_says_what_is_in_it(stillwatch: Stillwatch, tmp_path: Path) -> None:
    world = tmp_path / "world"
    said = stillwatch("simulate", world, "--accounts", "60", "--exchanges", "600", "--days", "10", "--json")
    assert said.code == ExitCode.DONE
    assert said.document["exchanges"] == 600
    assert {"truth.parquet", "accounts.parquet", "releases.csv", "traffic-00000.parquet"} <= {
        file.name for file in world.iterdir()
    }
    assert "World written to" in said.err


def test_simulate_passes_every_setting_on(stillwatch: Stillwatch, tmp_path: Path) -> None:
    said = stillwatch(
        "simulate", tmp_path / "world", "--preset", "honest", "--accounts", "400", "--exchanges", "2000", "--days", "10",
        "--format", "jsonl", "--drop-column", "ip", "--seed", "3", "--json",
    )  # fmt: skip
    assert said.code == ExitCode.DONE
    assert said.document["campaigns"] == 0
    first = (tmp_path / "world" / "traffic-00000.jsonl").read_text().splitlines()[0]
    assert '"account_id"' in first
    assert '"ip"' not in first


@pytest.mark.parametrize(
    "arguments", [("--preset", "moon"), ("--format", "csv"), ("--accounts", "0"), ("--drop-column", "time")]
)
def test_settings_that_cannot_be_are_refused(
    stillwatch: Stillwatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert stillwatch("simulate", tmp_path / "world", *arguments).code == ExitCode.USAGE


def test_formats_lists_all_in_short_and_one_in_full(stillwatch: Stillwatch) -> None:
    short = stillwatch("formats")
    assert short.code == ExitCode.DONE
    assert "stillwatch formats generic" in short.out
    full = stillwatch("formats", "generic")
    assert "fills: " in full.out
    assert "account_id" in full.out


def test_formats_as_json(stillwatch: Stillwatch) -> None:
    listed = stillwatch("formats", "--json").document["formats"]
    assert "generic" in {known["name"] for known in listed}
    assert all(known["about"] and "account_id" in known["fills"] for known in listed if known["name"] == "generic")


def test_an_unknown_format_names_the_known_ones(stillwatch: Stillwatch) -> None:
    said = stillwatch("formats", "csv")
    assert said.code == ExitCode.USAGE
    assert re.search(r"there is no format 'csv'; expected one of (\w+, )*generic", said.err)
