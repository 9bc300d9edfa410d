"""Addresses: the kernel reads what the standard library reads, and networks are /24 and /48."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sketch_rows import batch_of_rows

from stillwatch.sketches import sketch_batch
from stillwatch.sketches.addresses import hash_address, hash_network, parse_address
from stillwatch.sketches.hashing import signed

addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.ip_addresses(v=4).map(lambda address: f"64:ff9b::{address}"),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]:443"),
    st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
    st.ip_addresses(v=4).map(lambda address: f" {address}:80\n"),
    st.text(alphabet="0123456789abcdefF:.[]%/ x", max_size=24),
    st.lists(st.sampled_from(["0", "1", "ffff", "::", ":", "1.2.3.4", "10000", "01", "."]), max_size=10).map("".join),
)


def columns(values: list[str]) -> list[tuple[int | None, int | None]]:
    sketches = sketch_batch(batch_of_rows([{"ip": value} for value in values]))
    return list(zip(sketches.column("ip").to_pylist(), sketches.column("network").to_pylist(), strict=True))


@settings(max_examples=500, deadline=None)
@given(st.lists(addresses, min_size=1, max_size=5))
def test_kernel_agrees_with_the_standard_library(values: list[str]) -> None:
    for value, (address, network) in zip(values, columns(values), strict=True):
        if not value.strip(" \t\r\n"):
            assert address is None
            assert network is None
            continue
        assert address == signed(hash_address(value))
        expected = hash_network(value)
        assert network == (None if expected is None else signed(expected))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("10.1.2.3", "::ffff:10.1.2.3"),
        ("10.1.2.3", "10.1.2.3:8080"),
        ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"),
        ("2001:db8::1", "[2001:db8::1]:443"),
        ("fe80::1%eth0", "fe80::1"),
        (" 1.2.3.4", "1.2.3.4 "),
    ],
)
def test_one_address_written_twice(left: str, right: str) -> None:
    assert len(set(columns([left, right]))) == 1


@pytest.mark.parametrize(
    "value", ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":::", "1::2::3", "12345::", "unknown", "::1:"]
)
def test_text_that_is_no_address_has_no_network(value: str) -> None:
    assert parse_address(value) is None
    assert columns([value])[0][1] is None


def test_networks() -> None:
    (_, a), (_, b), (_, c) = columns(["198.51.100.1", "198.51.100.254", "198.51.101.1"])
    assert a == b != c
    (_, a), (_, b), (_, c) = columns(["2001:db8:1:2::1", "2001:db8:1:ffff::9", "2001:db8:2::1"])
    assert a == b != c


def test_packed_form() -> None:
    assert parse_address("2001:db8::7") == ipaddress.ip_address("2001:db8::7").packed
    assert parse_address("1.2.3.4") == b"\x01\x02\x03\x04"
