"""The seal of one run: opened before the run reads anything, so that a run which may not be sealed is not made.

Takes the address of a ledger and the actor who runs. Gives the run's two entries: the look at text, where exhibits are shown with
theirs, and the seal over what was read and written. Promises that text is read only after its look was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stillwatch.evidence.access import Access, Permission, TextReference
from stillwatch.evidence.errors import SealError
from stillwatch.evidence.ledger import Clock, Ledger
from stillwatch.evidence.sealing import SealedFile, SealedRun, seal_run, sealed_file, sealed_results
from stillwatch.stores.opening import open_store

SEALED_RESULTS = ("accounts.parquet", "campaigns.json", "run.json")
PURPOSE = "text of exhibits in the report (detect --show-text)"

Text = TypeVar("Text")


class RunSeal:
    """The ledger as a run sees it; it is opened for each act, since a run may take hours."""

    def __init__(self, url: str, actor: str, clock: Clock) -> None:
        """Take where the ledger is kept, who runs, and what gives the time of entries."""
        self._url = url
        self._actor = actor
        self._clock = clock

    @contextmanager
    def _access(self) -> Iterator[Access]:
        store = open_store(self._url)
        try:
            yield Access(Ledger(store, None, self._clock))
        finally:
            store.close()

    def require(self, permission: Permission) -> None:
        """Make sure that the actor may do something; see `Access.require`."""
        with self._access() as access:
            access.require(self._actor, permission)

    def look_at_text(self, references: Sequence[TextReference], read: Callable[[], Text]) -> Text:
        """Record that the text of exhibits is looked at, then read it; see `Access.look_at_text`."""
        with self._access() as access:
            return access.look_at_text(self._actor, references, PURPOSE, read)

    def seal(
        self, *, version: str, input_digest: str, output_digest: str, inputs: Sequence[SealedFile], out: Path
    ) -> int:
        """Commit to what was read and written; give the index of the entry.

        Raises:
            SealError: where a file that was read is no longer what it was when the run began.
            AccessError: where the actor may no longer seal runs.
            StoreError: where the entry cannot be kept.
            OSError: where a file cannot be read again.
        """
        for planned in inputs:
            found = sealed_file(planned.use, Path(planned.path))
            if found != planned:
                raise SealError(
                    f"{planned.path}: changed while the run read it, so the run cannot be sealed: expected {planned.size} "
                    f"bytes, {planned.digest}, got {found.size} bytes, {found.digest}. Run again on a file that stays"
                )
        run = SealedRun(
            version=version,
            input_digest=input_digest,
            output_digest=output_digest,
            inputs=tuple(sorted(inputs, key=lambda one: (one.use, one.path))),
            results=sealed_results(out, SEALED_RESULTS),
        )
        with self._access() as access:
            return seal_run(access, self._actor, run)


def open_run_seal(url: str, actor: str, clock: Clock, *, show_text: bool) -> RunSeal:
    """Make sure that a run may be sealed.

    Args:
        url: of the ledger's store.
        actor: who runs.
        clock: gives the time of entries.
        show_text: whether the run will show text.

    Raises:
        AccessError: where the actor may not seal runs, or not look at text where it is shown.
        LedgerError: where the store holds no ledger.
        StoreError: where the store cannot be opened.
    """
    seal = RunSeal(url, actor, clock)
    seal.require(Permission.SEAL_RUN)
    if show_text:
        seal.require(Permission.LOOK_AT_TEXT)
    return seal
