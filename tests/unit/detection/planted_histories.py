"""Hand-made histories of accounts for tests of detection, and the interval in which calibrated tests reject."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from stillwatch.detection.profiles.histories import DAY_US, Histories

RUN_DAYS = 28
ERROR = 1e-6
"""Chance that a calibrated test leaves the interval."""


def histories_of(accounts: int, **given: Any) -> Histories:
    """Accounts that were there before the run and go on after it, do not rise and try nothing; anything else by name."""
    unknown = np.full(accounts, np.nan)
    zeros = np.zeros(accounts, dtype=np.int64)
    fields: dict[str, Any] = {
        "first_us": np.zeros(accounts),
        "last_us": np.full(accounts, float(RUN_DAYS * DAY_US)),
        "rise": unknown,
        "tried": {
            "early": zeros + 10,
            "early_tried": zeros,
            "early_templated": zeros,
            "late": zeros + 20,
            "late_tried": zeros,
            "late_templated": zeros,
        },
        "answered": dict.fromkeys(("answers", "inline", "counted", "reasoning_tokens"), zeros),
        "started_us": unknown,
        "silent_us": unknown,
        "closed_us": unknown,
    }
    return Histories(**{**fields, **given})


def most_rejections(draws: int, chance: float) -> int:
    """Rejections that a test with at most this chance exceeds with a chance of `ERROR`."""
    return int(stats.binom.ppf(1.0 - ERROR, draws, chance))


def within_interval(rejections: int, draws: int, chance: float) -> bool:
    """Tell whether the count is one that exactly this chance gives, but for `ERROR`."""
    return bool(
        stats.binom.ppf(ERROR / 2.0, draws, chance) <= rejections <= stats.binom.ppf(1.0 - ERROR / 2.0, draws, chance)
    )
