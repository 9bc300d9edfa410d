"""Texts that can be erased: each under a key of its own, and that key wrapped under a master key.

Takes a folder for keys and a master key of 32 bytes. Gives AES-256-GCM (NIST SP 800-38D) over texts, bound to their name and place. Once the
key of a name is destroyed nobody can read its texts, in whatever copy; once the master key is destroyed, nobody can read any. A key
encrypts a few dozen texts, far below the 2^32 that random nonces of 96 bits allow.

What it cannot do: reach copies of the key's file, texts that were taken out, or what an overwritten file may leave on flash storage.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import TextKeyError

MASTER_VERSION = "stillwatch-text-master/v1"
KEY_VERSION = "stillwatch-text-key/v1"
KEY_BYTES = 32
NONCE_BYTES = 12
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_WRAPPED_LINE = re.compile(rf"{re.escape(KEY_VERSION)} ([0-9a-f]+)\n")


def write_secret(path: Path, version: str = MASTER_VERSION) -> bytes:
    """Draw a secret of 32 bytes into a file that only its owner can read, and give it.

    Args:
        path: of a file that is not there yet.
        version: what the secret is for; a secret for one thing cannot be read as one for another.

    Raises:
        TextKeyError: where there is a file already, or it cannot be written.
    """
    secret = os.urandom(KEY_BYTES)
    _write_new(path, f"{version} {secret.hex()}\n")
    return secret


def read_secret(path: Path, version: str = MASTER_VERSION) -> bytes:
    """Read a secret, 32 bytes.

    Raises:
        TextKeyError: where it cannot be read, others can read it, or it is none of this version.
    """
    return parse_secret(_read_private(path), str(path), version)


def parse_secret(text: str, where: str, version: str = MASTER_VERSION) -> bytes:
    """Read the line of a secret, as a file or a variable of the environment holds it.

    Raises:
        TextKeyError: where it is none.
    """
    found = re.fullmatch(rf"{re.escape(version)} ([0-9a-f]{{{2 * KEY_BYTES}}})\n?", text)
    if found is None:
        raise TextKeyError(f"{where}: holds no secret of the kind {version}, expected one line; make one")
    return bytes.fromhex(found[1])


class TextKeys:
    """The keys of texts, a file for each name."""

    def __init__(self, folder: Path, master: bytes) -> None:
        """Take the folder and the master key.

        Args:
            folder: made, for its owner alone, when the first key is.
            master: 32 bytes.

        Raises:
            TextKeyError: for a master key of another length.
        """
        if len(master) != KEY_BYTES:
            raise TextKeyError(f"got a master key of {len(master)} bytes, expected {KEY_BYTES}")
        self._folder = folder
        self._master = AESGCM(master)
        self._open: dict[str, AESGCM] = {}

    def make(self, name: str) -> None:
        """Make the key of a name.

        Raises:
            TextKeyError: where it has one already, or it cannot be written.
        """
        path = self._path(name)
        key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
        wrapped = nonce + self._master.encrypt(nonce, key, _bound_to(name, "key"))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TextKeyError(f"{self._folder}: cannot be made ({error.strerror}); name a folder of yours") from error
        _write_new(path, f"{KEY_VERSION} {wrapped.hex()}\n")

    def has(self, name: str) -> bool:
        """Say whether the key of a name is there."""
        return self._path(name).exists()

    def seal(self, name: str, place: str, text: bytes) -> bytes:
        """Encrypt a text of a name.

        Returns:
            Nonce, ciphertext and tag.

        Raises:
            TextKeyError: where the key cannot be used.
        """
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(name).encrypt(nonce, text, _bound_to(name, place))

    def unseal(self, name: str, place: str, sealed: bytes) -> bytes:
        """Decrypt a text.

        Raises:
            TextKeyError: where the key is missing or another one, or the sealed bytes were changed or moved.
        """
        try:
            return self._cipher(name).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(name, place))
        except (InvalidTag, ValueError):
            raise TextKeyError(
                f"{name}: {place} cannot be decrypted; its key is another one, or it was changed"
            ) from None

    def destroy(self, name: str) -> None:
        """Destroy the key of a name: overwrite its file, then remove it.

        Raises:
            TextKeyError: where there is none, or it cannot be destroyed.
        """
        path = self._path(name)
        self._open.pop(name, None)
        try:
            with path.open("r+b") as stream:
                stream.write(b"\0" * os.fstat(stream.fileno()).st_size)
                stream.flush()
                os.fsync(stream.fileno())
            path.unlink()
        except OSError as error:
            raise TextKeyError(f"{path}: the key cannot be destroyed ({error.strerror})") from error
        sync_folder(self._folder)

    def _cipher(self, name: str) -> AESGCM:
        if name not in self._open:
            path = self._path(name)
            found = _WRAPPED_LINE.fullmatch(_read_private(path))
            if found is None or len(found[1]) % 2:
                raise TextKeyError(f"{path}: holds no key, expected one line of {KEY_VERSION}")
            wrapped = bytes.fromhex(found[1])
            try:
                key = self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound_to(name, "key"))
            except (InvalidTag, ValueError):
                raise TextKeyError(f"{path}: was wrapped under another master key; name that one") from None
            self._open[name] = AESGCM(key)
        return self._open[name]

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise TextKeyError(f"got name {name[:40]!a}, expected small letters, digits and hyphens, at most 64")
        return self._folder / f"{name}.key"


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk before this returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _bound_to(name: str, place: str) -> bytes:
    """Return the associated data: a sealed text cannot be moved to another name or place."""
    return canonical_bytes([KEY_VERSION, name, place])


def _write_new(path: Path, line: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise TextKeyError(f"{path}: the key cannot be made ({error.strerror}); name another file") from error


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(1024)
    except OSError as error:
        raise TextKeyError(
            f"{path}: the key cannot be read ({error.strerror}). It was destroyed, or is elsewhere"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TextKeyError(f"{path}: mode is {stat.S_IMODE(mode):04o}, expected 0600: others may read it; chmod 600 it")
    return content.decode("ascii", "replace")
