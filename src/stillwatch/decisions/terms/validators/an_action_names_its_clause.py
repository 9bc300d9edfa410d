"""An action names its clause: who is blocked, challenged, throttled or marked can be told the number and the sentence."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import TermsDraft
from stillwatch.records.decision import Action
from stillwatch.records.terms import is_grant


def an_action_names_its_clause(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each action, and each licence, without the number or the sentence of a clause."""
    for one in draft.clauses:
        clause = one.clause
        grant = is_grant(clause)
        if clause.action is Action.ALLOW and not grant:
            continue
        leads = "licenses distillation" if grant else f"leads to {clause.action.value}"
        for missing, name in ((not clause.number, "clause"), (not clause.says, "says")):
            if missing:
                what = "the number of the clause" if name == "clause" else "the sentence of the contract text"
                yield Problem(
                    place=one.place("kind" if grant else "action"),
                    message=f"{clause.id!a} {leads} and does not name {what}",
                    hint=f"add `{name}:` with {what} that allows it, or take the {'clause' if grant else 'action'} away",
                )
