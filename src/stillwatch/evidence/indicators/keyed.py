"""Keyed digests of identifiers and keyed MinHash of templates.

Takes a key that partners agreed on, identifiers and texts. Gives HMAC-SHA-256 digests (RFC 2104, FIPS 198-1), separated by
domain, and for templates the smallest keyed hashes of their word 3-shingles (bottom-k MinHash: A. Broder, "On the resemblance
and containment of documents", 1997, section 4). Promises that equal values under equal keys have equal digests at every partner.

Assumption: HMAC-SHA-256 is a pseudorandom function. Then, without the key, a digest says nothing about its value, not even to
somebody who can list all values. Whoever holds the key can test guesses; that is what matching is. So a key is agreed for one
group of partners and one period, and values of which there are few (addresses, domains) stay guessable by partners.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from stillwatch.evidence.indicators.errors import IndicatorKeyError
from stillwatch.records.indicator import IdentifierKind, TemplateIndicator
from stillwatch.sketches.addresses import NETWORK_BYTES, parse_address
from stillwatch.sketches.shingles import shingles

KEY_BYTES = 32
KEY_VERSION = "stillwatch-indicator-key/v1"
_KEY_LINE = re.compile(rf"{re.escape(KEY_VERSION)} ([0-9a-f]{{{2 * KEY_BYTES}}})\n?")
_DOMAIN = b"stillwatch-indicator/v1"
TEMPLATE_VALUES = 64
"""Values of a template that are shared; the standard error of a containment is at most 1 / (2 * sqrt(64)) = 0.06."""
FEWEST_VALUES = 8
"""A template with fewer shingles says too little to be looked for."""
SAME_TEMPLATE = 0.3
"""Share of the smaller exhibit's shingles that two exhibits of one template have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorKey:
    """A key that partners agreed on."""

    secret: bytes = field(repr=False)
    """32 bytes; never shown."""

    @property
    def id(self) -> str:
        """Name the key: 16 hex digits that say nothing about it."""
        return self._mac(b"key id", b"").hex()[:16]

    def identifier(self, kind: IdentifierKind, value: str) -> str | None:
        """Return the keyed digest of an identifier.

        Args:
            kind: what it identifies.
            value: as logged.

        Returns:
            64 hex digits; none for an empty value, or for an address that is none.
        """
        plain = normalise(kind, value)
        return None if plain is None else self._mac(kind.value.encode(), plain).hex()

    def shingle(self, value: int) -> int:
        """Return the keyed 64-bit hash of a shingle.

        Args:
            value: its public hash, unsigned 64-bit.
        """
        return int.from_bytes(self._mac(b"shingle", value.to_bytes(8, "big"))[:8], "big")

    def set_id(self, campaign_id: str) -> str:
        """Return the name under which a campaign is shared.

        Args:
            campaign_id: our own id, which is an unkeyed digest of the members.
        """
        return "i-" + self._mac(b"campaign", campaign_id.encode()).hex()[:32]

    def _mac(self, domain: bytes, message: bytes) -> bytes:
        """Authenticate a message of one domain; the lengths keep domain and message apart."""
        return hmac.digest(self.secret, b"\0".join((_DOMAIN, str(len(domain)).encode(), domain, message)), "sha256")


def normalise(kind: IdentifierKind, value: str) -> bytes | None:
    """Return the bytes of an identifier on which all partners agree.

    Args:
        kind: what it identifies.
        value: as logged.

    Returns:
        Bytes without blanks around; domains and TLS fingerprints in lower case; addresses as 4 or 16 bytes, networks as 3 or 6. None
        for an empty value, or an address that is none.
    """
    bare = value.strip()
    if not bare:
        return None
    if kind in {IdentifierKind.IP, IdentifierKind.NETWORK}:
        packed = parse_address(bare)
        if packed is None or kind is IdentifierKind.IP:
            return packed
        return packed[: NETWORK_BYTES[len(packed)]]
    if kind in {IdentifierKind.EMAIL_DOMAIN, IdentifierKind.TLS}:
        bare = bare.lower()
    return bare.encode("utf-8", "surrogatepass")


def make_key_file(path: Path) -> IndicatorKey:
    """Make a new key and write it to a file that only its owner can read.

    Args:
        path: a file that does not exist yet.

    Raises:
        IndicatorKeyError: where the file exists.
        OSError: where it cannot be written.
    """
    key = IndicatorKey(secret=secrets.token_bytes(KEY_BYTES))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise IndicatorKeyError(
            f"{path} exists already, and a key is never overwritten: indicators made with it could not be matched any more. "
            "Name another file."
        ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"{KEY_VERSION} {key.secret.hex()}\n")
        stream.flush()
        os.fsync(stream.fileno())
    return key


def read_key_file(path: Path) -> IndicatorKey:
    """Read a key.

    Args:
        path: a file of one line that only its owner can read.

    Raises:
        IndicatorKeyError: where the file is missing, others can read it, or it holds no key. The message never shows what it holds.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(1024)
    except OSError as error:
        raise IndicatorKeyError(f"key file {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise IndicatorKeyError(
            f"key file {path} has mode {stat.S_IMODE(mode):04o}, expected 0600: others can read it. Run chmod 600, and agree on a "
            "new key if somebody may have."
        )
    found = _KEY_LINE.fullmatch(content.decode("ascii", "replace"))
    if found is None:
        raise IndicatorKeyError(
            f"key file {path} holds no key: expected one line `{KEY_VERSION} ` and {2 * KEY_BYTES} hex digits. "
            "Make one with `stillwatch indicators key`."
        )
    return IndicatorKey(secret=bytes.fromhex(found[1]))


def templates_of(exhibits: Sequence[tuple[str, str]], key: IndicatorKey) -> tuple[TemplateIndicator, ...]:
    """Make the keyed templates of a campaign's exhibits.

    Exhibits that share much are taken together; of each such group the shingles that at least half of it holds are its template, as
    long as two accounts sent it. What a single account wrote is therefore never part of a template.

    Args:
        exhibits: (account id, prompt).
        key: the partners' key.

    Returns:
        Templates, the best supported first; none where nothing is shared.
    """
    texts = sorted(set(exhibits))
    found = shingles(pa.array([text for _, text in texts], pa.string()))
    sets = [found.of(place) for place in range(len(texts))]
    templates = []
    for group in _groups(sets):
        if len({texts[place][0] for place in group}) < 2:
            continue
        core = _held_by_half([sets[place] for place in group], [texts[place][0] for place in group])
        if len(core) < FEWEST_VALUES:
            continue
        values = sorted(key.shingle(value) for value in core)[:TEMPLATE_VALUES]
        templates.append(
            TemplateIndicator(
                values=tuple(f"{value:016x}" for value in values), shingles=len(core), exhibits=len(group)
            )
        )
    return tuple(sorted(templates, key=lambda one: (-one.exhibits, one.values)))


def _groups(sets: Sequence[frozenset[int]]) -> list[list[int]]:
    """Group exhibits whose shingles overlap, directly or through others: single linkage, at most a few hundred exhibits."""
    parent = list(range(len(sets)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for left in range(len(sets)):
        for right in range(left):
            smaller = min(len(sets[left]), len(sets[right]))
            if smaller and len(sets[left] & sets[right]) >= SAME_TEMPLATE * smaller:
                parent[root(left)] = root(right)
    groups: dict[int, list[int]] = {}
    for place in range(len(sets)):
        groups.setdefault(root(place), []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def _held_by_half(sets: Iterable[frozenset[int]], accounts: Sequence[str]) -> set[int]:
    """Return the shingles that at least half of the exhibits and at least two accounts hold."""
    holders: dict[int, list[str]] = {}
    for shingle_set, account in zip(sets, accounts, strict=True):
        for value in shingle_set:
            holders.setdefault(value, []).append(account)
    return {
        value for value, carriers in holders.items() if 2 * len(carriers) >= len(accounts) and len(set(carriers)) >= 2
    }
