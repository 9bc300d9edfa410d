"""docs/detection.md says what the tests say, and describes each test and each explanation."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from stillwatch.detection.campaigns.explanations import EXPLANATIONS
from stillwatch.records.campaign import Finding

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("detection_page", DOCS / "detection_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(page: ModuleType) -> None:
    assert (DOCS / "detection.md").read_text(encoding="utf-8") == page.detection_page(), "run `make docs`"


def test_every_test_says_what_it_does_not_show(page: ModuleType) -> None:
    assert {procedure.name for procedure in page.procedures()} <= set(page.NOT_SHOWN)


def test_every_test_speaks_against_an_explanation_or_says_why_not_and_every_explanation_names_tests_that_exist(
    page: ModuleType,
) -> None:
    named = {name for innocent in EXPLANATIONS for name in innocent.tests}
    assert named | set(page.UNLISTED) == {procedure.name for procedure in page.procedures()}
    assert not named & set(page.UNLISTED)
    assert named == {procedure.name for procedure in page.procedures() if procedure.decides}


def test_every_explanation_says_where_to_look_and_every_finding_what_to_do(page: ModuleType) -> None:
    assert {innocent.name for innocent in EXPLANATIONS} <= set(page.LOOK_AT)
    assert set(page.FINDINGS) == set(Finding)


def test_links_to_other_pages_lead_somewhere(page: ModuleType) -> None:
    for page_path in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page_path.read_text(encoding="utf-8")):
            assert (page_path.parent / target).exists(), f"{page_path.name}: {target}"
