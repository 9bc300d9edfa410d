"""Access: the one way in which tests reach a party, whether by network, by weights or by files of recorded answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from stillwatch.records.suspect import Ability, Observation, Query


class Collector(Protocol):
    """Keeps what goes out and what comes back."""

    def sent(self, query_id: str, raw: Mapping[str, object]) -> bool:
        """Keep a request before it is sent.

        Returns:
            False where the budget does not allow it; then it must not be sent.
        """

    def received(self, query_id: str, raw: Mapping[str, object], observation: Observation | None) -> None:
        """Keep an answer raw, together with what was read from it; no observation where it will be asked again."""


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
