"""The tests that a plan may name. A new test is a module beside this one and a line here."""

from __future__ import annotations

from stillwatch.suspects.answer_equality import AnswerEquality
from stillwatch.suspects.committed_challenges import CommittedChallenges
from stillwatch.suspects.endpoint_tracking import EndpointTracking
from stillwatch.suspects.errors import PlanError
from stillwatch.suspects.identity import IdentityLeak
from stillwatch.suspects.kinship_screen import KinshipScreen
from stillwatch.suspects.order_memory import OrderMemory
from stillwatch.suspects.radioactivity import RadioactivityReading, RadioactivityWriting
from stillwatch.suspects.served_transcript import ServedTranscript
from stillwatch.suspects.test import SuspectTest
from stillwatch.suspects.tokenizer_screen import TokenizerScreen
from stillwatch.suspects.weight_ancestry import WeightAncestry

TESTS: tuple[SuspectTest, ...] = (
    TokenizerScreen(),
    AnswerEquality(),
    KinshipScreen(),
    CommittedChallenges(),
    ServedTranscript(),
    WeightAncestry(),
    OrderMemory(),
    EndpointTracking(),
    IdentityLeak(),
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
