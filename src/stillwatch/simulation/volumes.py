"""Volumes: turns drawn volumes into whole numbers of exchanges that sum to what was asked for.

Takes streams with relative volumes. Gives streams with whole totals. Campaigns keep their own rates unless the preset gives
their share; honest streams get the rest in proportion, at least one exchange each, none more than 2% of all.
"""

from __future__ import annotations

import numpy as np

from stillwatch.simulation.population import Cohort
from stillwatch.simulation.randomness import Integers, Reals

_LARGEST_SHARE = 0.02
_CAMPAIGN_LIMIT = 0.35


def settle_volumes(cohort: Cohort, exchanges: int, share: float | None, days: int) -> tuple[str, ...]:
    """Settle every stream's total and window, in place.

    Args:
        cohort: the world.
        exchanges: total wanted; met exactly.
        share: exchanges of harvests as a share of all; null keeps the campaigns' own rates.
        days: days of the world.

    Returns:
        Warnings.
    """
    streams = cohort.streams
    # An account's window may have closed before it began to be used.
    streams["end"] = np.minimum(np.maximum(streams["end"], streams["start"] + 0.2), days)
    streams["start"] = np.minimum(streams["start"], streams["end"] - 0.1)
    fixed = streams["fixed"]
    planted = float(streams["exchanges"][fixed].sum())
    warnings: tuple[str, ...] = ()
    if planted > 0.0:
        wanted = share * exchanges if share is not None else min(planted, _CAMPAIGN_LIMIT * exchanges)
        if share is None and planted > wanted:
            warnings = (
                f"campaigns were cut from {planted:.0f} to {wanted:.0f} exchanges: {_CAMPAIGN_LIMIT:.0%} of all",
            )
        streams["exchanges"][fixed] = _whole(streams["exchanges"][fixed], round(wanted), round(wanted))
    rest = exchanges - int(streams["exchanges"][fixed].sum())
    streams["exchanges"][~fixed] = _whole(streams["exchanges"][~fixed], rest, max(round(_LARGEST_SHARE * exchanges), 2))
    return warnings


def _whole(weights: Reals, total: int, most: int) -> Integers:
    """Whole numbers of at least 1 that sum to `total`, in proportion to the weights, at most about `most` each."""
    if not len(weights):
        return np.zeros(0, dtype=np.int64)
    free = max(total - len(weights), 0)
    level = weights / weights.sum()
    for _ in range(6):
        level = np.minimum(level, most / max(free, 1))
        level = level / level.sum()
    exact = free * level
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: free - int(whole.sum())]] += 1
    return np.asarray(whole + 1, dtype=np.int64)
