"""The digest of a table: what may change without changing it, and that everything else changes it."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.digest import digest_table
from stillwatch.integrity.errors import DigestError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False).filter(lambda value: math.copysign(1, value) > 0 or value != 0)
SCHEMA = pa.schema(
    [
        ("i", pa.int64()),
        ("s", pa.string()),
        ("b", pa.bool_()),
        ("f", pa.float64()),
        ("l", pa.list_(pa.int64())),
        ("t", pa.list_(pa.string())),
    ]
)
ROW = st.tuples(
    st.none() | INTEGERS,
    st.none() | TEXT,
    st.none() | st.booleans(),
    st.none() | FLOATS,
    st.none() | st.lists(st.none() | INTEGERS, max_size=3),
    st.none() | st.lists(st.none() | TEXT, max_size=3),
)
ROWS = st.lists(ROW, max_size=12)


def table(rows: list[Any]) -> pa.Table:
    columns = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(SCHEMA)]
    return pa.table(columns, schema=SCHEMA)


@given(ROWS, st.lists(st.integers(0, 12), max_size=4))
def test_chunks_and_offsets_do_not_matter(rows: list[Any], cuts: list[int]) -> None:
    whole = table(rows)
    bounds = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [whole.slice(start, end - start) for start, end in itertools.pairwise(bounds)]
    padded = pa.concat_tables([whole, whole]).slice(len(rows), len(rows))
    expected = digest_table(whole)
    assert digest_table(pa.concat_tables(pieces) if pieces else whole) == expected
    assert digest_table(padded) == expected


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_matters_only_where_it_is_asked_to(rows: list[Any], random: Any) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    assert digest_table(table(mixed), ordered=False) == digest_table(table(rows), ordered=False)
    assert (digest_table(table(mixed)) == digest_table(table(rows))) == (mixed == rows)


@given(ROWS, ROWS)
def test_different_rows_have_different_digests(one: list[Any], other: list[Any]) -> None:
    assert (digest_table(table(one)) == digest_table(table(other))) == (one == other)


@given(st.lists(ROW, min_size=1, max_size=4), st.data())
@settings(max_examples=60)
def test_one_changed_cell_changes_the_digest(rows: list[Any], data: Any) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    place = data.draw(st.integers(0, len(SCHEMA) - 1))
    other = data.draw(ROW)
    changed = [
        tuple(other[c] if (r, c) == (row, place) else v for c, v in enumerate(values)) for r, values in enumerate(rows)
    ]
    same = changed[row][place] == rows[row][place]
    assert (digest_table(table(changed)) == digest_table(table(rows))) == same
    assert (digest_table(table(changed), ordered=False) == digest_table(table(rows), ordered=False)) == same


def test_values_do_not_flow_into_their_neighbours() -> None:
    digests = {
        digest_table(pa.table({"a": a, "b": b}))
        for a, b in [
            (["ab"], ["c"]),
            (["a"], ["bc"]),
            ([""], ["abc"]),
            (["abc"], [""]),
            ([None], ["abc"]),
            (["abc"], [None]),
        ]
    }
    assert len(digests) == 6
    lists = pa.list_(pa.int64())
    digests = {
        digest_table(pa.table({"a": pa.array([a], lists), "b": pa.array([b], lists)}))
        for a, b in [([1, 2], []), ([1], [2]), ([], [1, 2]), (None, [1, 2]), ([1, 2], None), ([1, None], [2])]
    }
    assert len(digests) == 6


def test_repeated_rows_count() -> None:
    once, twice = pa.table({"x": [1, 2]}), pa.table({"x": [1, 2, 2]})
    assert digest_table(once, ordered=False) != digest_table(twice, ordered=False)
    assert digest_table(once, ordered=False) != digest_table(once)


def test_physical_types_of_one_kind_are_equal_and_kinds_are_not() -> None:
    numbers = [1, None, 3]
    same = [pa.int8(), pa.int32(), pa.int64(), pa.uint16()]
    assert len({digest_table(pa.table({"x": pa.array(numbers, type_)})) for type_ in same}) == 1
    words = pa.array(["a", None, "a"])
    encoded = [words, words.cast(pa.large_string()), words.dictionary_encode()]
    assert len({digest_table(pa.table({"x": array})) for array in encoded}) == 1
    lists = [pa.array([[1], None], type_) for type_ in (pa.list_(pa.int32()), pa.large_list(pa.int64()))]
    assert len({digest_table(pa.table({"x": array})) for array in lists}) == 1
    kinds = [
        pa.array([None], type_) for type_ in (pa.int64(), pa.float64(), pa.string(), pa.binary(), pa.bool_(), pa.null())
    ]
    assert len({digest_table(pa.table({"x": array})) for array in kinds}) == len(kinds)


def test_names_order_of_columns_and_row_count_matter() -> None:
    digests = [
        digest_table(pa.table({"x": [1], "y": [2]})),
        digest_table(pa.table({"y": [2], "x": [1]})),
        digest_table(pa.table({"x": [2], "y": [1]})),
        digest_table(pa.table({"x": pa.array([], pa.int64()), "y": pa.array([], pa.int64())})),
        digest_table(pa.table({})),
    ]
    assert len(set(digests)) == len(digests)


def test_times_are_instants_and_zeros_and_nans_are_one() -> None:
    moment = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
    seconds = pa.array([moment], pa.timestamp("s", tz="UTC"))
    elsewhere = pa.array([moment], pa.timestamp("us", tz="Asia/Tokyo"))
    assert digest_table(pa.table({"x": seconds})) == digest_table(pa.table({"x": elsewhere}))
    bits = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x8000000000000000], np.uint64).view(np.float64)
    plain = np.array([np.nan, np.nan, 0.0])
    assert digest_table(pa.table({"x": pa.array(bits)})) == digest_table(pa.table({"x": pa.array(plain)}))
    assert digest_table(pa.table({"x": [math.nan]})) != digest_table(pa.table({"x": pa.array([None], pa.float64())}))


def test_slices_join_without_a_seam() -> None:
    rows = 40_000
    whole = pa.table({"x": np.arange(rows), "s": [f"é{number}" for number in range(rows)]})
    assert digest_table(whole) == digest_table(pa.concat_tables([whole.slice(0, 16_385), whole.slice(16_385)]))
    swapped = pa.concat_tables([whole.slice(20_000), whole.slice(0, 20_000)])
    assert digest_table(whole, ordered=False) == digest_table(swapped, ordered=False)
    assert digest_table(whole) != digest_table(swapped)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (pa.array([{"a": 1}]), r"column 'x': type struct<a: int64> has no digest"),
        (pa.array([dt.date(2026, 1, 1)]), r"column 'x': type date32"),
        (pa.array([[{"a": 1}]]), r"column 'x': type struct"),
        (pa.array([2**63], pa.uint64()), r"column 'x': got a uint64 that does not fit 64 signed bits"),
    ],
)
def test_other_types_are_refused_by_name(array: pa.Array, says: str) -> None:
    with pytest.raises(DigestError, match=says):
        digest_table(pa.table({"x": array}))


def test_a_hundred_thousand_rows_take_less_than_a_second_of_processor_time() -> None:
    rng = np.random.default_rng(2)
    rows = 100_000
    wide = pa.table(
        {
            **{
                f"n{place}": pa.array(rng.integers(-(2**62), 2**62, rows), mask=rng.random(rows) < 0.2)
                for place in range(12)
            },
            "s": [f"account-{number}" for number in range(rows)],
            "l": pa.ListArray.from_arrays(
                np.arange(0, 6 * rows + 1, 6, dtype=np.int32), pa.array(rng.integers(0, 9, 6 * rows))
            ),
        }
    )
    before = time.process_time()
    digest_table(wide, ordered=False)
    assert time.process_time() - before < 1.0
