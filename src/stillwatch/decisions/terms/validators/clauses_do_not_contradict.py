"""Clauses do not contradict: one conduct has one answer, an exception leaves something, and some conduct is allowed.

Conditions are conjunctions over separate facts, so one clause lies within another exactly when it does so fact by fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from stillwatch.decisions.terms.facts import FACTS, holds, points
from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import ClauseDraft, TermsDraft
from stillwatch.records.terms import EXCEPTING, FORBIDDING, Clause, Condition


def clauses_do_not_contradict(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each pair of clauses that contradict each other."""
    forbidding = [one for one in draft.clauses if one.clause.kind in FORBIDDING and one.clause.conditions]
    for first, second in combinations(forbidding, 2):
        if first.clause.decided is second.clause.decided:
            yield from _two_answers(first, second)
            yield from _nothing_left(first, second)
    by_id = {one.clause.id: one for one in draft.clauses}
    for one in draft.clauses:
        if one.clause.kind in EXCEPTING and one.clause.conditions:
            for name in one.clause.excepts:
                excepted = by_id.get(name)
                if excepted is not None and _within(excepted.clause, one.clause):
                    yield Problem(
                        place=one.place("excepts"),
                        message=f"{one.clause.id!a} contradicts {name!a}: it excepts all that {name!a} forbids",
                        hint="narrow the exception by a condition, or take the other clause away",
                    )


def _two_answers(first: ClauseDraft, second: ClauseDraft) -> Iterator[Problem]:
    one, other = first.clause, second.clause
    if (one.action, one.mode) != (other.action, other.mode) and _within(one, other) and _within(other, one):
        yield Problem(
            place=second.place("action"),
            message=(
                f"{other.id!a} contradicts {one.id!a}: the same conduct leads to {other.action.value} in mode {other.mode.value} here, and to "
                f"{one.action.value} in mode {one.mode.value} there"
            ),
            hint=f"give both one action and one mode, or tell their conditions apart; {one.id!a} stands in line {first.place().line}",
        )


def _nothing_left(first: ClauseDraft, second: ClauseDraft) -> Iterator[Problem]:
    """Two clauses on one fact that together forbid every value of it."""
    names = {condition.fact for one in (first, second) for condition in one.clause.conditions}
    if len(names) != 1:
        return
    (name,) = names
    both = (*first.clause.conditions, *second.clause.conditions)
    if all(
        any(all(holds(condition, value) for condition in one.clause.conditions) for one in (first, second))
        for value in points(FACTS[name], both)
    ):
        yield Problem(
            place=second.place(f"facts.{name}"),
            message=f"{second.clause.id!a} contradicts {first.clause.id!a}: together they forbid every value of {name}",
            hint=f"leave a value of {name} allowed; {first.clause.id!a} stands in line {first.place().line}",
        )


def _within(inner: Clause, outer: Clause) -> bool:
    """Say whether all that one clause matches, the other matches too."""
    return all(
        _fact_within(name, inner.conditions, outer.conditions)
        for name in {condition.fact for condition in outer.conditions}
    )


def _fact_within(name: str, inner: tuple[Condition, ...], outer: tuple[Condition, ...]) -> bool:
    of_inner = tuple(condition for condition in inner if condition.fact == name)
    of_outer = tuple(condition for condition in outer if condition.fact == name)
    if not of_inner:
        return False  # the fact may be unknown there, and then the outer clause does not match
    return all(
        all(holds(condition, value) for condition in of_outer)
        for value in points(FACTS[name], (*of_inner, *of_outer))
        if all(holds(condition, value) for condition in of_inner)
    )
