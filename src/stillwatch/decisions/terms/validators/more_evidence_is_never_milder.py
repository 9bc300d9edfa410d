"""More evidence is never milder: a clause uses evidence only in the direction in which more of it is stricter."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import TermsDraft
from stillwatch.records.terms import EXCEPTING, Condition, Operator


def more_evidence_is_never_milder(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each condition under which more evidence would end a breach, or begin an exception."""
    for one in draft.clauses:
        excepts = one.clause.kind in EXCEPTING
        for condition in one.clause.conditions:
            fact = FACTS[condition.fact]
            if not fact.evidence or _grows(condition, excepting=excepts):
                continue
            right = "false" if fact.type is FactType.TRUTH else "below"
            if not excepts:
                right = "true" if fact.type is FactType.TRUTH else "above"
            yield Problem(
                place=one.place(f"facts.{condition.fact}"),
                message=f"{one.clause.id!a} would answer more evidence ({condition.fact}) with less",
                hint=f"{'an exception' if excepts else 'a clause that forbids'} takes {condition.fact} with {right}",
            )


def _grows(condition: Condition, *, excepting: bool) -> bool:
    """Say whether more evidence keeps a breach, or, for an exception, can only end it."""
    if FACTS[condition.fact].type is FactType.TRUTH:
        return condition.values == (not excepting,)
    return condition.operator is (Operator.BELOW if excepting else Operator.ABOVE)
