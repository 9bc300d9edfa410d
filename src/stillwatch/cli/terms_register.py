"""The register of terms: versions, acceptances and decisions, each kept with its entry of the ledger or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from stillwatch.cli.errors import OptionError, ResultFileError
from stillwatch.cli.ledger_options import now_us
from stillwatch.cli.terms_files import TermsFile, terms_of_bytes

if TYPE_CHECKING:
    from stillwatch.evidence.errors import LedgerDamagedError
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.records.terms import Acceptance, Terms
    from stillwatch.stores.protocol import LedgerWriter
    from stillwatch.stores.terms_protocol import TermsStore, TermsWriter

TERMS_ADDED = "terms added"
TERMS_ACCEPTED = "terms accepted"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEEDED = ("account_id", "terms", "version", "accepted_at")
_MAY = ("accepted_by", "how")
LONGEST_VALUE = 200
LONGEST_LINE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """An opened register, for an actor whose permission was checked."""

    store: TermsStore
    ledger: Ledger
    actor: str


@contextmanager
def open_register(url: str, actor: str, permission: str) -> Iterator[Register]:
    """Open the register of a ledger for an actor who needs a permission.

    Args:
        url: of the ledger's store.
        actor: who asks.
        permission: name of a `Permission`, such as `READ`.

    Raises:
        AccessError: where no role of the actor allows it.
        StoreError: where the store cannot be opened.
    """
    # Drivers and cryptography are loaded only where a store is opened, so that help is instant.
    from stillwatch.evidence.access import Access, Permission  # noqa: PLC0415
    from stillwatch.evidence.ledger import Ledger  # noqa: PLC0415
    from stillwatch.stores.terms_opening import open_terms_store  # noqa: PLC0415

    store = open_terms_store(url)
    try:
        ledger = Ledger(store, None, now_us)
        Access(ledger).require(actor, Permission[permission])
        yield Register(store=store, ledger=ledger, actor=actor)
    finally:
        store.close()


def add_terms(register: Register, file: TermsFile) -> int:
    """Keep a version of terms, with an entry that holds its digests.

    Returns:
        Index of the entry.

    Raises:
        OptionError: where there is such a version already.
    """
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415
    from stillwatch.records.terms import StoredTerms  # noqa: PLC0415

    terms = file.terms
    if register.store.terms(terms.name, terms.version):
        raise OptionError(
            f"{terms.name} {terms.version} is in the register already, and a version is never changed; give the new text another version."
        )
    record = _terms_record(terms)

    def keep(writer: LedgerWriter, indices: range) -> None:
        stored = StoredTerms(
            name=terms.name, version=terms.version, text=file.text, facts=file.facts, entry_index=indices[0]
        )
        cast("TermsWriter", writer).add_terms(stored)

    entry = NewEntry(kind=TERMS_ADDED, actor=register.actor, record=canonical_bytes(record))
    return register.ledger.append([entry], keep)[0]


def add_acceptances(register: Register, acceptances: Sequence[Acceptance]) -> range:
    """Keep acceptances, an entry each, all or none.

    Returns:
        Indices of the entries.

    Raises:
        OptionError: where a version is not in the register, or an acceptance is there already.
    """
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    known = all_terms(register.store)
    for one in acceptances:
        if (one.name, one.version) not in known:
            raise OptionError(
                f"{one.name} {one.version} is not in the register; add it first with `stillwatch terms add`."
            )
    there = {
        (one.account_id, one.name, one.version, one.accepted_us)
        for one in register.store.acceptances([one.account_id for one in acceptances])
    }
    twice = sum((one.account_id, one.name, one.version, one.accepted_us) in there for one in acceptances)
    if twice:
        raise OptionError(
            f"{twice:,} of these acceptances are in the register already; leave them out. Nothing was kept."
        )
    entries = [
        NewEntry(
            kind=TERMS_ACCEPTED,
            actor=register.actor,
            record=canonical_bytes(_acceptance_record(one, known[one.name, one.version].text_digest)),
        )
        for one in acceptances
    ]

    def keep(writer: LedgerWriter, indices: range) -> None:
        for one, index in zip(acceptances, indices, strict=True):
            cast("TermsWriter", writer).add_acceptance(replace(one, entry_index=index))

    return register.ledger.append(entries, keep)


def all_terms(store: TermsStore) -> dict[tuple[str, str], Terms]:
    """Read every version that the register keeps, by name and version.

    Raises:
        LedgerDamagedError: where one is not what its entry of the ledger says.
        TermsProblemsError: where one was made by a newer version of stillwatch.
    """
    from stillwatch.decisions.terms.reading import text_file_of  # noqa: PLC0415

    found = {}
    for one in store.terms():
        where = f"{one.name} {one.version}"
        text = None if text_file_of(one.facts, where) is None else one.text
        terms = terms_of_bytes(one.facts, text, where).terms
        if (terms.name, terms.version) != (one.name, one.version):
            raise _damaged(where, one.entry_index)
        agrees(store, one.entry_index, TERMS_ADDED, _terms_record(terms), where)
        found[one.name, one.version] = terms
    return found


def acceptances_of(register: Register, accounts: Sequence[str]) -> tuple[Acceptance, ...]:
    """Give the acceptances of accounts, each compared with its entry of the ledger.

    Raises:
        LedgerDamagedError: where one is not what its entry says.
    """
    found = tuple(register.store.acceptances(accounts))
    digests = {key: terms.text_digest for key, terms in all_terms(register.store).items()} if found else {}
    for one in found:
        record = _acceptance_record(one, digests[one.name, one.version])
        agrees(register.store, one.entry_index, TERMS_ACCEPTED, record, "an acceptance")
    return found


def agrees(store: TermsStore, entry_index: int, kind: str, record: Mapping[str, object], what: str) -> None:
    """Make sure that an entry of the ledger says what the register does: the tables are for looking up, the ledger is what proves.

    Raises:
        LedgerDamagedError: where it does not.
    """
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415

    entry = store.entry(entry_index)
    if entry.kind != kind or entry.record != canonical_bytes(record):
        raise _damaged(what, entry_index)


def _damaged(what: str, entry_index: int) -> LedgerDamagedError:
    from stillwatch.evidence.errors import LedgerDamagedError  # noqa: PLC0415

    return LedgerDamagedError(
        f"{what} is not what entry {entry_index} of the ledger says; keep the store as it is, and look for who changed it"
    )


def _terms_record(terms: Terms) -> dict[str, object]:
    return {
        "format": "stillwatch-terms/v1",
        "terms": terms.name,
        "version": terms.version,
        "text_digest": terms.text_digest,
        "facts_digest": terms.facts_digest,
        "clauses": [one.id for one in terms.clauses],
    }


def _acceptance_record(one: Acceptance, text_digest: str) -> dict[str, object]:
    return {
        "format": "stillwatch-acceptance/v1",
        "account_id": one.account_id,
        "terms": one.name,
        "version": one.version,
        "text_digest": text_digest,
        "accepted_us": one.accepted_us,
        "accepted_by": one.accepted_by,
        "how": one.how,
    }


def read_acceptances(path: Path) -> tuple[Acceptance, ...]:
    """Read acceptances, a JSON object a line.

    Raises:
        ResultFileError: naming the line that is none.
    """
    found = []
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if line.strip():
                    found.append(_acceptance(line, f"{path}:{number}"))
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read ({error.strerror}).") from error
    if not found:
        raise ResultFileError(f"{path}: holds no acceptance, expected a JSON object a line.")
    keys = [(one.account_id, one.name, one.version, one.accepted_us) for one in found]
    if len(set(keys)) < len(keys):
        raise ResultFileError(f"{path}: {len(keys) - len(set(keys)):,} lines repeat an acceptance; leave them out.")
    return tuple(found)


def _acceptance(line: bytes, place: str) -> Acceptance:
    from stillwatch.records.terms import Acceptance  # noqa: PLC0415

    try:
        given: Any = json.loads(line) if len(line) <= LONGEST_LINE else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ResultFileError(f"{place}: is no JSON object of at most {LONGEST_LINE:,} bytes.")
    missing = [name for name in _NEEDED if name not in given]
    unknown = sorted(set(given) - {*_NEEDED, *_MAY})
    if missing or unknown:
        raise ResultFileError(
            f"{place}: missing {', '.join(missing) or 'nothing'}, unknown {', '.join(unknown)[:80] or 'nothing'}; an acceptance has "
            f"{', '.join(_NEEDED)} and may have {', '.join(_MAY)}."
        )
    for name, value in given.items():
        if not isinstance(value, str) or not value or len(value) > LONGEST_VALUE or not value.isprintable():
            raise ResultFileError(f"{place}: {name} is no printable text of 1 to {LONGEST_VALUE} characters.")
    return Acceptance(
        account_id=given["account_id"],
        name=given["terms"],
        version=given["version"],
        accepted_us=time_us_of(given["accepted_at"], f"{place}: accepted_at"),
        accepted_by=given.get("accepted_by", "unknown"),
        how=given.get("how", "unknown"),
    )


def time_us_of(text: str, what: str) -> int:
    """Read a time of ISO 8601 with a zone: microseconds UTC.

    Raises:
        ResultFileError: where it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ResultFileError(f"{what}: is no time of ISO 8601 with a zone, such as 2026-06-05T00:00:00Z.")
    return (time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
