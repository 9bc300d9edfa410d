"""Evaluate: what of the terms an event breaches, by Cedar, as a record that is replayed bit for bit.

Takes compiled terms and what happened. Gives every breached clause, sorted, since Cedar lists its reasons in no order; and of these the ones
in enforce mode, which alone have an action. The record holds the request, the digest of the policies and the answer: whoever has the terms'
files gets the same bytes again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cedarpy

from stillwatch.decisions.compile_policy import CompiledTerms
from stillwatch.decisions.errors import PolicyError, ReplayError
from stillwatch.decisions.terms.facts import FACTS, FactType
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.decision import Action, strictest
from stillwatch.records.terms import ClauseMode, Event, Value

FORMAT = "stillwatch-evaluation/v1"
_TYPES: dict[FactType, type] = {FactType.TRUTH: bool, FactType.WORD: str, FactType.NUMBER: int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held against the terms."""

    subject: str
    """Account or campaign."""
    event: Event
    model: str
    facts: Mapping[str, Value]
    """Facts that are known; what is not known is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the terms say to it."""

    breached: tuple[str, ...]
    """Ids of every clause that is breached, sorted."""
    enforced: tuple[str, ...]
    """Of these, the ones in enforce mode, sorted."""
    action: Action
    """The strictest action of the enforced ones."""
    would: Action
    """The strictest action of all breached ones."""
    record: bytes
    """Canonical bytes: request, digest of the policies, answer."""

    @property
    def digest(self) -> str:
        """Digest of the record: `sha256:` and 64 hex digits."""
        return f"sha256:{hashlib.sha256(self.record).hexdigest()}"


class Evaluator:
    """Evaluates events against one version of terms, whose policies Cedar has read once."""

    def __init__(self, compiled: CompiledTerms) -> None:
        """Take compiled terms.

        Raises:
            PolicyError: where Cedar cannot read them.
        """
        self.compiled = compiled
        try:
            self._policies = cedarpy.PolicySet.from_str(compiled.policies)
            self._schema = cedarpy.Schema.from_str(compiled.schema)
            self._entities = cedarpy.Entities.from_json_str("[]")
        except ValueError as error:
            raise PolicyError(
                f"{compiled.terms.name}: Cedar cannot read the policies ({type(error).__name__})"
            ) from error
        self._clauses = {clause.id: clause for clause in compiled.terms.clauses}

    def evaluate(self, held: Sequence[Held]) -> tuple[Evaluation, ...]:
        """Evaluate events, in the order in which they are given.

        Raises:
            PolicyError: for a fact that is not known in the event or is of another type, or where Cedar fails.
        """
        requests = [
            {
                "principal": {"type": "Account", "id": one.subject},
                "action": {"type": "Action", "id": one.event.value},
                "resource": {"type": "Model", "id": one.model},
                "context": _context(one),
            }
            for one in held
        ]
        results = cedarpy.is_authorized_batch(requests, self._policies, self._entities, self._schema)
        return tuple(self._evaluation(one, result) for one, result in zip(held, results, strict=True))

    def _evaluation(self, held: Held, result: cedarpy.AuthzResult) -> Evaluation:
        if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
            raise PolicyError(
                f"Cedar could not evaluate a {held.event.value} against {self.compiled.terms.name}: {len(result.diagnostics.errors)} errors; "
                "check the facts against `stillwatch terms lint`"
            )
        named = result.diagnostics.id_annotations_by_reason
        breached = tuple(sorted(named[one] for one in result.diagnostics.reasons)) if not result.allowed else ()
        enforced = tuple(one for one in breached if self._clauses[one].mode is ClauseMode.ENFORCE)
        action = strictest(tuple(self._clauses[one].action for one in enforced))
        would = strictest(tuple(self._clauses[one].action for one in breached))
        record = canonical_bytes(
            {
                "format": FORMAT,
                "terms": self.compiled.terms.name,
                "version": self.compiled.terms.version,
                "policies": self.compiled.digest,
                "subject": held.subject,
                "event": held.event.value,
                "model": held.model,
                "facts": dict(held.facts),
                "breached": breached,
                "enforced": enforced,
                "action": action.value,
                "would": would.value,
            }
        )
        return Evaluation(breached=breached, enforced=enforced, action=action, would=would, record=record)


def replay(record: bytes, compiled: CompiledTerms) -> Evaluation:
    """Evaluate a stored request again, and compare every byte.

    Args:
        record: as an evaluation keeps it.
        compiled: the terms that it names.

    Returns:
        The evaluation, equal to the stored one.

    Raises:
        ReplayError: where the record is none, the policies are others, or the answer differs.
    """
    try:
        stored = json.loads(record)
        held = Held(
            subject=stored["subject"], event=Event(stored["event"]), model=stored["model"], facts=dict(stored["facts"])
        )
        policies = stored["policies"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ReplayError(f"got {len(record)} bytes that are no record of an evaluation ({FORMAT})") from None
    if policies != compiled.digest:
        raise ReplayError(
            f"the record was made with policies {str(policies)[:80]!a}, got {compiled.digest}; name the version of terms that it names"
        )
    (again,) = Evaluator(compiled).evaluate([held])
    if again.record != record:
        raise ReplayError(f"the evaluation came out otherwise: stored {len(record)} bytes, got {len(again.record)}")
    return again


def _context(held: Held) -> dict[str, Value]:
    for name, value in held.facts.items():
        fact = FACTS.get(name)
        if fact is None or held.event not in fact.events:
            raise PolicyError(f"{name[:40]!a} is no fact of a {held.event.value}; `stillwatch terms facts` lists them")
        of_type = type(value) is _TYPES[fact.type]
        if not of_type or (isinstance(value, int) and not 0 <= value <= fact.most):
            raise PolicyError(
                f"fact {name}: expected {fact.type.value}" + (f" from 0 to {fact.most:,}" if of_type else "")
            )
    return dict(held.facts)
