"""A batch of exchanges to a batch of sketches: the one door to the kernels.

Takes the `EXCHANGE` columns of an Arrow record batch. Gives the `SKETCH` columns with exactly their Arrow types, one row
per exchange in the same order. Every row depends on itself alone. Complexity: O(bytes).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.engines.arrow_schema import arrow_schema, conform
from stillwatch.records.exchange import EXCHANGE
from stillwatch.records.sketch import SKETCH
from stillwatch.sketches.attributes import (
    SOURCE_COLUMNS,
    account_column,
    address_columns,
    attribute_column,
    configuration_column,
    delivery_column,
    nullable,
    parameters_column,
    session_column,
)
from stillwatch.sketches.errors import ExchangeColumnError
from stillwatch.sketches.prompt_sketch import sketch_prompts
from stillwatch.sketches.response_side import response_signs
from stillwatch.sketches.shape import FEW_WORDS, OPENING_WORDS
from stillwatch.sketches.text_column import TextColumn, column_or_none, text_column, valid_rows

SKETCH_VERSION: Final = "sketch/v1"
"""Version of all functions of this package together. Whoever changes what one of them gives raises it, and makes tests/vectors/sketch_vectors.json anew:
sketches of two versions cannot be compared, and parts of another one are refused."""
SKETCH_ARROW: Final = arrow_schema(SKETCH)
MOST_MINUTES: Final = 2**31 - 1
MICROSECONDS_PER_MINUTE: Final = 60_000_000

PASSED_ON: Final = tuple(
    column.name
    for column in SKETCH.columns
    if column.name in EXCHANGE.names and column.name not in {*SOURCE_COLUMNS, "ip", "tools"}
)
"""Columns that a sketch takes over as they are."""


def sketch_batch(exchanges: pa.RecordBatch) -> pa.RecordBatch:
    """Return one sketch per exchange.

    Args:
        exchanges: Columns of `EXCHANGE` [n rows]; nullable ones may be missing, others are ignored. Text may be string,
            large string, string view or dictionary, and the batch may be a slice.

    Returns:
        Columns of `SKETCH` [n rows], in the same row order.

    Raises:
        ExchangeColumnError: for a required column that is missing or null, a column of a type that cannot be read, or a
            time beyond the years that minutes in 32 bits reach.
    """
    columns: dict[str, pa.Array] = {}
    for name in PASSED_ON:
        array = column_or_none(exchanges, name)
        _require(exchanges, name, array)
        if array is not None:
            columns[name] = array
    columns |= _time_columns(exchanges)
    columns |= _prompt_columns(exchanges)
    columns |= _response_columns(exchanges)
    columns |= {kind: attribute_column(exchanges, kind) for kind in SOURCE_COLUMNS}
    columns["ip"], columns["network"] = address_columns(exchanges)
    columns["account"] = account_column(exchanges)
    columns["session"] = session_column(exchanges)
    columns["parameters"] = parameters_column(exchanges)
    columns["configuration"] = configuration_column(exchanges)
    columns["delivery"] = delivery_column(exchanges)
    return conform(pa.RecordBatch.from_pydict(columns), SKETCH_ARROW)


def compile_kernels() -> None:
    """Compile every kernel, or load it from the cache, so that no timed or served batch has to wait for it."""
    sketch_batch(
        pa.RecordBatch.from_pydict(
            {
                "time_us": pa.array([0], pa.int64()),
                "account_id": pa.array([""]),
                "prompt": pa.array([""]),
                "source_no": pa.array([0], pa.int32()),
                "source_offset": pa.array([0], pa.int64()),
                "source_length": pa.array([0], pa.int64()),
            }
        )
    )


def _require(exchanges: pa.RecordBatch, name: str, array: pa.Array | None) -> None:
    """Raise where a required column is missing or has nulls."""
    if not EXCHANGE.column(name).required:
        return
    if array is None:
        raise ExchangeColumnError(
            f"column {name!r}: got a batch without it, expected it in every exchange; "
            f"the batch has {', '.join(exchanges.schema.names) or 'no columns'}"
        )
    if array.null_count:
        row = int(np.flatnonzero(~valid_rows(array))[0])
        raise ExchangeColumnError(
            f"column {name!r}: got {array.null_count} nulls, the first in row {row} of {len(array)} of the batch, "
            "expected a value in every exchange; put such rows in quarantine"
        )


def _time_columns(exchanges: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return day, hour and minute since the epoch."""
    times = np.asarray(exchanges.column("time_us").cast(pa.int64()))
    minutes = np.floor_divide(times, MICROSECONDS_PER_MINUTE)
    far = np.flatnonzero(np.abs(minutes) > MOST_MINUTES)
    if len(far):
        raise ExchangeColumnError(
            f"column 'time_us': got {times[far[0]]} in row {far[0]} of the batch, expected microseconds since 1970 "
            f"within {MOST_MINUTES} minutes of it; was the unit nanoseconds?"
        )
    return {
        "day": pa.array(np.floor_divide(minutes, 1440).astype(np.int32)),
        "hour": pa.array(np.floor_divide(minutes, 60).astype(np.int32)),
        "minute": pa.array(minutes.astype(np.int32)),
    }


def _prompt_columns(exchanges: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns that depend on prompt and system prompt."""
    prompts = text_column(exchanges, "prompt")
    systems = text_column(exchanges, "system_prompt")
    found = sketch_prompts(prompts, systems)
    whole = prompts.valid & ~_known_cut(exchanges)
    many = found.words >= FEW_WORDS
    no_text = pa.array(~prompts.valid)
    return {
        "exact": nullable(found.exact, whole & (found.folded_bytes > 0)),
        "shape": nullable(found.shape, whole & (found.words > 0)),
        "opening": nullable(found.opening, prompts.valid & (found.words >= OPENING_WORDS)),
        "prefix": nullable(found.prefix, prompts.valid & many),
        "suffix": nullable(found.suffix, whole & many),
        "system": nullable(found.system, systems.valid & (found.system_words > 0)),
        "spans": _lists(found.span_offsets, found.spans, no_text),
        "bands": _lists(found.band_offsets, found.bands, no_text),
        "intent": pa.array(found.intent),
        "prompt_bytes": nullable(_lengths(prompts), prompts.valid),
        "prompt_words": nullable(found.words, prompts.valid),
    }


def _response_columns(exchanges: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns that depend on the answer."""
    responses = text_column(exchanges, "response")
    lengths = _lengths(responses)
    return {
        "response_bytes": nullable(lengths, responses.valid),
        "response_signs": nullable(response_signs(responses), responses.valid & (lengths > 0)),
    }


def _known_cut(exchanges: pa.RecordBatch) -> np.ndarray:
    """Return bool [n]: true where the source is known to have cut the prompt."""
    complete = column_or_none(exchanges, "content_complete")
    if complete is None or complete.null_count == len(complete):
        return np.zeros(exchanges.num_rows, dtype=np.bool_)
    if not pa.types.is_boolean(complete.type):
        raise ExchangeColumnError(f"column 'content_complete': got {complete.type}, expected bool")
    return ~np.asarray(complete.fill_null(True))


def _lengths(column: TextColumn) -> np.ndarray:
    """Return int32 [n]: bytes of each text."""
    return np.diff(column.offsets).astype(np.int32)


def _lists(offsets: np.ndarray, values: np.ndarray, null: pa.Array) -> pa.Array:
    """Return a list array with null where there is no text."""
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values[: offsets[-1]]), mask=null)
