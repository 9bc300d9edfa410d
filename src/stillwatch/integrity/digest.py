"""Digests of bytes and tables: BLAKE2b with 256 bits (RFC 7693).

Takes bytes, or an Arrow table. Gives 64 hex digits. A table's digest is over its column names and kinds and, per row,
over bytes that say each value once: for every column a byte for null or present with the value or its length in a fixed
width, then what the lengths announce. So it does not depend on chunks, batches, offsets, dictionary encoding or integer width; where asked, not on row order
either. Time is linear in the bytes (n log n without row order); memory is 32 bytes per row and one slice.

Equal digests mean equal tables as far as BLAKE2b has no collisions. They do not show who made the table, or when.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import DigestError

DIGEST_BYTES = 32
_ROW_PERSON = b"stillwatch-row/1"
_TABLE_PERSON = b"stillwatch-tbl/1"
"""Personalisation strings (RFC 7693, section 2.8): a row's digest can never be taken for a table's."""
_SLICE_ROWS = 16_384
"""Rows encoded at a time, which bounds memory."""

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ragged:
    """Byte strings of different lengths, end to end."""

    lengths: Counts
    """Bytes per row [rows]."""
    data: Bytes
    """All bytes [sum of lengths]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoded:
    """The values of a column as bytes."""

    heads: Bytes
    """A byte for null (0) or present (1), then the value, or the length of its content [rows, width]."""
    contents: _Ragged | None
    """What stands behind a length: text, or list elements; none for values of fixed width."""


def digest_bytes(data: bytes) -> str:
    """Return the BLAKE2b-256 of bytes as 64 hex digits."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def digest_table(table: pa.Table, *, ordered: bool = True) -> str:
    """Return a digest of a table's content.

    Args:
        table: Columns of integers, floats, booleans, strings, binary, timestamps, dictionaries of these or lists of
            these.
        ordered: False to give the same digest for the same rows in any order; how often a row occurs still counts.

    Returns:
        64 hex digits.

    Raises:
        DigestError: for another column type, or unsigned integers of 2**63 and more.
    """
    normal = pa.table(
        [_normal(name, column) for name, column in zip(table.column_names, table.columns, strict=True)],
        names=table.column_names,
    )
    rows: list[bytes] = []
    for start in range(0, normal.num_rows, _SLICE_ROWS):
        rows.extend(_row_digests(normal.slice(start, _SLICE_ROWS)))
    if not ordered:
        rows.sort()
    header = {
        "columns": [[field.name, _kind(field.name, field.type)] for field in normal.schema],
        "ordered": ordered,
        "rows": table.num_rows,
    }
    state = hashlib.blake2b(canonical_bytes(header), digest_size=DIGEST_BYTES, person=_TABLE_PERSON)
    state.update(b"\n")
    for row in rows:
        state.update(row)
    return state.hexdigest()


def _normal(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the column in the one type that stands for its kind: int64, float64, large_binary, bool or lists of them."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return _normal(name, column.cast(type_.value_type))
    try:
        return column.cast(_normal_type(name, type_))
    except pa.ArrowInvalid:
        raise DigestError(
            f"column {name!r}: got a {type_} that does not fit 64 signed bits; cast it to text first"
        ) from None


def _normal_type(name: str, type_: pa.DataType) -> pa.DataType:
    """Return the type that stands for all types of a kind."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.large_list(_normal_type(name, type_.value_type))
    return {
        "integer": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.large_string(),
        "binary": pa.large_binary(),
        "time": pa.timestamp("us", tz="UTC"),
        "null": pa.null(),
    }[_kind(name, type_)]


def _kind(name: str, type_: pa.DataType) -> str:
    """Return the kind of a column type, as the digest's header says it."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return f"list of {_kind(name, type_.value_type)}"
    tests = (
        ("integer", pa.types.is_integer),
        ("float", pa.types.is_floating),
        ("bool", pa.types.is_boolean),
        ("string", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t)),
        ("binary", lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t)),
        ("time", pa.types.is_timestamp),
        ("null", pa.types.is_null),
    )
    for kind, test in tests:
        if test(type_):
            return kind
    raise DigestError(f"column {name!r}: type {type_} has no digest; cast it to integers, text or lists of them first")


def _row_digests(slice_: pa.Table) -> list[bytes]:
    """Return a digest per row, over the heads of its values and then the contents of those that have one."""
    values = [_encode(_one_array(column)) for column in slice_.columns]
    heads = np.concatenate([np.empty((slice_.num_rows, 0), np.uint8), *(value.heads for value in values)], axis=1)
    contents = _side_by_side([value.contents for value in values if value.contents is not None], slice_.num_rows)
    head_bytes = memoryview(heads.tobytes())
    content_bytes = memoryview(contents.data.tobytes())
    width = heads.shape[1]
    digests = []
    start = 0
    for row, end in enumerate(np.cumsum(contents.lengths).tolist()):
        state = hashlib.blake2b(
            head_bytes[row * width : (row + 1) * width], digest_size=DIGEST_BYTES, person=_ROW_PERSON
        )
        state.update(content_bytes[start:end])
        digests.append(state.digest())
        start = end
    return digests


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a slice of a column as one array."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _encode(array: pa.Array) -> _Encoded:
    """Return the bytes of each value."""
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if pa.types.is_null(array.type):
        return _Encoded(heads=_heads(valid, np.empty((len(array), 0), np.uint8)), contents=None)
    if pa.types.is_large_list(array.type):
        counts = np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False), np.int64)
        contents = _per_row(_one_string(_encode(array.flatten())), counts)
        return _Encoded(heads=_heads(valid, _eight_bytes(counts)), contents=contents)
    if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        filled = pc.fill_null(array.cast(pa.large_binary()), b"")
        counts = np.asarray(pc.binary_length(filled).to_numpy(zero_copy_only=False), np.int64)
        data = np.frombuffer(b"".join(filled.to_pylist()), np.uint8)
        return _Encoded(heads=_heads(valid, _eight_bytes(counts)), contents=_Ragged(lengths=counts, data=data))
    return _Encoded(heads=_heads(valid, _fixed_bytes(array)), contents=None)


def _fixed_bytes(array: pa.Array) -> Bytes:
    """Return the bytes of booleans, integers, times or floats [rows, 1 or 8]; null counts as zero."""
    if pa.types.is_boolean(array.type):
        flags = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
        return np.asarray(flags, np.uint8).reshape(-1, 1)
    if pa.types.is_floating(array.type):
        floats = np.array(pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False), "<f8")
        floats[np.isnan(floats)] = np.nan  # one bit pattern for every NaN
        floats[floats == 0] = 0.0  # and one for both zeros
        return floats.view(np.uint8).reshape(-1, 8)
    return _eight_bytes(pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False))


def _eight_bytes(integers: Counts) -> Bytes:
    """Return 64-bit integers as little-endian bytes [rows, 8]."""
    return np.ascontiguousarray(integers, "<i8").view(np.uint8).reshape(-1, 8)


def _heads(valid: npt.NDArray[np.bool_], values: Bytes) -> Bytes:
    """Return 1 and the value's bytes where there is one, else zeros [rows, 1 + width]."""
    return np.concatenate([valid.astype(np.uint8).reshape(-1, 1), values], axis=1)


def _one_string(elements: _Encoded) -> _Ragged:
    """Return each element as one byte string, head before content."""
    rows, width = elements.heads.shape
    heads = _Ragged(lengths=np.full(rows, width, np.int64), data=elements.heads.reshape(-1))
    return heads if elements.contents is None else _side_by_side([heads, elements.contents], rows)


def _per_row(elements: _Ragged, counts: Counts) -> _Ragged:
    """Return list elements as one byte string per row of `counts` elements."""
    ends = np.concatenate([[0], np.cumsum(elements.lengths)])
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return _Ragged(lengths=np.diff(ends[bounds]).astype(np.int64), data=elements.data)


def _side_by_side(parts: Sequence[_Ragged], rows: int) -> _Ragged:
    """Return, for each row, the bytes of all parts after one another."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.zeros(rows, np.int64)
    for part in parts:
        lengths += part.lengths
    data = np.empty(int(lengths.sum()), np.uint8)
    places = np.concatenate([[0], np.cumsum(lengths)])[:-1].astype(np.int64)
    for part in parts:
        begins = np.concatenate([[0], np.cumsum(part.lengths)])[:-1]
        data[np.repeat(places - begins, part.lengths) + np.arange(len(part.data))] = part.data
        places = places + part.lengths
    return _Ragged(lengths=lengths, data=data)
