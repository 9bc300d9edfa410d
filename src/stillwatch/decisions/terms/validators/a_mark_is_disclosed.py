"""A mark is disclosed: nobody's answers are marked whose terms do not say that answers may be marked."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import TermsDraft
from stillwatch.records.decision import Action
from stillwatch.records.terms import ClauseKind


def a_mark_is_disclosed(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each clause that leads to a mark, where no clause of the terms discloses marking."""
    if any(one.clause.kind is ClauseKind.MARKING_DISCLOSURE and one.clause.says for one in draft.clauses):
        return
    for one in draft.clauses:
        if one.clause.action is Action.MARK:
            yield Problem(
                place=one.place("action"),
                message=f"{one.clause.id!a} marks answers, and no clause of these terms discloses it",
                hint="add a clause of kind marking-disclosure with the sentence that says so, or choose another action",
            )
