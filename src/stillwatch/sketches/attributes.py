"""Hashes of what an exchange carries beside its texts: card, address, client, session, parameters, delivery.

Takes columns of the `EXCHANGE` table. Gives `int64` hashes with null where there is no value; an empty text is no value.
Each kind has its own domain, so that a card and a session with the same text have unrelated hashes. `hash_value` gives
for one value what the columns hold, so that a caller can look a value up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.records.exchange import EXCHANGE
from stillwatch.records.table import Column
from stillwatch.sketches.addresses import hash_address, hash_addresses, hash_network
from stillwatch.sketches.errors import ExchangeColumnError, SketchError
from stillwatch.sketches.hashing import domain_seed, hash_bytes, hash_span, hash_spans, mix, mix64, signed
from stillwatch.sketches.kernels import kernel
from stillwatch.sketches.text_column import TextColumn, column_or_none, text_array, text_column, valid_rows

SOURCE_COLUMNS: Final = {
    "organization": "organization_id",
    "api_key": "api_key_id",
    "user_agent": "user_agent",
    "tls": "tls_fingerprint",
    "payment": "payment_id",
    "email_domain": "email_domain",
    "tools": "tools",
}
"""Kind to the column of `EXCHANGE` that is hashed as it stands."""
KINDS: Final = ("account", *SOURCE_COLUMNS, "ip", "network")
CASELESS_KINDS: Final = frozenset({"email_domain"})
"""Kinds of which ASCII capitals are folded."""

PARAMETERS: Final = ("temperature", "top_p", "max_tokens", "n")
CONFIGURATION: Final = (*PARAMETERS, "stream", "endpoint", "user_agent")
_PLACE_COLUMNS: Final = frozenset({"source_no", "source_offset", "source_length"})
"""Where a row was read is no part of what was delivered."""


def hash_value(kind: str, value: str) -> int:
    """Return the hash that a sketch column holds for a value.

    Args:
        kind: One of `KINDS`: the name of the sketch column.
        value: The value as logged; for `network` any address in it.

    Returns:
        Signed 64-bit hash.

    Raises:
        SketchError: for another kind, an empty value, or a `network` of something that is not an address.
    """
    if kind not in KINDS:
        raise SketchError(f"hash of a value: got kind {kind!r}, expected one of {', '.join(sorted(KINDS))}")
    if not value.strip(" \t\r\n" if kind in {"ip", "network"} else ""):
        raise SketchError(f"hash of a value: got an empty {kind}, expected a value; an empty one is null in the column")
    if kind == "ip":
        return signed(hash_address(value))
    if kind == "network":
        network = hash_network(value)
        if network is None:
            raise SketchError("hash of a value: got a network of text that is not an IPv4 or IPv6 address")
        return signed(network)
    data = value.encode()
    return signed(hash_bytes(data.lower() if kind in CASELESS_KINDS else data, domain_seed(kind)))


def hash_session(account_id: str, session_id: str) -> int:
    """Return the hash that the `session` column holds for a session of an account."""
    account = hash_bytes(account_id.encode(), domain_seed("session-account"))
    return signed(mix(account, hash_bytes(session_id.encode(), domain_seed("session"))))


def hash_strings(texts: pa.Array, *, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of a string array.

    Args:
        texts: String array [n] in any layout.
        kind: Domain; one of `KINDS` other than `ip` and `network`, or a domain of the caller's own.

    Returns:
        int64 [n], and bool [n] that is true where the text is null or empty.
    """
    values, valid = _hash_text(text_array(texts, name=kind), kind)
    return values, ~valid


def attribute_column(batch: pa.RecordBatch, kind: str) -> pa.Array:
    """Return the hash column of one kind of `SOURCE_COLUMNS`.

    Args:
        batch: Exchanges [n].
        kind: Name of the sketch column.

    Returns:
        int64 array [n].
    """
    return nullable(*_hash_text(text_column(batch, SOURCE_COLUMNS[kind]), kind))


def address_columns(batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
    """Return the `ip` and the `network` column, int64 arrays [n]."""
    column = text_column(batch, "ip")
    rows = batch.num_rows
    addresses, networks = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    network_valid = np.empty(rows, dtype=np.bool_)
    hash_addresses(column.data, column.offsets, column.valid, network_valid, addresses, networks)
    return nullable(addresses, column.valid), nullable(networks, network_valid)


def account_column(batch: pa.RecordBatch) -> pa.Array:
    """Return the `account` column, int64 array [n], no nulls."""
    values, _ = _hash_text(text_column(batch, "account_id"), "account")
    return pa.array(values)


def session_column(batch: pa.RecordBatch) -> pa.Array:
    """Return the `session` column, int64 array [n]: hash of account and session id."""
    account, _ = _hash_text(text_column(batch, "account_id"), "session-account")
    session, valid = _hash_text(text_column(batch, "session_id"), "session")
    return nullable(_mix_columns(account, session), valid)


def parameters_column(batch: pa.RecordBatch) -> pa.Array:
    """Return the `parameters` column, int64 array [n]: hash of the sampling parameters, null where all are null."""
    fields, valid = _fields(batch, [EXCHANGE.column(name) for name in PARAMETERS])
    return nullable(_hash_rows(fields, np.uint64(domain_seed("parameters/v1"))), np.logical_or.reduce(valid, axis=1))


def configuration_column(batch: pa.RecordBatch) -> pa.Array:
    """Return the `configuration` column, int64 array [n]: hash of how a program calls, null where nothing of it is known."""
    fields, valid = _fields(batch, [EXCHANGE.column(name) for name in CONFIGURATION])
    return nullable(_hash_rows(fields, np.uint64(domain_seed("configuration/v1"))), np.logical_or.reduce(valid, axis=1))


def delivery_column(batch: pa.RecordBatch) -> pa.Array:
    """Return the `delivery` column, int64 array [n], no nulls.

    Rows with an exchange id are one delivery when account and exchange id are equal; other rows are one delivery when
    all their values are equal, wherever they were read.
    """
    exchange, named = _hash_text(text_column(batch, "exchange_id"), "delivery-exchange")
    account, _ = _hash_text(text_column(batch, "account_id"), "delivery-account")
    delivery = _mix_columns(account, exchange)
    if not named.all():
        fields, _ = _fields(batch, [column for column in EXCHANGE.columns if column.name not in _PLACE_COLUMNS])
        delivery = np.where(named, delivery, _hash_rows(fields, np.uint64(domain_seed("delivery-row/v1"))))
    return pa.array(delivery)


def nullable(values: np.ndarray, valid: np.ndarray) -> pa.Array:
    """Return an Arrow array with null where a row is not valid."""
    return pa.array(values, mask=~valid)


def _hash_text(column: TextColumn, domain: str) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes, int64 [n], and validity, bool [n], of a text column."""
    out = np.empty(len(column.valid), dtype=np.int64)
    valid = column.valid.copy()
    hash_spans(column.data, column.offsets, valid, domain in CASELESS_KINDS, np.uint64(domain_seed(domain)), out)
    return out, valid


def _fields(batch: pa.RecordBatch, columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
    """Return a row of numbers per exchange: for each column whether there is a value, and its bits or hash.

    Args:
        batch: Exchanges [n].
        columns: k columns of `EXCHANGE`.

    Returns:
        uint64 [n, 2 k], and bool [n, k] that is true where there is a value.
    """
    fields = np.zeros((batch.num_rows, 2 * len(columns)), dtype=np.uint64)
    valid = np.zeros((batch.num_rows, len(columns)), dtype=np.bool_)
    for index, column in enumerate(columns):
        if column.type == "string":
            values, valid[:, index] = _hash_text(text_column(batch, column.name), f"field/{column.name}")
            bits = values.view(np.uint64)
        else:
            bits, valid[:, index] = _number_bits(batch, column)
        fields[:, 2 * index] = valid[:, index]
        fields[:, 2 * index + 1] = np.where(valid[:, index], bits, np.uint64(0))
    return fields, valid


def _number_bits(batch: pa.RecordBatch, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return the 64 bits of each number of a column, uint64 [n], and validity, bool [n]."""
    array = column_or_none(batch, column.name)
    if array is None or pa.types.is_null(array.type):
        return np.zeros(batch.num_rows, dtype=np.uint64), np.zeros(batch.num_rows, dtype=np.bool_)
    wide = pa.float64() if column.type == "float64" else pa.int64()
    try:
        numbers = np.asarray(array.cast(wide).fill_null(0))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise ExchangeColumnError(
            f"column {column.name!r}: got {array.type}, expected {column.type}, and a value does not fit"
        ) from None
    if column.type == "float64":
        # One zero and one not-a-number, whatever their sign and payload.
        numbers = np.where(np.isnan(numbers), np.nan, numbers + 0.0)
    return numbers.view(np.uint64), valid_rows(array)


@kernel
def _mix_columns(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return int64 [n]: the mixed hashes of two columns."""
    out = np.empty(left.shape[0], dtype=np.int64)
    for row in range(left.shape[0]):
        out[row] = np.int64(mix64(np.uint64(left[row]), np.uint64(right[row])))
    return out


@kernel
def _hash_rows(fields: np.ndarray, seed: np.uint64) -> np.ndarray:
    """Return int64 [n]: the hash of each row of numbers, uint64 [n, k]."""
    out = np.empty(fields.shape[0], dtype=np.int64)
    for row in range(fields.shape[0]):
        out[row] = np.int64(hash_span(fields[row].view(np.uint8), 0, 8 * fields.shape[1], seed))
    return out
