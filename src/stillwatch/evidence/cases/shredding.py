"""Crypto-shredding: the fields of a case are kept under a key of their own, and erased by destroying it.

Takes a folder for keys. Gives a key for each case, in a file that only its owner can read, and AES-256-GCM (NIST SP 800-38D) over the
fields of its items, bound to case and number. Once the key is gone, nobody can read the fields, in the store or in any copy of the
store; the ledger, which holds commitments only, stays whole and verifies as before.

What it cannot do: reach copies of the key (a backup of the key folder must be destroyed too), bundles that were exported, or what an
overwritten file may leave on flash storage; keep the folder on encrypted storage.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stillwatch.evidence.cases.errors import CaseKeyError
from stillwatch.integrity.canonical import canonical_bytes

KEY_VERSION = "stillwatch-case-key/v1"
KEY_BYTES = 32
NONCE_BYTES = 12
_CASE_ID = re.compile(r"case-[0-9a-f]{12}")
_KEY_LINE = re.compile(rf"{re.escape(KEY_VERSION)} ([0-9a-f]{{{2 * KEY_BYTES}}})\n")


class CaseKeys:
    """The keys of cases, a file each."""

    def __init__(self, folder: Path) -> None:
        """Take the folder.

        Args:
            folder: made, for its owner alone, when the first key is.
        """
        self._folder = folder

    def make(self, case_id: str) -> None:
        """Make the key of a new case.

        Raises:
            CaseKeyError: where it has one already, or it cannot be written.
        """
        path = self._path(case_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise CaseKeyError(
                f"{path}: the key of the case cannot be made ({error.strerror}); name a folder of yours with --keys"
            ) from error
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{KEY_VERSION} {os.urandom(KEY_BYTES).hex()}\n")
            stream.flush()
            os.fsync(stream.fileno())
        _sync_folder(self._folder)

    def has(self, case_id: str) -> bool:
        """Say whether the key of a case is there."""
        return self._path(case_id).exists()

    def seal(self, case_id: str, number: int, content: bytes) -> bytes:
        """Encrypt the fields of an item.

        Returns:
            Nonce, ciphertext and tag.

        Raises:
            CaseKeyError: where the key cannot be used.
        """
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._read(case_id)).encrypt(nonce, content, _bound_to(case_id, number))

    def unseal(self, case_id: str, number: int, sealed: bytes) -> bytes:
        """Decrypt the fields of an item.

        Raises:
            CaseKeyError: where the key is missing, cannot be used, or is not the one; or the sealed bytes were changed or moved.
        """
        try:
            return AESGCM(self._read(case_id)).decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(case_id, number)
            )
        except (InvalidTag, ValueError):
            raise CaseKeyError(
                f"item {number} of {case_id} cannot be unsealed: the key is another one, or the store was changed"
            ) from None

    def destroy(self, case_id: str) -> None:
        """Destroy the key of a case: overwrite the file, then remove it.

        Raises:
            CaseKeyError: where there is none, or it cannot be destroyed.
        """
        path = self._path(case_id)
        try:
            with path.open("r+b") as stream:
                size = os.fstat(stream.fileno()).st_size
                stream.write(b"\0" * size)
                stream.flush()
                os.fsync(stream.fileno())
            path.unlink()
            _sync_folder(self._folder)
        except OSError as error:
            raise CaseKeyError(f"{path}: the key of the case cannot be destroyed ({error.strerror})") from error

    def _read(self, case_id: str) -> bytes:
        path = self._path(case_id)
        try:
            with path.open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                content = stream.read(1024)
        except OSError as error:
            raise CaseKeyError(
                f"{path}: the key of the case cannot be read ({error.strerror}). It is in the folder of --keys, or was destroyed"
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CaseKeyError(
                f"{path}: mode is {stat.S_IMODE(mode):04o}, expected 0600: others may read it; chmod 600 it"
            )
        found = _KEY_LINE.fullmatch(content.decode("ascii", "replace"))
        if found is None:
            raise CaseKeyError(f"{path}: holds no case key, expected one line of {KEY_VERSION}")
        return bytes.fromhex(found[1])

    def _path(self, case_id: str) -> Path:
        if not _CASE_ID.fullmatch(case_id):
            raise CaseKeyError(f"got case id {case_id[:40]!a}, expected `case-` and 12 hex digits")
        return self._folder / f"{case_id}.key"


def _bound_to(case_id: str, number: int) -> bytes:
    """Return the associated data: a sealed item cannot be moved to another place."""
    return canonical_bytes([KEY_VERSION, case_id, number])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
