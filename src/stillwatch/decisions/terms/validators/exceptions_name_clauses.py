"""Exceptions name clauses: what an exception excepts is there and forbids something, and nothing else excepts; ids are unique."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.facts import FACTS
from stillwatch.decisions.terms.fields import nearest
from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import ClauseDraft, TermsDraft
from stillwatch.records.decision import Action
from stillwatch.records.terms import EVENT_OF, EXCEPTING, FORBIDDING, Clause, is_grant


def exceptions_name_clauses(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each name that is none or is used twice, and for each clause that mixes the two kinds."""
    forbidding = {one.clause.id: one.clause for one in draft.clauses if one.clause.kind in FORBIDDING}
    seen: dict[str, int] = {}
    for one in draft.clauses:
        clause = one.clause
        if clause.id in seen:
            yield Problem(
                place=one.place("id"),
                message=f"the id {clause.id!a} is used twice",
                hint=f"it stands in line {seen[clause.id]} too; rename one",
            )
        seen.setdefault(clause.id, one.place("id").line)
        excepting = clause.kind in EXCEPTING
        if excepting != bool(clause.excepts) and not is_grant(clause):
            yield Problem(
                place=one.place("excepts"),
                message=f"{clause.id!a} of kind {clause.kind.value} excepts {'nothing' if excepting else 'other clauses'}",
                hint="add `excepts:` with the ids of the clauses that do not apply"
                if excepting
                else "take `excepts:` away",
            )
        if clause.kind not in FORBIDDING and clause.action is not Action.ALLOW:
            yield Problem(
                place=one.place("action"),
                message=f"{clause.id!a} forbids nothing and leads to {clause.action.value}",
                hint="take `action:` away",
            )
        yield from _excepted(one, forbidding)


def _excepted(one: ClauseDraft, forbidding: dict[str, Clause]) -> Iterator[Problem]:
    for name in one.clause.excepts:
        clause = forbidding.get(name)
        if clause is None:
            yield Problem(
                place=one.place("excepts"),
                message=f"{one.clause.id!a} excepts {name[:40]!a}, which is no clause that forbids something",
                hint=nearest(name, forbidding, "clauses"),
            )
            continue
        event = EVENT_OF[clause.decided]
        for condition in one.clause.conditions:
            if event not in FACTS[condition.fact].events:
                yield Problem(
                    place=one.place(f"facts.{condition.fact}"),
                    message=f"{one.clause.id!a} can never match: {condition.fact} is not known when {name!a} is decided",
                    hint=f"use a fact that is known at the event {event.value}, or another exception for {name!a}",
                )
