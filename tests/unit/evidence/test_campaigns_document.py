"""campaigns.json: what is written is read back, and what is not such a file is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import example_incident as example
import pytest

from stillwatch.evidence.errors import CampaignsFileError
from stillwatch.evidence.incident_report import campaigns_document, read_campaigns_document
from stillwatch.evidence.incident_report.campaigns_file import iso_time


def document(**changes: object) -> dict[str, object]:
    found = example.incident()
    return {
        **campaigns_document(version="0.1.0", fdr=0.01, campaigns=found.campaigns, considered=found.considered),
        **changes,
    }


def test_campaigns_survive_json() -> None:
    found = example.incident()
    read = read_campaigns_document(json.loads(json.dumps(document(), allow_nan=False)), "campaigns.json")
    assert read.campaigns == found.campaigns
    assert read.considered == found.considered
    assert (read.version, read.fdr) == ("0.1.0", 0.01)


def test_infinite_evidence_survives_json() -> None:
    pool = replace(example.pool(), log_e=math.inf)
    claims = (replace(pool.claims[0], log_p=-math.inf), *pool.claims[1:])
    pool = replace(pool, claims=claims)
    written = json.dumps(campaigns_document(version="1", fdr=0.5, campaigns=(pool,), considered=()), allow_nan=False)
    assert read_campaigns_document(json.loads(written), "x").campaigns == (pool,)


def test_each_time_stands_twice() -> None:
    first = document()["campaigns"][0]  # type: ignore[index]
    assert first["first_seen_us"] == 20_565 * 86_400_000_000 + 61_000_000
    assert first["first_seen"] == "2026-04-22T00:01:01Z"
    assert first["exhibits"][0]["time"] == "2026-04-22T12:00:00Z"


def test_enums_are_words_and_tuples_are_lists() -> None:
    first = document()["campaigns"][0]  # type: ignore[index]
    assert first["finding"] == "operator"
    assert first["claims"][0]["question"] == "coordination"
    assert isinstance(first["members"], list)


@pytest.mark.parametrize("break_it", [{"campaigns": [{}]}, {"campaigns": 3}, {"fdr": "much"}, {"considered": [[]]}])
def test_another_layout_is_refused_by_name(break_it: dict[str, object]) -> None:
    with pytest.raises(CampaignsFileError, match=r"^case/campaigns\.json is not a campaigns file of this version"):
        read_campaigns_document(document(**break_it), "case/campaigns.json")


def test_a_missing_field_is_named() -> None:
    broken = document()
    del broken["campaigns"][0]["links"]  # type: ignore[index]
    with pytest.raises(CampaignsFileError, match="field 'links'"):
        read_campaigns_document(broken, "campaigns.json")


@pytest.mark.parametrize(
    ("time_us", "iso"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_777_777_777_000_001, "2026-05-03T03:09:37.000001Z"),
        (-1_000_000, "1969-12-31T23:59:59Z"),
        (2**62, str(2**62)),
    ],
)
def test_times_are_iso_8601_in_utc(time_us: int, iso: str) -> None:
    assert iso_time(time_us) == iso
