"""Client addresses and their networks, normalised before they are hashed.

Takes addresses as logs write them: IPv4 or IPv6, with or without port, brackets or zone. Gives 4 or 16 bytes. An IPv4
address mapped into IPv6 is that IPv4 address (RFC 4291, 2.5.5.2). The network is the first 3 bytes of IPv4 (/24) or 6
bytes of IPv6 (/48). What cannot be read as an address has no network, and its address hash is that of its text.
"""

from __future__ import annotations

import ipaddress
from typing import Final

import numpy as np

from stillwatch.sketches.hashing import domain_seed, hash_bytes, hash_span
from stillwatch.sketches.kernels import kernel

NETWORK_BYTES: Final = {4: 3, 16: 6}

_IP: Final = domain_seed("ip")
_IP_TEXT: Final = domain_seed("ip-text")
_NETWORK: Final = domain_seed("network")
IP_SEED = np.uint64(_IP)
IP_TEXT_SEED = np.uint64(_IP_TEXT)
NETWORK_SEED = np.uint64(_NETWORK)

_WHITE: Final = " \t\r\n"
_NOT_HEX: Final = 16


def parse_address(text: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address, or none where the text is not one.

    Args:
        text: Address, perhaps with port, brackets or zone.
    """
    bare = text.strip(_WHITE)
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    bare = bare.partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.packed
    return address.packed


def hash_address(text: str) -> int:
    """Return the unsigned hash of an address, or of the text where it is none."""
    packed = parse_address(text)
    return hash_bytes(text.strip(_WHITE).encode(), _IP_TEXT) if packed is None else hash_bytes(packed, _IP)


def hash_network(text: str) -> int | None:
    """Return the unsigned hash of an address's network, or none where the text is not an address."""
    packed = parse_address(text)
    return None if packed is None else hash_bytes(packed[: NETWORK_BYTES[len(packed)]], _NETWORK)


@kernel
def hash_addresses(
    data: np.ndarray,
    offsets: np.ndarray,
    valid: np.ndarray,
    network_valid: np.ndarray,
    addresses: np.ndarray,
    networks: np.ndarray,
) -> None:
    """Hash a column of addresses; the same values as `hash_address` and `hash_network`.

    Args:
        data: uint8 [bytes].
        offsets: int64 [n + 1].
        valid: bool [n]; set to false where nothing but whitespace stands.
        network_valid: bool [n], written.
        addresses: int64 [n], written.
        networks: int64 [n], written.
    """
    packed = np.zeros(16, dtype=np.uint8)
    for row in range(valid.shape[0]):
        addresses[row] = 0
        networks[row] = 0
        network_valid[row] = False
        if not valid[row]:
            continue
        begin, end = offsets[row], offsets[row + 1]
        while begin < end and _is_white(data[begin]):
            begin += 1
        while begin < end and _is_white(data[end - 1]):
            end -= 1
        if begin == end:
            valid[row] = False
            continue
        size = _read_address(data, begin, end, packed)
        if size == 0:
            addresses[row] = np.int64(hash_span(data, begin, end - begin, IP_TEXT_SEED))
            continue
        addresses[row] = np.int64(hash_span(packed, 0, size, IP_SEED))
        networks[row] = np.int64(hash_span(packed, 0, 3 if size == 4 else 6, NETWORK_SEED))
        network_valid[row] = True


@kernel
def _is_white(byte: int) -> bool:
    """Say whether a byte is space, tab, carriage return or line feed."""
    return byte in (32, 9, 13, 10)


@kernel
def _read_address(data: np.ndarray, begin: int, end: int, packed: np.ndarray) -> int:
    """Write the bytes of an address without its port, brackets and zone; return 4, 16, or 0 for no address."""
    if data[begin] == 91:  # [
        begin += 1
        place = begin
        while place < end and data[place] != 93:
            place += 1
        end = place
    else:
        colons = 0
        first = end
        for place in range(begin, end):
            if data[place] == 58:
                colons += 1
                first = min(first, place)
        if colons == 1:
            end = first
    for place in range(begin, end):
        if data[place] == 37:  # %
            end = place
            break
    if _read_four(data, begin, end, packed, 0):
        return 4
    if not _read_sixteen(data, begin, end, packed):
        return 0
    mapped = packed[10] == 255 and packed[11] == 255
    for index in range(10):
        mapped = mapped and packed[index] == 0
    if mapped:
        for index in range(4):
            packed[index] = packed[12 + index]
        return 4
    return 16


@kernel
def _read_four(data: np.ndarray, begin: int, end: int, packed: np.ndarray, at: int) -> bool:
    """Write four decimal numbers that dots separate; leading zeros are refused, since some readers take them as octal."""
    number, digits, part = 0, 0, 0
    for place in range(begin, end + 1):
        byte = data[place] if place < end else 46
        if 48 <= byte <= 57:
            if digits > 0 and number == 0:
                return False
            number = number * 10 + byte - 48
            digits += 1
            if number > 255:
                return False
        elif byte == 46:
            if digits == 0 or part == 4:
                return False
            packed[at + part] = number
            number, digits = 0, 0
            part += 1
        else:
            return False
    return part == 4


@kernel
def _read_sixteen(data: np.ndarray, begin: int, end: int, packed: np.ndarray) -> bool:
    """Write eight groups of hexadecimal digits; `::` once stands for one or more groups of zero."""
    groups, gap, place = 0, -1, begin
    if end - begin >= 2 and data[begin] == 58 and data[begin + 1] == 58:
        gap = 0
        place = begin + 2
    while place < end:
        value, digits, start = 0, 0, place
        while place < end and data[place] != 58 and data[place] != 46:
            digit = _hexadecimal(data[place])
            if digit == _NOT_HEX or digits == 4:
                return False
            value = value * 16 + digit
            digits += 1
            place += 1
        if place < end and data[place] == 46:
            if groups > 6 or not _read_four(data, start, end, packed, 2 * groups):
                return False
            groups += 2
            place = end
            break
        if digits == 0 or groups == 8:
            return False
        packed[2 * groups] = value >> 8
        packed[2 * groups + 1] = value & 255
        groups += 1
        if place == end:
            break
        place += 1
        if place < end and data[place] == 58:
            if gap >= 0:
                return False
            gap = groups
            place += 1
        elif place == end:
            return False
    if gap < 0:
        return groups == 8
    if groups > 7:
        return False
    missing = 16 - 2 * groups
    for index in range(15, 2 * gap + missing - 1, -1):
        packed[index] = packed[index - missing]
    for index in range(2 * gap, 2 * gap + missing):
        packed[index] = 0
    return True


@kernel
def _hexadecimal(byte: int) -> int:
    """Return the value of a hexadecimal digit, or `_NOT_HEX`."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    if 65 <= byte <= 70:
        return byte - 55
    return _NOT_HEX
