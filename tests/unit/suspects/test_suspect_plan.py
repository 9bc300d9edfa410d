"""The plan: complete or refused, and held against what is there at every run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from planned_run import SLOTS, folder_of

from stillwatch.records.suspect import SuspectPlan
from stillwatch.suspects.errors import PlanChangedError, SuspectError
from stillwatch.suspects.plan import (
    ROUNDS,
    check_plan,
    plan_bytes,
    plan_digest,
    plan_of,
    queries_of,
    read_plan,
)

SALT = "0" * 32


def draft(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "draft.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path)


@pytest.fixture
def plan(folder: Path) -> SuspectPlan:
    return plan_of(draft(folder), folder, SALT)


def test_a_plan_is_read_back_as_it_was_written(plan: SuspectPlan) -> None:
    assert read_plan(plan_bytes(plan), "plan.json") == plan
    assert plan_digest(plan).startswith("sha256:")


def test_a_plan_holds_digests_and_no_prompt(plan: SuspectPlan) -> None:
    assert b"Which colour" not in plan_bytes(plan)
    assert {one.name for one in plan.materials} == {"challenges", "party suspect", "party stranger"}
    assert plan.queries == 2 * SLOTS


def test_what_was_committed_to_passes(plan: SuspectPlan, folder: Path) -> None:
    queries = check_plan(plan, folder)
    assert len(queries) == plan.queries
    assert len({one.id for one in queries}) == plan.queries


@pytest.mark.parametrize("name", ["challenges.json", "suspect.jsonl", "stranger.jsonl"])
def test_a_changed_material_is_refused(plan: SuspectPlan, folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(PlanChangedError, match=name):
        check_plan(plan, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 8}, "queries"),
        ({"salt": "1" * 32}, "queries"),
        ({"version": "0.0.0"}, r"version 0\.0\.0"),
        ({"code_digest": "blake2b:" + "0" * 64}, "code"),
    ],
)
def test_a_changed_plan_is_refused(plan: SuspectPlan, folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanChangedError, match=message):
        check_plan(replace(plan, **change), folder)


def without(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


BROKEN = (
    (lambda said: without(said, "purpose"), "purpose"),
    (lambda said: {**said, "hunch": 1}, "'hunch'"),
    (lambda said: {**said, "alpha": 1.0}, "alpha"),
    (lambda said: {**said, "seed": -1}, "seed"),
    (lambda said: {**said, "parties": said["parties"][1:]}, "first"),
    (lambda said: {**said, "parties": [said["parties"][0], without(said["parties"][1], "included_because")]}, "included_because"),
    (lambda said: {**said, "parties": [said["parties"][0], without(said["parties"][1], "role")]}, "role"),
    (lambda said: {**said, "tests": []}, "at least one"),
    (lambda said: {**said, "tests": [{**said["tests"][0], "method": "hunch/v1"}]}, "hunch/v1"),
    (lambda said: {**said, "tests": [{**said["tests"][0], "materials": ["gone"]}]}, "gone"),
    (lambda said: {**said, "tests": [{**said["tests"][0], "parameters": {"hunch": 1}}]}, "hunch"),
    (lambda said: {**said, "materials": {"challenges": "gone.json"}}, r"gone\.json"),
    (lambda said: {**said, "sequential": ["t9"]}, "t9"),
    (lambda said: {**said, "budget": {"requests": 79, "seconds": 9}}, "budget"),
)  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_draft_that_could_not_be_judged_is_refused(folder: Path, change: Any, message: str) -> None:
    said = change(draft(folder))
    with pytest.raises(SuspectError, match=message):
        plan_of(said, folder, SALT)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff", b'{"format":"suspect-plan/v1","plan":{}}'])
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(SuspectError, match=r"plan\.json"):
        read_plan(content, "plan.json")


def test_suspect_and_control_are_asked_side_by_side_and_probes_all_along(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "http://127.0.0.1:9/v1")
    plan = plan_of(draft(folder), folder, SALT)
    queries = queries_of(plan, folder)
    half = [one.party for one in queries[: len(queries) // 2] if one.test == "t3"]
    assert 10 < half.count("stranger") < 30
    places = [place for place, one in enumerate(queries) if one.test == "probe"]
    assert places[0] == 0
    assert places[-1] == len(queries) - 1
    assert len(places) == ROUNDS * 8
    assert plan.queries == len(queries) == ROUNDS * 8 + 2 * SLOTS
    assert queries == queries_of(plan, folder)


def test_the_root_binds_every_query(plan: SuspectPlan, folder: Path) -> None:
    said = draft(folder)
    said["tests"][0]["parameters"]["instruction"] = "One word."
    assert plan_of(said, folder, SALT).queries_root != plan.queries_root
    assert plan_of(draft(folder), folder, "1" * 32).queries_root != plan.queries_root
    assert plan_of(draft(folder), folder, SALT).queries_root == plan.queries_root


def test_a_plan_with_a_key_in_it_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "http://127.0.0.1:9/v1")
    said = draft(folder)
    said["parties"][0]["settings"]["api_key"] = "sk-1"
    with pytest.raises(SuspectError, match="api_key"):
        plan_of(said, folder, SALT)
    assert "sk-1" not in json.dumps(draft(folder))
