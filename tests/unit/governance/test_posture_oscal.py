"""The OSCAL export: its references hold, it is the same each time, and another maker's models of NIST's schema take it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from posture_evidence_samples import ago, coverage, drill, evidence, key, run, spread

from stillwatch.governance.posture.assess import assess
from stillwatch.governance.posture.catalogue import read_catalogue
from stillwatch.governance.posture.control import Attestation
from stillwatch.governance.posture.oscal import OSCAL_VERSION, oscal_catalog, oscal_results

ROOT = Path(__file__).resolve().parents[3]
OSCAL_VENV = Path(os.environ.get("OSCAL_VENV", ROOT / ".venv-oscal"))
JUDGE = """
import json, sys
from trestle.oscal import OSCAL_VERSION
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog
folder = sys.argv[1]
catalog = Catalog.model_validate(json.load(open(folder + "/catalog.json"))["catalog"])
results = AssessmentResults.model_validate(json.load(open(folder + "/results.json"))["assessment-results"])
print(json.dumps({"version": OSCAL_VERSION, "controls": sum(len(one.controls) for one in catalog.groups), "findings": len(results.results[0].findings)}))
"""
CONTROLS = read_catalogue()
SEEN = evidence(key(), spread(), drill("marking"), drill("log", state="measured-fail"), run(1), coverage(attributed=3))
SAID = Attestation(
    control="aisvs-1.0-C5.2.6", by="Ada", on_us=ago(3), until_us=ago(-30), says="tickets only", evidence="policy 12"
)


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    return oscal_catalog(CONTROLS, "0.1.0"), oscal_results(assess(CONTROLS, SEEN, (SAID,)), SEEN)


def members(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for key_, inner in value.items():
            if key_ == name:
                yield inner
            yield from members(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner, name)


def test_it_is_the_same_each_time_and_another_for_other_evidence() -> None:
    assert documents() == documents()
    other = oscal_results(assess(CONTROLS, evidence(run(1))), evidence(run(1)))
    assert other["assessment-results"]["uuid"] != documents()[1]["assessment-results"]["uuid"]


def test_ids_are_uuids_of_version_five_and_no_two_are_alike() -> None:
    catalog, results = documents()
    found = [*members(catalog, "uuid"), *members(results, "uuid")]
    assert len(found) == len(set(found))
    assert {uuid.UUID(one).version for one in found} == {5}


def test_every_reference_leads_somewhere() -> None:
    catalog, results = documents()
    ids = set(members(catalog, "id"))
    body = results["assessment-results"]
    (result,) = body["results"]
    assert set(members(result["reviewed-controls"], "control-id")) == {one.id for one in CONTROLS} <= ids
    assert set(members(result["findings"], "target-id")) <= ids
    observed = {one["uuid"] for one in result["observations"]}
    assert set(members(result["findings"], "observation-uuid")) == observed
    assert body["import-ap"]["href"].removeprefix("#") in set(members(body["back-matter"], "uuid"))
    assert all(re.fullmatch(r"urn:sha256:[0-9a-f]{64}", one) for one in members(result["observations"], "href"))


def test_only_what_was_measured_and_holds_is_satisfied() -> None:
    (result,) = documents()[1]["assessment-results"]["results"]
    states = {
        (one["props"][0]["value"], one["target"]["status"]["state"], one["target"]["status"]["reason"]) for one in result["findings"]
    }  # fmt: skip
    assert states == {
        ("measured-pass", "satisfied", "pass"), ("measured-fail", "not-satisfied", "fail"), ("attested", "not-satisfied", "other"),
        ("not-covered", "not-satisfied", "other"),
    }  # fmt: skip
    assert {one["methods"][0] for one in result["observations"]} == {"TEST", "EXAMINE", "INTERVIEW"}


def test_another_makers_models_of_the_schema_take_both(tmp_path: Path) -> None:
    python = OSCAL_VENV / "bin" / "python"
    if not (OSCAL_VENV / ".installed").exists():
        pytest.skip(f"{OSCAL_VENV} is not there: make install-oscal")
    for name, document in zip(("catalog", "results"), documents(), strict=True):
        (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-W", "ignore", "-c", JUDGE, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120, env=environment
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {"version": OSCAL_VERSION, "controls": len(CONTROLS), "findings": len(CONTROLS)}
    broken = documents()[1]
    del broken["assessment-results"]["results"][0]["findings"][0]["target"]["target-id"]
    (tmp_path / "results.json").write_text(json.dumps(broken), encoding="utf-8")
    refused = subprocess.run(
        [python, "-W", "ignore", "-c", JUDGE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert "target-id" in refused.stderr
