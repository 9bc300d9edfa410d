"""Candidate: one group of accounts with all that its tests may look at, and the background that they compare it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.ordered_reference import OrderedReference
from stillwatch.detection.campaigns.study import Study
from stillwatch.detection.errors import DetectionError
from stillwatch.detection.links.attributes import AttributeTable
from stillwatch.detection.links.groups import Group
from stillwatch.detection.links.kinds import TEXT_KINDS, Kind
from stillwatch.detection.profiles.accounts import Accounts
from stillwatch.detection.profiles.queries import OUTPUT_EDGES

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LEAST_REFERENCE = 20
"""Reference accounts below which nothing can be calibrated."""
LEAST_EXCHANGES = 20
"""Exchanges below which an account has no rate worth ranking."""
MOST_ROWS = 4_000
"""Sampled exchanges of a group that are compared with each other, those with the smallest hashes."""
RICH_QUANTILE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What ordinary traffic looks like in this run: measured, never assumed. Null where the column is missing."""

    reference: Numbers
    """Account numbers that may serve as reference and have enough exchanges."""
    rich_bin: int | None
    """First bin of output tokens that three quarters of reference exchanges (one vote per account) stay below."""
    rich: Numbers
    """[accounts] exchanges with an answer of `rich_bin` or more; none where that is null."""
    answered: Numbers
    """[accounts] exchanges with an output token count."""
    carries: dict[Kind, bool]
    """Kind of attribute -> whether any value of it is shared by two accounts of this run."""
    ordered: dict[str, OrderedReference] = field(default_factory=dict)
    """Name of a number of every account -> the reference accounts' numbers in order, found when first asked for."""

    def in_order(self, name: str, number: Callable[[Numbers], npt.NDArray[np.float64]]) -> OrderedReference:
        """Return the reference accounts' numbers in order.

        Args:
            name: Of the number; one name has one meaning throughout a run.
            number: Gives the number of each of these accounts, NaN where there is none.
        """
        if name not in self.ordered:
            self.ordered[name] = OrderedReference.of(self.reference, number(self.reference))
        return self.ordered[name]


@dataclass(frozen=True, kw_only=True)  # no slots: rows are gathered when a test first asks for them
class Candidate:
    """A group under test."""

    group: Group
    accounts: Accounts
    table: AttributeTable
    background: Background
    input_digest: str
    read: Study | None
    """Sampled exchanges of the members at least; null before they are read."""

    @property
    def study(self) -> Study:
        """Sampled exchanges; tests of coordination come before they are read, and go without them.

        Raises:
            DetectionError: when they are not read.
        """
        if self.read is None:
            raise DetectionError(
                "a test asked for sampled exchanges of a candidate that are not read yet; expected a test of what it"
                " sends; run it among the tests of extraction"
            )
        return self.read

    @property
    def outsiders(self) -> Numbers:
        """Reference accounts that are not members, ascending; found anew each time, since they are many and candidates too."""
        reference = self.background.reference
        places = np.searchsorted(reference, self.members)
        inside = places < len(reference)
        places = places[inside]
        found: Numbers = np.delete(reference, places[reference[places] == self.members[inside]])
        return found

    def with_study(self, read: Study | None) -> Candidate:
        """Return the candidate with these sampled exchanges, or without any; what was gathered from others is forgotten."""
        return replace(self, read=read)

    @property
    def members(self) -> Numbers:
        """Account numbers."""
        return self.group.members

    @cached_property
    def rows(self) -> Numbers:
        """Study rows of the members."""
        return self.study.rows_of(self.group.members)

    @cached_property
    def harvest(self) -> Mask:
        """[len(rows)] rows that carry the text that seeded the group; all rows for groups not seeded by text."""
        if self.group.seed != "text":
            return np.ones(len(self.rows), dtype=bool)
        found = np.zeros(len(self.rows), dtype=bool)
        kinds = self.table.kinds[self.group.places]
        for kind in (*TEXT_KINDS, Kind.SYSTEM):
            wanted = np.sort(self.table.values[self.group.places[kinds == int(kind)]])
            if len(wanted):
                found |= self.study.carrying(self.rows, kind, wanted)
        return found

    @cached_property
    def _compared(self) -> Numbers:
        return self.rows[self.harvest] if 2 * int(self.harvest.sum()) >= len(self.rows) else self.rows

    @cached_property
    def harvest_rows(self) -> Numbers:
        """Study rows that carry the trait, or all rows where these are the smaller part; at most `MOST_ROWS`.

        A narrow text (one variant of a scaffold) is on few of its users' exchanges; what the rest are like matters as much.
        """
        rows = self._compared
        if len(rows) <= MOST_ROWS:
            return rows
        delivery = self.study.column("delivery").values[rows]
        chosen: Numbers = np.sort(rows[np.argpartition(delivery, MOST_ROWS)[:MOST_ROWS]])
        return chosen

    @property
    def sampled_share(self) -> float:
        """Chance that an exchange of the members like those in `harvest_rows` is among them."""
        sampled = len(self.rows) / max(int(self.accounts.exchanges[self.members].sum()), 1)
        return min(sampled, 1.0) * len(self.harvest_rows) / max(len(self._compared), 1)


def measure_background(accounts: Accounts, table: AttributeTable) -> Background:
    """Measure the reference accounts once for all candidates."""
    reference = np.flatnonzero(accounts.reference & (accounts.exchanges >= LEAST_EXCHANGES))
    outputs = accounts.histograms["outputs"]
    totals = outputs.sum(axis=1, dtype=np.int64)
    answered = reference[totals[reference] >= LEAST_EXCHANGES]
    rich_bin = None
    if len(answered) >= LEAST_REFERENCE:
        shares = outputs[answered] / outputs[answered].sum(axis=1, keepdims=True)
        below = np.cumsum(shares.mean(axis=0))
        rich_bin = min(int(np.searchsorted(below, RICH_QUANTILE)) + 1, len(OUTPUT_EDGES))
    return Background(
        reference=reference,
        rich_bin=rich_bin,
        rich=np.zeros_like(totals) if rich_bin is None else outputs[:, rich_bin:].sum(axis=1, dtype=np.int64),
        answered=totals,
        carries={kind: bool(np.any(table.kinds == int(kind))) for kind in Kind},
    )


def build_candidate(
    group: Group,
    accounts: Accounts,
    table: AttributeTable,
    study: Study | None,
    background: Background,
    input_digest: str,
) -> Candidate:
    """Bring a group together with what its tests look at."""
    return Candidate(
        group=group,
        accounts=accounts,
        table=table,
        background=background,
        input_digest=input_digest,
        read=study,
    )
