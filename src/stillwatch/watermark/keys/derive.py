"""Deriving a mark key and committing to it.

Takes a master secret and what the key is for. Gives the key, its salt and its commitment.

    label      = canonical JSON of {format, handle, level, parameters, scheme, subject, tokenizer_digest, words}
    key        = first 8 x `words` bytes of HMAC-SHA256(master, "key" 0x00 i label) for i = 0, 1, ... as 4 bytes each
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
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import CanonicalFormError
from stillwatch.watermark.keys.errors import KeyDerivationError, OpeningError
from stillwatch.watermark.keys.master_secret import DIGEST_BYTES, MasterSecret

KEY_FORMAT = "stillwatch-mark-key/v1"
OPENING_FORMAT = "stillwatch-mark-key-opening/v1"
HANDLE_BYTES = 8
WORD_BYTES = 8
MOST_WORDS = 64
"""SynthID has up to 64 layers, with a word for each."""
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
    """`name@version`."""
    parameters: tuple[tuple[str, int | float | str], ...]
    """Of the scheme, by name in ascending order."""
    tokenizer_digest: str
    """`sha256:` and 64 hex digits of the tokenizer whose ids the mark is over."""
    words: int
    """64-bit words, 1 to 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens a commitment: the key itself and its salt."""

    handle: str
    key_hex: str = field(repr=False)
    """16 hex digits for each word."""
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
        KeyDerivationError: for a number of words that no scheme has, or an empty field.
        MasterSecretError: where the secret cannot be used.
    """
    if not 1 <= label.words <= MOST_WORDS:
        raise KeyDerivationError(f"key {label.handle}: got {label.words} words, expected 1 to {MOST_WORDS}")
    if not all((label.handle, label.level, label.subject, label.scheme, label.tokenizer_digest)):
        raise KeyDerivationError(
            f"key {label.handle!a}: handle, level, subject, scheme and tokenizer digest must not be empty"
        )
    fields = {name: getattr(label, name) for name in KeyLabel.__slots__}
    written = canonical_bytes({"format": KEY_FORMAT, **fields, "parameters": dict(label.parameters)})
    size = WORD_BYTES * label.words
    blocks = [
        master.authenticate(b"key\x00" + block.to_bytes(4, "big") + written)
        for block in range(-(-size // DIGEST_BYTES))
    ]
    key = b"".join(blocks)[:size]
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
    if not _is_hex(key, range(2 * WORD_BYTES, 2 * WORD_BYTES * MOST_WORDS + 1, 2 * WORD_BYTES)) or not _is_hex(
        salt, (64,)
    ):
        raise OpeningError("the opening's key or salt is not hex digits of the right length; ask for it again")
    return Opening(handle=str(given["handle"]), key_hex=key, salt_hex=salt)


def _is_hex(text: object, lengths: Container[int]) -> bool:
    return isinstance(text, str) and len(text) in lengths and set(text) <= _HEX
