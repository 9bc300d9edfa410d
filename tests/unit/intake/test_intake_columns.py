"""Typed columns: a value becomes the same whatever the other values of its batch are, and whatever it is stored in."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.intake.columns import INT32_MAX, count_of, text_of, truth_of, typed

json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1", "2.0", "1e3", "true", "False", "nan", ""]),
    st.lists(st.integers(), max_size=1),
)


@pytest.mark.parametrize("kind", ["string", "int32", "float64", "bool"])
@given(values=st.lists(json_values, max_size=5))
def test_value_does_not_depend_on_its_batch(kind, values):
    together, lost = typed(values, kind)
    alone = [typed([value], kind) for value in values]
    # repr: NaN never appears, and 1 is not 1.0 is not True
    assert repr(together.to_pylist()) == repr([column.to_pylist()[0] for column, _ in alone])
    assert lost == sum(count for _, count in alone)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (st.integers(-(2**63), 2**63 - 1), pa.int64()),
        (st.integers(0, 2**64 - 1), pa.uint64()),
        (st.floats(), pa.float64()),
        (st.text(max_size=4), pa.string()),
        (st.booleans(), pa.bool_()),
    ],
)
@pytest.mark.parametrize("target", ["string", "int32", "float64", "bool"])
def test_arrow_columns_become_what_their_values_become(values, kind, target):
    @given(st.lists(st.none() | values, min_size=1, max_size=5))
    def check(listed):
        from_arrow, lost_arrow = typed(pa.array(listed, kind), target)
        from_list, lost_list = typed(listed, target)
        assert from_arrow.type == from_list.type
        assert repr(from_arrow.to_pylist()) == repr(from_list.to_pylist())
        assert lost_arrow == lost_list

    check()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", None),
        (48213, "48213"),
        (48213.0, "48213"),
        (1.5, "1.5"),
        (True, "true"),
        ([1], None),
        (float("nan"), None),
        (b"x", "x"),
    ],
)
def test_text_of_a_scalar(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (5, 5),
        (-1, None),
        (2**40, INT32_MAX),
        (5.9, 5),
        ("7", 7),
        ("x", None),
        (None, None),
        (float("inf"), None),
        (True, 1),
    ],
)
def test_count_of_a_scalar(value, count):
    assert count_of(value) == count


@pytest.mark.parametrize(
    ("value", "truth"), [(True, True), (0, False), ("True", True), ("no", None), (2, None), (1.0, True)]
)
def test_truth_of_a_scalar(value, truth):
    assert truth_of(value) is truth
