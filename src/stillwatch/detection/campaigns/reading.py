"""Reading: sampled exchanges come into memory for a few candidates at a time.

Takes an engine that holds `sample`, and candidates. Gives them batch by batch, each with a `Study` of its members. Memory is bounded
by the exchanges of a batch, or by the largest candidate where that alone has more, whatever the traffic. Promises that a candidate
sees the same rows in the same order in any batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.campaigns.queries import HOURS, MEMBER_DAYS, MINUTES, STUDIED, STUDY
from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.engines.arrow_schema import arrow_schema
from stillwatch.engines.protocol import Engine

Numbers = npt.NDArray[np.int64]

BATCH_EXCHANGES = 1_000_000
"""Sampled exchanges in memory at once: 300 to 600 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledExchanges:
    """What an engine holds of the accounts, read for some of them at a time."""

    engine: Engine
    accounts: Accounts
    most: int = BATCH_EXCHANGES
    """Exchanges of a batch, at the most, unless one candidate alone has more."""

    def study(self, members: Numbers) -> Study:
        """Read the sampled exchanges of these accounts, each named once."""
        self._register(members)
        return Study(self.engine.run(STUDY), self.accounts.hashes)

    def minutes(self, members: Numbers) -> pa.Table:
        """Return the rows of `MINUTES` for these accounts."""
        self._register(members)
        return self.engine.run(MINUTES)

    def hours(self, members: Numbers) -> pa.Table:
        """Return the rows of `HOURS` for these accounts."""
        self._register(members)
        return self.engine.run(HOURS)

    def days(self, members: Numbers) -> pa.Table:
        """Return the rows of `MEMBER_DAYS` for these accounts."""
        if not len(members):
            return arrow_schema(MEMBER_DAYS.gives).empty_table()
        self._register(members)
        return self.engine.run(MEMBER_DAYS)

    def batches(self, groups: Sequence[Numbers]) -> Iterator[tuple[list[int], Study]]:
        """Yield (places of groups, the study of their members), in the order of the groups.

        Args:
            groups: Members of each, ascending.
        """
        for places in batched(groups, self.accounts.sampled, self.most):
            yield places, self.study(every(groups[place] for place in places))

    def _register(self, members: Numbers) -> None:
        table = pa.table({"account": self.accounts.hashes[members]}, schema=arrow_schema(STUDIED))
        self.engine.register("studied", table)


def every(groups: Iterable[Numbers]) -> Numbers:
    """Return the members of all groups, each once, ascending."""
    listed = list(groups)
    return np.unique(np.concatenate(listed)) if listed else np.zeros(0, np.int64)


def near_each_other(groups: Sequence[Numbers]) -> list[int]:
    """Return the places of the groups so that those with common members come together.

    Numbers follow hashes, so that the smallest is a minimum hash: two groups begin with the same member about as often as
    they share members (Broder 1997).
    """
    return sorted(range(len(groups)), key=lambda place: groups[place].tolist())


def batched(groups: Sequence[Numbers], sampled: Numbers, most: int) -> Iterator[list[int]]:
    """Cut a list of groups into runs whose members together have at most so many exchanges, or that are one group.

    Args:
        groups: Members of each.
        sampled: [accounts] exchanges of each account.
        most: Exchanges of a run, each account counted once.
    """
    run: list[int] = []
    inside = np.zeros(len(sampled), dtype=bool)
    exchanges = 0
    for place, members in enumerate(groups):
        more = int(sampled[members[~inside[members]]].sum())
        if run and exchanges + more > most:
            yield run
            run, exchanges, more = [], 0, int(sampled[members].sum())
            inside[:] = False
        run.append(place)
        inside[members] = True
        exchanges += more
    if run:
        yield run
