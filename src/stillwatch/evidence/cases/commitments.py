"""Commitments: a field is bound by a salted digest, and can be shown later, withheld, or lost for good.

Takes named values. Gives, for each, a random salt of 32 bytes and SHA-256 of the canonical JSON of [salt, name, value]. The ledger
gets the digests; whoever is shown salt and value can compute the digest again. Assumption: SHA-256 is collision resistant
(binding), and a salt of 256 random bits hides the value, however few values there may be (hiding). As in RFC 9901 (SD-JWT), section 4.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillwatch.evidence.cases.errors import CaseItemError
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.case import ItemKind

ITEM_FORMAT = "stillwatch-case-item/v1"
ITEM_ENTRY_KIND = "case item"
SALT_BYTES = 32

Disclosure = tuple[str, object]
"""(salt, 64 hex digits; value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """An item, committed to."""

    record: bytes
    """Canonical bytes for the ledger."""
    disclosures: dict[str, Disclosure]
    """Field name to salt and value; to be sealed."""


def commit(
    case_id: str,
    number: int,
    kind: ItemKind,
    fields: Mapping[str, object],
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> Committed:
    """Commit to the fields of an item.

    Args:
        case_id: of the case.
        number: place of the item in its case.
        kind: what the item is.
        fields: name to value; values that canonical JSON can say.
        randomness: gives that many random bytes; the system's by default.

    Raises:
        CaseItemError: for no fields.
        CanonicalFormError: for a value that has no canonical form.
    """
    if not fields:
        raise CaseItemError(f"an item of kind {kind.value} has no fields, expected at least one")
    disclosures: dict[str, Disclosure] = {}
    for name in sorted(fields):
        # Through JSON and back: what is sealed is then what is disclosed, byte for byte (tuples are lists, enums words).
        value = json.loads(canonical_bytes(fields[name]))
        disclosures[name] = (randomness(SALT_BYTES).hex(), value)
    record = {
        "format": ITEM_FORMAT,
        "case": case_id,
        "number": number,
        "kind": kind.value,
        "fields": {name: digest_of(name, disclosure) for name, disclosure in disclosures.items()},
    }
    return Committed(record=canonical_bytes(record), disclosures=disclosures)


def digest_of(name: str, disclosure: Disclosure) -> str:
    """Return the commitment to a field.

    Args:
        name: of the field.
        disclosure: its salt and value.

    Returns:
        64 hex digits.
    """
    salt, value = disclosure
    return hashlib.sha256(canonical_bytes([salt, name, value])).hexdigest()
