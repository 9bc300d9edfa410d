"""Signer and verifier keys: Ed25519 (RFC 8032), written as C2SP signed-note v1 writes them.

Takes a name and 32 random bytes. Gives keys, their text forms and key files. A verifier key is `name+keyid+base64(type ||
public key)`; a signer key is written as the Go note package writes it, `PRIVATE+KEY+name+keyid+base64(type || seed)`.
The key id is the first four bytes of `SHA-256(name || 0x0A || type || public key)`. There is no default key. A key file
is made with mode 0600 and refused when anyone but its owner may read or change it.

A signature shows that whoever holds the key signed these bytes. It does not show when, or who that is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stillwatch.integrity.errors import KeyFileError, KeyTextError, SignatureError

SEED_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
LONGEST_KEY_FILE = 4096
_PRIVATE = "PRIVATE+KEY+"


class SignatureType(IntEnum):
    """The signature type identifier bytes of C2SP signed-note that are used here."""

    NOTE = 0x01
    """Ed25519 over the note's text."""
    COSIGNATURE = 0x04
    """Ed25519 witness cosignature with a time (tlog-cosignature, cosignature/v1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with its name: whom one trusts to have signed."""

    name: str
    type: SignatureType
    public_key: bytes
    """32 bytes (RFC 8032, 5.1.5)."""

    def __post_init__(self) -> None:
        """Refuse a name or key that no note can carry."""
        check_key_name(self.name)
        if len(self.public_key) != PUBLIC_KEY_BYTES:
            raise KeyTextError(
                f"key {self.name!a}: got a public key of {len(self.public_key)} bytes, expected {PUBLIC_KEY_BYTES}"
            )

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the digest over name, type and key (C2SP signed-note, Signatures)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public_key).digest()[:4]

    def text(self) -> str:
        """Return the key as one line of text (vkey), to be handed to whoever verifies."""
        return _key_text(self.name, self.key_id, self.type, self.public_key)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature over a message.

        Raises:
            SignatureError: where it does not verify.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise SignatureError(
                f"the signature of {self.name} (key {self.key_id.hex()}) does not verify: the text was changed, or "
                "another key signed it"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerKey:
    """A private key with its name."""

    name: str
    type: SignatureType
    seed: bytes = field(repr=False)
    """32 random bytes (RFC 8032, 5.1.5): the secret; not part of the key's `repr`."""

    def __post_init__(self) -> None:
        """Refuse a name or seed that is none."""
        check_key_name(self.name)
        if len(self.seed) != SEED_BYTES:
            raise KeyTextError(f"key {self.name!a}: got a seed of {len(self.seed)} bytes, expected {SEED_BYTES}")

    @property
    def verifier(self) -> VerifierKey:
        """The public key that belongs to it."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(
            name=self.name, type=self.type, public_key=public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        )

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def check_key_name(name: str) -> None:
    """Refuse a key name that no note can carry: empty, with spaces, control characters or `+` (C2SP signed-note).

    Raises:
        KeyTextError: naming what is wrong.
    """
    if not name or "+" in name or any(character.isspace() or ord(character) < ord(" ") for character in name):
        raise KeyTextError(
            f"got the key name {name!a}, expected a name without spaces and '+', such as example.com/log"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise KeyTextError(f"got the key name {name!a}, which is no valid Unicode") from None


def generate_key(name: str, kind: SignatureType, randomness: Callable[[int], bytes] = os.urandom) -> SignerKey:
    """Make a new key.

    Args:
        name: of the log or witness; a URL without scheme, such as `example.com/log`, avoids collisions.
        kind: what it will sign.
        randomness: gives that many random bytes; the system's by default.

    Raises:
        KeyTextError: for a name that no note can carry.
    """
    return SignerKey(name=name, type=kind, seed=randomness(SEED_BYTES))


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a vkey.

    Raises:
        KeyTextError: where it is none, or its key id is not that of its key.
    """
    name, key_id, kind, public = _parse(text.strip(), "verifier key")
    key = VerifierKey(name=name, type=kind, public_key=public)
    if key.key_id != key_id:
        raise KeyTextError(
            f"verifier key {name!a}: got key id {key_id.hex()}, expected {key.key_id.hex()}; copy it anew"
        )
    return key


def parse_signer_key(text: str) -> SignerKey:
    """Read a signer key.

    Raises:
        KeyTextError: where it is none; the message never repeats it.
    """
    stripped = text.strip()
    if not stripped.startswith(_PRIVATE):
        raise KeyTextError(f"the signer key does not begin with {_PRIVATE}; is it a verifier key?")
    name, key_id, kind, seed = _parse(stripped.removeprefix(_PRIVATE), "signer key")
    key = SignerKey(name=name, type=kind, seed=seed)
    if key.verifier.key_id != key_id:
        raise KeyTextError(f"signer key {name!a}: its key id is not that of its key; the file was changed")
    return key


def write_key_file(path: Path, key: SignerKey) -> None:
    """Write a signer key to a new file that only its owner can read (mode 0600).

    Raises:
        KeyFileError: where something is at that path already, or it cannot be written.
    """
    text = _PRIVATE + _key_text(key.name, key.verifier.key_id, key.type, key.seed) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise KeyFileError(f"key file {path}: there is one already; keep it, or name another file") from None
    except OSError as error:
        raise KeyFileError(f"key file {path}: cannot be written ({error.strerror})") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_key_file(path: Path) -> SignerKey:
    """Read a signer key from a file.

    Raises:
        KeyFileError: where the file cannot be read, is no regular file, or others than its owner may read or change it.
        KeyTextError: where it holds no signer key.
    """
    try:
        # Without waiting: a pipe in the place of the file would never open otherwise.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileError(f"key file {path}: is no regular file")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = stat.S_IMODE(status.st_mode)
                raise KeyFileError(
                    f"key file {path}: mode is {mode:04o}, expected 0600: others may read it; chmod 600 it"
                )
            content = file.read(LONGEST_KEY_FILE + 1)
    except OSError as error:
        raise KeyFileError(f"key file {path}: cannot be read ({error.strerror})") from error
    if len(content) > LONGEST_KEY_FILE:
        raise KeyFileError(f"key file {path}: over {LONGEST_KEY_FILE} bytes, expected one line")
    try:
        return parse_signer_key(content.decode())
    except UnicodeDecodeError:
        raise KeyTextError(f"key file {path}: is no text, expected one line") from None


def _key_text(name: str, key_id: bytes, kind: SignatureType, material: bytes) -> str:
    return f"{name}+{key_id.hex()}+{base64.b64encode(bytes([kind]) + material).decode('ascii')}"


def _parse(text: str, what: str) -> tuple[str, bytes, SignatureType, bytes]:
    """Cut a key text into name, key id, type and key material."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise KeyTextError(f"{what}: got {len(parts)} parts, expected name+keyid+base64")
    name, hexadecimal, encoded = parts
    check_key_name(name)
    try:
        key_id = bytes.fromhex(hexadecimal) if len(hexadecimal) == 8 else b""
        material = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise KeyTextError(f"{what} {name!a}: the key id or the key is not well encoded; copy it anew") from None
    if len(key_id) != 4 or len(material) < 1:
        raise KeyTextError(f"{what} {name!a}: expected a key id of 8 hex digits and a key; copy it anew")
    if material[0] not in set(SignatureType):
        raise KeyTextError(f"{what} {name!a}: got signature type 0x{material[0]:02x}, expected 0x01 or 0x04")
    return name, key_id, SignatureType(material[0]), material[1:]
