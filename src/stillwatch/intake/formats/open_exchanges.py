"""Open exchanges: those of which some records were read and others are still to come.

Takes keys and parts. Gives exchanges when they are closed, or the oldest when too much is open, so that memory is bounded
however long a log is. The order of the records decides what is given when, never time or chance.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from stillwatch.intake.formats.format import Place

OPEN_LIMIT = 200_000
"""Exchanges open at once."""
OPEN_BYTES = 256 << 20
"""Bytes of the records of the exchanges open at once."""


class OpenExchange:
    """Parts of one exchange by name, and the place of the part that holds the request."""

    __slots__ = ("parts", "place", "size")

    def __init__(self, place: Place) -> None:
        """Begin with the place of the first record seen."""
        self.parts: dict[str, Any] = {}
        self.place = place
        self.size = 0


class OpenExchanges:
    """Open exchanges in the order in which they began."""

    def __init__(self, limit: int = OPEN_LIMIT, size_limit: int = OPEN_BYTES) -> None:
        """Begin with none.

        Args:
            limit: exchanges open at once.
            size_limit: bytes of their records.
        """
        self._open: OrderedDict[str, OpenExchange] = OrderedDict()
        self._limit = limit
        self._size_limit = size_limit
        self._size = 0

    def at(self, key: str, place: Place) -> OpenExchange:
        """Give the exchange of that key, opened here if it is new; its size grows by the record at `place`."""
        exchange = self._open.get(key)
        if exchange is None:
            exchange = self._open[key] = OpenExchange(place)
        exchange.size += place.length
        self._size += place.length
        return exchange

    def close(self, key: str) -> OpenExchange:
        """Take an exchange out."""
        exchange = self._open.pop(key)
        self._size -= exchange.size
        return exchange

    def overflow(self) -> Iterator[OpenExchange]:
        """Take the oldest out while there are too many."""
        while self._open and (len(self._open) > self._limit or self._size > self._size_limit):
            yield self.close(next(iter(self._open)))

    def rest(self) -> Iterator[OpenExchange]:
        """Take all out, oldest first."""
        while self._open:
            yield self.close(next(iter(self._open)))
