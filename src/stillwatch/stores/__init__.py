"""Stores: where small facts live.

Takes records, in batches. Gives them back as they were. Promises that a batch is kept whole or not at all, that what was
acknowledged survives a crash, that writers in several processes wait for one another, and that nothing kept is changed.
"""

from __future__ import annotations

from stillwatch.stores.opening import open_store
from stillwatch.stores.protocol import LedgerStore, LedgerWriter

__all__ = ["LedgerStore", "LedgerWriter", "open_store"]
