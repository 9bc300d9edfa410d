"""Terms: contract clauses as facts that a program can decide, and who accepted which version when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.decision import Action, WhenStale


class ClauseKind(StrEnum):
    """What a clause is about."""

    PURPOSE = "purpose"
    """For what the service may be used."""
    TRAINING = "training"
    """No training on answers."""
    COMPETING_MODEL = "competing-model"
    """No model that competes."""
    REGIONS = "regions"
    """From where the contract allows use. It is a matter of contract alone: detection never looks at it."""
    VOLUME = "volume"
    """How much was ordered."""
    RESALE = "resale"
    """No resale, or resale with end users named."""
    RETENTION = "retention"
    """How long answers may be kept."""
    COORDINATION = "coordination"
    """No pooling of accounts round the limits of one."""
    AUDIT_RIGHT = "audit-right"
    """The customer answers for its training data on reasonable suspicion."""
    MARK_REMOVAL = "mark-removal"
    """No stripping or forging of marks."""
    MARKING_DISCLOSURE = "marking-disclosure"
    """Says that answers may be marked; needed before anything is."""
    CANARY_DISCLOSURE = "canary-disclosure"
    """Says that a choice which a request leaves open may be made by a secret rule; needed before any canary is served."""
    LICENSED_DISTILLATION = "licensed-distillation"
    """Allows distillation; a clause like any other. With conditions it excepts other clauses; without, in an order form, it is the licence."""
    PERMITTED_EXCEPTION = "permitted-exception"
    """Allows a use that another clause would forbid."""


FORBIDDING = frozenset(
    set(ClauseKind)
    - {
        ClauseKind.MARKING_DISCLOSURE,
        ClauseKind.CANARY_DISCLOSURE,
        ClauseKind.LICENSED_DISTILLATION,
        ClauseKind.PERMITTED_EXCEPTION,
    }
)
"""Kinds whose breach can have an action."""
DISCLOSING = frozenset({ClauseKind.MARKING_DISCLOSURE, ClauseKind.CANARY_DISCLOSURE})
"""Kinds that tell the customer of something, and are never breached."""
EXCEPTING = frozenset({ClauseKind.LICENSED_DISTILLATION, ClauseKind.PERMITTED_EXCEPTION})
"""Kinds that take something out of other clauses."""


class ClauseClass(StrEnum):
    """When a clause can be decided."""

    ENFORCE = "enforce"
    """From the request alone."""
    MEASURE = "measure"
    """From a window of traffic, by a finding."""
    ATTEST = "attest"
    """It happens elsewhere: by a promise, an audit, or a test of a suspect model."""


class ClauseMode(StrEnum):
    """What follows from a breach."""

    RECORD = "record"
    """It is recorded. Every clause starts here."""
    ENFORCE = "enforce"
    """Its action is taken."""


class Event(StrEnum):
    """What is held against the terms."""

    REQUEST = "request"
    FINDING = "finding"
    ATTESTATION = "attestation"


EVENT_OF: dict[ClauseClass, Event] = {
    ClauseClass.ENFORCE: Event.REQUEST,
    ClauseClass.MEASURE: Event.FINDING,
    ClauseClass.ATTEST: Event.ATTESTATION,
}
"""The event in which a clause of a class is decided."""


class Operator(StrEnum):
    """How a condition compares."""

    IS = "is"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    ABOVE = "above"
    BELOW = "below"


Value = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a fact; it does not hold where the fact is not known."""

    fact: str
    operator: Operator
    values: tuple[Value, ...]
    """One value; for `one_of` and `none_of` any number of words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A clause as facts."""

    id: str
    """Lower-case words with hyphens, unique in its terms."""
    kind: ClauseKind
    decided: ClauseClass
    mode: ClauseMode
    number: str | None
    """Number in the contract text, such as `7.3`; null where none was named, which `lint` refuses for an action."""
    says: str
    """The sentence of the contract text that it rests on, word by word; empty where none was named."""
    action: Action
    """What a breach leads to; `ALLOW` for what forbids nothing."""
    conditions: tuple[Condition, ...]
    """All must hold."""
    excepts: tuple[str, ...]
    """Ids of the clauses that do not apply where this one holds; for `EXCEPTING` kinds only."""
    when_stale: WhenStale
    notice_days: int
    """Days between notice and action."""
    cure_days: int
    """Days in which the breach can be cured."""
    duration_days: int
    """How long the action lasts."""


def is_grant(clause: Clause) -> bool:
    """Say whether a clause is the licence itself, as an order form holds it: who accepted it is licensed."""
    return clause.kind is ClauseKind.LICENSED_DISTILLATION and not clause.conditions and not clause.excepts


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A version of a contract, with its clauses as facts."""

    name: str
    version: str
    title: str
    appeal: str
    """Where an account holder can object."""
    text_digest: str
    """`sha256:` and 64 hex digits of the contract text."""
    facts_digest: str
    """The same of the YAML file."""
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTerms:
    """A version of terms as the store keeps it."""

    name: str
    version: str
    text: bytes
    """The contract text, UTF-8."""
    facts: bytes
    """The YAML file."""
    entry_index: int
    """The ledger's entry that holds their digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """That an account accepted a version of terms."""

    account_id: str
    name: str
    """Of the terms."""
    version: str
    accepted_us: int
    """When the account holder did; microseconds UTC."""
    accepted_by: str
    """Who accepted for the account: a person or an office, or `unknown`."""
    how: str
    """By what: click, signature, order form."""
    entry_index: int = -1
    """The ledger's entry; -1 before there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """A decision as the store keeps it."""

    id: str
    record: bytes
    """Canonical bytes of the ledger's record, from which the decision is read."""
    proposed_by: str
    entry_index: int
    approved_by: str | None
    """Null until it is approved."""
    approved_us: int | None
    approval_index: int | None
    """The ledger's entry of the approval."""
