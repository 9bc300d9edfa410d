"""Work on cases: opening, adding, noting, changing the status, erasing; each act is an entry of the ledger.

Takes a ledger with its store of cases, and the keys of cases. Gives cases with their items. Promises that an item and its entry are kept
together or not at all, that the ledger holds commitments and never a field, and that two people who add at once both get a number.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from stillwatch.evidence.cases.commitments import ITEM_ENTRY_KIND, Disclosure, commit, digest_of
from stillwatch.evidence.cases.errors import CaseError, CaseItemError, CaseKeyError, UnknownCaseError
from stillwatch.evidence.cases.shredding import CaseKeys
from stillwatch.evidence.ledger import Ledger
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.case import Case, CaseItem, CaseStatus, CustodyStep, ItemKind
from stillwatch.records.ledger import NewEntry
from stillwatch.stores.case_protocol import CaseStore, CaseWriter
from stillwatch.stores.errors import StoreWriteError
from stillwatch.stores.protocol import LedgerWriter

ERASURE_KIND = "case erased"
EXPORT_KIND = "case exported"
MOST_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """What is to be added to a case."""

    kind: ItemKind
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedItem:
    """An item with all that can still be read of it."""

    item: CaseItem
    commitments: dict[str, str]
    """Field name to commitment, from the ledger's record."""
    disclosures: dict[str, Disclosure]
    """Field name to salt and value; empty once the case was erased."""


class CaseWork:
    """Cases of one ledger."""

    def __init__(self, ledger: Ledger, store: CaseStore, keys: CaseKeys) -> None:
        """Take the ledger, the store that keeps it, and the keys.

        Args:
            ledger: over `store`.
            store: of the ledger and its cases.
            keys: of the cases.
        """
        self._ledger = ledger
        self._store = store
        self._keys = keys

    def open_case(self, title: str, actor: str) -> Case:
        """Open a case, with a key of its own.

        Args:
            title: a line; it is sealed like all else.
            actor: who opens it.

        Raises:
            CaseKeyError: where the key cannot be made.
            StoreError: where the case cannot be kept; then its key is destroyed again.
        """
        case_id = f"case-{secrets.token_hex(6)}"
        self._keys.make(case_id)
        opened = None
        try:
            self._append(case_id, 0, [NewItem(kind=ItemKind.OPENING, fields={"title": title})], actor, opens=True)
            opened = self.case(case_id)
        finally:
            if opened is None:
                self._keys.destroy(case_id)
        return opened

    def add(self, case_id: str, items: Sequence[NewItem], actor: str) -> tuple[CaseItem, ...]:
        """Add items to a case, all or none.

        Args:
            case_id: of an open case.
            items: in the order in which they are numbered.
            actor: who adds them.

        Raises:
            UnknownCaseError: where there is no such case.
            CaseError: where the case is closed or erased.
            CaseKeyError: where its key cannot be used.
        """
        for _ in range(MOST_TRIES):
            case = self.case(case_id)
            if case.erased or case.status is CaseStatus.CLOSED:
                raise CaseError(
                    f"{case_id} is {'erased' if case.erased else 'closed'} and takes no more items; open another case"
                )
            try:
                self._append(case_id, case.items, items, actor)
            except StoreWriteError:
                if self.case(case_id).items == case.items:  # nobody else was quicker, so the refusal is another one
                    raise
                continue
            return tuple(self._store.case_items(case_id)[case.items : case.items + len(items)])
        raise CaseError(f"{case_id}: others kept adding at the same time; try again")

    def set_status(self, case_id: str, status: CaseStatus, actor: str) -> Case:
        """Say where a case stands; that is an item too.

        Raises:
            UnknownCaseError: where there is no such case.
            CaseError: where the case is erased.
        """
        case = self.case(case_id)
        if case.erased:
            raise CaseError(f"{case_id} is erased; its status stays")
        item = NewItem(kind=ItemKind.STATUS, fields={"status": status.value})
        self._append(case_id, case.items, [item], actor, status=status)
        return self.case(case_id)

    def erase(self, case_id: str, reason: str, actor: str) -> Case:
        """Erase the fields of a case: an entry says so, then its key is destroyed, and nobody can read them again.

        Args:
            case_id: of the case.
            reason: a line, kept in the ledger; it must name nobody.
            actor: who erases it.

        Raises:
            UnknownCaseError: where there is no such case.
            CaseError: where it was erased before.
            CaseKeyError: where the key cannot be destroyed.
        """
        case = self.case(case_id)
        if case.erased:
            raise CaseError(f"{case_id} was erased before")
        # The entry comes first: where the program dies in between, the ledger says what was meant, and it can be done again.
        record = canonical_bytes({"format": "stillwatch-case-erasure/v1", "case": case_id, "reason": reason})
        self._ledger.append([NewEntry(kind=ERASURE_KIND, actor=actor, record=record)])
        if self._keys.has(case_id):
            self._keys.destroy(case_id)
        with self._store.write() as writer:
            writer.set_case_erased(case_id)
        return self.case(case_id)

    def case(self, case_id: str) -> Case:
        """Give a case.

        Raises:
            UnknownCaseError: where there is none of that id.
        """
        found = self._store.case(case_id)
        if found is None:
            raise UnknownCaseError(f"there is no case {case_id[:40]!a}; `stillwatch case list` names those there are")
        return found

    def cases(self) -> tuple[Case, ...]:
        """Give all cases, by the time at which they were opened."""
        return tuple(self._store.cases())

    def title(self, case: Case) -> str | None:
        """Give the title of a case; null where it is erased, or its key is not here."""
        if case.erased or not self._keys.has(case.id):
            return None
        _, title = self.unsealed(case.id)[0].disclosures["title"]
        return str(title)

    def unsealed(self, case_id: str) -> tuple[UnsealedItem, ...]:
        """Give the items of a case with their fields, each field compared with its commitment.

        Raises:
            UnknownCaseError: where there is no such case.
            CaseKeyError: where the key cannot be used, or a field is not the one that was committed to.
        """
        erased = self.case(case_id).erased
        return tuple(self._unsealed(item, erased=erased) for item in self._store.case_items(case_id))

    def custody(self, case_id: str) -> tuple[CustodyStep, ...]:
        """Give every act on a case that the ledger holds, in order."""
        steps = [
            CustodyStep(
                entry_index=item.entry_index,
                time_us=item.added_us,
                actor=item.added_by,
                act=f"{item.kind.value} added as item {item.number}",
            )
            for item in self._store.case_items(case_id)
        ]
        for kind, act in ((ERASURE_KIND, "fields erased, key destroyed"), (EXPORT_KIND, "bundle exported")):
            steps.extend(
                CustodyStep(entry_index=entry.index, time_us=entry.recorded_us, actor=entry.actor, act=act)
                for entry in self._ledger.entries(kind)
                if json.loads(entry.record).get("case") == case_id
            )
        return tuple(sorted(steps, key=lambda step: step.entry_index))

    def record_export(self, case_id: str, manifest_digest: str, actor: str, *, shared: bool) -> int:
        """Record that a bundle was exported.

        Args:
            case_id: of the case.
            manifest_digest: SHA-256 of the bundle's manifest, 64 hex digits.
            actor: who exported it.
            shared: whether it is the version for sharing.

        Returns:
            Index of the entry.
        """
        record = {"format": "stillwatch-case-export/v1", "case": case_id, "manifest": manifest_digest, "shared": shared}
        return self._ledger.append([NewEntry(kind=EXPORT_KIND, actor=actor, record=canonical_bytes(record))])[0]

    def _append(
        self,
        case_id: str,
        first: int,
        items: Sequence[NewItem],
        actor: str,
        *,
        opens: bool = False,
        status: CaseStatus | None = None,
    ) -> None:
        """Append the entries of items and keep the items, in one transaction."""
        if not items:
            raise CaseItemError("got nothing to add to the case, expected at least one item")
        committed = [commit(case_id, number, item.kind, item.fields) for number, item in enumerate(items, first)]
        sealed = [
            self._keys.seal(case_id, number, canonical_bytes(one.disclosures))
            for number, one in enumerate(committed, first)
        ]

        def keep(writer: LedgerWriter, indices: range) -> None:
            cases = cast("CaseWriter", writer)
            if opens:
                entry = self._store.entry(indices[0])
                cases.add_case(case_id, entry.recorded_us, actor)
            for place, (item, content) in enumerate(zip(items, sealed, strict=True)):
                cases.add_case_item(case_id, first + place, item.kind, indices[place], content)
            if status is not None:
                cases.set_case_status(case_id, status)

        self._ledger.append([NewEntry(kind=ITEM_ENTRY_KIND, actor=actor, record=one.record) for one in committed], keep)

    def _unsealed(self, item: CaseItem, *, erased: bool) -> UnsealedItem:
        commitments = {str(name): str(digest) for name, digest in json.loads(item.record)["fields"].items()}
        if erased:
            return UnsealedItem(item=item, commitments=commitments, disclosures={})
        content = json.loads(self._keys.unseal(item.case_id, item.number, item.sealed))
        disclosures: dict[str, Disclosure] = {name: (pair[0], pair[1]) for name, pair in content.items()}
        if {name: digest_of(name, one) for name, one in disclosures.items()} != commitments:
            raise CaseKeyError(
                f"item {item.number} of {item.case_id}: its fields are not those that the ledger commits to"
            )
        return UnsealedItem(item=item, commitments=commitments, disclosures=disclosures)
