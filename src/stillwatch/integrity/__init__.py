"""Integrity: bytes that anyone can compute again.

Takes records and tables. Gives canonical bytes and digests of them. Promises that equal content gives equal digests,
however it was ordered in memory, cut into batches or computed, and that nothing else does.
"""

from __future__ import annotations

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.digest import digest_bytes, digest_table

__all__ = ["canonical_bytes", "digest_bytes", "digest_table"]
