"""The newest bundle that a reader has seen, kept so that nothing older is opened after a restart.

Takes a file of the reader's own. Gives a check that refuses rollback, and keeps what was seen. The file is as trustworthy as the machine:
whoever may change it may open an old bundle. Versions are counted for each key, as TUF does: a new key begins anew, so that a version
that a stolen key pushed to the top does not lock its owner out.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import BundleRollbackError, BundleStateError

LONGEST_STATE = 1 << 16
FORMAT = "stillwatch-bundle-state/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBundle:
    """A bundle that was seen."""

    name: str
    key: str
    """Verifier key that it was signed for, as text."""
    version: int
    digest: str
    """`sha256:` and 64 hex digits of the whole file."""


class BundleState:
    """What was seen, in a file; or in memory alone, for a reader that never restarts."""

    def __init__(self, path: Path | None) -> None:
        """Read what was seen.

        Args:
            path: of the state file, which need not be there yet; null to keep it in memory.

        Raises:
            BundleStateError: where the file cannot be read: then nothing may be opened, since what was seen is not known.
        """
        self._path = path
        self._seen = None if path is None else _read(path)

    @property
    def seen(self) -> SeenBundle | None:
        """The newest bundle; null where none was seen."""
        return self._seen

    def check(self, bundle: SeenBundle) -> None:
        """Refuse a bundle that is older than the newest, or another of the same version.

        Raises:
            BundleRollbackError: naming both versions.
        """
        seen = self._seen
        if seen is None or (seen.name, seen.key) != (bundle.name, bundle.key):
            return
        if bundle.version < seen.version:
            raise BundleRollbackError(
                f"got version {bundle.version} of {bundle.name}, but version {seen.version} was seen; fetch the newest"
            )
        if bundle.version == seen.version and bundle.digest != seen.digest:
            raise BundleRollbackError(
                f"got another version {bundle.version} of {bundle.name} than was seen ({bundle.digest[:19]}, seen {seen.digest[:19]}); "
                "two files of one version mean that its key is used by two"
            )

    def remember(self, bundle: SeenBundle) -> None:
        """Keep a bundle as the newest, on the disk before this returns.

        Raises:
            BundleRollbackError: as `check`.
            BundleStateError: where it cannot be kept.
        """
        self.check(bundle)
        if bundle == self._seen:
            return
        if self._path is not None:
            _write(self._path, bundle)
        self._seen = bundle


def _read(path: Path) -> SeenBundle | None:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_STATE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleStateError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        given = json.loads(content)
        seen = SeenBundle(name=given["name"], key=given["key"], version=given["version"], digest=given["digest"])
        sound = given["format"] == FORMAT and type(seen.version) is int
    except (ValueError, KeyError, TypeError, RecursionError):
        sound, seen = False, None
    if not sound:
        raise BundleStateError(
            f"{path}: is no state of bundles, so what was seen is not known; restore it, or delete it if you accept that an older bundle could be opened"
        )
    return seen


def _write(path: Path, bundle: SeenBundle) -> None:
    record = canonical_bytes(
        {"format": FORMAT, "name": bundle.name, "key": bundle.key, "version": bundle.version, "digest": bundle.digest}
    )
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(record)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise BundleStateError(f"{path}: cannot be written ({error.strerror}); the bundle was not opened") from error
