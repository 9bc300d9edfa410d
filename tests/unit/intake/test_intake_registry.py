"""The registry: each format is documented, fills columns that exist, and is not taken for another."""

from __future__ import annotations

import pytest

from stillwatch.intake.errors import SettingError
from stillwatch.intake.exchange_batch import FLAT_NAMES
from stillwatch.intake.formats.registry import FORMATS, format_named


def test_names_are_unique_and_found():
    names = [known.name for known in FORMATS]
    assert len(set(names)) == len(names) == 21
    for known in FORMATS:
        assert format_named(known.name) is known
    with pytest.raises(SettingError, match="unknown format 'csv'; expected auto or one of generic, litellm"):
        format_named("csv")


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_format_is_documented_and_has_one_way_to_be_read(known):
    assert known.title
    assert known.about.endswith(".")
    assert known.gotchas
    assert all(gotcha.endswith(".") for gotcha in known.gotchas)
    assert (known.parse is None) != (known.joiner is None)
    assert set(known.fills) <= set(FLAT_NAMES)
    assert len(set(known.fills)) == len(known.fills)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
@pytest.mark.parametrize(
    "record", [{}, [], None, 5, "text", {"a": 1}, {"choices": 5}, {"messages": {}}, {"records": 7}, {"resourceSpans": "x"}, {"attributes": 3},
               {"properties": "{"}, {"requests": [1]}, {"result": 5, "custom_id": None}, {"metadata": [], "startTime": {}}],
)  # fmt: skip
def test_matching_survives_any_record(known, record):
    assert 0.0 <= known.matches([record]) <= 1.0
