"""Parameters of a planned test: read by name, with their ranges; a name that the test does not know is refused.

Takes the mapping that a plan holds. Gives plain values, or says what was got and expected. A plan is written once, so that a parameter that
was misspelt may not fall back to what the author of a test found usual.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.records.suspect import PlannedTest
from stillwatch.suspects.errors import PlanError


class Parameters:
    """The parameters of one planned test, by name."""

    __slots__ = ("_test", "_values")

    def __init__(self, planned: PlannedTest, known: Mapping[str, object]) -> None:
        """Take what the plan says, and what it may leave out.

        Args:
            planned: the test as planned.
            known: every name that the test knows, with the value that stands where the plan says nothing.

        Raises:
            PlanError: for a name that is not known.
        """
        strange = sorted(set(planned.parameters) - set(known))
        if strange:
            raise PlanError(
                f"test {planned.id!a}: got the parameter {strange[0]!a}, expected one of {', '.join(sorted(known))}"
            )
        self._test = planned.id
        self._values = {**known, **planned.parameters}

    def number(self, name: str, low: float, high: float) -> float:
        """Return a number in [low, high].

        Raises:
            PlanError: for anything else.
        """
        value = self._values[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self._error(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, low: int, high: int) -> int:
        """Return a whole number in [low, high].

        Raises:
            PlanError: for anything else.
        """
        value = self._values[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._error(name, f"a whole number from {low} to {high}")
        return value

    def word(self, name: str) -> str:
        """Return a text.

        Raises:
            PlanError: for anything else.
        """
        value = self._values[name]
        if not isinstance(value, str):
            raise self._error(name, "a text")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list of texts.

        Raises:
            PlanError: for anything else.
        """
        value = self._values[name]
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise self._error(name, "a list of texts")
        return tuple(value)

    def _error(self, name: str, expected: str) -> PlanError:
        kind = type(self._values[name]).__name__
        return PlanError(
            f"test {self._test!a}: got parameter {name} of kind {kind} or out of range, expected {expected}"
        )
