"""What `law update` does: documents from folders and addresses, compared with what was seen, kept, and sealed into a ledger where one is named."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.changes import Comparison, Outcome, change_id, work_of
from stillwatch.governance.law.fetch import WatchedSource, fetch
from stillwatch.governance.law.sources.recognise import read_document
from stillwatch.governance.law.state import WatchState, documents_of
from stillwatch.governance.law.terms_history import (
    TermsEvent,
    TermsHistory,
    fetch_clone,
    newest_commit,
    read_versions,
)
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.law import ChangeKind, LawChange, LawEntry, LawNotice
from stillwatch.records.ledger import NewEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stillwatch.evidence.ledger import Ledger
    from stillwatch.records.progress import Progress

LAW_CHANGED = "law change"
WORK_CLOSED = "law work closed"
LONGEST_DIFFERENCE = 4_000
"""Characters of a terms change that are kept in the change; the clone holds the whole."""


@dataclass(slots=True, kw_only=True)
class Update:
    """What an update did."""

    documents: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    new: tuple[LawChange, ...] = ()
    failed: list[str] = field(default_factory=list)
    """What could not be read or fetched, a message each; the rest was read."""


def update(
    state: WatchState,
    register: Mapping[str, LawEntry],
    *,
    dropped: Sequence[Path],
    sources: Sequence[WatchedSource],
    now_us: int,
    progress: Progress,
) -> Update:
    """Read documents, compare them with what was seen, and keep what changed.

    Args:
        state: the watch's folder; nobody else may be at it.
        register: entries by id.
        dropped: files, folders of files, and clones of terms repositories.
        sources: to be fetched.
        now_us: present time, microseconds UTC.
        progress: told of the advance.
    """
    done = Update()
    seen, terms = state.seen(), state.terms()
    comparison = Comparison(register, seen, now_us)
    done.outcome = comparison.outcome
    files = list(_files(dropped))
    progress.begin("reading sources", len(files) + len(sources))
    asked: list[Path | WatchedSource] = [*files, *sources]
    for one in asked:
        try:
            if isinstance(one, Path) and is_repository(one):
                _take_terms(str(one), one, register, terms, comparison, now_us)
            elif isinstance(one, WatchedSource) and one.kind == "terms":
                clone = state.folder / f"terms-{re.sub('[^a-z0-9]+', '-', one.name.casefold())[:60]}.git"
                fetch_clone(one.address, clone)
                _take_terms(one.address, clone, register, terms, comparison, now_us)
            else:
                content = one.read_bytes() if isinstance(one, Path) else fetch(one)
                place = str(one) if isinstance(one, Path) else one.name
                comparison.take(read_document(content, place), state.capture(content))
            done.documents += 1
        except (SourceError, OSError) as error:
            done.failed.append(str(error))
        progress.advance(1)
    progress.end()
    today = dt.datetime.fromtimestamp(now_us / 1e6, dt.UTC).date()
    left = {
        entry.id: (dt.date.fromisoformat(entry.due) - today).days
        for entry in register.values()
        if entry.due is not None
    }
    comparison.days_that_come_near(today.isoformat(), left)
    done.new = state.keep(done.outcome.changes, done.outcome.work, seen, terms)
    return done


def seal(ledger: Ledger, actor: str, state: WatchState, changes: Sequence[LawChange]) -> range:
    """Append changes, each with the work that it opened, to a ledger."""
    work = state.work().values()
    records = [
        {"change": asdict(one), "work": [asdict(two) for two in work if two.change_id == one.id]} for one in changes
    ]
    return ledger.append(
        [NewEntry(kind=LAW_CHANGED, actor=actor, record=canonical_bytes(record)) for record in records]
    )


def is_repository(path: Path) -> bool:
    """Say whether a path is a git repository, bare or not."""
    return path.is_dir() and ((path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir()))


def _files(dropped: Sequence[Path]) -> Iterator[Path]:
    """Give files and repositories in a fixed order."""
    for path in dropped:
        if is_repository(path) or path.is_file():
            yield path
        elif path.is_dir():
            yield from (one for one in sorted(path.rglob("*")) if one.is_file() and not one.name.startswith("."))
        else:
            raise SourceError(f"{path}: there is no such file or folder")


def _take_terms(
    address: str,
    clone: Path,
    register: Mapping[str, LawEntry],
    terms: dict[str, dict[str, Any]],
    comparison: Comparison,
    now_us: int,
) -> None:
    """Read the versions of a repository that were not read yet."""
    kept = terms.get(address, {})
    history = TermsHistory(documents_of(kept))
    followed = {name.casefold(): entry for entry in register.values() for name in entry.follows}
    newest = newest_commit(clone)
    for version in read_versions(clone, kept.get("commit")):
        event = history.take(version)
        # The first reading of a repository goes through its whole past, which is no news.
        if event is not None and kept:
            entry = followed.get(f"terms:{event.document}".casefold())
            change = terms_change(event, entry, address, now_us)
            comparison.outcome.changes.append(change)
            comparison.outcome.work.extend(work_of(change, entry))
    terms[address] = {"commit": newest, "documents": {name: asdict(one) for name, one in history.documents.items()}}


def terms_change(event: TermsEvent, entry: LawEntry | None, address: str, now_us: int) -> LawChange:
    """State an event of terms as a change."""
    day = dt.datetime.fromtimestamp(event.time_us / 1e6, dt.UTC).date().isoformat()
    notice = LawNotice(
        source="terms",
        identifier=event.document,
        title=entry.title if entry else f"Terms: {event.document}",
        date=day,
        says="",
        url=address,
    )
    went = "\n".join(f"- {one}" for one in event.went)[:LONGEST_DIFFERENCE]
    came = "\n".join(f"+ {one}" for one in event.came)[:LONGEST_DIFFERENCE]
    return LawChange(
        id=change_id(ChangeKind.TERMS, notice.name, went, came, event.commit),
        kind=ChangeKind.TERMS,
        entry_id=entry.id if entry else None,
        name=notice.name,
        before=went,
        after=came,
        title=notice.title,
        url=address,
        date=day,
        found_us=now_us,
        capture=f"git:{event.commit}",
    )
