"""Accounts with days and hours of the day of their own, for tests of bursts: rows as the query of the hours gives them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from planted_accounts import hashes_of

from stillwatch.detection.campaigns.claims.bursts import ActiveHours, active_hours
from stillwatch.detection.campaigns.queries import HOURS
from stillwatch.engines.arrow_schema import arrow_schema

FIRST_HOUR = 24 * 20_000
"""Midnight."""
DAYS, OFFICE = range(20), range(8, 18)


def read(accounts: int, acted: Iterable[tuple[int, int, int]]) -> ActiveHours:
    """Read rows of (account number, hours since the first, minutes)."""
    rows = sorted(acted)
    columns = {
        "account": pa.array([10 * number + 7 for number, _, _ in rows], pa.int64()),
        "hour": pa.array([FIRST_HOUR + hour for _, hour, _ in rows], pa.int32()),
        "minutes": pa.array([minutes for _, _, minutes in rows], pa.int64()),
    }
    return active_hours(pa.table(columns, schema=arrow_schema(HOURS.gives)), hashes_of(accounts))


def by_habit(rng: np.random.Generator, number: int, hours: int) -> list[tuple[int, int, int]]:
    """Act in so many hours of the office, any of them as likely as any other."""
    drawn = rng.choice(len(DAYS) * len(OFFICE), hours, replace=False).tolist()
    return [(number, 24 * DAYS[cell // len(OFFICE)] + OFFICE[cell % len(OFFICE)], 3) for cell in drawn]


def by_queue(rng: np.random.Generator, number: int, hours: int, queue: list[int]) -> list[tuple[int, int, int]]:
    """Act in so many of the hours in which there is work."""
    return [(number, hour, 3) for hour in rng.choice(queue, hours, replace=False).tolist()]


def queue_of(rng: np.random.Generator, filled: int) -> list[int]:
    """Hours in which there is work: as many on each day and in each hour of the day, as far as that goes."""
    days, hours = rng.permutation(len(DAYS)), rng.permutation(len(OFFICE))
    return sorted(
        24 * DAYS[days[turn % len(DAYS)]] + OFFICE[hours[(turn + turn // len(DAYS)) % len(OFFICE)]]
        for turn in range(filled)
    )
