"""Evaluation by Cedar: every breached clause in sorted order, exceptions, what is unknown, and replay bit for bit."""

from __future__ import annotations

import json
import random

import pytest
import terms_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.decisions.clause_pack import pack_files
from stillwatch.decisions.compile_policy import compile_terms, quoted
from stillwatch.decisions.errors import PolicyError, ReplayError
from stillwatch.decisions.evaluate import Evaluator, Held, replay
from stillwatch.decisions.terms.facts import FACTS, FactType, holds
from stillwatch.decisions.terms.lint import read_terms
from stillwatch.records.decision import Action
from stillwatch.records.terms import EVENT_OF, FORBIDDING, Event, Terms, Value

PACK = [compile_terms(read_terms(path.read_bytes(), None, path.name)) for path in pack_files()]


def held(event: Event, **facts: Value) -> Held:
    return Held(subject="a-1", event=event, model="m", facts=facts)


def test_a_denial_names_every_breached_clause_in_sorted_order() -> None:
    clauses = [
        samples.clause(name, f"{{accounts: {{above: {place}}}}}")
        for place, name in enumerate(["zeta", "alpha", "mu", "beta"])
    ]
    evaluator = Evaluator(compile_terms(samples.read(*clauses)))
    for _ in range(20):
        (one,) = evaluator.evaluate([held(Event.FINDING, accounts=100)])
        assert one.breached == ("alpha", "beta", "mu", "zeta")
        assert one.action is Action.BLOCK


def test_record_mode_has_no_action() -> None:
    terms = samples.read(
        samples.clause("a", "{harvesting: true}", mode="record"),
        samples.clause("b", "{coordinated: true}", action="throttle"),
    )
    (one,) = Evaluator(compile_terms(terms)).evaluate([held(Event.FINDING, harvesting=True, coordinated=True)])
    assert (one.breached, one.enforced, one.action, one.would) == (("a", "b"), ("b",), Action.THROTTLE, Action.BLOCK)


def test_what_is_not_known_breaches_nothing_and_excepts_nothing() -> None:
    terms = samples.read(samples.clause("a", "{region: {none_of: [US]}, harvesting: true}"), samples.licence("a"))
    evaluator = Evaluator(compile_terms(terms))
    known = {"region": "FR", "harvesting": True}
    unknown, without_licence, licensed = evaluator.evaluate(
        [
            held(Event.FINDING, harvesting=True),
            held(Event.FINDING, **known),
            held(Event.FINDING, **known, licensed=True),
        ]
    )
    assert (unknown.breached, without_licence.breached, licensed.breached) == ((), ("a",), ())


def test_annotations_say_clause_class_and_mode() -> None:
    policies = compile_terms(samples.read(samples.clause("a", "{harvesting: true}"))).policies
    for line in ('@id("a")', '@clause("1.1")', '@class("measure")', '@mode("enforce")'):
        assert line in policies


def test_a_text_cannot_leave_its_quotes() -> None:
    assert quoted('a"); permit(\\\n\u00e9') == '"a\\u{22}); permit(\\u{5c}\\u{a}\\u{e9}"'
    text = samples.clause("a", "{harvesting: true}").replace(
        "clause: '1.1'", "clause: '1\") permit(principal, action, resource); //'"
    )
    (one,) = Evaluator(compile_terms(samples.read(text))).evaluate([held(Event.FINDING, harvesting=True)])
    assert one.breached == ("a",)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        (Event.REQUEST, {"harvesting": True}),
        (Event.FINDING, {"harvesting": 1}),
        (Event.FINDING, {"accounts": True}),
        (Event.FINDING, {"end_user_percent": 101}),
        (Event.FINDING, {"accounts": 2**70}),
        (Event.FINDING, {"unheard": "x"}),
    ],
)
def test_a_fact_of_another_event_or_type_is_refused(event: Event, facts: dict[str, Value]) -> None:
    with pytest.raises(PolicyError, match="fact"):
        Evaluator(PACK[0]).evaluate([held(event, **facts)])


def breached_by_hand(terms: Terms, event: Event, facts: dict[str, Value]) -> tuple[str, ...]:
    """Evaluate without Cedar: an oracle that shares the conditions only."""

    def matches(conditions: tuple) -> bool:
        return all(one.fact in facts and holds(one, facts[one.fact]) for one in conditions)

    return tuple(
        sorted(
            one.id
            for one in terms.clauses
            if one.kind in FORBIDDING
            and EVENT_OF[one.decided] is event
            and matches(one.conditions)
            and not any(one.id in other.excepts and matches(other.conditions) for other in terms.clauses)
        )
    )


@settings(max_examples=150, deadline=None)
@given(event=st.sampled_from(list(Event)), data=st.data())
def test_cedar_says_what_the_clauses_say(event: Event, data: st.DataObject) -> None:
    facts = data.draw(samples.facts_of(event))
    for compiled in PACK:
        (one,) = Evaluator(compiled).evaluate([held(event, **facts)])
        assert one.breached == breached_by_hand(compiled.terms, event, facts)


def random_facts(event: Event, draw: random.Random) -> dict[str, Value]:
    facts: dict[str, Value] = {}
    for name, fact in sorted(FACTS.items()):
        if event not in fact.events or draw.random() < 0.3:
            continue
        if fact.type is FactType.TRUTH:
            facts[name] = draw.random() < 0.5
        elif fact.type is FactType.WORD:
            facts[name] = draw.choice(fact.words or ("US", "NO", "chat", "eval", "\u4e2d\u6587", 'q"\\'))
        else:
            facts[name] = draw.randrange(min(fact.most, 2_000_000))
    return facts


def test_a_thousand_random_requests_are_replayed_bit_for_bit() -> None:
    draw = random.Random(20_261_125)
    breaches = 0
    for number in range(1_000):
        compiled = draw.choice(PACK)
        event = draw.choice(list(Event))
        request = Held(subject=f"a-{number}", event=event, model="m", facts=random_facts(event, draw))
        (one,) = Evaluator(compiled).evaluate([request])
        assert replay(one.record, compiled) == one
        breaches += len(one.breached) > 1
    assert breaches > 50  # with several reasons, whose order Cedar does not keep


def test_a_changed_record_and_other_policies_are_refused() -> None:
    compiled = compile_terms(samples.read(samples.clause("a", "{harvesting: true}")))
    (one,) = Evaluator(compiled).evaluate([held(Event.FINDING, harvesting=True)])
    for old, new in (
        (b'"breached":["a"]', b'"breached":[]'),
        (b'"harvesting":true', b'"harvesting":false'),
        (b'"a-1"', b'"a-1" '),
    ):
        assert old in one.record
        with pytest.raises(ReplayError):
            replay(one.record.replace(old, new), compiled)
    with pytest.raises(ReplayError, match="was made with policies"):
        replay(one.record, PACK[0])
    with pytest.raises(ReplayError, match="no record"):
        replay(json.dumps([1]).encode(), compiled)
