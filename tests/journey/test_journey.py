"""The numbered files are what the stages give today, and the page shows them. `python tests/journey/following.py --write` makes both again."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import following
import pytest
import small_world

HINT = "run `python tests/journey/following.py --write`, and look at what changed before you keep it"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return following.follow(tmp_path_factory.mktemp("journey"))


@pytest.mark.parametrize("step", following.TITLES)
def test_a_step_is_what_its_file_says(step: str, made: dict[str, Any]) -> None:
    stored = (following.JOURNEY / f"{step}.json").read_text(encoding="utf-8")
    assert following.text_of(made[step]) == stored, HINT


def test_the_page_shows_the_files() -> None:
    stored = {step: (following.JOURNEY / f"{step}.json").read_text(encoding="utf-8") for step in following.TITLES}
    assert following.PAGE.read_text(encoding="utf-8") == following.page(stored), HINT


def test_there_is_no_other_numbered_file() -> None:
    assert {path.stem for path in following.JOURNEY.glob("[0-9]*")} == set(following.TITLES)


def test_the_steps_belong_together(made: dict[str, Any]) -> None:
    """What one step says of the exchange, the next one refers to."""
    line, exchange, sketch = made["00_log_line"], made["10_exchange"], made["20_sketch"]
    assert line["exchange_id"] == exchange["exchange_id"] == sketch["exchange_id"]
    assert exchange["source_offset"] == sketch["source_offset"]
    assert made["30_profile"]["account"] == sketch["account"]
    campaign, row = made["50_campaign"], made["60_account_row"]
    assert row["campaign_id"] == campaign["id"]
    assert row["flagged"] is True
    strongest = {claim["name"] for claim in made["40_claims"]["claims"]}
    assert all(set(explanation["against"]) <= strongest for explanation in campaign["explanations"])
    assert campaign["log_e"] == min(explanation["log_e"] for explanation in campaign["explanations"])


def test_exactly_the_operators_accounts_are_flagged(tmp_path: Path) -> None:
    steps = following.follow(tmp_path)
    campaigns = json.loads((tmp_path / "case" / "campaigns.json").read_text(encoding="utf-8"))["campaigns"]
    operated = {f"account-{small_world.CUSTOMERS + place:04d}" for place in range(small_world.OPERATED)}
    assert [set(campaign["members"]) for campaign in campaigns] == [operated]
    assert steps["50_campaign"]["finding"] == "operator"


def test_no_text_is_left_after_the_sketch(made: dict[str, Any]) -> None:
    """No two neighbouring words of the task stand in any later step; in the steps before, all of them do."""
    words = made["00_log_line"]["prompt"].split("Task ")[1].split()
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(words)]
    assert len(pairs) > 10
    for place, step in enumerate(following.TITLES):
        found = [pair for pair in pairs if pair in following.text_of(made[step])]
        assert found == (pairs if place < 2 else []), step


def test_the_small_world_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        digests.append(hashlib.sha256(small_world.write_world(tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1]
