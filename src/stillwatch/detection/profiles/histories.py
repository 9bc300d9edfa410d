"""How accounts change, and what they are answered: rises, trials and templates, first and last days, signs of answers.

Takes an engine that holds `sample` and `exchanges`, the accounts and what is known of them. Gives arrays by account number, measured once
for all candidates. Memory is linear in the number of accounts (about 150 bytes each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.facts import Facts
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import ANSWERS, EXPLORATION, RAMPS
from stillwatch.engines.protocol import Engine

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
LEAST_SAMPLED = 20
"""Sampled exchanges below which an account has no level from which it could rise."""
LEAST_RISE = 2.0
"""An account rises when it sends at least so many times as much a day after some time as before it."""
LEAST_LEVEL_MINUTES = 24 * 60
"""Minutes before and after a rise, at the least: one day."""
QUIET_US = 4 * DAY_US
"""An account has started in the run, or stopped in it, when so much traffic of others lies before or after its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """How every account changes within the run; `n` accounts."""

    first_us: Floats
    """[n] time of the first sampled exchange."""
    last_us: Floats
    """[n] time of the last sampled exchange."""
    rise: Floats
    """[n] place of the rise within its life, 0 at the first exchange and 1 at the last; NaN where it does not rise."""
    tried: dict[str, Integers]
    """Column of `EXPLORATION` -> [n] counts."""
    answered: dict[str, Integers]
    """Column of `ANSWERS` -> [n] counts."""
    started_us: Floats
    """[n] time at which the account began, NaN where that may have been before the run."""
    silent_us: Floats
    """[n] time of the last exchange, NaN where it may go on after the run."""
    closed_us: Floats
    """[n] time within the run at which the provider closed it, NaN where it did not or that is not known."""


def load_histories(engine: Engine, accounts: Accounts, facts: Facts) -> Histories:
    """Measure all accounts.

    Args:
        engine: Holds `sample` and `exchanges`.
        accounts: All accounts of the run.
        facts: For the times at which accounts were closed.

    Raises:
        EngineError: when a query fails.
    """
    ramps = _columns(engine.run(RAMPS), accounts)
    first, last = ramps["first_minute"] * MINUTE_US, ramps["last_minute"] * MINUTE_US
    started, silent = starts_and_ends(accounts.first_us, accounts.last_us)
    return Histories(
        first_us=first.astype(np.float64),
        last_us=last.astype(np.float64),
        rise=rises(ramps),
        tried=_columns(engine.run(EXPLORATION), accounts),
        answered=_columns(engine.run(ANSWERS), accounts),
        started_us=started,
        silent_us=silent,
        closed_us=_closed(facts, accounts),
    )


def rises(ramps: dict[str, Integers]) -> Floats:
    """[n] place of the rise within each account's life, NaN where there is none; `ramps` are the columns of `RAMPS`."""
    life = ramps["last_minute"] - ramps["first_minute"]
    waited = ramps["ramp_minute"] - ramps["first_minute"]
    before, after = ramps["before"].astype(np.float64), (ramps["counted"] - ramps["before"]).astype(np.float64)
    enough = (
        (ramps["counted"] >= LEAST_SAMPLED) & (waited >= LEAST_LEVEL_MINUTES) & (life - waited >= LEAST_LEVEL_MINUTES)
    )
    rose = enough & (after * waited >= LEAST_RISE * before * (life - waited))
    return np.where(rose, waited / np.maximum(life, 1), np.nan)


def starts_and_ends(first_us: Integers, last_us: Integers) -> tuple[Floats, Floats]:
    """Return when accounts began and fell silent inside the run, NaN where that may be outside it.

    Args:
        first_us: [n] first exchange of each account.
        last_us: [n] last exchange of each account.
    """
    begin, end = (int(first_us.min()), int(last_us.max())) if len(first_us) else (0, 0)
    started = np.where(first_us - begin >= QUIET_US, first_us, np.nan).astype(np.float64)
    silent = np.where(end - last_us >= QUIET_US, last_us, np.nan).astype(np.float64)
    return started, silent


def _closed(facts: Facts, accounts: Accounts) -> Floats:
    closed = np.full(len(accounts), np.nan)
    end = int(accounts.last_us.max()) if len(accounts) else 0
    for account, closed_us in facts.closed_us.items():
        place = int(np.searchsorted(accounts.hashes, account))
        if place < len(accounts) and accounts.hashes[place] == account and closed_us <= end:
            closed[place] = closed_us
    return closed


def _columns(rows: pa.Table, accounts: Accounts) -> dict[str, Integers]:
    """Column -> [n] whole numbers, 0 where an account has no row."""
    numbers = np.searchsorted(accounts.hashes, rows["account"].to_numpy())
    columns = {}
    for name in rows.column_names:
        if name != "account":
            columns[name] = np.zeros(len(accounts), dtype=np.int64)
            columns[name][numbers] = rows[name].to_numpy()
    return columns
