"""The facts that a clause may speak of: their names, types, and in which event each is known.

Takes nothing. Gives the table that the reader, the validators and the Cedar schema share. A fact marked as evidence only grows with what
is shown; clauses may use it in one direction only, which is what makes decisions monotone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.campaign import Finding
from stillwatch.records.terms import Condition, Event, Operator, Value

MOST_NUMBER = 2**53
"""Largest number of a fact: exact in every reader of JSON, and well within Cedar's Long."""


class FactType(StrEnum):
    """What a fact is."""

    TRUTH = "true or false"
    WORD = "a word"
    NUMBER = "a whole number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact that a clause may speak of."""

    name: str
    type: FactType
    events: frozenset[Event]
    about: str
    words: tuple[str, ...] = ()
    """The only words there are; empty for any."""
    most: int = MOST_NUMBER
    """Largest number."""
    evidence: bool = False
    """True where it only grows with what is shown."""


_ANY = frozenset(Event)
_REQUEST, _FINDING, _ATTESTATION = ({event} for event in Event)


def _fact(name: str, kind: FactType, events: set[Event] | frozenset[Event], about: str, **more: object) -> Fact:
    return Fact(name=name, type=kind, events=frozenset(events), about=about, **more)  # type: ignore[arg-type]  # the fields below


FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (
        _fact(
            "licensed", FactType.TRUTH, _ANY, "the account accepted a licence of distillation, or the finding says so"
        ),
        _fact("purpose", FactType.WORD, _ANY, "purpose stated for the key"),
        _fact("region", FactType.WORD, _ANY, "place of the contract's customer, by contract"),
        _fact("model", FactType.WORD, _REQUEST, "model that is asked"),
        _fact("logprobs", FactType.TRUTH, _REQUEST, "the request asks for log-probabilities"),
        _fact("end_user_stated", FactType.TRUTH, _REQUEST, "the request carries an end user's id"),
        _fact("tokens_today", FactType.NUMBER, _REQUEST, "tokens of the account on this day, UTC"),
        _fact("finding", FactType.WORD, _FINDING, "finding of the campaign", words=tuple(one.value for one in Finding)),
        _fact("coordinated", FactType.TRUTH, _FINDING, "the accounts act together", evidence=True),
        _fact("harvesting", FactType.TRUTH, _FINDING, "the traffic harvests the model", evidence=True),
        _fact("resale", FactType.TRUTH, _FINDING, "the accounts resell others' traffic", evidence=True),
        _fact("accounts", FactType.NUMBER, _FINDING, "members of the campaign", evidence=True),
        _fact("harvest_exchanges", FactType.NUMBER, _FINDING, "exchanges that harvest", evidence=True),
        _fact(
            "exchanges_per_day", FactType.NUMBER, _FINDING, "exchanges of an account on an active day", evidence=True
        ),
        _fact("evidence_log10", FactType.NUMBER, _FINDING, "whole powers of ten of the e-value", evidence=True),
        _fact("end_user_percent", FactType.NUMBER, _FINDING, "share of exchanges with an end user's id", most=100),
        _fact("marks_removed", FactType.TRUTH, _FINDING | _ATTESTATION, "marks were stripped or forged", evidence=True),
        _fact("trained_on_outputs", FactType.TRUTH, _ATTESTATION, "a model was trained on answers", evidence=True),
        _fact("competing_model", FactType.TRUTH, _ATTESTATION, "that model competes", evidence=True),
        _fact("audit_refused", FactType.TRUTH, _ATTESTATION, "an audit that was due was refused", evidence=True),
        _fact("retention_days", FactType.NUMBER, _ATTESTATION, "days for which answers were kept", evidence=True),
    )
}
"""Every fact by its name."""


def holds(condition: Condition, value: Value) -> bool:
    """Say whether a condition holds for a known value."""
    first = condition.values[0] if condition.values else None
    match condition.operator:
        case Operator.IS | Operator.ONE_OF:
            return value in condition.values
        case Operator.NONE_OF:
            return value not in condition.values
        case Operator.ABOVE:
            return isinstance(value, int) and isinstance(first, int) and value > first
        case Operator.BELOW:
            return isinstance(value, int) and isinstance(first, int) and value < first


def points(fact: Fact, conditions: tuple[Condition, ...]) -> tuple[Value, ...]:
    """Give values of a fact that tell all sets apart which these conditions can make.

    Between two neighbouring numbers that are mentioned nothing changes, and all words that are not mentioned are alike; so what holds at
    these points holds everywhere.
    """
    mentioned = [value for one in conditions for value in one.values]
    if fact.type is FactType.TRUTH:
        return (False, True)
    if fact.type is FactType.WORD:
        return fact.words or (*dict.fromkeys(str(one) for one in mentioned), "\0any other word")
    numbers = {0, fact.most} | {one + step for one in mentioned if isinstance(one, int) for step in (-1, 0, 1)}
    return tuple(sorted(one for one in numbers if 0 <= one <= fact.most))
