"""The SQL of terms, acceptances and decisions that both stores share.

Takes the way in which a store runs statements, as `ledger_queries`. Gives records.
"""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.records.terms import Acceptance, StoredDecision, StoredTerms
from stillwatch.stores.errors import StoreDamagedError
from stillwatch.stores.ledger_queries import LedgerQueries, LedgerWriting, Row

_TERMS_SQL = "SELECT name, version, contract_text, facts, entry_index FROM terms_version"
_ACCEPTANCE_SQL = "SELECT account_id, name, version, accepted_us, accepted_by, how, entry_index FROM acceptance"
_DECISION_SQL = (
    "SELECT decision.id, proposed.record, proposed.actor, decision.entry_index, approved.actor, approved.recorded_us, approval.entry_index"
    " FROM decision JOIN entry AS proposed ON proposed.entry_index = decision.entry_index"
    " LEFT JOIN approval ON approval.decision_id = decision.id"
    " LEFT JOIN entry AS approved ON approved.entry_index = approval.entry_index"
)
_ACCOUNTS_AT_A_TIME = 500


class TermsReading(LedgerQueries):
    """What both stores read of terms."""

    def terms(self, name: str | None = None, version: str | None = None) -> tuple[StoredTerms, ...]:
        """Give versions of terms, in the order in which they were added: all, of one name, or one."""
        given = [(column, value) for column, value in (("name", name), ("version", version)) if value is not None]
        where = f" WHERE {' AND '.join(f'{column} = ?' for column, _ in given)}" if given else ""
        rows = self._fetch(f"{_TERMS_SQL}{where} ORDER BY entry_index", tuple(value for _, value in given))
        return tuple(map(_terms, rows))

    def acceptances(self, accounts: Sequence[str]) -> tuple[Acceptance, ...]:
        """Give the acceptances of these accounts, by account, time and entry."""
        found: list[Acceptance] = []
        wanted = sorted(set(accounts))
        for start in range(0, len(wanted), _ACCOUNTS_AT_A_TIME):
            asked = tuple(wanted[start : start + _ACCOUNTS_AT_A_TIME])
            rows = self._fetch(
                f"{_ACCEPTANCE_SQL} WHERE account_id IN ({', '.join('?' * len(asked))}) ORDER BY account_id, accepted_us, entry_index",
                asked,
            )
            found += map(_acceptance, rows)
        return tuple(found)

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Give a decision; null where there is none."""
        rows = self._fetch(f"{_DECISION_SQL} WHERE decision.id = ?", (decision_id,))
        return _decision(rows[0]) if rows else None

    def decisions(self) -> tuple[StoredDecision, ...]:
        """Give all decisions, in the order in which they were proposed."""
        return tuple(map(_decision, self._fetch(f"{_DECISION_SQL} ORDER BY decision.entry_index", ())))


class TermsWriting(LedgerWriting):
    """What both writers write of terms."""

    def add_terms(self, terms: StoredTerms) -> None:
        """Keep a version whose entry the ledger holds; a second one of the same name and version is refused."""
        self._fetch(
            "INSERT INTO terms_version (name, version, contract_text, facts, entry_index) VALUES (?, ?, ?, ?, ?)",
            (terms.name, terms.version, terms.text, terms.facts, terms.entry_index),
        )

    def add_acceptance(self, acceptance: Acceptance) -> None:
        """Keep an acceptance whose entry the ledger holds; one of a version that is not kept is refused."""
        self._fetch(
            "INSERT INTO acceptance (account_id, name, version, accepted_us, accepted_by, how, entry_index) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                acceptance.account_id, acceptance.name, acceptance.version, acceptance.accepted_us, acceptance.accepted_by, acceptance.how,
                acceptance.entry_index,
            ),
        )  # fmt: skip

    def add_decision(self, decision_id: str, entry_index: int) -> None:
        """Keep a decision whose entry the ledger holds; a second one of the same id is refused."""
        self._fetch("INSERT INTO decision (id, entry_index) VALUES (?, ?)", (decision_id, entry_index))

    def add_approval(self, decision_id: str, entry_index: int) -> None:
        """Keep an approval whose entry the ledger holds; a second one of the same decision is refused."""
        self._fetch("INSERT INTO approval (decision_id, entry_index) VALUES (?, ?)", (decision_id, entry_index))


def _terms(row: Row) -> StoredTerms:
    name, version, text, facts, entry_index = row
    return StoredTerms(
        name=name,
        version=version,
        text=_blob(text, "contract_text"),
        facts=_blob(facts, "facts"),
        entry_index=entry_index,
    )


def _acceptance(row: Row) -> Acceptance:
    account_id, name, version, accepted_us, accepted_by, how, entry_index = row
    return Acceptance(
        account_id=account_id, name=name, version=version, accepted_us=accepted_us, accepted_by=accepted_by, how=how, entry_index=entry_index
    )  # fmt: skip


def _decision(row: Row) -> StoredDecision:
    decision_id, record, proposed_by, entry_index, approved_by, approved_us, approval_index = row
    return StoredDecision(
        id=decision_id,
        record=_blob(record, "record"),
        proposed_by=proposed_by,
        entry_index=entry_index,
        approved_by=approved_by,
        approved_us=approved_us,
        approval_index=approval_index,
    )


def _blob(value: object, column: str) -> bytes:
    """Return bytes, or raise: SQLite keeps any type in any column."""
    if isinstance(value, (bytes, memoryview)):
        return bytes(value)
    raise StoreDamagedError(f"column {column}: got {type(value).__name__}, expected bytes; the store was tampered with")
