"""TermsStore: the boundary between terms, acceptances, decisions and where they are kept, in the store of their ledger.

Takes versions of terms, acceptances, decisions and approvals, each in the transaction that appends its entry. Gives them back. Promises that
none of them is ever changed or deleted, that an account can only accept a version that is kept, and that a decision is approved once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from stillwatch.records.terms import Acceptance, StoredDecision, StoredTerms
from stillwatch.stores.protocol import LedgerStore, LedgerWriter


class TermsWriter(LedgerWriter, Protocol):
    """One transaction on ledger and terms."""

    def add_terms(self, terms: StoredTerms) -> None:
        """Keep a version whose entry the ledger holds; a second one of the same name and version is refused."""

    def add_acceptance(self, acceptance: Acceptance) -> None:
        """Keep an acceptance whose entry the ledger holds; one of a version that is not kept is refused."""

    def add_decision(self, decision_id: str, entry_index: int) -> None:
        """Keep a decision whose entry the ledger holds; a second one of the same id is refused."""

    def add_approval(self, decision_id: str, entry_index: int) -> None:
        """Keep an approval whose entry the ledger holds; a second one of the same decision is refused."""


class TermsStore(LedgerStore, Protocol):
    """Where terms, acceptances and decisions are kept, with the ledger that proves them."""

    def write(self) -> AbstractContextManager[TermsWriter]:
        """Begin a transaction; see `LedgerStore.write`."""

    def terms(self, name: str | None = None, version: str | None = None) -> Sequence[StoredTerms]:
        """Give versions of terms, in the order in which they were added: all, of one name, or one."""

    def acceptances(self, accounts: Sequence[str]) -> Sequence[Acceptance]:
        """Give the acceptances of these accounts, by account, time and entry."""

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Give a decision; null where there is none."""

    def decisions(self) -> Sequence[StoredDecision]:
        """Give all decisions, in the order in which they were proposed."""
