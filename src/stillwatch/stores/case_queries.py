"""The SQL of cases that both stores share.

Takes the way in which a store runs statements, as `ledger_queries`. Gives cases and items as records.
"""

from __future__ import annotations

from stillwatch.records.case import Case, CaseItem, CaseStatus, ItemKind
from stillwatch.stores.ledger_queries import LedgerQueries, LedgerWriting, Row

_CASES_SQL = (
    "SELECT id, status, opened_us, opened_by, erased,"
    " (SELECT count(*) FROM case_item WHERE case_item.case_id = case_header.id) FROM case_header"
)
_ITEMS_SQL = (
    "SELECT case_item.case_id, case_item.number, case_item.kind, case_item.entry_index, entry.recorded_us, entry.actor,"
    " entry.record, case_item.sealed FROM case_item JOIN entry ON entry.entry_index = case_item.entry_index"
    " WHERE case_item.case_id = ? ORDER BY case_item.number"
)


class CaseReading(LedgerQueries):
    """What both stores read of cases."""

    def case(self, case_id: str) -> Case | None:
        """Give a case; null where there is none."""
        rows = self._fetch(f"{_CASES_SQL} WHERE id = ?", (case_id,))
        return _case(rows[0]) if rows else None

    def cases(self) -> tuple[Case, ...]:
        """Give all cases, by the time at which they were opened."""
        return tuple(map(_case, self._fetch(f"{_CASES_SQL} ORDER BY opened_us, id", ())))

    def case_items(self, case_id: str) -> tuple[CaseItem, ...]:
        """Give the items of a case, by number."""
        return tuple(map(_item, self._fetch(_ITEMS_SQL, (case_id,))))


class CaseWriting(LedgerWriting):
    """What both writers write of cases."""

    def add_case(self, case_id: str, opened_us: int, opened_by: str) -> None:
        """Add an open case; a second one of the same id is refused."""
        self._fetch(
            "INSERT INTO case_header (id, status, opened_us, opened_by) VALUES (?, ?, ?, ?)",
            (case_id, CaseStatus.OPEN.value, opened_us, opened_by),
        )

    def add_case_item(self, case_id: str, number: int, kind: ItemKind, entry_index: int, sealed: bytes) -> None:
        """Add an item whose entry the ledger holds; a second one of the same number is refused."""
        self._fetch(
            "INSERT INTO case_item (case_id, number, kind, entry_index, sealed) VALUES (?, ?, ?, ?, ?)",
            (case_id, number, kind.value, entry_index, sealed),
        )

    def set_case_status(self, case_id: str, status: CaseStatus) -> None:
        """Say where a case stands."""
        self._fetch("UPDATE case_header SET status = ? WHERE id = ?", (status.value, case_id))

    def set_case_erased(self, case_id: str) -> None:
        """Say that the key of a case was destroyed, and drop what it sealed."""
        self._fetch("UPDATE case_header SET erased = 1 WHERE id = ?", (case_id,))
        self._fetch("UPDATE case_item SET sealed = ? WHERE case_id = ?", (b"", case_id))


def _case(row: Row) -> Case:
    case_id, status, opened_us, opened_by, erased, items = row
    return Case(
        id=case_id,
        status=CaseStatus(status),
        opened_us=opened_us,
        opened_by=opened_by,
        items=items,
        erased=bool(erased),
    )


def _item(row: Row) -> CaseItem:
    case_id, number, kind, entry_index, added_us, added_by, record, sealed = row
    return CaseItem(
        case_id=case_id,
        number=number,
        kind=ItemKind(kind),
        entry_index=entry_index,
        added_us=added_us,
        added_by=added_by,
        record=bytes(record),
        sealed=bytes(sealed),
    )
