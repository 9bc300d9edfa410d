"""Histories: the queries against plain loops over the same rows, and what the accounts file knows of closings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from planted_accounts import accounts_of, hashes_of

from stillwatch.detection.facts import facts_of, no_facts
from stillwatch.detection.profiles.histories import DAY_US, MINUTE_US, Histories, load_histories
from stillwatch.detection.profiles.queries import SAMPLE, TECHNIQUES
from stillwatch.engines import Engine, open_engine
from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.records.exchange import ACCOUNT_FACTS
from stillwatch.records.sketch import Intent, ResponseSign

ACCOUNTS = 12
Row = dict[str, int | None]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_engine("duckdb", work=tmp_path_factory.mktemp("histories"), memory_limit_bytes=256 << 20, threads=1)
    yield engine
    engine.close()


def random_rows(seed: int) -> list[Row]:
    """Few wordings, equal times, missing columns; the last account has none of the optional ones."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for number in range(ACCOUNTS):
        for _ in range(int(rng.integers(1, 60))):
            time_us = int(rng.integers(0, 20 * 24 * 60)) * MINUTE_US
            told = number < ACCOUNTS - 1
            rows.append(
                {
                    "account": int(hashes_of(ACCOUNTS)[number]),
                    "time_us": time_us,
                    "minute": time_us // MINUTE_US,
                    "delivery": int(rng.integers(-(2**63), 2**63 - 1)),
                    "exact": int(rng.integers(0, 9)) if told and rng.random() < 0.9 else None,
                    "prefix": int(rng.integers(0, 4)) if told and rng.random() < 0.8 else None,
                    "suffix": int(rng.integers(0, 12)) if told and rng.random() < 0.8 else None,
                    "intent": int(rng.choice([0, Intent.PROBING, Intent.CODE, Intent.PROBING | Intent.CODE])),
                    "response_signs": int(rng.integers(0, 8)) if told and rng.random() < 0.7 else None,
                    "reasoning_tokens": int(rng.integers(0, 500)) if told and rng.random() < 0.7 else None,
                }
            )
    return rows


def loaded(engine: Engine, rows: list[Row]) -> Histories:
    schema = arrow_schema(SAMPLE.gives)
    unsaid = {"source_no": 0, "source_offset": 0, "source_length": 0, "day": 0, "hour": 0}
    table = pa.table(
        {field.name: pa.array([(unsaid | row).get(field.name) for row in rows], field.type) for field in schema},
        schema=schema,
    )
    engine.register("sample", table)
    engine.register("exchanges", table)
    return load_histories(engine, accounts_of(ACCOUNTS), no_facts())


def of_account(rows: list[Row], number: int) -> list[Row]:
    mine = [row for row in rows if row["account"] == hashes_of(ACCOUNTS)[number]]
    return sorted(mine, key=lambda row: (row["time_us"], row["delivery"]))


@pytest.mark.parametrize("seed", [61, 62, 63])
def test_trials_and_templates_are_counted_as_a_loop_counts_them(engine: Engine, seed: int) -> None:
    rows = random_rows(seed)
    tried = loaded(engine, rows).tried
    for number in range(ACCOUNTS):
        mine = [row for row in of_account(rows, number) if row["exact"] is not None]
        counted = dict.fromkeys(tried, 0)
        for place, row in enumerate(mine):
            uses = [
                sum(other[end] == row[end] for other in mine) if row[end] is not None else 0
                for end in ("prefix", "suffix")
            ]
            templated = any(count >= 3 and 10 * count >= len(mine) for count in uses)
            technique = bool((row["intent"] or 0) & TECHNIQUES)
            for period, inside in (("early", 4 * place < len(mine)), ("late", 2 * place >= len(mine))):
                counted[period] += inside
                counted[f"{period}_tried"] += inside and technique and not templated
                counted[f"{period}_templated"] += inside and templated
        assert {name: int(counts[number]) for name, counts in tried.items()} == counted
    assert tried["early_tried"].any()
    assert tried["late_templated"].any()


@pytest.mark.parametrize("seed", [64, 65])
def test_answers_are_counted_as_a_loop_counts_them(engine: Engine, seed: int) -> None:
    rows = random_rows(seed)
    answered = loaded(engine, rows).answered
    for number in range(ACCOUNTS):
        mine = of_account(rows, number)
        signs = [row["response_signs"] for row in mine if row["response_signs"] is not None]
        tokens = [row["reasoning_tokens"] for row in mine if row["reasoning_tokens"] is not None]
        assert answered["answers"][number] == len(signs)
        assert answered["inline"][number] == sum(bool(sign & ResponseSign.INLINE_REASONING) for sign in signs)
        assert answered["counted"][number] == len(tokens)
        assert answered["reasoning_tokens"][number] == sum(tokens)


def test_a_planted_rise_is_found_where_it_stands_and_even_use_has_none(engine: Engine) -> None:
    rows: list[Row] = []
    # Account 0: one exchange a day for ten days, then six a day for ten days. Account 1: four a day all the time.
    for day in range(20):
        for number, times in ((0, 1 if day < 10 else 6), (1, 4)):
            for turn in range(times):
                minute = day * 24 * 60 + turn * 24 * 60 // times
                rows.append(
                    {
                        "account": int(hashes_of(ACCOUNTS)[number]),
                        "time_us": minute * MINUTE_US,
                        "minute": minute,
                        "delivery": len(rows),
                        "intent": 0,
                    }
                )
    histories = loaded(engine, rows)
    assert histories.first_us[0] + histories.rise[0] * (histories.last_us[0] - histories.first_us[0]) == 10 * DAY_US
    assert np.isnan(histories.rise[1:]).all()


def test_closings_within_the_run_come_from_the_accounts_file(engine: Engine) -> None:
    days = {"a": 3, "b": 40, "c": None}
    rows = pa.table(
        {
            column.name: [
                {"account_id": name, "closed_us": None if day is None else day * DAY_US}.get(column.name)
                for name, day in days.items()
            ]
            for column in ACCOUNT_FACTS.columns
        },
        schema=arrow_schema(ACCOUNT_FACTS),
    )
    names = {"a": 7, "b": 17, "c": 27}
    facts = facts_of(rows, lambda kind, value: names[value])
    assert facts.closed_us == {7: 3 * DAY_US, 17: 40 * DAY_US}
    loaded(engine, random_rows(66))
    closed = load_histories(engine, accounts_of(ACCOUNTS), facts).closed_us
    assert closed[0] == 3 * DAY_US
    assert np.isnan(closed[1:]).all()
