"""CaseStore: the boundary between cases and where they are kept, in the store of their ledger.

Takes cases and sealed items. Gives them back. An item is written in the transaction that appends its entry to the ledger, so that neither
is ever without the other. A store cannot read what an item holds: its fields are sealed, and the keys are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from stillwatch.records.case import Case, CaseItem, CaseStatus, ItemKind
from stillwatch.stores.protocol import LedgerStore, LedgerWriter


class CaseWriter(LedgerWriter, Protocol):
    """One transaction on ledger and cases."""

    def add_case(self, case_id: str, opened_us: int, opened_by: str) -> None:
        """Add an open case; a second one of the same id is refused."""

    def add_case_item(self, case_id: str, number: int, kind: ItemKind, entry_index: int, sealed: bytes) -> None:
        """Add an item whose entry the ledger holds; a second one of the same number is refused."""

    def set_case_status(self, case_id: str, status: CaseStatus) -> None:
        """Say where a case stands."""

    def set_case_erased(self, case_id: str) -> None:
        """Say that the key of a case was destroyed, and drop what it sealed."""


class CaseStore(LedgerStore, Protocol):
    """Where cases are kept, with the ledger that proves them."""

    def write(self) -> AbstractContextManager[CaseWriter]:
        """Begin a transaction; see `LedgerStore.write`."""

    def case(self, case_id: str) -> Case | None:
        """Give a case; null where there is none."""

    def cases(self) -> Sequence[Case]:
        """Give all cases, by the time at which they were opened."""

    def case_items(self, case_id: str) -> Sequence[CaseItem]:
        """Give the items of a case, by number."""
