"""A clause can match: its conditions can hold at once, of facts that are known when it is decided."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.facts import FACTS, holds, points
from stillwatch.decisions.terms.fields import nearest
from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import ClauseDraft, TermsDraft
from stillwatch.records.terms import DISCLOSING, EVENT_OF, FORBIDDING, is_grant


def a_clause_can_match(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each clause that can never match, and for each that matches always."""
    for one in draft.clauses:
        clause = one.clause
        if clause.kind in DISCLOSING or is_grant(clause):
            continue
        if not clause.conditions and "when" not in one.places:  # else its form was refused
            yield Problem(
                place=one.place("when"),
                message=f"{clause.id!a} has no condition, so it would match everything",
                hint="add `when:` with the facts that make the difference",
            )
        for name in dict.fromkeys(condition.fact for condition in clause.conditions):
            yield from _fact_problems(one, name)


def _fact_problems(one: ClauseDraft, name: str) -> Iterator[Problem]:
    clause, fact = one.clause, FACTS[name]
    conditions = tuple(condition for condition in clause.conditions if condition.fact == name)
    place = one.place(f"facts.{name}")
    event = EVENT_OF[clause.decided]
    if clause.kind in FORBIDDING and event not in fact.events:
        known = ", ".join(sorted(other.value for other, at in EVENT_OF.items() if at in fact.events))
        yield Problem(
            place=place,
            message=f"{clause.id!a} can never match: {name} is not known when a clause of class {clause.decided.value} is decided",
            hint=f"use another fact, or class {known}",
        )
    for word in (str(value) for condition in conditions for value in condition.values):
        if fact.words and word not in fact.words:
            yield Problem(
                place=place,
                message=f"{clause.id!a} can never match: {name} is never {word!a}",
                hint=nearest(word, fact.words, "words"),
            )
            return
    if not any(all(holds(condition, value) for condition in conditions) for value in points(fact, conditions)):
        yield Problem(
            place=place,
            message=f"{clause.id!a} can never match: no value of {name} meets its conditions",
            hint=f"{name} is {fact.type.value}"
            + (f" from 0 to {fact.most:,}" if fact.type.value == "a whole number" else ""),
        )
