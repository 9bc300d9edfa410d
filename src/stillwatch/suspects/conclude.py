"""conclude: what the observations of a plan show, once bad access and missing answers are set aside.

Takes a plan, its queries and what came back. Gives the conduct of every endpoint and one result for each test. A test that needs what an endpoint
was found to spoil, or that lacks more than one answer in twenty, is inconclusive, whatever its numbers would say. Pure: the same journal gives the
same results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.records.claim import Inconclusive
from stillwatch.records.suspect import Ability, Conduct, Observation, Query, Stated, SuspectPlan, TestResult
from stillwatch.suspects.access.opening import NETWORK, interface_of
from stillwatch.suspects.collect import asked_of, unanswered
from stillwatch.suspects.conduct import Heard, judge
from stillwatch.suspects.plan import setting_of, tests_of
from stillwatch.suspects.test import Setting, SuspectTest

MOST_MISSING = 0.05
"""Share of a test's queries that may have given nothing: what is missing may hang on what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a run shows."""

    conduct: tuple[Conduct, ...]
    results: tuple[TestResult, ...]
    asked: int
    """Queries that were asked."""
    unanswered: int


def conclude(
    plan: SuspectPlan,
    queries: Sequence[Query],
    observations: Mapping[str, Observation],
    requests: Mapping[str, int],
    folder: Path,
) -> Conclusion:
    """Conclude.

    Args:
        plan: what was committed to.
        queries: of the plan.
        observations: by id of the query.
        requests: that were sent, by id of the query.
        folder: where the materials lie.

    Raises:
        SuspectError: where a test cannot use its materials.
    """
    conduct: list[Conduct] = []
    for party in plan.parties:
        mine = [one for one in queries if one.party == party.name]
        if party.kind in NETWORK and mine:
            sent = {one.id: requests.get(one.id, 0) for one in mine}
            heard = Heard(party=party.name, queries=mine, observations=observations, requests=sent, seed=plan.seed)
            conduct += judge(heard)
    results = [
        _result(plan, test, setting_of(plan, planned, folder), queries, observations, conduct)
        for planned in plan.tests
        for test in (tests_of(plan)[planned.id],)
    ]
    counted = [unanswered(one, queries, observations) for one in {query.test for query in queries}]
    return Conclusion(
        conduct=tuple(conduct),
        results=tuple(results),
        asked=sum(asked for _, asked in counted),
        unanswered=sum(missing for missing, _ in counted),
    )


def _result(
    plan: SuspectPlan,
    test: SuspectTest,
    setting: Setting,
    queries: Sequence[Query],
    observations: Mapping[str, Observation],
    conduct: Sequence[Conduct],
) -> TestResult:
    """Conclude one test, or say why it cannot be."""
    name = setting.planned.id
    parties = [one for one in plan.parties if name in asked_of(one.name, queries)]
    for party in parties:
        abilities = interface_of(party).abilities if party.kind in NETWORK else frozenset(Ability)
        if missing := sorted(test.needs - abilities):
            reason = f"{party.name} gives no {', no '.join(missing)}"
            return _inconclusive(test, name, reason, f"access to {party.name} with {', '.join(missing)}")
        for one in conduct:
            if one.party == party.name and set(one.spoils) & test.needs:
                reason = f"{party.name}: {one.name} ({one.seen})"
                return _inconclusive(
                    test, name, reason, "an endpoint that answers as it says, asked anew under a new plan"
                )
    nothing, asked = unanswered(name, queries, observations)
    planned = sum(one.test == name for one in queries)
    if planned and not asked:
        return _inconclusive(test, name, "none of its queries was asked", "a run that asks them")
    if nothing > MOST_MISSING * max(1, asked):
        reason = f"{nothing} of {asked} queries gave nothing"
        return _inconclusive(
            test, name, reason, f"answers to at least {1.0 - MOST_MISSING:.0%} of the queries that are asked"
        )
    return test.conclude(setting, {key: one for key, one in observations.items() if key.startswith(f"{name}/")})


def _inconclusive(test: SuspectTest, name: str, reason: str, needed: str) -> TestResult:
    """Say for each question of a test why there is no claim."""
    stated = tuple(
        Stated(claim=Inconclusive(name=test.title, question=question, reason=reason, needed=needed, method=test.method))
        for question in test.questions
    )
    return TestResult(test=name, method=test.method, stated=stated)
