"""First uses: which units of a set stand there for the first time.

Takes documents and a scheme. Gives a bit for each unit: whether no earlier document, and no earlier place of its own, has the same one. The set
is read once for each part of the 64-bit fingerprints, so that the table of a part fits the memory that was given. Two different
units share a fingerprint with probability 2^-64; the second is then dropped, by a rule that knows no key.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.records.progress import Progress
from stillwatch.watermark.kernels import kernel
from stillwatch.watermark.scan.spool import TokenSpool
from stillwatch.watermark.scheme import Scheme, scheme_units
from stillwatch.watermark.windows import fingerprints, scramble

ENTRY_BYTES = 8
SLOTS_AN_ENTRY = 2
"""A table is at most half full."""


def first_uses(spool: TokenSpool, scheme: Scheme, memory_bytes: int, progress: Progress) -> list[NDArray[np.uint8]]:
    """Tell for each unit of each document whether it is there for the first time.

    Args:
        spool: the documents.
        scheme: the mark.
        memory_bytes: for the table of fingerprints.
        progress: hears of documents.

    Returns:
        For each document the bits of its units, packed as `numpy.packbits` packs them.
    """
    parts = _parts(spool.tokens, memory_bytes)
    capacity = 1 << max(10, (SLOTS_AN_ENTRY * spool.tokens // parts + 1).bit_length())
    bits: list[NDArray[np.uint8]] = []
    progress.begin(f"comparing documents, {scheme.name}", parts * len(spool))
    for part in range(parts):
        table = np.zeros(capacity, dtype=np.uint64)
        for number, tokens in enumerate(spool.documents()):
            prints = scramble(fingerprints(scheme_units(scheme, tokens).words))
            first = np.zeros(len(prints), dtype=np.bool_)
            _note_first(prints, table, part, parts, first)
            packed = np.packbits(first)
            if part == 0:
                bits.append(packed)
            else:
                bits[number] |= packed
            progress.advance(1)
    progress.end()
    return bits


def _parts(tokens: int, memory_bytes: int) -> int:
    """Give the number of passes: a power of 2."""
    needed = 2 * SLOTS_AN_ENTRY * ENTRY_BYTES * max(tokens, 1)  # a capacity is rounded up to a power of 2
    parts = 1
    while needed // parts > max(memory_bytes, 1) and parts < 1 << 16:
        parts *= 2
    return parts


@kernel
def _note_first(prints: Any, table: Any, part: Any, parts: Any, first: Any) -> None:
    """Put the fingerprints of a part into an open table; note those that were not there. 0 says that a slot is empty."""
    last = np.uint64(len(table) - 1)
    for place in range(len(prints)):
        value = prints[place]
        if np.int64(value & np.uint64(parts - 1)) != part:
            continue
        if value == np.uint64(0):
            value = np.uint64(parts)  # stands for 0; it belongs to the same part
        slot = (value >> np.uint64(17)) & last
        while table[slot] != np.uint64(0) and table[slot] != value:
            slot = (slot + np.uint64(1)) & last
        if table[slot] == np.uint64(0):
            table[slot] = value
            first[place] = True
