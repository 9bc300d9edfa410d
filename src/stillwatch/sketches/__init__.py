"""Sketches: row-local kernels, the same bytes inline and in batch, on every engine.

Takes exchanges as Arrow record batches. Gives one sketch row per exchange: hashes, bits and counts, no text.
Promises that a row's sketch depends on that row alone, so that neither batch size nor row order changes it, and that a
hash of one version never changes.
"""

from __future__ import annotations

from stillwatch.sketches.attributes import hash_value
from stillwatch.sketches.batch import compile_kernels, sketch_batch
from stillwatch.sketches.hashing import hash_text

__all__ = ["compile_kernels", "hash_text", "hash_value", "sketch_batch"]
