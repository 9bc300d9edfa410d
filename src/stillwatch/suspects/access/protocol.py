"""Access: the one way in which tests reach a party, whether by network, by weights or by files of recorded answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from stillwatch.records.suspect import Ability, Observation, Query

Keep = Callable[[dict[str, object]], None]
"""Keeps a raw request or answer before anything is read from it. An access calls it before it sends and as soon as it has received."""


class Access(Protocol):
    """A party that can be asked."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it is said to be able to do; whether it does is for the probes to find out."""

    def answer(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have text written.

        Args:
            queries: without continuation.

        Yields:
            An `Answer` or `Unanswered` for each query, as they come, in any order.
        """

    def score(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Have given text scored.

        Args:
            queries: with continuation.

        Yields:
            A `Scored` or `Unanswered` for each query, as they come, in any order.
        """

    async def close(self) -> None:
        """Give back what it holds."""
