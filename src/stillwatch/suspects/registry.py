"""The tests that a plan may name. A new test is a module beside this one and a line here."""

from __future__ import annotations

from stillwatch.suspects.committed_challenges import CommittedChallenges
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.radioactivity import RadioactivityReading, RadioactivityWriting
from stillwatch.suspects.served_transcript import ServedTranscript
from stillwatch.suspects.test import SuspectTest

TESTS: tuple[SuspectTest, ...] = (
    CommittedChallenges(),
    ServedTranscript(),
    RadioactivityReading(),
    RadioactivityWriting(),
)


def known_test(method: str) -> SuspectTest:
    """Give the test of a method.

    Raises:
        PlanError: where there is none.
    """
    for one in TESTS:
        if one.method == method:
            return one
    known = ", ".join(one.method for one in TESTS) or "none"
    raise PlanError(f"there is no test {method!a}; expected one of {known}")
