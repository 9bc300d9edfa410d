"""KeyStore: the boundary between mark keys and where the registry of them is kept, in the store of their ledger.

Takes issued keys, retirements and reveals, each in the transaction that appends its entry. Gives the keys back with what became of them.
Promises that none of them is ever changed or deleted, that a handle and a commitment are there once, and that no raw key is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from stillwatch.records.key_registry import IssuedKey
from stillwatch.stores.protocol import LedgerStore, LedgerWriter


class KeyWriter(LedgerWriter, Protocol):
    """One transaction on ledger and registry."""

    def add_mark_key(self, key: IssuedKey) -> None:
        """Keep an issued key whose entry the ledger holds; a second one of its handle or commitment is refused."""

    def add_key_retirement(self, handle: str, entry_index: int) -> None:
        """Keep that a key was retired; a second time, or for a key that is not kept, is refused."""

    def add_key_reveal(self, handle: str, entry_index: int) -> None:
        """Keep that a raw key was handed out; for a key that is not kept it is refused."""


class KeyStore(LedgerStore, Protocol):
    """Where the registry of mark keys is kept, with the ledger that proves it."""

    def write(self) -> AbstractContextManager[KeyWriter]:
        """Begin a transaction; see `LedgerStore.write`."""

    def mark_keys(self, level: str | None = None, subject: str | None = None) -> Sequence[IssuedKey]:
        """Give keys in the order in which they were issued: all, of one level, of one subject, or of both."""

    def mark_key(self, handle: str) -> IssuedKey | None:
        """Give a key; null where there is none."""
