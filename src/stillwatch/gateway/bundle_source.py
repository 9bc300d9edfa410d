"""The bundle's file, watched, and the file of mark keys with it: a newer one is opened, checked in every step, and put in the guard's place of the old one.

Takes path, trust and state. Gives the guard each bundle that passes. What does not pass is counted with its kind, and the bundle in use stays: a
damaged, older or foreign file changes nothing for anybody. Opening happens in a thread, so that no request waits for it.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from time import time_ns
from typing import Any

from stillwatch.gateway.errors import GatewaySettingError
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.mark_keys import WatchedKeys
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust, LoadedBundle, open_bundle
from stillwatch.integrity.errors import IntegrityError
from stillwatch.records.errors import StillwatchError

Stamp = tuple[int, int, int]


class BundleSource:
    """A bundle's file and the guard that uses it."""

    def __init__(
        self,
        guard: Guard,
        path: Path,
        trust: BundleTrust,
        state: BundleState,
        *,
        keys: Mapping[str, Mapping[str, Any]] | None = None,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        """Take what is needed; nothing is opened yet.

        Args:
            guard: that uses the bundle.
            path: of the file, which its owner replaces (by a rename, so that no half of one is ever seen).
            trust: key and name.
            state: what was seen before.
            keys: of marks; a `WatchedKeys` is looked at whenever the bundle is, before it.
            clock: nanoseconds since 1970, UTC.
        """
        self._guard = guard
        self._path = path
        self._trust = trust
        self._state = state
        self._keys = keys if isinstance(keys, WatchedKeys) else None
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
        """Open the bundle where it has changed since the last look; read the mark keys where they have.

        Returns:
            Whether another bundle is used now.
        """
        if self._keys is not None and self._keys.changed():
            try:
                await asyncio.to_thread(self._keys.read)
            except GatewaySettingError as error:
                self._refuse(error)
        if self._now() == self._stamp:
            return False
        try:
            await asyncio.to_thread(self.open)
        except IntegrityError as error:
            self._refuse(error)
            return False
        return True

    async def watch(self, every_s: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look()

    def _refuse(self, error: StillwatchError) -> None:
        self.refused[type(error).__name__] += 1
        self.last_refusal = str(error)

    def _now(self) -> Stamp | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # one call on the loop, a microsecond
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
