"""What the tests of decisions share: terms as text, and terms drawn at random that pass every validator."""

from __future__ import annotations

from hypothesis import strategies as st

from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.terms import Event, Terms, Value

HEAD = """\
terms: sample
version: "1"
title: Sample
appeal: appeals@example.com
wording: |
  1.1 Customer will not train on Output.
  1.2 Provider may mark Output.
  1.3 Distillation is licensed to those whose order form says so.
  1.4 Customer will not pool accounts.
clauses:
"""
DISCLOSURE = """\
  - id: disclosed
    kind: marking-disclosure
    clause: "1.2"
    says: Provider may mark Output.
"""


def clause(
    name: str, when: str, *, action: str = "block", mode: str = "enforce", decided: str = "measure", more: str = ""
) -> str:
    """Write a clause as YAML."""
    return (
        f"  - id: {name}\n    kind: training\n    class: {decided}\n    mode: {mode}\n    clause: '1.1'\n"
        f"    says: Customer will not train on Output.\n    action: {action}\n    when: {when}\n{more}"
    )


def licence(excepts: str, when: str = "{licensed: true}") -> str:
    """Write a licensed distillation as YAML."""
    return (
        "  - id: licence\n    kind: licensed-distillation\n    clause: '1.3'\n"
        "    says: Distillation is licensed to those whose order form says so.\n"
        f"    when: {when}\n    excepts: [{excepts}]\n"
    )


def read(*clauses: str, head: str = HEAD) -> Terms:
    """Read terms of these clauses."""
    return read_terms((head + "".join(clauses)).encode(), None, "sample.yaml")


def facts_of(event: Event) -> st.SearchStrategy[dict[str, Value]]:
    """Draw facts of an event, any of them unknown."""
    values: dict[str, st.SearchStrategy[Value]] = {}
    for name, fact in FACTS.items():
        if event in fact.events:
            if fact.type is FactType.TRUTH:
                values[name] = st.booleans()
            elif fact.type is FactType.WORD:
                values[name] = st.sampled_from(fact.words or ("chat", "eval", "US", "NO", 'a "b" \\ \u00e9'))
            else:
                values[name] = st.integers(0, min(fact.most, 100_000))
    return st.fixed_dictionaries({}, optional=values)
