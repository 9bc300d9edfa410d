"""Calendar: the days of the world, the hours at which people and machines are active, and the release calendar.

Takes nothing. Gives hour profiles, weekday factors and model releases.

Shapes are fitted to public traces (facts of shape, not data): the `office` and `developer` profiles follow the median client
of ServeGen (alibaba/ServeGen, 314 API clients over 14 days: first daily harmonic of the median client 0.95 of the mean,
quiet hours 01-06 at about a tenth of the mean, 11% of clients practically flat); `evening` follows the account-level requests
of GenTD26 (alibaba/clusterdata v2026-GenAI, shifted to local evenings: more than half of the requests in 6 hours).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from stillwatch.simulation.randomness import Reals

FIRST_DAY = datetime(2026, 4, 22, tzinfo=UTC)
"""The June letter's first day; a Wednesday."""
FIRST_DAY_US = int(FIRST_DAY.timestamp()) * 1_000_000
DAY_US = 86_400 * 1_000_000

_PROFILES = {
    "evening": (5, 3, 2, 1, 1, 1, 2, 4, 5, 6, 7, 7, 8, 8, 8, 8, 9, 11, 13, 16, 18, 18, 15, 9),
    "office": (0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.3, 1.5, 6, 10, 11, 10, 7, 9, 11, 11, 10, 7, 3, 2, 1.5, 1.2, 1, 0.6),
    "developer": (3, 2, 1.2, 1, 0.7, 0.5, 0.6, 1.5, 4, 6, 9, 10, 9, 9, 9, 9, 8.5, 9, 9, 7.5, 8, 8, 7.5, 5),
    "flat": (1,) * 24,
    "night": (9, 12, 14, 13, 9, 5, 2, 1, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.5, 0.8, 1, 2, 4, 7),
    "nightly": (0, 10, 45, 25, 8, 3, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "morning": (0, 0, 0, 0, 1, 5, 40, 25, 10, 5, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0),
    "school": (1, 0.3, 0.1, 0.1, 0.1, 0.1, 0.4, 1, 3, 5, 6, 5, 4, 5, 7, 9, 11, 12, 11, 12, 13, 11, 7, 3),
    "staff": (0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 1, 5, 12, 13, 12, 5, 9, 12, 12, 12, 10, 7, 6, 5, 4, 2, 1),
    "owl": (14, 13, 11, 8, 5, 2, 1, 0.5, 0.5, 0.5, 1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4, 5, 7, 9, 12, 14),
    "day": (
        3,
        2.4,
        2,
        1.8,
        1.7,
        1.8,
        2.4,
        3.3,
        4.2,
        5,
        5.4,
        5.5,
        5.3,
        5.3,
        5.4,
        5.4,
        5.3,
        5.2,
        5.2,
        5.2,
        5.2,
        5,
        4.4,
        3.7,
    ),
}
HOURS = {name: number for number, name in enumerate(_PROFILES)}
"""Number of an hour profile; profiles are in local time."""


def hour_weights() -> Reals:
    """Share of each local hour, `[profiles, 24]`, rows sum to 1."""
    table = np.array(list(_PROFILES.values()), dtype=np.float64)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def is_weekend(day: int) -> bool:
    """Whether a day of the world (0 is the first) is a Saturday or Sunday."""
    return (day + 2) % 7 >= 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the simulated provider serves."""

    name: str
    released: float
    """Days from the first day; negative for models older than the world."""
    reasons: bool
    tokens_per_second: float


def models(days: float) -> tuple[Model, ...]:
    """The provider's models; the last two come out while the world is watched."""
    return (
        Model(name="meridian-3", released=-310.0, reasons=False, tokens_per_second=62.0),
        Model(name="meridian-3-mini", released=-300.0, reasons=False, tokens_per_second=140.0),
        Model(name="meridian-4", released=-96.0, reasons=True, tokens_per_second=55.0),
        Model(name="meridian-4-mini", released=-60.0, reasons=True, tokens_per_second=120.0),
        Model(name="meridian-4.5", released=round(0.46 * days) + 0.7, reasons=True, tokens_per_second=58.0),
        Model(name="meridian-4.5-code", released=round(0.75 * days) + 0.7, reasons=True, tokens_per_second=80.0),
    )


PIVOT_MODEL = 4
"""The release that campaigns pivot to and customers rush to."""
