"""EnforcementBundle: one signed, expiring, versioned file that tells the request path what is done about which account.

Takes a table of actions and accounts, and a signer key; or the file, a verifier key, and what was seen before. Gives the file's bytes; or a
bundle that answers for an account in about a microsecond. It stands here, below decisions and gateway, because both need the same bytes.

Layout, little endian: 8 bytes magic, 4 bytes length of the header, 4 zero bytes, the header (canonical JSON), zeros to a multiple of 8; a
64-bit hash for each account, ascending; a 32-bit row of the table of actions for each; and an Ed25519 signature (RFC 8032) over a prefix and
SHA-256 of all bytes before it. Accounts are hashed with BLAKE2b (RFC 7693) under the bundle's salt, so that collisions cannot be prepared.
An account that is not in the file meets one that is by chance once in 2^64 / accounts.

The rules are those of a TUF client (specification 1.0.33, 5.3 to 5.5): the signature comes first, a smaller version than was seen is a
rollback, another file of the same version is refused, and one that has expired is a freeze. Nothing is used before every step has passed.
The bytes are read once and not mapped: a mapped file could be changed after its signature was checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.integrity.bundle_state import BundleState, SeenBundle
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import BundleExpiredError, BundleFormatError, BundleNameError
from stillwatch.integrity.signing import SIGNATURE_BYTES, SignerKey, VerifierKey
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale

MAGIC = b"SWBUNDL2"
FORMAT = "stillwatch-enforcement-bundle/v2"
_OLD_MAGIC = b"SWBUNDL1"
"""Its throttles name no rate and its marks no key, so that a gateway could act on neither: it is refused."""
MOST_BYTES = 1 << 29
"""Some 40 million accounts."""
MOST_HEADER = 1 << 26
MOST_VERSION = 2**53
MOST_BUCKET_BITS = 22
MOST_RATE = 10**9
"""Requests a minute."""
SALT_BYTES = 16
MOST_SKEW_US = 300 * 1_000_000
"""How far a bundle's time of issue may lie ahead of the reader's clock."""
_FRONT = struct.Struct("<8sII")
_CONTEXT = FORMAT.encode() + b"\0"


def account_hash(account_id: str, salt: bytes) -> int:
    """Give the 64-bit hash of an account under a bundle's salt."""
    digest = hashlib.blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest()
    return int.from_bytes(digest, "little")


def write_bundle(bundle: EnforcementBundle, accounts: Mapping[str, int], key: SignerKey) -> bytes:
    """Give the bytes of a bundle; the same input gives the same bytes.

    Args:
        bundle: name, version, times and table; salt and number of accounts are filled in here.
        accounts: account id to row of the table.
        key: that signs.

    Raises:
        BundleFormatError: for a row that is not in the table, times or a version that cannot be, or two accounts of one hash.
    """
    _check(bundle)
    if any(not 0 <= row < len(bundle.entries) for row in accounts.values()):
        raise BundleFormatError(f"an account points to a row outside the table of {len(bundle.entries)} actions")
    head = {name: value for name, value in _header(bundle).items() if name not in {"salt", "accounts"}}
    salt = hashlib.sha256(
        b"salt\0" + canonical_bytes(head) + "\0".join(sorted(accounts)).encode("utf-8", "surrogatepass")
    )
    filled = replace(bundle, salt=salt.digest()[:SALT_BYTES], accounts=len(accounts))
    hashes = np.fromiter((account_hash(one, filled.salt) for one in accounts), dtype=np.uint64, count=len(accounts))
    rows = np.fromiter(accounts.values(), dtype=np.uint32, count=len(accounts))
    order = np.argsort(hashes, kind="stable")
    hashes, rows = hashes[order], rows[order]
    if not _ascending(hashes):
        raise BundleFormatError("two accounts have one hash under this salt; build the bundle with the next version")
    header = canonical_bytes(_header(filled))
    padding = b"\0" * (-(_FRONT.size + len(header)) % 8)
    body = b"".join(
        (
            _FRONT.pack(MAGIC, len(header), 0), header, padding, hashes.astype("<u8").tobytes(), rows.astype("<u4").tobytes(),
        )
    )  # fmt: skip
    return body + key.sign(_CONTEXT + hashlib.sha256(body).digest())


class LoadedBundle:
    """A bundle that passed every step; safe to share between threads, since nothing in it changes."""

    def __init__(
        self, bundle: EnforcementBundle, hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.uint32], digest: str
    ) -> None:
        """Take what was read and checked; `open_bundle` and `read_bundle` do that."""
        self.bundle = bundle
        self.digest = digest
        """`sha256:` and 64 hex digits of the whole file."""
        bits = min(MOST_BUCKET_BITS, max(1, len(hashes).bit_length()))
        self._shift = 64 - bits
        counts = np.bincount((hashes >> np.uint64(self._shift)).astype(np.int64), minlength=1 << bits)
        starts = np.zeros((1 << bits) + 1, dtype=np.int64)
        np.cumsum(counts, out=starts[1:])
        self._count = len(hashes)
        fenced = np.append(hashes, np.uint64(2**64 - 1))
        # Views give Python's own numbers several times faster than arrays do.
        self._starts, self._hashes, self._rows = (np.ascontiguousarray(one).data for one in (starts, fenced, rows))
        self._entries = bundle.entries
        self._expires_us = bundle.expires_us
        self._keyed = hashlib.blake2b(digest_size=8, key=bundle.salt)

    def find(self, account_id: str, now_us: int) -> BundleEntry | None:
        """Say what is done about an account.

        Args:
            account_id: the provider's account.
            now_us: present time, microseconds UTC.

        Returns:
            The row of the table; null where nothing is, where its action has ended, or where the bundle is stale and the row fails open.
        """
        keyed = self._keyed.copy()
        keyed.update(account_id.encode("utf-8", "surrogatepass"))
        wanted = int.from_bytes(keyed.digest(), "little")
        hashes = self._hashes
        place = self._starts[wanted >> self._shift]
        while hashes[place] < wanted:  # a bucket holds one account or two, and the last hash is above all
            place += 1
        if hashes[place] != wanted or place == self._count:
            return None
        entry = self._entries[self._rows[place]]
        if now_us >= entry.until_us or (now_us >= self._expires_us and entry.when_stale is WhenStale.OPEN):
            return None
        return entry

    def action(self, account_id: str, now_us: int) -> Action:
        """Give the action alone; `ALLOW` where nothing is said of the account."""
        entry = self.find(account_id, now_us)
        return Action.ALLOW if entry is None else entry.action

    def is_stale(self, now_us: int) -> bool:
        """Say whether the bundle has expired, so that only rows that fail closed still act."""
        return now_us >= self._expires_us


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleTrust:
    """What a reader trusts and expects, got from elsewhere than the bundle."""

    key: VerifierKey
    name: str
    """Of the bundles that are for this reader."""
    accept_stale: bool = False
    """Whether an expired bundle may be opened; then only rows that fail closed act. For a restart while no fresh one is to be had."""


def open_bundle(path: Path, trust: BundleTrust, state: BundleState, now_us: int) -> LoadedBundle:
    """Open a bundle that is newer than, or the same as, the newest that was seen, and remember it.

    Args:
        path: of the file.
        trust: key and name, from elsewhere.
        state: what was seen before.
        now_us: present time, microseconds UTC.

    Raises:
        SignatureError: where another key signed it, or a byte was changed.
        BundleFormatError: where it is no bundle.
        BundleNameError: where it is for somebody else.
        BundleExpiredError: where it has expired, or is from the future.
        BundleRollbackError: where it is older than one that was seen, or another of the same version.
        BundleStateError: where what was seen before cannot be read or kept.
    """
    # Step 1: read, bounded, once. Step 2: the signature, before anything is parsed. Step 3: structure.
    loaded = read_bundle(bundle_bytes(path), trust.key)
    bundle = loaded.bundle
    # Step 4: a bundle of another name would move one customer's decisions to another's gateway (TUF: mix and match).
    if bundle.name != trust.name:
        raise BundleNameError(f"{path}: got a bundle for {bundle.name!a}, expected one for {trust.name!a}")
    # Step 5: time of issue.
    if bundle.issued_us > now_us + MOST_SKEW_US:
        raise BundleExpiredError(
            f"{path}: issued {(bundle.issued_us - now_us) // 1_000_000:,} s in the future; set this machine's clock, or the issuer's"
        )
    # Step 6: rollback and equivocation (TUF 5.3.5, 5.4.4). Before expiry, so that an old file is told as what it is.
    seen = SeenBundle(name=bundle.name, key=trust.key.text(), version=bundle.version, digest=loaded.digest)
    state.check(seen)
    # Step 7: freeze (TUF 5.4.5).
    if loaded.is_stale(now_us) and not trust.accept_stale:
        raise BundleExpiredError(
            f"{path}: version {bundle.version} expired {(now_us - bundle.expires_us) // 1_000_000:,} s ago; fetch a fresh one, or open it as stale"
        )
    # Step 8: remember it. From here on nothing older is opened.
    state.remember(seen)
    return loaded


def read_bundle(content: bytes, key: VerifierKey) -> LoadedBundle:
    """Read a bundle whose signature holds, whatever its name, version and age: what `open_bundle` checks besides is not checked here.

    Raises:
        SignatureError: where another key signed it, or a byte was changed.
        BundleFormatError: where it is no bundle.
    """
    if content[: len(_OLD_MAGIC)] == _OLD_MAGIC:
        raise BundleFormatError(
            f"got a bundle of {FORMAT[:-1]}1, expected {FORMAT}; build it again with this version of stillwatch"
        )
    if len(content) < _FRONT.size + SIGNATURE_BYTES or content[: len(MAGIC)] != MAGIC:
        raise BundleFormatError(
            f"got {len(content):,} bytes that do not begin as an enforcement bundle does ({FORMAT})"
        )
    view = memoryview(content)
    body, signature = view[:-SIGNATURE_BYTES], bytes(view[-SIGNATURE_BYTES:])
    key.verify(_CONTEXT + hashlib.sha256(body).digest(), signature)
    _, length, zero = _FRONT.unpack_from(body)
    start = _FRONT.size + length + (-(_FRONT.size + length) % 8)
    if zero or length > MOST_HEADER or start > len(body) or any(body[_FRONT.size + length : start]):
        raise BundleFormatError(f"got a header of {length:,} bytes in a bundle of {len(content):,}; fetch it anew")
    bundle = _parse(bytes(body[_FRONT.size : _FRONT.size + length]))
    if len(body) - start != bundle.accounts * 12:
        raise BundleFormatError(
            f"got {len(body) - start:,} bytes of accounts, expected {bundle.accounts * 12:,}; fetch it anew"
        )
    hashes = np.frombuffer(body, dtype="<u8", count=bundle.accounts, offset=start).astype(np.uint64, copy=False)
    rows = np.frombuffer(body, dtype="<u4", count=bundle.accounts, offset=start + 8 * bundle.accounts).astype(
        np.uint32, copy=False
    )
    if not _ascending(hashes) or (len(rows) and int(rows.max()) >= len(bundle.entries)):
        raise BundleFormatError("the accounts of the bundle are out of order, or point outside its table of actions")
    return LoadedBundle(bundle, hashes, rows, f"sha256:{hashlib.sha256(content).hexdigest()}")


def bundle_bytes(path: Path) -> bytes:
    """Read a bundle's file, bounded.

    Raises:
        BundleFormatError: where it cannot be read, or is no regular file of a size that a bundle may have.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(MOST_BYTES + 1) if regular else b""
    except OSError as error:
        raise BundleFormatError(f"{path}: cannot be read ({error.strerror})") from error
    if not regular or len(content) > MOST_BYTES:
        raise BundleFormatError(f"{path}: is no file of at most {MOST_BYTES:,} bytes")
    return content


def _ascending(hashes: npt.NDArray[np.uint64]) -> bool:
    return bool(np.all(hashes[1:] > hashes[:-1]))


def _header(bundle: EnforcementBundle) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": bundle.name,
        "version": bundle.version,
        "issued_us": bundle.issued_us,
        "expires_us": bundle.expires_us,
        "salt": bundle.salt.hex(),
        "accounts": bundle.accounts,
        "entries": bundle.entries,
    }


def _parse(header: bytes) -> EnforcementBundle:
    """Read the header; the signature holds, and still nothing is taken for granted."""
    try:
        given = json.loads(header)
        entries = tuple(
            BundleEntry(
                action=Action(one["action"]),
                decision_id=str(one["decision_id"]),
                clauses=tuple(str(clause) for clause in one["clauses"]),
                until_us=_whole(one["until_us"]),
                appeal=str(one["appeal"]),
                when_stale=WhenStale(one["when_stale"]),
                requests_per_minute=_rate(one["requests_per_minute"]),
                key_id=None if one["key_id"] is None else str(one["key_id"]),
            )
            for one in given["entries"]
        )
        bundle = EnforcementBundle(
            name=str(given["name"]),
            version=_whole(given["version"]),
            issued_us=_whole(given["issued_us"]),
            expires_us=_whole(given["expires_us"]),
            salt=bytes.fromhex(given["salt"]),
            accounts=_whole(given["accounts"]),
            entries=entries,
        )
        form = given["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleFormatError(
            f"the header of the bundle cannot be read ({type(error).__name__}); is it of a newer version?"
        ) from None
    if form != FORMAT or len(bundle.salt) != SALT_BYTES or canonical_bytes(_header(bundle)) != header:
        raise BundleFormatError(f"the header of the bundle is not one of {FORMAT}")
    _check(bundle)
    return bundle


def _check(bundle: EnforcementBundle) -> None:
    if (
        not 1 <= bundle.version <= MOST_VERSION
        or bundle.issued_us >= bundle.expires_us
        or bundle.accounts < 0
        or not bundle.name
    ):
        raise BundleFormatError(
            f"got version {bundle.version} of {bundle.name!a}, issued {bundle.issued_us}, expiring {bundle.expires_us}; expected a name, a version "
            f"from 1 to {MOST_VERSION}, and an end after the beginning"
        )
    for what, fails in (
        ("no clause", _lacks_clause),
        ("no rate of a throttle", _lacks_rate),
        ("no mark key", _lacks_key),
    ):
        bad = [one.decision_id for one in bundle.entries if fails(one)]
        if bad:
            raise BundleFormatError(
                f"{len(bad)} actions of the bundle name {what}, or one that is not theirs; the first is of decision {bad[0][:40]!a}"
            )


def _lacks_clause(entry: BundleEntry) -> bool:
    return entry.action is not Action.ALLOW and not entry.clauses


def _lacks_rate(entry: BundleEntry) -> bool:
    rate = entry.requests_per_minute
    return not 1 <= (rate or 0) <= MOST_RATE if entry.action is Action.THROTTLE else rate is not None


def _lacks_key(entry: BundleEntry) -> bool:
    return not entry.key_id if entry.action is Action.MARK else entry.key_id is not None


def _rate(value: object) -> int | None:
    return None if value is None else _whole(value)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value
