"""Deriving a mark key and committing to it.

Takes a master secret and what the key is for. Gives the key, its salt and its commitment.

    label      = canonical JSON of {bits, format, handle, level, scheme, subject, tokenizer_digest}
    key        = first `bits` of HMAC-SHA256(master, "key" 0x00 label)
    salt       = HMAC-SHA256(master, "salt" 0x00 label)
    commitment = SHA-256 of the canonical JSON of {format, handle, key, salt}, key and salt in hex

The handle is 64 random bits, so that no two labels are equal. Assumptions: HMAC-SHA256 is a pseudo-random function (RFC 2104; M. Bellare,
"New proofs for NMAC and HMAC", 2006), so that keys are independent of each other and of all salts; SHA-256 is collision resistant, so that a
commitment can be opened in one way only (binding). A key of 64 bits could be searched; its salt of 256 bits could not, so a commitment
says nothing about its key (hiding). Nothing here shows when a commitment was made: the ledger does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import CanonicalFormError
from stillwatch.watermark.keys.errors import MarkKeyError, OpeningError
from stillwatch.watermark.keys.master_secret import MasterSecret

KEY_FORMAT = "stillwatch-mark-key/v1"
OPENING_FORMAT = "stillwatch-mark-key-opening/v1"
HANDLE_BYTES = 8
BITS = (64, 128)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLabel:
    """What a key is for: all that it is derived from but the master secret."""

    handle: str
    """`mk-` and 16 hex digits: what gateway and engine call the key by; it says nothing about the subject."""
    level: str
    """`provider`, `campaign` or `account`."""
    subject: str
    """Id of the campaign or account; the provider's name."""
    scheme: str
    """Scheme with its parameters, as the scheme writes itself."""
    tokenizer_digest: str
    """`sha256:` and 64 hex digits of the tokenizer whose ids the mark is over."""
    bits: int
    """64 or 128."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens a commitment: the key itself and its salt."""

    handle: str
    key_hex: str = field(repr=False)
    """16 or 32 hex digits."""
    salt_hex: str = field(repr=False)
    """64 hex digits."""

    @property
    def commitment(self) -> str:
        """`sha256:` and 64 hex digits."""
        shown = {"format": OPENING_FORMAT, "handle": self.handle, "key": self.key_hex, "salt": self.salt_hex}
        return "sha256:" + hashlib.sha256(canonical_bytes(shown)).hexdigest()

    def document(self) -> bytes:
        """Give the canonical JSON whose SHA-256 is the commitment: what is handed to whoever checks."""
        return canonical_bytes(
            {"format": OPENING_FORMAT, "handle": self.handle, "key": self.key_hex, "salt": self.salt_hex}
        )


def new_handle(randomness: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Make a handle.

    Args:
        randomness: gives that many random bytes; the system's by default.
    """
    return "mk-" + randomness(HANDLE_BYTES).hex()


def derive(master: MasterSecret, label: KeyLabel) -> Opening:
    """Derive a key and its salt.

    Args:
        master: the master secret.
        label: what the key is for.

    Returns:
        Key and salt, the same each time.

    Raises:
        MarkKeyError: for a number of bits that no scheme takes, or an empty field.
        MasterSecretError: where the secret cannot be used.
    """
    if label.bits not in BITS:
        raise MarkKeyError(f"key {label.handle}: got {label.bits} bits, expected one of {', '.join(map(str, BITS))}")
    if not all((label.handle, label.level, label.subject, label.scheme, label.tokenizer_digest)):
        raise MarkKeyError(
            f"key {label.handle!a}: handle, level, subject, scheme and tokenizer digest must not be empty"
        )
    written = canonical_bytes({"format": KEY_FORMAT, **{name: getattr(label, name) for name in KeyLabel.__slots__}})
    key = master.authenticate(b"key\x00" + written)[: label.bits // 8]
    salt = master.authenticate(b"salt\x00" + written)
    return Opening(handle=label.handle, key_hex=key.hex(), salt_hex=salt.hex())


def check_opening(document: bytes, commitment: str) -> Opening:
    """Check that an opening opens a commitment; needs nothing but SHA-256.

    Args:
        document: as `Opening.document` gives it.
        commitment: `sha256:` and 64 hex digits, from the ledger's entry.

    Returns:
        The key and its salt.

    Raises:
        OpeningError: where it is no opening, or opens another commitment.
    """
    digest = "sha256:" + hashlib.sha256(document).hexdigest()
    if not hmac.compare_digest(digest.encode(), commitment.encode()):
        raise OpeningError(
            f"the opening's digest is {digest}, expected {commitment[:80]!a}: it opens another commitment"
        )
    try:
        given = json.loads(document)
        fits = isinstance(given, dict) and canonical_bytes(given) == document
    except (ValueError, RecursionError, CanonicalFormError):
        fits = False
    if not fits or set(given) != {"format", "handle", "key", "salt"} or given["format"] != OPENING_FORMAT:
        raise OpeningError(f"the opening is no {OPENING_FORMAT}, though its digest fits; ask for it again")
    key, salt = given["key"], given["salt"]
    if not _is_hex(key, tuple(bits // 4 for bits in BITS)) or not _is_hex(salt, (64,)):
        raise OpeningError("the opening's key or salt is not hex digits of the right length; ask for it again")
    return Opening(handle=str(given["handle"]), key_hex=key, salt_hex=salt)


def _is_hex(text: object, lengths: tuple[int, ...]) -> bool:
    return isinstance(text, str) and len(text) in lengths and set(text) <= _HEX
