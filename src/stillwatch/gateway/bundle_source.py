"""The bundle's file, watched: a newer one is opened, checked in every step, and put in the guard's place of the old one.

Takes path, trust and state. Gives the guard each bundle that passes. What does not pass is counted with its kind, and the bundle in use stays: a
damaged, older or foreign file changes nothing for anybody. Opening happens in a thread, so that no request waits for it.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import time_ns

from stillwatch.gateway.guard import Guard
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust, LoadedBundle, open_bundle
from stillwatch.integrity.errors import IntegrityError

Stamp = tuple[int, int, int]


class BundleSource:
    """A bundle's file and the guard that uses it."""

    def __init__(
        self, guard: Guard, path: Path, trust: BundleTrust, state: BundleState, *, clock: Callable[[], int] = time_ns
    ) -> None:
        """Take what is needed; nothing is opened yet.

        Args:
            guard: that uses the bundle.
            path: of the file, which its owner replaces (by a rename, so that no half of one is ever seen).
            trust: key and name.
            state: what was seen before.
            clock: nanoseconds since 1970, UTC.
        """
        self._guard = guard
        self._path = path
        self._trust = trust
        self._state = state
        self._clock = clock
        self._stamp: Stamp | None = None
        self.refused: Counter[str] = Counter()
        """Files that did not pass, by kind of error."""
        self.last_refusal = ""
        """Message of the last one; empty once a bundle has passed."""
        self.swaps = 0

    def open(self) -> LoadedBundle:
        """Open the bundle now, and use it.

        Raises:
            IntegrityError: where it does not pass; the guard keeps what it has.
        """
        self._stamp = self._now()
        bundle = open_bundle(self._path, self._trust, self._state, self._clock() // 1_000)
        self._guard.swap(bundle)
        self.swaps += 1
        self.last_refusal = ""
        return bundle

    async def look(self) -> bool:
        """Open the file where it has changed since the last look.

        Returns:
            Whether another bundle is used now.
        """
        if self._now() == self._stamp:
            return False
        try:
            await asyncio.to_thread(self.open)
        except IntegrityError as error:
            self.refused[type(error).__name__] += 1
            self.last_refusal = str(error)
            return False
        return True

    async def watch(self, every_s: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    def _now(self) -> Stamp | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # one call on the loop, a microsecond
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
