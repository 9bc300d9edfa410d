"""Ledger records: entries of an append-only log, the statements made over it, and the proofs drawn from it.

What an entry's record means is not known here: it is bytes with a digest. An entry's leaf in the tree commits to its kind,
its time, its actor and the digest of its record, so that a record can be withheld and the entry still be proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class TilePlace(NamedTuple):
    """Where a tile of hashes stands in the tree (C2SP tlog-tiles)."""

    level: int
    """0 for tiles of leaf hashes; a hash of level n + 1 is the root of a full tile of level n."""
    number: int
    """From the left, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What is to be appended; the ledger adds the index and the time."""

    kind: str
    """What the record is, in lower-case words, such as `run sealed`; at most 64 characters."""
    actor: str
    """Who answers for it: a person or a service; at most 128 printable characters."""
    record: bytes
    """Canonical bytes of the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An entry as the ledger keeps it."""

    index: int
    """Place in the log, from 0."""
    kind: str
    recorded_us: int
    """When it was recorded by the ledger's clock: microseconds since the Unix epoch, UTC."""
    actor: str
    record_digest: str
    """`sha256:` and 64 hex digits: digest of `record`."""
    record: bytes
    """Canonical bytes of the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement of the log's size and root (C2SP tlog-checkpoint)."""

    origin: str
    """Identity of the log, such as `example.com/stillwatch`."""
    size: int
    """Entries of the tree."""
    root: bytes
    """Root of the tree, 32 bytes (RFC 6962, 2.1)."""
    note: str
    """The signed note as the log made it: the three lines above, and its signature. What time stamps are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That an entry stands in the tree of a size (RFC 6962, 2.1.1)."""

    index: int
    size: int
    leaf: bytes
    """The bytes that were hashed into the tree."""
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up, 32 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof:
    """That the tree of `new` entries continues the tree of `old` entries (RFC 6962, 2.1.2)."""

    old: int
    new: int
    hashes: tuple[bytes, ...]
    """32 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStamp:
    """What a time-stamping authority answered about a checkpoint (RFC 3161)."""

    size: int
    """Of the checkpoint whose note it is over."""
    authority: str
    """Distinguished name of the certificate that signed the token (RFC 4514)."""
    stamped_us: int
    """The authority's time: microseconds since the Unix epoch, UTC."""
    request: bytes
    """The query that was sent, DER."""
    reply: bytes
    """The raw reply, DER, as it came: what `openssl ts -verify` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness's statement that a checkpoint continues all that it saw of the log before (C2SP tlog-cosignature)."""

    size: int
    """Of the checkpoint."""
    witness: str
    """Name of the witness's key."""
    cosigned_s: int
    """The witness's time: seconds since the Unix epoch, UTC."""
    line: str
    """The signature line, as it stands under the note, with its line break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerIdentity:
    """Which log a store holds."""

    origin: str
    """First line of its checkpoints."""
    verifier_key: str
    """Public key of the log as text (vkey). A verifier takes it from elsewhere: whoever rewrites the store rewrites this."""
    created_us: int
    """Microseconds since the Unix epoch, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """That an actor has a role, and which entry says so."""

    actor: str
    role: str
    entry_index: int
    """The entry that records the assignment."""
