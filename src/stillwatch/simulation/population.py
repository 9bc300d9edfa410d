"""Population: accounts and their streams of traffic as plain columns.

Takes counts and a random generator. Gives structured arrays: an account has facts, a stream has everything that shapes the
exchanges of one behaviour of one account (volume, hours, addresses, client, model, parameters, texts).
An account with two behaviours (a reseller, a stolen key) has two streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.simulation.identity import AGENT_NUMBER, draw_email, draw_zone

Rows = NDArray[Any]
"""A structured array of `ACCOUNT` or `STREAM`."""

ACCOUNT = np.dtype(
    [
        ("key", "u8"),
        ("organization", "u8"),
        ("payment", "u8"),
        ("email", "i8"),
        ("created", "f8"),
        ("closed", "f8"),
        ("licence", "i1"),
        ("zone", "i1"),
        ("family", "i2"),
        ("campaign", "i4"),
        ("role", "i1"),
    ]
)
"""`created` and `closed` in days from the first day of the world; `closed` is infinite while open; 0 is null for keys."""

STREAM = np.dtype(
    [
        ("account", "i8"),
        ("exchanges", "f8"),
        ("fixed", "?"),
        ("harvest", "?"),
        ("start", "f8"),
        ("end", "f8"),
        ("ramp", "f4"),
        ("weekend", "f4"),
        ("noise", "f4"),
        ("rest", "f4"),
        ("hours", "i2"),
        ("zone", "i2"),
        ("rhythm", "u8"),
        ("rhythm_depth", "f4"),
        ("minute", "i2"),
        ("session", "f4"),
        ("gap_mean", "f4"),
        ("gap_spread", "f4"),
        ("talks", "?"),
        ("session_ids", "?"),
        ("depth", "f4"),
        ("address_key", "u8"),
        ("address_kind", "i1"),
        ("address_pool", "i8"),
        ("address_hold", "i1"),
        ("api_key", "u8"),
        ("agent", "i2"),
        ("other_agent", "i2"),
        ("other_agent_share", "f4"),
        ("model", "i1"),
        ("next_model", "i1"),
        ("switch", "f8"),
        ("next_share", "f4"),
        ("endpoint", "i1"),
        ("temperature", "f4"),
        ("top_p", "f4"),
        ("max_tokens", "i4"),
        ("samples", "i1"),
        ("streaming", "?"),
        ("parameter_spread", "f4"),
        ("system", "i2"),
        ("system_key", "u8"),
        ("tools", "u8"),
        ("mixture", "i2"),
        ("paste_share", "f4"),
        ("items", "i1"),
        ("pool", "u8"),
        ("pool_size", "i8"),
        ("before", "i2"),
        ("after", "i2"),
        ("scaffold_key", "u8"),
        ("scaffold_variants", "i4"),
        ("scaffold_share", "f4"),
        ("place", "i1"),
        ("explore", "i2"),
        ("explore_until", "f8"),
    ]
)
"""Times in days from the first day; hours profile and zone as in `calendar`; symbols as numbers of the grammar, -1 for none. `rest` is the
share of days without use, `depth` the share of a further turn in the history that a program sends along, `paste_share` the
share of prompts with a pasted text."""


class Role(IntEnum):
    """Part that an account plays in a campaign."""

    NONE = 0
    OPERATOR = 1
    RESELLER = 2
    VICTIM = 3
    LICENSED = 4


class Items(IntEnum):
    """How a stream picks its task from a pool."""

    FREE = 0
    """A fresh text each time."""
    RANDOM = 1
    """An item of the pool at random, with replacement."""
    SEQUENCE = 2
    """The pool in its order, from the first item, again from the start at the end."""
    QUEUE = 3
    """The next item of a work queue that all streams of the pool share: sharding without replacement."""
    DAILY = 4
    """The pool in its order, from the first item on each day."""


class Hold(IntEnum):
    """How long a stream keeps an address of its pool."""

    ALWAYS = 0
    DAY = 1
    SESSION = 2
    EXCHANGE = 3


class Place(IntEnum):
    """Where the scaffold stands."""

    AROUND = 0
    BEFORE = 1
    AFTER = 2
    ANYWHERE = 3
    """Before or after a sentence of the prompt, drawn for each exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Accounts of one class or campaign, and their streams; `account` of a stream is an index into `accounts`."""

    accounts: Rows
    streams: Rows


def draw_keys(count: int, draw: np.random.Generator) -> NDArray[np.uint64]:
    """Random non-zero 64-bit keys."""
    return draw.integers(1, 2**63, size=count, dtype=np.uint64)


def new_accounts(count: int, days: float, draw: np.random.Generator) -> Rows:
    """Accounts with the facts that ordinary registrations have.

    Nearly a third registered while the world was watched; the others up to about three years earlier.
    """
    accounts = np.zeros(count, ACCOUNT)
    accounts["key"] = draw_keys(count, draw)
    accounts["payment"] = np.where(draw.random(count) < 0.72, draw_keys(count, draw), 0)
    accounts["email"] = draw_email(count, draw)
    fresh = draw.random(count) < 0.3
    accounts["created"] = np.where(fresh, draw.random(count) * days * 0.9, -draw.exponential(240.0, count))
    accounts["closed"] = np.where(draw.random(count) < 0.012, (0.3 + 0.7 * draw.random(count)) * days, np.inf)
    accounts["closed"] = np.where(accounts["closed"] < accounts["created"] + 1.0, np.inf, accounts["closed"])
    accounts["zone"] = draw_zone(count, draw)
    accounts["campaign"] = -1
    return accounts


def new_streams(accounts: Rows, owners: NDArray[np.int64], days: float, draw: np.random.Generator) -> Rows:
    """Streams with neutral settings for the owners; every class then says what is special about it."""
    count = len(owners)
    streams = np.zeros(count, STREAM)
    streams["account"] = owners
    streams["exchanges"] = 1.0
    streams["start"] = np.maximum(accounts["created"][owners], 0.0)
    streams["end"] = np.minimum(accounts["closed"][owners], days)
    streams["weekend"] = 1.0
    streams["noise"] = 0.6
    streams["zone"] = accounts["zone"][owners]
    streams["minute"] = -1
    streams["session"] = 1.0
    streams["address_key"] = draw_keys(count, draw)
    streams["address_pool"] = 1
    streams["api_key"] = draw_keys(count, draw)
    streams["agent"] = AGENT_NUMBER["python-requests/2.32.3"]
    streams["other_agent"] = streams["agent"]
    streams["switch"] = np.inf
    streams["samples"] = 1
    streams["temperature"] = np.nan
    streams["top_p"] = np.nan
    streams["system"] = -1
    streams["before"] = -1
    streams["after"] = -1
    streams["explore"] = -1
    streams["scaffold_variants"] = 1
    streams["scaffold_share"] = 1.0
    streams["pool"] = draw_keys(count, draw)
    streams["pool_size"] = 1 << 30
    return streams


def join(cohorts: list[Cohort]) -> Cohort:
    """One cohort from many; accounts keep their order. The cohorts are used up: full-size worlds have no room for copies."""
    start = 0
    for cohort in cohorts:
        cohort.streams["account"] += start
        start += len(cohort.accounts)
    return Cohort(
        accounts=np.concatenate([cohort.accounts for cohort in cohorts]),
        streams=np.concatenate([cohort.streams for cohort in cohorts]),
    )
