"""docs/formats.md is what the formats say, and names each of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from stillwatch.intake.formats.registry import FORMATS, format_named

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("formats_page", DOCS / "formats_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(page: ModuleType) -> None:
    assert (DOCS / "formats.md").read_text(encoding="utf-8") == page.formats_page()


def test_every_format_has_its_setting_and_no_other(page: ModuleType) -> None:
    assert set(page.SWITCH_ON) == {known.name for known in FORMATS}


def test_what_is_lost_is_computed_from_the_columns(page: ModuleType) -> None:
    assert page.lost(format_named("generic")) == ()
    without_text = [cost for cost, _ in page.lost(format_named("azure-openai"))]
    assert any(cost.startswith("prompt text") for cost in without_text)
    assert any(cost.startswith("answer lengths") for cost in without_text)
    assert [
        brought for cost, brought in page.lost(format_named("vllm")) if cost.startswith(("who pays", "addresses"))
    ] == [False, True]


def test_every_column_that_a_cost_names_is_one_that_the_flat_format_has(page: ModuleType) -> None:
    named = {name for columns, _ in page.COSTS for name in columns}
    assert named <= set(format_named("generic").fills)


def test_links_of_the_index_lead_to_headings(page: ModuleType) -> None:
    text = page.formats_page()
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert [f"(#{page._anchor(heading)})" in text for heading in headings] == [True] * len(FORMATS)
