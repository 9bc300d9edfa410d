"""LedgerStore: the whole boundary between the ledger and where it is kept.

Takes entries, tiles and statements about them. Gives them back. A store knows nothing of hashing and signing: it keeps a batch
of entries together with the tiles that the caller computed for it, in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from stillwatch.records.ledger import (
    Checkpoint,
    Cosignature,
    LedgerEntry,
    LedgerIdentity,
    RoleAssignment,
    TilePlace,
    TimeStamp,
)


class LedgerWriter(Protocol):
    """One transaction, alone in writing: all of it is kept when the block ends, or nothing."""

    size: int
    """Entries when the transaction began; nobody else appends until it ends."""

    def read_tiles(self, places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        """Give the hashes of each of these tiles that is kept, end to end."""

    def add_identity(self, identity: LedgerIdentity) -> None:
        """Say which log this is; once in the life of a store."""

    def add_entries(self, entries: Sequence[LedgerEntry], tiles: Mapping[TilePlace, bytes]) -> None:
        """Append entries with consecutive indices from `size`, and the tiles that they change, whole."""

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; a second one of the same size replaces none and is refused."""

    def add_time_stamp(self, stamp: TimeStamp) -> None:
        """Keep a time stamp over a checkpoint that is kept."""

    def add_cosignature(self, cosignature: Cosignature) -> None:
        """Keep a cosignature of a checkpoint that is kept; one a witness and checkpoint."""

    def add_role(self, assignment: RoleAssignment) -> None:
        """Give an actor a role; what the actor has already stays as it is."""

    def remove_role(self, actor: str, role: str) -> None:
        """Take a role from an actor."""

    def roles(self, actor: str | None = None) -> tuple[RoleAssignment, ...]:
        """Give the roles of one actor, or of all, by actor and role, as this transaction sees them."""


class LedgerStore(Protocol):
    """Where a ledger is kept. One object serves one thread; processes open their own."""

    def write(self) -> AbstractContextManager[LedgerWriter]:
        """Begin a transaction, waiting for other writers.

        Raises:
            StoreBusyError: when another writer takes too long.
            StoreFullError: when there is no room, at the latest when the block ends.
            StoreWriteError: when the store cannot write, or refuses.
        """

    def identity(self) -> LedgerIdentity | None:
        """Say which log this is; null for a store in which none was begun."""

    def size(self) -> int:
        """Count the entries that are kept."""

    def entry(self, index: int) -> LedgerEntry:
        """Give an entry.

        Raises:
            NotKeptError: when there is none of that index.
        """

    def entries(self, start: int = 0, stop: int | None = None, kind: str | None = None) -> Iterator[LedgerEntry]:
        """Give entries in the order of their indices, from `start` to before `stop`, of one kind or all."""

    def read_tiles(self, places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        """Give the hashes of each of these tiles that is kept, end to end."""

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Give all checkpoints, smallest first."""

    def checkpoint(self, size: int | None = None) -> Checkpoint | None:
        """Give the checkpoint of a size, or the largest one; null where there is none."""

    def time_stamps(self, size: int | None = None) -> tuple[TimeStamp, ...]:
        """Give the time stamps over the checkpoint of a size, or all, in the order in which they were kept."""

    def cosignatures(self, size: int | None = None) -> tuple[Cosignature, ...]:
        """Give the cosignatures of the checkpoint of a size, or all, by size and witness."""

    def roles(self, actor: str | None = None) -> tuple[RoleAssignment, ...]:
        """Give the roles of one actor, or of all, by actor and role."""

    def close(self) -> None:
        """Let go of the store; what was acknowledged stays."""
