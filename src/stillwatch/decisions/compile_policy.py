"""Compile clauses to Cedar: one `forbid` for each clause that forbids, with annotations, under a schema made from the table of facts.

Takes terms that passed every validator. Gives policy text and schema text, and their digest. The text is for lawyers and auditors too: it is
kept with every evaluation by its digest. Rules of Cedar that this rests on (docs.cedarpolicy.com, "How Cedar authorization works"): every
`forbid` that holds is among the reasons of a denial; the order of policies means nothing; a policy that fails is skipped, which is why each
optional attribute is asked for with `has` before it is read. What it does not do: Cedar cannot count, so totals are facts, and recorded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cedarpy

from stillwatch.decisions.errors import PolicyError
from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.records.terms import EVENT_OF, FORBIDDING, Clause, Condition, Event, Operator, Terms, Value

COMPILER = "compile-policy/v1"
"""Part of the digest: whoever changes what is compiled changes it."""
_TYPES = {FactType.TRUTH: "Bool", FactType.WORD: "String", FactType.NUMBER: "Long"}
_PERMIT = '@id("allowed-unless-forbidden")\npermit(principal, action, resource);\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTerms:
    """Terms as Cedar reads them."""

    terms: Terms
    policies: str
    schema: str
    digest: str
    """`sha256:` and 64 hex digits over compiler, schema and policies."""


def compile_terms(terms: Terms) -> CompiledTerms:
    """Compile terms, and have Cedar check the policies against the schema.

    Args:
        terms: that passed every validator.

    Raises:
        PolicyError: where Cedar refuses them.
    """
    forbidding = sorted((one for one in terms.clauses if one.kind in FORBIDDING), key=lambda one: one.id)
    policies = "\n".join([*(_policy(one, terms) for one in forbidding), _PERMIT])
    schema = schema_text()
    result = cedarpy.validate_policies(policies, schema)
    if not result.validation_passed:
        said = "; ".join(str(one.error) for one in result.errors)
        raise PolicyError(f"{terms.name} {terms.version}: Cedar refuses the compiled policies: {said}")
    digest = hashlib.sha256(f"{COMPILER}\0{schema}\0{policies}".encode()).hexdigest()
    return CompiledTerms(terms=terms, policies=policies, schema=schema, digest=f"sha256:{digest}")


def schema_text() -> str:
    """Give the schema: for each event the facts that may be known, all optional."""
    parts = ["entity Account;", "entity Model;"]
    for event in Event:
        facts = ", ".join(
            f"{fact.name}?: {_TYPES[fact.type]}" for _, fact in sorted(FACTS.items()) if event in fact.events
        )
        parts.append(
            f'action "{event.value}" appliesTo {{ principal: [Account], resource: [Model], context: {{ {facts} }} }};'
        )
    return "\n".join(parts) + "\n"


def _policy(clause: Clause, terms: Terms) -> str:
    """Give a clause's policy; an exception is an `unless`, since in Cedar nothing outweighs a `forbid`."""
    annotations = {
        "id": clause.id,
        "clause": clause.number or "",
        "class": clause.decided.value,
        "mode": clause.mode.value,
        "action": clause.action.value,
        "says": " ".join(clause.says.split()),
    }
    lines = [f"@{name}({quoted(value)})" for name, value in annotations.items()]
    lines.append(f'forbid(principal, action == Action::"{EVENT_OF[clause.decided].value}", resource)')
    lines.append(f"when {{ {_all(clause.conditions)} }}")
    lines += [
        f"unless {{ {_all(one.conditions)} }}"
        for one in sorted(terms.clauses, key=lambda one: one.id)
        if clause.id in one.excepts
    ]
    return "\n".join(lines) + ";\n"


def _all(conditions: tuple[Condition, ...]) -> str:
    return " && ".join(_condition(one) for one in conditions)


def _condition(condition: Condition) -> str:
    attribute = f"context.{condition.fact}"
    values = [_value(one) for one in condition.values]
    listed = f"[{', '.join(values)}].contains({attribute})"
    compared = {
        Operator.IS: f"{attribute} == {values[0] if values else 'false'}",
        Operator.ONE_OF: listed,
        Operator.NONE_OF: f"!{listed}",
        Operator.ABOVE: f"{attribute} > {values[0] if values else 0}",
        Operator.BELOW: f"{attribute} < {values[0] if values else 0}",
    }[condition.operator]
    return f"context has {condition.fact} && {compared}"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quoted(value)


def quoted(text: str) -> str:
    r"""Give a text as a Cedar string: quotes and backslashes escaped, all that is not printable ASCII as `\u{...}`."""
    return (
        '"' + "".join(one if " " <= one <= "~" and one not in '"\\' else f"\\u{{{ord(one):x}}}" for one in text) + '"'
    )
