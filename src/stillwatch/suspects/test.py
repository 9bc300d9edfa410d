"""SuspectTest: what a test of a suspect is, so that whoever runs tests need not know them.

A test is asked three times: for its queries, before the plan is committed and again at each run, which must be the same; whether it has enough,
while the queries run; and for its result. It keeps nothing in between. What it may choose stands in its parameters, and what it reads stands
in materials with digests; randomness comes from the seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stillwatch.records.claim import Question
from stillwatch.records.suspect import Ability, Observation, Party, PlannedTest, Query, Support, TestResult

Observations = Mapping[str, Observation]
"""What came back, by id of the query; a query that was not asked is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that a test may look at beside what came back."""

    planned: PlannedTest
    materials: Mapping[str, Path]
    """By name: those that the planned test names, found to have the planned digests."""
    controls: tuple[Party, ...]
    alpha: float
    seed: int
    """Of this test: drawn from the plan's seed and the test's id."""


class SuspectTest(Protocol):
    """A test of a suspect."""

    @property
    def method(self) -> str:
        """`name/vN`."""

    @property
    def title(self) -> str:
        """What it is called in a report."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that it can state something about."""

    @property
    def needs(self) -> frozenset[Ability]:
        """What it needs of every party that it asks."""

    @property
    def reach(self) -> Support:
        """The strongest word that it can earn: `LEAD` for likeness, `STRONGLY` for tests by our own randomisation, `NONE` for one that only modifies."""

    def prepare(self, setting: Setting) -> Iterable[Query]:
        """Give the queries in the order in which they are asked; the same for the same setting.

        Raises:
            SuspectError: where the parameters or materials cannot be used.
        """

    def enough(self, setting: Setting, observations: Observations) -> bool:
        """Tell whether a run may end here; False for a test that is valid only with all its queries."""

    def conclude(self, setting: Setting, observations: Observations) -> TestResult:
        """State what the observations show; `Inconclusive` where they do not suffice.

        Raises:
            SuspectError: where the parameters or materials cannot be used.
        """
