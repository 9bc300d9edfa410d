"""Small batches of exchanges for the tests."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from stillwatch.engines.arrow_schema import ARROW_TYPES, arrow_schema, conform
from stillwatch.records.exchange import EXCHANGE


def batch_of_rows(rows: Sequence[dict[str, object]]) -> pa.RecordBatch:
    """Return a full `EXCHANGE` batch of the given values; the rest is null, and required columns are filled."""
    filled = [
        {"time_us": 1_700_000_000_000_000 + number, "account_id": "account-1", "source_no": 0, "source_offset": number}
        | {"source_length": 100}
        | dict(row)
        for number, row in enumerate(rows)
    ]
    columns = {
        column.name: pa.array([row.get(column.name) for row in filled], ARROW_TYPES[column.type])
        for column in EXCHANGE.columns
    }
    return conform(pa.RecordBatch.from_pydict(columns), arrow_schema(EXCHANGE))


def batch_of_prompts(prompts: Sequence[str | None]) -> pa.RecordBatch:
    """Return a batch with these prompts."""
    return batch_of_rows([{"prompt": prompt} for prompt in prompts])
