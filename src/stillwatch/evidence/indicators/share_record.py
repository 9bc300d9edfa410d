"""The record of a share: what was given to partners, for counsel to read later.

Takes indicator sets and the files made of them. Gives an entry for the ledger that names set, key, terms and the digests of the files, and no
identifier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.indicator import IndicatorSet
from stillwatch.records.ledger import NewEntry

SHARED = "indicators shared"


def share_entry(shared: IndicatorSet, files: Mapping[str, bytes], actor: str) -> NewEntry:
    """Return the entry of a share.

    Args:
        shared: what was shared.
        files: name to content of the files that were made of it.
        actor: who shared it.
    """
    record = {
        "format": "indicators-shared/v1",
        "set": shared.id,
        "key": shared.key_id,
        "traffic_light": shared.traffic_light,
        "valid_until_us": shared.valid_until_us,
        "identifiers": len(shared.identifiers),
        "templates": len(shared.templates),
        "files": {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())},
    }
    return NewEntry(kind=SHARED, actor=actor, record=canonical_bytes(record))
