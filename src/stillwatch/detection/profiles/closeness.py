"""How close accounts are to a common profile, free of the noise of small counts.

Takes histograms (counts) and a profile (shares). Gives the squared Euclidean distance between an account's true shares and
the profile, estimated without bias: the raw distance minus the sampling variance sum p(1 - p)/(n - 1). An account with few
exchanges therefore is not far by noise alone, nor near by smoothing; it only ranks with more scatter, which makes the rank
tests built on it conservative. Linear in accounts times bins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST_COUNT = 20
"""Accounts with fewer counts have no usable shares."""

Floats = npt.NDArray[np.float64]


def shares(counts: npt.NDArray[np.int32]) -> Floats:
    """Return row shares, [n, bins]; rows without counts are zero."""
    totals = counts.sum(axis=1, keepdims=True)
    divided: Floats = counts / np.maximum(totals, 1)
    return divided


def squared_distances(counts: npt.NDArray[np.int32], profile: Floats) -> Floats:
    """Estimate each account's squared distance from a profile without bias.

    Args:
        counts: [n, bins] exchanges per bin.
        profile: [bins] or [n, bins] shares that sum to 1.

    Returns:
        [n] estimates, possibly negative; NaN for accounts with fewer than `LEAST_COUNT` counts.
    """
    totals = counts.sum(axis=1).astype(np.float64)
    own = shares(counts)
    raw = ((own - profile) ** 2).sum(axis=1)
    noise = (own * (1.0 - own)).sum(axis=1) / np.maximum(totals - 1.0, 1.0)
    estimates: Floats = np.where(totals >= LEAST_COUNT, raw - noise, np.nan)
    return estimates
