"""Case: what is held against somebody, each statement with its label, its sources, and what is missing said.

A case gathers items. The ledger holds, of each item, only commitments to its fields; the fields themselves are kept sealed under the
case's own key. So a field can be shown and proved, withheld and still be proved to be there, or erased for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.claim import Claim, Inconclusive


class Label(StrEnum):
    """On what a statement rests. The three are never mixed."""

    OBSERVED = "observed"
    """A record of the time says so: a log line, an acceptance record."""
    DERIVED = "derived"
    """Computed from records by a method that is named, with its version."""
    ATTESTED = "attested"
    """A person says so; no record here shows it."""


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    UNDER_REVIEW = "under review"
    REFERRED = "referred"
    """Handed to counsel, a partner or an authority."""
    CLOSED = "closed"


class ItemKind(StrEnum):
    """What an item of a case is."""

    OPENING = "opening"
    """Title of the case, and who opened it; always number 0."""
    CAMPAIGN = "campaign"
    """A campaign of a detection run, with its claims, links and exhibits."""
    RUN = "run"
    """The detection run that a campaign is of: version, digests, what could not be tested."""
    EXCHANGE = "exchange"
    """One exchange that shows a claim, with where in the log it stands."""
    TERMS = "terms"
    """That an account accepted a version of the terms."""
    DECISION = "decision"
    """What was decided about an account, and under which clause."""
    CLAIM = "claim"
    """A claim that is of no campaign, such as a timeline test or a test of a suspect."""
    RELEASES = "releases"
    """When a suspect released what, as the public record has it."""
    REPORT = "suspect report"
    """A report about a suspect model or data set, or a suspect's own report."""
    STATEMENT = "statement"
    """What a person attests, for one element of the case."""
    NOTE = "note"
    """A note of an investigator."""
    STATUS = "status"
    """A change of status."""
    ERASURE = "erasure"
    """That the key was destroyed, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseItem:
    """One item of a case as the store keeps it."""

    case_id: str
    number: int
    """From 0, without a gap."""
    kind: ItemKind
    entry_index: int
    """The ledger's entry that commits to it."""
    added_us: int
    """Microseconds UTC."""
    added_by: str
    record: bytes
    """Canonical bytes of the ledger's record: kind, number, and a commitment for each field."""
    sealed: bytes
    """Salt and value of each field, encrypted under the case's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as the store lists it; its title is sealed like all else."""

    id: str
    """`case-` and 12 hex digits, drawn at random."""
    status: CaseStatus
    opened_us: int
    opened_by: str
    items: int
    erased: bool
    """True once its key was destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedItem:
    """An item with what its fields hold, as far as that can still be read and may be shown."""

    number: int
    kind: ItemKind
    entry_index: int
    added_us: int
    added_by: str
    fields: dict[str, object]
    """Name to value of the fields that are shown."""
    withheld: tuple[str, ...]
    """Names of fields that the record commits to and that are not shown, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One sentence of a case."""

    text: str
    label: Label
    entries: tuple[int, ...]
    """Indices of the ledger's entries that it rests on, at least one."""
    method: str | None = None
    """`name/vN` of what derived it; null unless derived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is missing, said as plainly as what is there."""

    what: str
    why: str
    needed: str
    """What would close it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One thing that has to be shown, and what there is for it."""

    key: str
    """Short name, such as `volume`."""
    title: str
    question: str
    """What a reader asks of it."""
    basis: str
    """Where the element comes from: the bill's paragraph, or contract."""
    statements: tuple[Statement, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """An innocent explanation that was weighed."""

    name: str
    says: str
    outcome: str
    """`rejected`, `stands` or `not tested`."""
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyStep:
    """One act on the case, as the ledger has it."""

    entry_index: int
    time_us: int
    actor: str
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """All that a case says, ready to be shown or read by a machine."""

    case_id: str
    title: str
    """Empty where it is withheld."""
    status: CaseStatus
    made_us: int
    version: str
    """Version of stillwatch that made it."""
    shared: bool
    """True for the version for sharing: fields that name persons or show text are withheld."""
    erased: bool
    elements: tuple[Element, ...]
    claims: tuple[Claim, ...]
    inconclusive: tuple[Inconclusive, ...]
    alternatives: tuple[Alternative, ...]
    gaps: tuple[Gap, ...]
    """Of the case as a whole."""
    custody: tuple[CustodyStep, ...]
    harvest: tuple[tuple[int, int], ...]
    """(day since epoch, exchanges of the campaigns' members), ascending."""
    releases: tuple[tuple[int, str], ...]
    """(day since epoch, what the suspect released), ascending."""
    exhibits: tuple[OpenedItem, ...]
    notes: tuple[OpenedItem, ...]
