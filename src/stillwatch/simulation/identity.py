"""Identity: client strings, mail domains, time zones and addresses, and how common each is.

Takes random generators and keys. Gives numbers of table entries and Arrow strings.
The tables hold what both honest customers and operators use: no entry belongs to one side.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.simulation.randomness import Integers, Keys, Purpose, below, mix, unit

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/135.0.0.0 Safari/537.36 Edg/135.0.0.0",
)
LIBRARIES = (
    "OpenAI/Python 1.76.0",
    "OpenAI/Python 1.82.1",
    "Anthropic/Python 0.52.0",
    "python-requests/2.32.3",
    "python-requests/2.31.0",
    "python-httpx/0.28.1",
    "aiohttp/3.11.18",
    "OpenAI/JS 4.98.0",
    "axios/1.9.0",
    "node-fetch/3.3.2",
    "Go-http-client/2.0",
    "curl/8.7.1",
    "okhttp/4.12.0",
    "litellm/1.68.0",
    "langchain-python/0.3.25",
    "Java-http-client/21.0.7",
    "undici/6.21.2",
    "Ruby/3.3 Faraday/2.13",
)
CODING_AGENTS = ("terminal-agent/1.0.17", "terminal-agent/1.0.22", "editor-extension/0.48.4", "editor-extension/0.49.0")
AGENTS = (*BROWSERS, *LIBRARIES, *CODING_AGENTS)
AGENT_NUMBER = {agent: number for number, agent in enumerate(AGENTS)}
# A TLS stack is shared by many clients: all requests-like libraries look the same, all Chromium browsers too.
_STACKS = (0, 0, 1, 0, 2, 1, 2, 0, 3, 3, 3, 4, 4, 3, 5, 6, 6, 6, 7, 8, 9, 3, 3, 10, 6, 11, 6, 6, 6, 6)
FREE_MAIL = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "proton.me", "hotmail.com", "gmx.net", "web.de",
             "qq.com", "163.com", "mail.com", "yandex.com", "orange.fr", "naver.com", "live.com", "uol.com.br")  # fmt: skip
DISPOSABLE_MAIL = ("mailinator.com", "guerrillamail.com", "yopmail.com", "temp-mail.org", "10minutemail.com",
                   "sharklasers.com", "getnada.com", "dispostable.com", "maildrop.cc", "tempr.email",
                   "trashmail.com", "mohmal.com")  # fmt: skip
COMPANY = 1_000
"""Mail domains from this number on are companies' own, made from the number."""
_FREE_WEIGHT = np.array([46, 12, 8, 7, 4, 5, 2, 1.5, 3, 2, 1.5, 2, 1, 1.5, 1.5, 2])
_ZONES = np.array([-8, -7, -6, -5, -4, -3, 0, 1, 2, 3, 5, 7, 8, 9, 10])
_ZONE_WEIGHT = np.array([9, 3, 6, 14, 2, 6, 9, 15, 7, 4, 9, 3, 6, 5, 2.0])


class AddressKind(IntEnum):
    """What kind of network an address belongs to."""

    HOME = 0
    """Fixed-line customers; residential proxies leave through these too."""
    MOBILE = 1
    """Carrier gateways: few addresses, very many people."""
    OFFICE = 2
    CLOUD = 3
    VPN = 4


# First octets per kind, and how many /16 blocks of each are in use: mobile gateways are few, homes are many.
_OCTETS = {
    AddressKind.HOME: (24, 47, 73, 79, 82, 86, 91, 98, 109, 124, 151, 177, 186, 201, 219),
    AddressKind.MOBILE: (100 + 7, 172 + 2, 166),
    AddressKind.OFFICE: (12, 50, 62, 80, 96, 128, 193, 195, 212),
    AddressKind.CLOUD: (3, 13, 18, 20, 34, 35, 52, 54, 65, 95, 116, 135, 159, 167),
    AddressKind.VPN: (37, 45, 89, 103, 146, 185),
}
_OCTET_TABLE = np.zeros((len(AddressKind), 16), dtype=np.int64)
_OCTET_COUNT = np.array([len(_OCTETS[kind]) for kind in AddressKind])
for _kind in AddressKind:
    _OCTET_TABLE[_kind, : len(_OCTETS[_kind])] = _OCTETS[_kind]
_BLOCKS = np.array([256 * 40, 24, 256 * 8, 256 * 6, 96])
"""Distinct (second, third) octet pairs per first octet."""
_HOSTS = np.array([254, 16, 254, 254, 254])
COUNTRIES = (
    "US",
    "US",
    "US",
    "DE",
    "GB",
    "FR",
    "IN",
    "BR",
    "JP",
    "CA",
    "ES",
    "NL",
    "KR",
    "SG",
    "AU",
    "PL",
    "MX",
    "IT",
    "ID",
    "TR",
)
_DOTTED = pa.array([f"{number}." for number in range(256)])
_PLAIN = pa.array([str(number) for number in range(256)])
_HEX = pa.array([f"{number:04x}" for number in range(65_536)])


def draw_email(count: int, draw: np.random.Generator) -> Integers:
    """Mail domains of ordinary registrations: free mail mostly, some own domains, some disposable."""
    free = draw.choice(len(FREE_MAIL), size=count, p=_FREE_WEIGHT / _FREE_WEIGHT.sum())
    disposable = 100 + draw.integers(0, len(DISPOSABLE_MAIL), count)
    company = COMPANY + draw.integers(0, 1 << 24, count)
    share = draw.random(count)
    return np.where(share < 0.74, free, np.where(share < 0.83, disposable, company)).astype(np.int64)


def draw_zone(count: int, draw: np.random.Generator) -> NDArray[np.int8]:
    """Time zones of customers, hours from UTC."""
    return draw.choice(_ZONES, size=count, p=_ZONE_WEIGHT / _ZONE_WEIGHT.sum()).astype(np.int8)


def email_domain(number: int) -> str:
    """Name of a mail domain."""
    if number < 100:
        return FREE_MAIL[number]
    if number < COMPANY:
        return DISPOSABLE_MAIL[number - 100]
    hashed = int(mix(number, Purpose.KEY)[0])
    letters = "bdfgklmnprstvz", "aeiou"
    name = "".join(
        letters[place % 2][(hashed >> (5 * place)) % len(letters[place % 2])] for place in range(6 + number % 4)
    )
    return f"{name}.{('com', 'io', 'org', 'net', 'dev', 'co', 'eu')[(hashed >> 60) % 7]}"


def addresses(keys: Keys, slots: Integers, kinds: Integers) -> tuple[pa.StringArray, pa.StringArray]:
    """Addresses and their countries.

    Args:
        keys: key of the pool, uint64 `[n]`.
        slots: which address of the pool, `[n]`.
        kinds: `AddressKind`, `[n]`.

    Returns:
        Dotted addresses and two-letter countries, `[n]` each.
    """
    hashed = mix(keys, slots, Purpose.ADDRESS)
    # A cloud or office pool keeps to few networks, as a customer's machines do.
    near = (kinds == AddressKind.CLOUD) | (kinds == AddressKind.OFFICE)
    network = np.where(near, mix(keys, slots // 24, Purpose.BLOCK), hashed)
    first = _OCTET_TABLE[kinds, below(mix(network, 1), _OCTET_COUNT[kinds])]
    block = below(mix(network, 2, first), _BLOCKS[kinds])
    second, third = (block >> 8) * 5 % 251 + 1, block & 255
    last = 1 + below(mix(hashed, 3), _HOSTS[kinds])
    text = pc.binary_join_element_wise(
        _DOTTED.take(pa.array(first)), _DOTTED.take(pa.array(second)), _DOTTED.take(pa.array(third)),
        _PLAIN.take(pa.array(last)), "",
    )  # fmt: skip
    place = mix(first * 65_536 + second * 256, Purpose.BLOCK)
    skewed = (unit(place) ** 1.6 * len(COUNTRIES)).astype(np.int64)
    return text, pa.array(COUNTRIES).take(pa.array(skewed))


def hexadecimal(hashes: Keys, prefix: str, parts: int = 3) -> pa.StringArray:
    """Readable ids from hashes: prefix and four hex digits per part."""
    pieces = [
        _HEX.take(pa.array(((hashes >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64)))
        for part in range(parts)
    ]
    return pc.binary_join_element_wise(pa.scalar(prefix), *pieces, "")


def agent_table() -> pa.StringArray:
    """User agents by number."""
    return pa.array(AGENTS)


def tls_table() -> pa.StringArray:
    """JA4-like TLS fingerprints by user agent number; stacks are shared."""
    hashed = mix(np.array(_STACKS), Purpose.KEY)
    return pa.array([f"t13d{1500 + int(value) % 17:04d}h2_{int(value) & 0xFFFFFFFFFFFF:012x}" for value in hashed])
