"""What the tests of decisions share: terms as text, and terms drawn at random that pass every validator."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from stillwatch.decisions.compile_policy import compile_terms
from stillwatch.decisions.evaluate import Evaluator
from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.campaign import Campaign, Finding
from stillwatch.records.claim import Claim, Question
from stillwatch.records.terms import Acceptance, Event, Terms, Value

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
GRANT = """\
  - id: granted
    kind: licensed-distillation
    clause: "1.3"
    says: Distillation is licensed to those whose order form says so.
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


NOW = 1_780_000_000_000_000
DAY = 86_400 * 1_000_000


def campaign(
    members: tuple[str, ...] = ("a-1", "a-2", "a-3"), finding: Finding = Finding.OPERATOR, **more: object
) -> Campaign:
    """Make a campaign."""
    claim = Claim(
        name="template lift", question=Question.COORDINATION, statement="3 accounts carry one text.", null_hypothesis="Chance.",
        statistic_name="carriers", statistic=3.0, log_p=-20.0, log_e=15.0, n=1_581, n_unit="texts", assumptions=("Independence.",),
        method="template-lift/v1",
    )  # fmt: skip
    made = Campaign(
        id="c-0123456789ab", finding=finding, members=tuple(sorted(members)), finding_reason="", log_e=20.0, q_value=0.001, claims=(claim,),
        inconclusive=(), explanations=(), exhibits=(), links=(), capability="reasoning", exchanges=1_000, harvest_exchanges=900,
        first_seen_us=NOW - 10 * DAY, last_seen_us=NOW - DAY, days=9, rate_per_account_day=26.0, timeline=(), models=(("m-1", 1_000),),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def accepted(account: str, name: str = "sample", version: str = "1", at: int = NOW - 100 * DAY) -> Acceptance:
    """Make an acceptance."""
    return Acceptance(account_id=account, name=name, version=version, accepted_us=at, accepted_by="ann", how="click")


def evaluators(*terms: Terms) -> dict[tuple[str, str], Evaluator]:
    """Compile terms, by name and version."""
    return {(one.name, one.version): Evaluator(compile_terms(one)) for one in terms}
