"""The registry: each format is documented, fills columns that exist, and is not taken for another."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest

from stillwatch.intake.collector import Collector
from stillwatch.intake.errors import MostlyUnreadableError, RecordError, SettingError
from stillwatch.intake.exchange_batch import FLAT_NAMES, Reading
from stillwatch.intake.formats.format import Format, Place
from stillwatch.intake.formats.registry import FORMATS, format_named
from stillwatch.intake.settings import IntakeSettings


def test_names_are_unique_and_found():
    names = [known.name for known in FORMATS]
    assert len(set(names)) == len(names) == 22
    for known in FORMATS:
        assert format_named(known.name) is known
    with pytest.raises(SettingError, match="unknown format 'csv'; expected auto or one of guard, generic, litellm"):
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


def test_a_parser_that_stumbles_quarantines_the_record_and_nothing_else():
    def stumbling(record, settings):
        yield {"time": 1_792_742_401, "account_id": record["who"].upper()}, record

    form = Format(name="x", title="X", about="X.", fills=(), gotchas=(), matches=lambda records: 1.0, parse=stumbling)
    reading = Reading(paths={0: "log"}, settings=IntakeSettings(), zone=None)
    collector = Collector(form, reading)
    for number, record in enumerate([{"who": "a"}, {"who": 5}, {}, {"who": "b"}]):
        collector.add(record, Place(0, number, 1))
    (output,) = collector.finish()
    assert output.batch.column("account_id").to_pylist() == ["A", "B"]
    assert [(entry.offset, entry.reason) for entry in output.quarantined] == [
        (1, "a structure that X does not have (AttributeError)"),
        (2, "a structure that X does not have (KeyError)"),
    ]
    assert output.rows_read == 4
    assert Counter(output.notes) == Counter()


@pytest.mark.parametrize("error", [MostlyUnreadableError("words"), RecordError("words")])
def test_errors_travel_between_processes(error):
    assert str(pickle.loads(pickle.dumps(error))) == "words"  # noqa: S301
