"""From notices to changes and the work that they open.

Takes the register, what was seen before, and notices. Gives changes, and work for each control, clause kind and element that a changed entry
touches. Promises that a source which says the same again changes nothing, that a state which was seen within sixty days opens nothing anew,
and that an older statement never replaces a newer one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.law import ChangeKind, LawChange, LawEntry, LawNotice, LawWork

FLAPPING_US = 60 * 86_400_000_000
"""A state that was seen within this time is flapping, not new (measured on 1,017 recorded versions of terms: 92 of 128 changes)."""
DUE_DAYS = (30, 7, 0)
"""Days before a day that is due at which work is opened."""
DAY_US = 86_400_000_000
WATCHED = re.compile(
    r"distil|model extraction|model theft|extraction attack|watermark|synthetic content|AI-generated content|artificial intelligence act|"
    r"frontier model|foundation model|large language model|model weights|terms of use.{0,40}(?:AI|model)",
    re.IGNORECASE,
)
"""Words of which a thing that no entry follows has to hold one to be shown."""
REGISTER = "register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was last said of a thing, and which states it was in."""

    says: str
    date: str
    states: Mapping[str, int]
    """What was said, to when it was last seen: microseconds UTC."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What an update found."""

    changes: list[LawChange] = field(default_factory=list)
    work: list[LawWork] = field(default_factory=list)
    unchanged: int = 0
    flapping: int = 0
    older: int = 0
    passed_over: int = 0
    """Things that no entry follows and that hold no watched word."""


class Comparison:
    """Compares notices with what was seen; `seen` is brought forward as it goes."""

    def __init__(self, register: Mapping[str, LawEntry], seen: dict[str, Seen], now_us: int) -> None:
        """Take the register, what was seen, and the present time (microseconds UTC)."""
        self._followed = {name.casefold(): entry for entry in register.values() for name in entry.follows}
        self._register = register
        self._seen = seen
        self._now_us = now_us
        self.outcome = Outcome()

    def take(self, notices: Iterable[LawNotice], capture: str) -> None:
        """Compare the notices of one document.

        Args:
            notices: in the document's order.
            capture: digest of the document's bytes.
        """
        for notice in notices:
            entry = self._followed.get(notice.name.casefold())
            if entry is None and not WATCHED.search(f"{notice.title} {notice.says}"):
                self.outcome.passed_over += 1
                continue
            self._compare(notice, entry, capture)

    def _compare(self, notice: LawNotice, entry: LawEntry | None, capture: str) -> None:
        before = self._seen.get(notice.name)
        if before is not None and before.says == notice.says:
            self.outcome.unchanged += 1
        elif before is not None and notice.date and before.date and notice.date < before.date:
            self.outcome.older += 1
            return
        elif before is not None and self._now_us - before.states.get(notice.says, -FLAPPING_US) < FLAPPING_US:
            self.outcome.flapping += 1
        else:
            kind = ChangeKind.MOVED if before else ChangeKind.FIRST_SEEN if entry else ChangeKind.NEW
            self._add(_change(kind, notice, entry, before, self._now_us, capture), entry)
        states = {} if before is None else dict(before.states)
        self._seen[notice.name] = Seen(
            says=notice.says,
            date=notice.date or (before.date if before else ""),
            states=states | {notice.says: self._now_us},
        )

    def _add(self, change: LawChange, entry: LawEntry | None) -> None:
        self.outcome.changes.append(change)
        self.outcome.work.extend(work_of(change, entry))

    def days_that_come_near(self, today: str, days_left: Mapping[str, int]) -> None:
        """Open work for entries whose day is near.

        Args:
            today: for the change's date, `YYYY-MM-DD`.
            days_left: entry id to days until its `due`; entries without one are left out.
        """
        for entry_id, left in sorted(days_left.items()):
            entry = self._register[entry_id]
            stage = min((one for one in DUE_DAYS if left <= one), default=None)
            name = f"due:{entry_id}"
            says = f"{entry.due} within {stage} days" if stage else f"{entry.due} has come"
            before = self._seen.get(name)
            if stage is None or (before is not None and before.says == says):
                continue
            notice = LawNotice(
                source="due",
                identifier=entry_id,
                title=entry.title,
                date=today,
                says=says,
                url=entry.sources[0].url or "",
            )
            self._add(_change(ChangeKind.DUE, notice, entry, before, self._now_us, ""), entry)
            self._seen[name] = Seen(says=says, date=today, states={says: self._now_us})


def work_of(change: LawChange, entry: LawEntry | None) -> tuple[LawWork, ...]:
    """Give the work that a change opens.

    Args:
        change: what a source newly says.
        entry: that it is about; null for a thing that no entry follows.
    """
    said = f"{change.title or change.name}: {'sentences changed' if change.kind is ChangeKind.TERMS else change.after}"
    subjects: list[tuple[str, str]] = []
    if change.kind is not ChangeKind.DUE:
        todo = {
            ChangeKind.NEW: "Write an entry, or close this with the reason why not",
            ChangeKind.FIRST_SEEN: f"Compare with the entry {change.entry_id}, and correct it where it differs",
        }.get(change.kind, f"Bring the entry {change.entry_id} up to date")
        subjects.append((REGISTER, f"{todo}. {said}"))
    if entry is not None and change.kind is not ChangeKind.FIRST_SEEN:
        what = {
            "control": "Run the check of this control again",
            "clause": "Read clauses of this kind against it",
            "element": "Compare this element of open cases with it",
        }
        subjects += [(f"{kind} {subject}", f"{what[kind]}. {said}") for kind, subject in entry.touches.all()]
    return tuple(
        LawWork(
            id=f"w-{_digest([change.id, subject])}",
            change_id=change.id,
            subject=subject,
            what=todo,
            opened_us=change.found_us,
        )
        for subject, todo in subjects
    )


def _change(
    kind: ChangeKind, notice: LawNotice, entry: LawEntry | None, before: Seen | None, now_us: int, capture: str
) -> LawChange:
    said = before.says if before else ""
    return LawChange(
        id=change_id(kind, notice.name, said, notice.says, notice.date),
        kind=kind,
        entry_id=entry.id if entry else None,
        name=notice.name,
        before=said,
        after=notice.says,
        title=notice.title or (entry.title if entry else ""),
        url=notice.url,
        date=notice.date,
        found_us=now_us,
        capture=capture,
    )


def change_id(*parts: str) -> str:
    """Give the id of a change: the same for the same words of the same source, whenever they are found."""
    return f"c-{_digest(list(parts))}"


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(canonical_bytes([str(one) for one in parts])).hexdigest()[:12]
