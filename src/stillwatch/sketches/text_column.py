"""Arrow string columns as the flat arrays that kernels read.

Takes a string column in any of Arrow's layouts (string, large string, string view, dictionary, null; sliced or not).
Gives its UTF-8 bytes, 64-bit offsets and validity. Bytes are never copied for string and large string.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.sketches.errors import ExchangeColumnError

NO_BYTES = np.frombuffer(b"\0", dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextColumn:
    """A string column as numpy arrays."""

    data: np.ndarray
    """uint8 [bytes], read-only; at least 1 byte long."""
    offsets: np.ndarray
    """int64 [n + 1]; row i is `data[offsets[i]:offsets[i + 1]]`."""
    valid: np.ndarray
    """bool [n], writable; false where the row is null."""


def text_column(batch: pa.RecordBatch, name: str) -> TextColumn:
    """Return a column of a batch; all null where the batch does not have it.

    Args:
        batch: Record batch [n rows].
        name: Name of the column.

    Raises:
        ExchangeColumnError: for a column that is not text, or stands there twice.
    """
    column = column_or_none(batch, name)
    if column is None:
        return _all_null(batch.num_rows)
    return text_array(column, name=name)


def text_array(array: pa.Array, *, name: str) -> TextColumn:
    """Return an Arrow string array as flat arrays.

    Args:
        array: String array [n] in any layout.
        name: Name of the column, for the message.

    Raises:
        ExchangeColumnError: for an array that is not text.
    """
    if pa.types.is_null(array.type):
        return _all_null(len(array))
    if not is_text(array.type):
        raise ExchangeColumnError(
            f"column {name!r}: got {array.type}, expected text (string, large string, string view or dictionary of "
            "these); cast the column before it is sketched"
        )
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = array.cast(pa.large_string())
    _, offset_buffer, data_buffer = array.buffers()
    width = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    if len(array) == 0 or offset_buffer is None:
        offsets = np.zeros(len(array) + 1, dtype=np.int64)
    else:
        offsets = np.frombuffer(
            offset_buffer, dtype=width, count=len(array) + 1, offset=array.offset * width.itemsize
        ).astype(np.int64, copy=False)
    data = NO_BYTES if data_buffer is None or data_buffer.size == 0 else np.frombuffer(data_buffer, dtype=np.uint8)
    data.flags.writeable = False
    offsets.flags.writeable = False
    return TextColumn(data=data, offsets=offsets, valid=valid_rows(array))


def is_text(type_: pa.DataType) -> bool:
    """Say whether a kernel can read a column of this type as text."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def valid_rows(array: pa.Array) -> np.ndarray:
    """Return bool [n], writable: false where the array is null."""
    if array.null_count == 0:
        return np.ones(len(array), dtype=np.bool_)
    return np.array(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def column_or_none(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """Return a column of a batch, or none where it is not there.

    Raises:
        ExchangeColumnError: when the batch has the column twice.
    """
    places = batch.schema.get_all_field_indices(name)
    if len(places) > 1:
        raise ExchangeColumnError(f"column {name!r}: got {len(places)} columns of that name, expected one")
    return batch.column(places[0]) if places else None


def _all_null(rows: int) -> TextColumn:
    """Return a column of nulls."""
    offsets = np.zeros(rows + 1, dtype=np.int64)
    offsets.flags.writeable = False
    return TextColumn(data=NO_BYTES, offsets=offsets, valid=np.zeros(rows, dtype=np.bool_))
