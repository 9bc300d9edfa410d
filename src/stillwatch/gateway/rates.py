"""Reduced rates: the generic cell rate algorithm (ITU-T I.371, annex A; virtual scheduling), in process.

Takes an account, its rate and the time. Gives the microseconds until a request of it is answered again; 0 where this one is. One number is
kept for an account, the theoretical arrival time, and only for accounts whose rate is reduced: a flood of others costs nothing. At the cap
the account that asked least recently is forgotten, and begins with a whole burst should it come back; such evictions are counted.
"""

from __future__ import annotations

MINUTE_US = 60_000_000
BURST_SECONDS = 10
"""A burst is what the rate allows in this time, and one request at least."""
MOST_ACCOUNTS = 1 << 18
"""Some 50 MB."""


def burst_of(requests_per_minute: int) -> int:
    """Give how many requests are answered at once after a pause."""
    return max(1, requests_per_minute * BURST_SECONDS // 60)


class LocalRates:
    """Counters of this process."""

    def __init__(self, most_accounts: int = MOST_ACCOUNTS) -> None:
        """Begin with nothing counted.

        Args:
            most_accounts: cap of the accounts that are kept.
        """
        self._most = most_accounts
        self._arrivals: dict[str, int] = {}
        self.evicted = 0
        """Accounts that were forgotten although their burst was not whole again."""

    def __len__(self) -> int:
        """Give the number of accounts that are kept."""
        return len(self._arrivals)

    def wait_us(self, account_id: str, requests_per_minute: int, now_us: int) -> int:
        """Count a request.

        Args:
            account_id: whose rate is reduced.
            requests_per_minute: at least 1.
            now_us: microseconds, of any clock that does not change.

        Returns:
            0 where the request is within the rate, and is counted; else the microseconds until one would be, and it is not counted.
        """
        arrivals = self._arrivals
        gap = MINUTE_US // requests_per_minute
        arrival = max(arrivals.pop(account_id, 0), now_us)
        early = arrival - now_us - (burst_of(requests_per_minute) - 1) * gap
        arrivals[account_id] = arrival if early > 0 else arrival + gap  # at the end: most recent last
        if len(arrivals) > self._most:
            oldest = next(iter(arrivals))
            self.evicted += arrivals.pop(oldest) > now_us
        return max(early, 0)
