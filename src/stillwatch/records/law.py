"""Law: what the register says of a bill, order, case or contract term, what a source says of it, and what follows from a change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LawKind(StrEnum):
    """What an entry is."""

    BILL = "bill"
    STATUTE = "statute"
    REGULATION = "regulation"
    ORDER = "order"
    """Of an executive: an executive order, a memorandum, a ministry's measures."""
    CASE = "case"
    RULE = "rule"
    """Of evidence or procedure."""
    GUIDANCE = "guidance"
    """Advisory, code of practice, office report: it binds nobody by itself."""
    STATEMENT = "statement"
    """What a party says happened; a claim, no finding."""
    TERMS = "terms"
    """Of a provider."""
    ARTICLE = "article"


class LawStatus(StrEnum):
    """The closed list of status words."""

    ANNOUNCED = "announced"
    PENDING = "pending"
    PASSED_COMMITTEE = "passed committee"
    IN_FORCE = "in force"
    VOLUNTARY = "voluntary"
    ARGUED = "argued"
    DECIDED = "decided"
    ON_APPEAL = "on appeal"
    SETTLED = "settled"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"
    PUBLISHED = "published"
    """For statements and articles, which have no other state."""


class Grade(StrEnum):
    """How well an entry is known."""

    PRIMARY = "primary"
    """The primary text was read."""
    SECONDARY = "secondary"
    """A named secondary source."""
    UNCERTAIN = "uncertain"
    """One source, sources that conflict, or not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawSource:
    """Where an entry rests."""

    title: str
    url: str | None
    """Of the primary text where there is one; null where none was found, which is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Who looked last, when, and at what."""

    by: str
    on: str
    """Day, `YYYY-MM-DD`."""
    against: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What one source says and another does not; both stay to be seen."""

    says: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Touches:
    """What of this system an entry bears on."""

    controls: tuple[str, ...]
    """Ids of the posture catalogue, such as `aisvs-1.0-C11.3.3`."""
    clauses: tuple[str, ...]
    """Kinds of contract clauses, as in `records.terms.ClauseKind`."""
    elements: tuple[str, ...]
    """Keys of the elements that a case has to show."""

    def all(self) -> tuple[tuple[str, str], ...]:
        """Give each as what it is and its id."""
        return (
            *(("control", one) for one in self.controls),
            *(("clause", one) for one in self.clauses),
            *(("element", one) for one in self.elements),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LawEntry:
    """A row of the register."""

    id: str
    """Lower-case words with hyphens; never used for another."""
    title: str
    kind: LawKind
    jurisdiction: str
    """Such as `US`, `US-9th-Cir`, `EU`, `CN`."""
    status: LawStatus
    date: str
    """Of that status: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""
    gist: str
    """What it says, in our words."""
    grade: Grade
    sources: tuple[LawSource, ...]
    verified: Verification
    conflicts: tuple[Conflict, ...]
    touches: Touches
    due: str | None
    """Day from which something must be done, `YYYY-MM-DD`; null where there is none."""
    follows: tuple[str, ...]
    """How sources name it: `SOURCE:ID`, such as `congress:119/hr/8283`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawNotice:
    """What a source says of one thing at one time."""

    source: str
    """`federal-register`, `congress`, `courtlistener`, `eur-lex`, `feed`, `mail`."""
    identifier: str
    """How the source names the thing; unique in the source."""
    title: str
    date: str
    """Of what is said: `YYYY-MM-DD`; empty where the source gives none."""
    says: str
    """The state of the thing in the source's words, such as a bill's last action."""
    url: str
    """Empty where the source gives none."""

    @property
    def name(self) -> str:
        """How an entry's `follows` names it."""
        return f"{self.source}:{self.identifier}"


class ChangeKind(StrEnum):
    """What a source newly says."""

    NEW = "new"
    """A thing that no entry follows."""
    MOVED = "moved"
    """A followed thing is in another state than was last seen."""
    FIRST_SEEN = "first seen"
    """A followed thing is seen by a source for the first time; the register was written from elsewhere, so somebody compares."""
    DUE = "due"
    """A day named by an entry comes near."""
    TERMS = "terms"
    """Sentences of a provider's terms changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawChange:
    """One change, and what it rests on."""

    id: str
    """`c-` and 12 hex digits: digest of what follows, time apart."""
    kind: ChangeKind
    entry_id: str | None
    """Null for a new thing."""
    name: str
    """`SOURCE:ID` of the notice, or of the terms document."""
    before: str
    """What was last said; empty where nothing was."""
    after: str
    title: str
    url: str
    date: str
    found_us: int
    """Microseconds UTC."""
    capture: str
    """Digest of the bytes that it was read from; empty for days that come near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawWork:
    """Work that a change opens."""

    id: str
    """`w-` and 12 hex digits."""
    change_id: str
    subject: str
    """`control aisvs-1.0-C11.3.3`, `clause resale`, `element gate`, or `register` for an entry to be written or checked."""
    what: str
    """What is to be done, in a sentence."""
    opened_us: int
    """Microseconds UTC."""
    closed_us: int | None = None
    closed_by: str = ""
    remark: str = ""
