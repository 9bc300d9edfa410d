"""Sketches of reference traffic, set apart from those of the traffic that is judged.

Takes sketches, of logs or from parts. Gives the same rows with a prefix before the account id, and with account, session and delivery of their own, so
that an account, and even one exchange, may be in both. Texts, addresses and cards keep their hashes: by them the two are compared.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.sketches.attributes import hash_strings
from stillwatch.sketches.hashing import domain_seed, signed

_BITS: Final = np.int64(signed(domain_seed("reference/v1")))


def as_reference(sketches: pa.RecordBatch, prefix: str) -> pa.RecordBatch:
    """Set sketches apart.

    Args:
        sketches: columns of `SKETCH` [n].
        prefix: what is put before the account ids.

    Returns:
        The same columns [n]. Two rows are one delivery where they were one before.
    """
    columns = dict(zip(sketches.schema.names, sketches.columns, strict=True))
    columns["account_id"] = pa.array([prefix + one for one in columns["account_id"].to_pylist()], pa.string())
    columns["account"] = pa.array(hash_strings(columns["account_id"], kind="account")[0])
    for name in ("delivery", "session"):
        # What they were made of is gone; turning the same bits over keeps different values different.
        values = np.asarray(columns[name].fill_null(0)) ^ _BITS
        columns[name] = pa.array(values, mask=np.asarray(columns[name].is_null()))
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=sketches.schema)
