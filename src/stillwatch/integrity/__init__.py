"""Integrity: bytes that anyone can compute again.

Takes records, tables, leaf hashes, texts and keys. Gives canonical bytes, digests, Merkle proofs, signed notes and verified time stamps.
Promises that equal content gives equal digests, however it was ordered in memory, cut into batches or computed, and that nothing
else does; and that verification raises, or what it verified is so. It stores nothing.
"""

from __future__ import annotations

from stillwatch.integrity.canonical import canonical_bytes

__all__ = ["canonical_bytes"]
