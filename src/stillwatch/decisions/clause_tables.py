"""Clause tables: given, when, then, as a lawyer reads and signs them, and as they run.

Takes a YAML file of tables and the terms that they speak of. Gives each row with what came out. Promises that a row that fails says what was
expected and what came, and that a clause without a row for a breach and a row for none is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.decisions.compile_policy import compile_terms
from stillwatch.decisions.evaluate import Evaluation, Evaluator, Held
from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.decisions.terms.fields import Fields, nearest, number_of, truth_of
from stillwatch.decisions.terms.positions import Mapped, Scalar, read_nodes
from stillwatch.decisions.terms.problem import Place, Problem, refuse
from stillwatch.records.decision import Action
from stillwatch.records.terms import FORBIDDING, Event, Terms, Value

SUBJECT = "account-in-a-table"
MODEL = "model-in-a-table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: given, when, then."""

    place: Place
    terms: str
    """Name of the terms."""
    given: str
    event: Event
    facts: dict[str, Value]
    breached: tuple[str, ...]
    action: Action | None
    """Null where the row does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """A row and what came out."""

    row: Row
    evaluation: Evaluation

    @property
    def failure(self) -> str | None:
        """Say what came instead of what was expected; null where it came out."""
        row, came = self.row, self.evaluation
        if came.breached != row.breached:
            return f"expected the breach of {_names(row.breached)}, got {_names(came.breached)}"
        if row.action is not None and came.would is not row.action:
            return f"expected {row.action.value}, got {came.would.value}"
        return None


def read_rows(content: bytes, file: str) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Read a file of tables.

    Args:
        content: the YAML file: `rows:`, each with `terms`, `given`, `when` (an event and its facts) and `then` (`breached`, `action`).
        file: its name, for messages.

    Returns:
        The rows, and the lines of the file.

    Raises:
        TermsProblemsError: with every problem.
    """
    root, lines = read_nodes(content, file)
    problems: list[Problem] = []
    fields = Fields(root, "the file", problems)
    fields.only(("rows",))
    rows = tuple(_row(one, problems) for one in fields.mappings("rows"))
    refuse(problems, file, lines)
    return rows, lines


def run_rows(rows: Sequence[Row], terms: Mapping[str, Terms], file: str, lines: Sequence[str]) -> tuple[RowResult, ...]:
    """Run rows against the terms that they name.

    Args:
        rows: in their order.
        terms: by name.
        file: of the rows, for messages.
        lines: of that file.

    Raises:
        TermsProblemsError: for a row of terms that are not given.
        PolicyError: for a fact that is none of its event.
    """
    unknown = [
        Problem(
            place=one.place, message=f"there are no terms {one.terms[:40]!a}", hint=nearest(one.terms, terms, "terms")
        )
        for one in rows
        if one.terms not in terms
    ]
    refuse(unknown, file, lines)
    evaluators = {name: Evaluator(compile_terms(one)) for name, one in terms.items()}
    results = []
    for row in rows:
        held = Held(subject=SUBJECT, event=row.event, model=MODEL, facts=row.facts)
        results.append(RowResult(row=row, evaluation=evaluators[row.terms].evaluate([held])[0]))
    return tuple(results)


def untested(results: Sequence[RowResult], terms: Mapping[str, Terms]) -> tuple[str, ...]:
    """Name clauses that forbid something and lack a row in which they are breached, or one of the same event in which they are not."""
    found = []
    for name, one in sorted(terms.items()):
        of_terms = [result.evaluation for result in results if result.row.terms == name]
        for clause in one.clauses:
            if clause.kind in FORBIDDING:
                breached = sum(clause.id in came.breached for came in of_terms)
                if not 0 < breached < len(of_terms):
                    found.append(f"{name}/{clause.id}")
    return tuple(found)


def _row(mapping: Mapped, problems: list[Problem]) -> Row:
    fields = Fields(mapping, "a row", problems)
    fields.only(("terms", "given", "when", "then"))
    nothing = Mapped(place=mapping.place, fields={}, keys={})
    when = Fields(fields.inner("when", needed=True) or nothing, "when", problems)
    then = Fields(fields.inner("then", needed=True) or nothing, "then", problems)
    then.only(("breached", "action"))
    event = when.word("event", list(Event))
    facts: dict[str, Value] = {}
    for name, node in when.mapping.fields.items():
        fact = FACTS.get(name)
        if name == "event":
            continue
        if fact is None:
            when.problem(when.mapping.keys[name], f"there is no fact {name[:40]!a}", nearest(name, FACTS, "facts"))
            continue
        value: Value | None = node.text if isinstance(node, Scalar) else None
        if fact.type is not FactType.WORD:
            value = truth_of(node) if fact.type is FactType.TRUTH else number_of(node)
        if value is None:
            when.problem(node.place, f"{name} is {fact.type.value}, and this is none", f"write {fact.type.value}")
        else:
            facts[name] = value
    action = then.word("action", list(Action), default="")
    return Row(
        place=mapping.place,
        terms=fields.text("terms"),
        given=fields.text("given"),
        event=Event(event or Event.REQUEST),
        facts=facts,
        breached=tuple(sorted(one.text for one in then.texts("breached"))),
        action=Action(action) if action else None,
    )


def _names(clauses: Sequence[str]) -> str:
    return ", ".join(clauses) or "no clause"
