"""The hash: pinned vectors, one value from both implementations, and the quality that the sketches rest on."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sketch_rows import batch_of_rows

from stillwatch.sketches import hash_text, hash_value, sketch_batch
from stillwatch.sketches.attributes import KINDS, SOURCE_COLUMNS, hash_session, hash_strings
from stillwatch.sketches.errors import ExchangeColumnError, SketchError
from stillwatch.sketches.hashing import domain_seed, hash_bytes, hash_span, signed

# Made once by `hash_bytes` of folded-multiply/v1. A changed value is a new version of every stored sketch.
VECTORS = {
    b"": 0xA83D01033A46AA8,
    b"a": 0x2021F9356C581B20,
    b"stillwatch": 0xD7A55C1BE268FD59,
    b"0123456789abcdef": 0x1E2F4E87887F2709,
    bytes(range(256)): 0x4A49716AC8278237,
}


@pytest.mark.parametrize("data", VECTORS)
def test_vectors(data: bytes) -> None:
    assert hash_bytes(data, 0) == VECTORS[data]


def test_text_vectors() -> None:
    assert hash_text("stillwatch") == -4050451008106159723
    assert hash_value("payment", "card-1") == 8536416506040301620


def kernel_hash(data: bytes, seed: int) -> int:
    around = np.frombuffer(b"\xaa" * 3 + data + b"\xbb" * 5, dtype=np.uint8)
    return int(hash_span(around, 3, len(data), np.uint64(seed)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 2**64 - 1))
@example(b"", 0)
def test_kernel_and_python_give_the_same_value(data: bytes, seed: int) -> None:
    assert kernel_hash(data, seed) == hash_bytes(data, seed)


@pytest.mark.parametrize("length", range(50))
def test_every_length_agrees(length: int) -> None:
    data = bytes((7 * number) % 256 for number in range(length))
    assert kernel_hash(data, 5) == hash_bytes(data, 5)


def test_each_output_bit_flips_half_of_the_time() -> None:
    rng = np.random.default_rng(20261123)
    trials = 4000
    flips = np.zeros(64, dtype=np.int64)
    for _ in range(trials):
        data = bytearray(rng.integers(0, 256, size=int(rng.integers(1, 40)), dtype=np.uint8).tobytes())
        before = hash_bytes(bytes(data), 1)
        place = int(rng.integers(len(data) * 8))
        data[place // 8] ^= 1 << place % 8
        changed = before ^ hash_bytes(bytes(data), 1)
        flips += [changed >> bit & 1 for bit in range(64)]
    # 64 bits at 1e-6 each: 5.3 standard deviations of a fair coin.
    assert np.abs(flips - trials / 2).max() < 5.3 * math.sqrt(trials) / 2


def test_no_collision_among_near_keys() -> None:
    seed = domain_seed("payment")
    assert len({hash_bytes(f"card-{number}".encode(), seed) for number in range(100_000)}) == 100_000


@given(st.integers(0, 2**64 - 1))
def test_signed_keeps_the_bits(value: int) -> None:
    assert -(2**63) <= signed(value) < 2**63
    assert signed(value) % 2**64 == value


VALUES = ["card-1", None, "", "CARD-1", "x" * 40, "é", "a\0b", "card-1"]
LAYOUTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_strings_hash_alike_in_every_layout_and_slice(layout: pa.DataType) -> None:
    array = pa.array(VALUES).cast(layout)
    values, null = hash_strings(array, kind="payment")
    assert null.tolist() == [value in {None, ""} for value in VALUES]
    assert [None if missing else int(value) for value, missing in zip(values, null, strict=True)] == [
        hash_value("payment", value) if value else None for value in VALUES
    ]
    sliced, _ = hash_strings(array.slice(3, 4), kind="payment")
    assert sliced.tolist() == values[3:7].tolist()


def test_strings_of_no_layout_are_refused() -> None:
    with pytest.raises(ExchangeColumnError, match="column 'payment': got int64, expected text"):
        hash_strings(pa.array([1]), kind="payment")


def test_value_hash_is_what_the_columns_hold() -> None:
    row = {column: f"Some-{kind}.Example" for kind, column in SOURCE_COLUMNS.items()}
    row |= {"account_id": "acc", "ip": " 10.1.2.3:443 ", "session_id": "s-1"}
    sketch = sketch_batch(batch_of_rows([row])).to_pylist()[0]
    for kind, column in SOURCE_COLUMNS.items():
        assert sketch[kind] == hash_value(kind, str(row[column]))
    assert sketch["account"] == hash_value("account", "acc")
    assert sketch["ip"] == hash_value("ip", "10.1.2.3")
    assert sketch["network"] == hash_value("network", "10.1.2.200")
    assert sketch["session"] == hash_session("acc", "s-1")
    assert hash_value("email_domain", "EXAMPLE.com") == hash_value("email_domain", "example.COM")


def test_equal_values_of_two_kinds_have_unrelated_hashes() -> None:
    assert len({hash_value(kind, "10.0.0.1") for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("card", "x", "got kind 'card', expected one of"),
        ("payment", "", "got an empty payment"),
        ("ip", " ", "got an empty ip"),
        ("network", "nowhere", "not an IPv4 or IPv6 address"),
    ],
)
def test_value_hash_refuses(kind: str, value: str, message: str) -> None:
    with pytest.raises(SketchError, match=message):
        hash_value(kind, value)
