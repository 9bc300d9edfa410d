"""Networks, clients, cards and mail domains, from real ranges and real user agents.

Takes the shared data folder. Gives addresses by kind, client headers, TLS fingerprints, payment tokens and mail domains.
Residential addresses are public unicast IPv4 outside every listed data-centre, VPN and Tor range, drawn within a few hundred
access networks, some of them behind carrier-grade NAT (one address for many accounts). Cloud and VPN addresses are drawn
inside listed ranges. Nothing here is tied to a label: both honest accounts and operators draw from the same pools.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from benchmarks.real_world.sources import shared_file
from numpy.typing import NDArray

POPULAR_MAIL = ("gmail.com", "outlook.com", "icloud.com", "yahoo.com", "proton.me", "qq.com", "163.com", "gmx.de")
POPULAR_MAIL_SHARE = (0.55, 0.13, 0.08, 0.07, 0.04, 0.05, 0.05, 0.03)
_LIBRARY = re.compile(r"^(python-requests|Python/3|python-httpx|Go-http-client|okhttp|axios|Apache-HttpClient|curl/)")
_RESERVED = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
             "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
             "203.0.113.0/24", "224.0.0.0/3")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What a client program shows of itself."""

    user_agent: str
    tls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Internet:
    """Real ranges and headers, and the pools drawn from them for one world."""

    listed_first: NDArray[np.int64]
    """First address of each merged listed or reserved IPv4 range, ascending."""
    listed_last: NDArray[np.int64]
    cloud: NDArray[np.int64]
    """(first, last) of cloud ranges, int64 [n, 2]."""
    vpn: NDArray[np.int64]
    browsers: tuple[str, ...]
    libraries: tuple[str, ...]
    disposable: tuple[str, ...]
    access_networks: NDArray[np.int64]
    """First addresses of the /16 access networks of this world."""
    carrier_nat: tuple[str, ...]
    """Addresses that many subscribers share."""

    def residential(self, rng: np.random.Generator, network: int | None = None) -> str:
        """Return an address outside every listed range, in an access network of this world or the given one."""
        while True:
            base = (
                int(self.access_networks[int(rng.integers(len(self.access_networks)))]) if network is None else network
            )
            address = base + int(rng.integers(1, 65_535))
            if not self.is_listed(address):
                return str(ipaddress.IPv4Address(address))

    def is_listed(self, address: int) -> bool:
        """Tell whether an IPv4 address, as integer, lies in a listed or reserved range."""
        place = int(np.searchsorted(self.listed_first, address, side="right")) - 1
        return place >= 0 and address <= int(self.listed_last[place])

    def data_centre(self, rng: np.random.Generator, count: int = 1) -> list[str]:
        """Return addresses of one cloud range: `count` of them."""
        return _inside(self.cloud, rng, count)

    def relay(self, rng: np.random.Generator, count: int = 1) -> list[str]:
        """Return addresses of one VPN range: `count` of them."""
        return _inside(self.vpn, rng, count)

    def home(self, rng: np.random.Generator) -> list[str]:
        """Return the few addresses of a person: home, sometimes a carrier's NAT, sometimes a VPN."""
        addresses = [self.residential(rng)]
        if rng.random() < 0.35:
            addresses.append(self.carrier_nat[int(rng.integers(len(self.carrier_nat)))])
        if rng.random() < 0.08:
            addresses += self.relay(rng, int(rng.integers(1, 4)))
        if rng.random() < 0.2:
            addresses.append(self.residential(rng))
        return addresses

    def browser(self, rng: np.random.Generator) -> Client:
        """Return a browser: popular ones are popular."""
        return self._client(self.browsers, 1.2, rng)

    def library(self, rng: np.random.Generator) -> Client:
        """Return an HTTP library: popular ones are popular."""
        return self._client(self.libraries, 1.1, rng)

    def _client(self, names: tuple[str, ...], exponent: float, rng: np.random.Generator) -> Client:
        weights = 1.0 / np.arange(1, len(names) + 1) ** exponent
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        # One TLS stack per client family and build: common programs share it, as JA4 does.
        stack = f"{name.split('/')[0]}:{int(rng.integers(3))}"
        return Client(user_agent=name, tls="t13d" + hashlib.blake2b(stack.encode(), digest_size=6).hexdigest())

    def mail_domain(self, rng: np.random.Generator, *, disposable: float, company: float) -> str:
        """Return a mail domain: disposable or a company's own with these probabilities, otherwise a popular one."""
        chance = rng.random()
        if chance < disposable:
            return self.disposable[int(rng.integers(len(self.disposable)))]
        if chance < disposable + company:
            return f"company-{int(rng.integers(1 << 40)):010x}.com"
        return POPULAR_MAIL[int(rng.choice(len(POPULAR_MAIL), p=POPULAR_MAIL_SHARE))]


def card(rng: np.random.Generator) -> str:
    """Return a fresh payment token."""
    return f"card_{int(rng.integers(1 << 62)):016x}"


def _inside(ranges: NDArray[np.int64], rng: np.random.Generator, count: int) -> list[str]:
    first, last = (int(value) for value in ranges[int(rng.integers(len(ranges)))])
    return [str(ipaddress.IPv4Address(int(address))) for address in rng.integers(first, last + 1, size=count)]


def _merged(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(pairs):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return np.asarray(firsts, dtype=np.int64), np.asarray(lasts, dtype=np.int64)


def _bounds(cidr: str) -> tuple[int, int]:
    network = ipaddress.ip_network(cidr, strict=False)
    return int(network.network_address), int(network.broadcast_address)


def load(shared: Path, rng: np.random.Generator) -> Internet:
    """Read ranges, headers and disposable domains, and draw this world's access networks.

    Args:
        shared: the folder that holds `data/`.
        rng: source of chance.

    Returns:
        Internet.

    Raises:
        SourceAbsentError: when a file is not there.
    """
    ranges_file = str(shared_file(shared, "enrichment/ip_ranges.parquet"))
    agents_file = str(shared_file(shared, "enrichment/user_agents.parquet"))
    with duckdb.connect() as connection:
        ranges = connection.execute(
            "select kind, cidr from read_parquet(?) where ip_version = 4 order by kind, cidr", [ranges_file]
        ).fetchall()
        agents = connection.execute(
            "select distinct kind, user_agent from read_parquet(?) order by kind, user_agent", [agents_file]
        ).fetchall()
    domains = shared_file(shared, "enrichment/disposable_email_domains.txt").read_text(encoding="utf-8").split()
    by_kind: dict[str, list[tuple[int, int]]] = {}
    for kind, cidr in ranges:
        by_kind.setdefault(kind, []).append(_bounds(cidr))
    listed = [pair for pairs in by_kind.values() for pair in pairs] + [_bounds(cidr) for cidr in _RESERVED]
    firsts, lasts = _merged(listed)
    browsers = [agent for kind, agent in agents if kind.startswith("browser")]
    libraries = [agent for kind, agent in agents if _LIBRARY.match(agent)]
    rng.shuffle(browsers)
    rng.shuffle(libraries)
    internet = Internet(
        listed_first=firsts,
        listed_last=lasts,
        cloud=np.asarray(by_kind["cloud"], dtype=np.int64),
        vpn=np.asarray(by_kind["vpn"], dtype=np.int64),
        browsers=tuple(browsers),
        libraries=tuple(libraries),
        disposable=tuple(domains),
        access_networks=_access_networks(firsts, lasts, rng),
        carrier_nat=(),
    )
    nat = tuple(internet.residential(rng) for _ in range(150))
    return Internet(
        **{name: getattr(internet, name) for name in Internet.__slots__ if name != "carrier_nat"}, carrier_nat=nat
    )


def _access_networks(
    firsts: NDArray[np.int64], lasts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """First addresses of 400 /16 networks of which less than a tenth is listed."""
    chosen: list[int] = []
    while len(chosen) < 400:
        base = int(rng.integers(1 << 16)) << 16
        low = int(np.searchsorted(lasts, base, side="left"))
        high = int(np.searchsorted(firsts, base + 65_535, side="right"))
        covered = np.minimum(lasts[low:high], base + 65_535) - np.maximum(firsts[low:high], base) + 1
        if covered.sum() < 6_554 and base not in chosen:
            chosen.append(base)
    return np.asarray(sorted(chosen), dtype=np.int64)
