"""The case file: every statement labelled and sourced, every gap said, and the timeline test."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import sample_case as sample
from scipy.stats import binom

from stillwatch.evidence.cases.bundle import case_file_of
from stillwatch.evidence.cases.elements import ELEMENT_KEYS
from stillwatch.evidence.cases.errors import CaseItemError
from stillwatch.evidence.cases.gathering import attested_item, items_of_claims, items_of_document, note_item, run_item
from stillwatch.evidence.cases.timeline import FEWEST_DAYS, WINDOW_DAYS, release_timeline
from stillwatch.records.case import CaseFile, ItemKind, Label
from stillwatch.records.claim import Claim, Inconclusive


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> sample.Sample:
    return sample.make_sample(tmp_path_factory.mktemp("case"), stamped=False)


@pytest.fixture(scope="module")
def case(made: sample.Sample) -> CaseFile:
    return case_file_of(made.work, made.case_id, made_us=1_780_000_000_000_000, version="0.1.0", shared=False)


def test_every_element_of_the_bill_and_of_the_contract_is_there(case: CaseFile) -> None:
    assert tuple(element.key for element in case.elements) == ELEMENT_KEYS
    titles = {element.key: element.title for element in case.elements}
    assert titles["timeline"] == "Timeline against another model's development"
    assert {"account", "terms", "act", "gate"} < set(titles)
    for element in case.elements:
        assert element.statements or element.gaps, element.key


def test_every_statement_has_a_label_sources_and_a_method_where_it_is_derived(
    made: sample.Sample, case: CaseFile
) -> None:
    entries = {item.item.entry_index for item in made.work.unsealed(made.case_id)}
    statements = [one for element in case.elements for one in element.statements]
    assert {one.label for one in statements} == set(Label)
    for one in statements:
        assert set(one.entries) <= entries
        assert one.entries
        assert (one.method is not None) == (one.label is Label.DERIVED)
        if one.method is not None:
            assert re.search(r"/v\d+$", one.method)


def test_no_statement_names_an_account_or_shows_text(case: CaseFile) -> None:
    said = json.dumps([[one.text for one in element.statements] for element in case.elements])
    for private in ("acct_", sample.PRIVATE_PROMPT, "Jane Roe", "192.0.2.7"):
        assert private not in said


def test_what_is_missing_is_said(case: CaseFile) -> None:
    gaps = {element.key: [gap.what for gap in element.gaps] for element in case.elements}
    assert gaps["harm"] == ["No figure of harm is in the case."]
    assert "Output harvest could not be tested." in gaps["capability"]
    assert gaps["permission"] == []
    assert gaps["terms"] == ["Of 1 of 2 accounts of the campaigns no acceptance is in the case."]
    assert any("Who stands behind the accounts is not shown" in gap.what for gap in case.gaps)


def test_an_acceptance_of_a_stranger_is_said_to_be_one(tmp_path: Path) -> None:
    made = sample.make_sample(tmp_path, stamped=False)
    terms = items_of_document(ItemKind.TERMS, b'{"account_id":"stranger","terms_version":"1"}', "x")
    made.work.add(made.case_id, terms, "bob")
    file = case_file_of(made.work, made.case_id, made_us=0, version="0", shared=False)
    said = [gap.what for element in file.elements if element.key == "terms" for gap in element.gaps]
    assert "1 acceptance is of accounts that no campaign of the case holds." in said


def test_an_empty_case_is_all_gaps(tmp_path: Path) -> None:
    made = sample.make_sample(tmp_path, stamped=False)
    opened = made.work.open_case("Empty", "bob")
    file = case_file_of(made.work, opened.id, made_us=0, version="0", shared=False)
    assert all(not element.statements and element.gaps for element in file.elements)
    assert "No detection run is in the case" in file.gaps[0].what


def test_withheld_fields_are_a_gap_of_their_own(made: sample.Sample) -> None:
    shared = case_file_of(made.work, made.case_id, made_us=0, version="0", shared=True)
    assert re.match(r"\d+ fields are withheld in this version for sharing", shared.gaps[0].what)
    assert shared.title == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no JSON"),
        (b"[]", "holds 0 values"),
        (b"[1]", "JSON objects"),
        (b'{"account_id":"a"}', "missing terms_version"),
        (b'{"account_id":"a","terms_version":"1","color":"red"}', "unknown color"),
        (b'{"account_id":"a","terms_version":1}', "terms_version is no text"),
        (
            b'{"account_id":"a","terms_version":"1","accepted_at":"2026-04-02"}',
            "accepted_at is no time of ISO 8601 with a zone",
        ),
        (b'{"account_id":"a","terms_version":"1","clauses":"4.2"}', "clauses is no list"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_documents_of_users_are_hostile_until_read(content: bytes, says: str) -> None:
    with pytest.raises(CaseItemError, match=says):
        items_of_document(ItemKind.TERMS, content, "terms.json")


def test_lines_and_lists_are_read_alike() -> None:
    one, two = b'{"account_id":"a","terms_version":"1"}', b'{"account_id":"b","terms_version":"1"}'
    listed = items_of_document(ItemKind.TERMS, b"[" + one + b"," + two + b"]", "x")
    assert items_of_document(ItemKind.TERMS, one + b"\n" + two + b"\n", "x") == listed
    assert len(listed) == 2


def test_what_is_no_claim_note_run_or_element_is_refused() -> None:
    with pytest.raises(CaseItemError, match="claim is of another form"):
        items_of_claims(b'{"name":"x"}', "x")
    with pytest.raises(CaseItemError, match="expected 1 to"):
        note_item("  ")
    with pytest.raises(CaseItemError, match="lacks"):
        run_item({})
    with pytest.raises(CaseItemError, match="got the element 'guilt'"):
        attested_item("guilt", "he did it", "carol")


def series(days: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """A harvest that has nothing to do with releases, with days that depend on one another."""
    level = np.exp(np.convolve(rng.normal(size=days + 6), np.ones(7) / 3, mode="valid"))
    return [(20_000 + day, int(count)) for day, count in enumerate(rng.poisson(40 * level))]


def test_under_the_null_the_timeline_test_keeps_its_promise() -> None:
    """Release days drawn at random against autocorrelated series: rejections at 5 % lie in the binomial interval at 1e-6."""
    rng = np.random.default_rng(5)
    runs, alpha = 2_000, 0.05
    rejected = 0
    for _ in range(runs):
        release = 20_000 + int(rng.integers(WINDOW_DAYS, 120))
        claim = release_timeline(series(120, rng), [release])
        assert isinstance(claim, Claim)
        assert claim.log_p is not None
        rejected += claim.log_p <= math.log(alpha)
    assert rejected <= binom.isf(1e-6, runs, alpha)


def test_a_harvest_before_releases_is_found() -> None:
    rng = np.random.default_rng(6)
    harvest = [(day, count + (200 if 20_046 <= day < 20_060 else 0)) for day, count in series(120, rng)]
    claim = release_timeline(harvest, [20_060])
    assert isinstance(claim, Claim)
    assert claim.log_p == pytest.approx(math.log(1 / 120))
    assert claim.n == 120
    assert "Of 120 ways to shift the days, 1 give as much." in claim.statement


@pytest.mark.parametrize(
    ("harvest", "releases", "reason"),
    [
        ([], [20_000], "no harvest"),
        ([(20_000 + day, 1) for day in range(FEWEST_DAYS - 1)], [20_010], "spans 27 days"),
        ([(20_000 + day, 1) for day in range(60)], [20_200], "no release is within"),
        ([(20_000 + day, 1) for day in range(60)], [20_014, 20_028, 20_042], "no day stands out"),
    ],
)
def test_too_little_data_is_inconclusive(harvest: list[tuple[int, int]], releases: list[int], reason: str) -> None:
    found = release_timeline(harvest, releases)
    assert isinstance(found, Inconclusive)
    assert reason in found.reason
    assert found.needed
