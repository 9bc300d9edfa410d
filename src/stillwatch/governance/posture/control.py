"""Controls: what a public catalogue asks for, what a check measured, and where a control stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stillwatch.records.law import Grade


class Outcome(StrEnum):
    """How one check ended."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_COVERED = "not covered"
    """There is nothing fresh to measure by."""


class State(StrEnum):
    """Where a control stands. There are no others, and no number is made of them."""

    MEASURED_PASS = "measured-pass"  # noqa: S105  # a state, no secret
    """Every check of it holds."""
    MEASURED_FAIL = "measured-fail"
    """At least one check of it fails; nobody's word mends that."""
    ATTESTED = "attested"
    """Somebody answers for it, until a day."""
    NOT_COVERED = "not-covered"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSource:
    """A catalogue that controls are of."""

    id: str
    title: str
    version: str
    url: str
    """Of the primary text; empty where none was found."""
    licence: str
    """On what ground it is told here."""
    grade: Grade
    """How well it is known: whether the primary text was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control, told in our own words."""

    id: str
    """`CATALOGUE-ITEM`, as the legal register names it, such as `aisvs-1.0-C11.3.1`."""
    source: CatalogueSource
    item: str
    """How the catalogue itself cites it, such as `v1.0-C11.3.1`."""
    title: str
    gist: str
    level: str
    """As the catalogue says, such as `L1`; empty where it has none."""
    checks: tuple[str, ...]
    """Names of checks; empty where nothing here can measure it, so that it can only be attested."""
    leaves_out: str
    """What the control asks for and the checks do not show; empty where nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a check found."""

    outcome: Outcome
    why: str
    """One sentence, with its numbers."""
    entries: tuple[int, ...] = ()
    """Entries of the ledger that it rests on; at most the first twenty."""
    until_us: int | None = None
    """When it stops speaking for the control, if nothing changes; microseconds UTC; null where that depends on what comes."""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """Somebody's word for a control, until a day."""

    control: str
    by: str
    on_us: int
    until_us: int
    """Microseconds UTC; from then on it says nothing."""
    says: str
    evidence: str
    """Where whoever asks can look; empty where nothing is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a control stands at one moment."""

    control: Control
    state: State
    why: str
    parts: tuple[tuple[str, Measurement], ...]
    """(check, what it found), in the control's order."""
    attestation: Attestation | None
    """The one in force, or null."""

    @property
    def until_us(self) -> int | None:
        """When the state ends if nothing changes; null where no part of it has an end."""
        if self.state is State.ATTESTED and self.attestation is not None:
            return self.attestation.until_us
        ends = [one.until_us for _, one in self.parts if one.until_us is not None]
        return min(ends, default=None) if self.state is State.MEASURED_PASS else None
