"""The reference accounts' numbers in order, from which each candidate's own members are left out.

Takes one number of each reference account. Gives the same numbers in ascending order without some accounts. Sorting once for
all candidates and leaving members out by bisection makes a candidate's ranking linear in the reference, and its result the
same as sorting anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrderedReference:
    """One number of every reference account that has one."""

    accounts: Numbers
    """[n] account numbers, ascending."""
    numbers: Floats
    """[n] number of each of these accounts."""
    ascending: Floats
    """[n] the same numbers, in their own order."""

    @classmethod
    def of(cls, accounts: Numbers, numbers: Floats) -> OrderedReference:
        """Order the numbers.

        Args:
            accounts: [r] account numbers, ascending.
            numbers: [r] NaN for an account that has none; it is left out.
        """
        known = ~np.isnan(numbers)
        return cls(accounts[known], numbers[known], np.sort(numbers[known]))

    def without(self, members: Numbers) -> Floats:
        """Return the numbers of all but these accounts, ascending.

        Args:
            members: Account numbers, each once; those that are not among the reference change nothing.
        """
        if not len(self.accounts):
            return self.ascending
        places = np.minimum(np.searchsorted(self.accounts, members), len(self.accounts) - 1)
        left_out = np.sort(self.numbers[places[self.accounts[places] == members]])
        # Of equal numbers it does not matter which goes, only how many.
        turn = np.arange(len(left_out)) - np.searchsorted(left_out, left_out)
        remaining: Floats = np.delete(self.ascending, np.searchsorted(self.ascending, left_out) + turn)
        return remaining
