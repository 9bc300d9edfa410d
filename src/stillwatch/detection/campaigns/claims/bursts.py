"""Bursts: do accounts act in the same hours of the same days, beyond their habits?

Every account has its days and its hours of the day. One queue that fills and runs dry moves its workers in the same hours of the same
days; customers who keep the same days and the same office hours still meet by chance only. For a centre of accounts (one vote each) with
shares s(c) over the hours c of the log, and day and hour-of-day margins D and H, an account with shares a(c) is the nearer the larger

    sum over c of a(c) ln( (k s(c) + SMOOTH D(c) H(c)) / ((k + SMOOTH) D(c) H(c)) )

where k is the number of accounts in the centre: the mean log-likelihood ratio of its exchanges under the centre's own hours against
habits alone (Neyman and Pearson), smoothed towards the habits. An account is left out of its own centre. A minute counts once, so that one
account's burst within a minute is its own affair. Linear in the active hours of members and reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from stillwatch.detection.errors import DetectionError

SMOOTH = 2.0
"""Accounts' worth of habits that are mixed into a centre: a few accounts' hours are mostly chance."""
LEAST_SHARE = 1e-4
"""Of each day and hour of the day, so that no habit is impossible."""

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveHours:
    """In which hours of the log accounts act: shares of each account's active minutes."""

    numbers: Numbers
    """[a] account numbers that were read, ascending."""
    shares: sparse.csr_matrix
    """[a, cells] each row adds up to 1; the cells are the hours in which any of them acts, ascending."""
    day: Numbers
    """[cells] day of each cell, from 0."""
    hour: Numbers
    """[cells] hour of the day of each cell."""

    def of(self, accounts: Numbers) -> sparse.csr_matrix:
        """[len(accounts), cells] rows of these accounts.

        Raises:
            DetectionError: when one of them was not read.
        """
        places = np.minimum(np.searchsorted(self.numbers, accounts), max(len(self.numbers) - 1, 0))
        missing = len(accounts) if not len(self.numbers) else int((self.numbers[places] != accounts).sum())
        if missing:
            raise DetectionError(
                f"the active hours of {missing} of {len(accounts)} accounts were not read; expected all that are compared;"
                " name them in the query of the hours"
            )
        return self.shares[places]


def active_hours(rows: pa.Table, hashes: Numbers) -> ActiveHours:
    """Take the rows of `HOURS` into memory; `hashes` are those of all accounts, ascending."""
    owners = np.searchsorted(hashes, rows["account"].to_numpy())
    hours, cells = np.unique(rows["hour"].to_numpy().astype(np.int64), return_inverse=True)
    minutes = rows["minutes"].to_numpy().astype(np.float64)
    numbers, owner = np.unique(owners, return_inverse=True)
    total = np.bincount(owner, weights=minutes, minlength=len(numbers))
    shares = sparse.csr_matrix((minutes / total[owner], (owner, cells)), shape=(len(numbers), len(hours)))
    day = np.unique(hours // 24, return_inverse=True)[1] if len(hours) else np.zeros(0, np.int64)
    return ActiveHours(numbers=numbers, shares=shares, day=day.astype(np.int64), hour=hours % 24)


def burst_distances(
    hours: ActiveHours, members: Numbers, central: npt.NDArray[np.bool_], reference: sparse.csr_matrix
) -> tuple[Floats, Floats]:
    """Return ([m] members', [n] reference's) distance from the centre: minus the mean log-likelihood ratio.

    Args:
        hours: Active hours of the members and of the reference.
        members: Account numbers.
        central: [m] members that make the centre, two at least; one of them is left out of its own.
        reference: [n, cells] rows of the reference accounts.
    """
    own = hours.of(members)
    weight = central.astype(np.float64)
    total = own.T @ weight
    owner = np.repeat(np.arange(len(members)), np.diff(own.indptr))
    cell, share = own.indices, own.data
    # What an account adds to the centre itself is taken out again, cell by cell.
    mine = weight[owner] * share
    others = (weight.sum() - weight)[owner]
    by_day = _sums(hours.day, total)
    by_hour = _sums(hours.hour, total, 24)
    own_days = _margins(owner, hours.day[cell], mine, len(members), len(by_day))
    own_hours = _margins(owner, hours.hour[cell], mine, len(members), 24)
    habit = _habit(by_day[hours.day[cell]] - own_days[owner, hours.day[cell]], others, len(by_day))
    habit *= _habit(by_hour[hours.hour[cell]] - own_hours[owner, hours.hour[cell]], others, 24)
    left_out = np.maximum(total[cell] - mine, 0.0)
    ratio = np.log((left_out + SMOOTH * habit) / ((others + SMOOTH) * habit))
    near = _sums(owner, share * ratio, len(members))
    count = weight.sum()
    habits = _habit(by_day[hours.day], count, len(by_day)) * _habit(by_hour[hours.hour], count, 24)
    theirs = reference @ np.log((total + SMOOTH * habits) / ((count + SMOOTH) * habits))
    return -near, -theirs


def _margins(owner: Numbers, bins: Numbers, weights: Floats, accounts: int, width: int) -> Floats:
    """[accounts, width] sums of the weights."""
    return _sums(owner * width + bins, weights, accounts * width).reshape(accounts, width)


def _sums(bins: Numbers, weights: Floats, width: int = 0) -> Floats:
    """[width, or more where bins are] sums of the weights."""
    sums: Floats = np.bincount(bins, weights=weights, minlength=width).astype(np.float64)
    return sums


def _habit(sums: Floats, accounts: Floats | float, width: int) -> Floats:
    """Return shares of a day or of an hour of the day, none of them nothing."""
    shares: Floats = (np.maximum(sums / accounts, 0.0) + LEAST_SHARE) / (1.0 + LEAST_SHARE * width)
    return shares
