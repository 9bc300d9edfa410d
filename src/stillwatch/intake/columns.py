"""Columns: values as a log writes them become typed Arrow columns. Fast where a column is of one type, and the same otherwise.

Takes a list of Python values or an Arrow array, gives an Arrow array of the logical type and the number of values that could
not be kept as they were. No exchange is lost for an optional field, since a client chooses some of them:

* a number above the int32 range is clamped to 2,147,483,647; a negative one is null (`-1` means "none" in several sources);
* a fraction in an integer column is cut off; NaN and infinity are null; numeric text is a number;
* a number or boolean in a text column is its text (`48213`, never `48213.0`); a structure in a text column is null;
* empty text is null.

Every clamped or unusable value is counted, so that a wrong mapping shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.records.table import TableSchema

INT32_MAX = 2**31 - 1

ARROW_TYPES = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<int64>": pa.list_(pa.int64()),
}


def arrow_schema(schema: TableSchema) -> Any:
    """Give the Arrow schema of a table of the records."""
    return pa.schema(
        [pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required) for column in schema.columns]
    )


def typed(values: Any, kind: str) -> tuple[Any, int]:
    """Make a typed column.

    Args:
        values: list of n Python values, or Arrow array of n values.
        kind: `string`, `bool`, `int32` or `float64`.

    Returns:
        (Arrow array [n] of that type, number of values that were clamped or set to null).
    """
    if isinstance(values, list):
        return _FROM_LIST[kind](values)
    return _FROM_ARROW[kind](values)


def text_of(value: object) -> str | None:
    """Give the text of a scalar; null for null, empty text and structures."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or None
    return None


def number_of(value: object) -> float | int | None:
    """Give the number that a scalar states; null for null, other text, NaN, infinity and structures."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
        value = int(value) if math.isfinite(value) and value.is_integer() else value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return value if isinstance(value, int) else None


def count_of(value: object) -> int | None:
    """Give a count in the int32 range: clamped above, null when negative or no number."""
    number = number_of(value)
    if number is None or number < 0:
        return None
    return min(int(number), INT32_MAX)


def is_one_of(value: object, words: Container[str]) -> bool:
    """Say whether a value is one of some words; false for a value of another type, which may not even be hashable."""
    return isinstance(value, str) and value in words


def milliseconds_of(seconds: object) -> int | None:
    """Give whole milliseconds for a number of seconds; null for anything else and for what no request takes."""
    number = number_of(seconds)
    return round(number * 1000) if number is not None and 0 <= number < INT32_MAX else None


def truth_of(value: object) -> bool | None:
    """Give the boolean that a scalar states; null for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in {0, 1} else None
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    return None


def _strings(values: list[Any]) -> tuple[Any, int]:
    if set(map(type, values)) <= {str, type(None)}:
        return _blank_to_null(pa.array(values, pa.string())), 0
    return _each(values, text_of, pa.string())


def _blank_to_null(values: Any) -> Any:
    blank = pc.equal(pc.binary_length(values), 0)
    if not pc.any(blank).as_py():
        return values
    return pc.if_else(blank, pa.scalar(None, pa.string()), values)


def _each(values: list[Any], read: Callable[[Any], Any], kind: Any) -> tuple[Any, int]:
    converted = [None if value is None else read(value) for value in values]
    lost = sum(
        1
        for value, result in zip(values, converted, strict=True)
        if result is None and value is not None and value != ""
    )
    return pa.array(converted, kind), lost


def _counts(values: list[Any]) -> tuple[Any, int]:
    if set(map(type, values)) <= {int, type(None)}:
        try:
            return _clamped(pa.array(values, pa.int64()))
        except (OverflowError, pa.ArrowInvalid):  # one is beyond int64
            pass
    column, lost = _each(values, count_of, pa.int32())
    numbers = [number_of(value) for value in values]
    return column, lost + sum(1 for number in numbers if number is not None and number > INT32_MAX)


def _clamped(values: Any) -> tuple[Any, int]:
    negative, large = pc.less(values, 0), pc.greater(values, INT32_MAX)
    changed = (pc.sum(negative).as_py() or 0) + (pc.sum(large).as_py() or 0)
    if changed:
        values = pc.if_else(negative, pa.scalar(None, values.type), values)
        values = pc.if_else(large, pa.scalar(INT32_MAX, values.type), values)
    return values.cast(pa.int32()), changed


def _floats(values: list[Any]) -> tuple[Any, int]:
    if set(map(type, values)) <= {float, type(None)}:
        return _finite(pa.array(values, pa.float64()))
    return _each(values, _real, pa.float64())


def _real(value: object) -> float | None:
    number = number_of(value)
    if number is None:
        return None
    try:
        return float(number)
    except OverflowError:
        return None


def _finite(values: Any) -> tuple[Any, int]:
    unusable = pc.invert(pc.is_finite(values))
    lost = pc.sum(unusable).as_py() or 0
    return (pc.if_else(unusable, pa.scalar(None, pa.float64()), values) if lost else values), lost


def _truths(values: list[Any]) -> tuple[Any, int]:
    if set(map(type, values)) <= {bool, type(None)}:
        return pa.array(values, pa.bool_()), 0
    return _each(values, truth_of, pa.bool_())


def _arrow_strings(values: Any) -> tuple[Any, int]:
    kind = values.type
    if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type):
        values = values.cast(pa.string())
        kind = values.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.string())
        kind = values.type
    if pa.types.is_string(kind):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:  # a writer put bytes of another encoding into a text column
            return _strings(values.cast(pa.binary()).to_pylist())
        return _blank_to_null(values), 0
    if pa.types.is_integer(kind):
        return values.cast(pa.string()), 0
    return _strings(_python_values(values))


def _arrow_counts(values: Any) -> tuple[Any, int]:
    kind = values.type
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return _clamped(values.cast(pa.int64()))
    if pa.types.is_floating(kind):
        numbers = values.cast(pa.float64()).fill_null(-0.5).to_numpy(zero_copy_only=False)
        unusable = ~np.isfinite(numbers) | (numbers < 0)
        clamped = ~unusable & (numbers > INT32_MAX)
        whole = np.where(unusable, 0, np.minimum(numbers, INT32_MAX)).astype(np.int32)
        lost = int(unusable.sum()) - values.null_count + int(clamped.sum())
        return pa.array(whole, pa.int32(), mask=unusable), lost
    return _counts(_python_values(values))


def _arrow_floats(values: Any) -> tuple[Any, int]:
    kind = values.type
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and kind.bit_width < 64):
        return _finite(values.cast(pa.float64()))
    return _floats(_python_values(values))


def _arrow_truths(values: Any) -> tuple[Any, int]:
    return (values, 0) if pa.types.is_boolean(values.type) else _truths(_python_values(values))


def _python_values(values: Any) -> list[Any]:
    if pa.types.is_decimal(values.type):
        return [None if value is None else float(value) for value in values.to_pylist()]
    listed: list[Any] = values.to_pylist()
    return listed


_FROM_LIST: dict[str, Callable[[list[Any]], tuple[Any, int]]] = {
    "string": _strings,
    "int32": _counts,
    "float64": _floats,
    "bool": _truths,
}
_FROM_ARROW: dict[str, Callable[[Any], tuple[Any, int]]] = {
    "string": _arrow_strings,
    "int32": _arrow_counts,
    "float64": _arrow_floats,
    "bool": _arrow_truths,
}
