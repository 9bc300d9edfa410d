"""Shadow samples in the ledger: what was asked and what came of it, by digests, and the looks at their texts.

Takes records of samples and the file of encrypted texts. Gives an entry for each, once. The texts stay where they are; whoever opens one needs a
role for it, and the look is an entry before the first byte is decrypted. Erasing destroys the key, and is an entry too; the sample's own entry
stays, and says by digests what was there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from stillwatch.evidence.access import Access, Permission, TextReference
from stillwatch.evidence.errors import SealError
from stillwatch.evidence.ledger import Ledger
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.ledger import NewEntry
from stillwatch.records.shadow import SHADOW_FORMAT, ShadowSample

SHADOW_SEALED = "shadow sample sealed"
SHADOW_ERASED = "shadow sample erased"
Texts = TypeVar("Texts")


def sealed_samples(ledger: Ledger) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the index of the entry and the record of every sample, in order."""
    for entry in ledger.entries(SHADOW_SEALED):
        said: dict[str, Any] = json.loads(entry.record)
        if said.get("format") == SHADOW_FORMAT:
            yield entry.index, said


def erased_samples(ledger: Ledger) -> frozenset[str]:
    """Give the ids of the samples whose key was destroyed."""
    return frozenset(str(json.loads(entry.record)["id"]) for entry in ledger.entries(SHADOW_ERASED))


def seal_samples(access: Access, ledger: Ledger, actor: str, samples: Sequence[ShadowSample]) -> dict[str, int]:
    """Commit samples to the ledger, all or none; those that it holds already are left as they are.

    Returns:
        Id to the index of the entry, of those that were new.

    Raises:
        AccessError: where the actor may not append.
        StoreError: where the entries cannot be kept.
    """
    held = {said["id"] for _, said in sealed_samples(ledger)}
    fresh = [one for one in samples if one.id not in held]
    if not fresh:
        return {}
    entries = [NewEntry(kind=SHADOW_SEALED, actor=actor, record=shadow_record(one)) for one in fresh]
    return dict(zip((one.id for one in fresh), access.append(actor, entries), strict=True))


def shadow_record(sample: ShadowSample) -> bytes:
    """Give the canonical bytes of a sample, for the ledger."""
    asks = [{name: getattr(one, name) for name in type(one).__slots__} for one in sample.asks]
    fields = {name: getattr(sample, name) for name in ShadowSample.__slots__ if name != "asks"}
    return canonical_bytes({"format": SHADOW_FORMAT, **fields, "asks": asks})


def open_texts(
    access: Access, actor: str, purpose: str, said: dict[str, Any], file: bytes, read: Callable[[], Texts]
) -> Texts:
    """Record a look at the texts of a sample, then have them decrypted.

    Args:
        access: to the ledger that holds the sample.
        actor: who looks.
        purpose: why.
        said: the sample's record.
        file: the bytes that hold the encrypted texts.
        read: decrypts them.

    Raises:
        SealError: where the file is not the one that was sealed.
        AccessError: where the actor may not look at text; the attempt is recorded.
    """
    digest = f"sha256:{hashlib.sha256(file).hexdigest()}"
    if digest != said["text_digest"]:
        raise SealError(f"{said['id']}: got a file of texts with {digest}, expected {said['text_digest']}")
    reference = TextReference(file=said["id"], offset=0, length=len(file))
    return access.look_at_text(actor, [reference], purpose, read)


def record_erasure(access: Access, actor: str, sample_id: str, reason: str) -> int:
    """Record that the key of a sample is destroyed; give the index of the entry.

    Raises:
        AccessError: where the actor may not append.
    """
    access.require(actor, Permission.APPEND)
    record = canonical_bytes({"format": "stillwatch-shadow-erased/v1", "id": sample_id, "reason": reason})
    return access.append(actor, [NewEntry(kind=SHADOW_ERASED, actor=actor, record=record)])[0]
