from __future__ import annotations

from typing import Any

import pytest
from benchmarks.real_world import wording
from benchmarks.real_world.errors import SourceAbsentError, WorldSettingsError
from benchmarks.real_world.sources import (
    CHAT_SETS,
    EXTRACTION_SETS,
    FAMOUS,
    PROGRAMMING_SETS,
    TEMPLATE_FAMILIES,
    UTTERANCE_SETS,
    load,
    part_of,
)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({split: {row[1] for row in rows} for split, rows in EXTRACTION_SETS.items()}, id="extraction"),
        pytest.param({split: set(rows) for split, rows in TEMPLATE_FAMILIES.items()}, id="templates"),
        pytest.param({split: {row[1] for row in rows} for split, rows in CHAT_SETS.items()}, id="chat"),
        pytest.param({split: {row[1] for row in rows} for split, rows in PROGRAMMING_SETS.items()}, id="programming"),
        pytest.param({split: {name} for split, name in UTTERANCE_SETS.items()}, id="utterances"),
    ],
)
def test_no_set_is_in_both_splits(table):
    assert table["development"]
    assert table["report"]
    assert not table["development"] & table["report"]


def _phrases(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {phrase for part in value for phrase in _phrases(part)}


def test_no_written_phrase_is_in_both_splits():
    tables = {
        name: value
        for name, value in vars(wording).items()
        if name.startswith("_") and isinstance(value, dict) and set(value) == {"development", "report"}
    }
    assert len(tables) >= 7
    for name, table in tables.items():
        assert not _phrases(table["development"]) & _phrases(table["report"]), name


def test_extraction_questions_of_the_splits_are_disjoint(both):
    development, report = ({question for pool in one.pools for question in pool.questions} for one in both)
    assert len(development) > 20_000
    assert len(report) > 15_000
    assert not development & report


def test_honest_chat_of_the_splits_is_disjoint(both):
    development, report = (
        {turn for conversation in one.honest.chat for turn in conversation if len(turn) > FAMOUS} for one in both
    )
    assert len(development) > 3_000
    assert len(report) > 2_000
    assert not development & report


def test_every_pool_column_is_as_long_as_its_questions(both):
    for one in both:
        for pool in (*one.pools, one.french_pool):
            assert len(pool.questions) == len(pool.answer_characters) == len(pool.tools) > 0
            assert len(set(pool.questions)) == len(pool.questions)


def test_recorded_programmers_keep_their_order(both):
    development, report = both
    assert not development.honest.programmers
    assert len(report.honest.programmers) > 40
    for events in report.honest.programmers:
        assert [event[0] for event in events] == sorted(event[0] for event in events)


def test_few_shot_templates_lose_the_notice_above_the_rule(both):
    texts = [template.text for template in both[1].templates if template.family == "few_shot_cot"]
    assert len(texts) > 20
    assert not any("canary" in text for text in texts)


def test_absent_data_is_named(tmp_path):
    with pytest.raises(SourceAbsentError, match="STILLWATCH_SHARED"):
        load(tmp_path, "report")


def test_unknown_split_is_refused(tmp_path):
    with pytest.raises(WorldSettingsError, match="development, report"):
        load(tmp_path, "both")  # type: ignore[arg-type]


def test_parts_are_stable_and_even():
    parts = [part_of(f"row-{number}", 4) for number in range(4_000)]
    assert parts == [part_of(f"row-{number}", 4) for number in range(4_000)]
    assert all(850 < parts.count(part) < 1_150 for part in range(4))
