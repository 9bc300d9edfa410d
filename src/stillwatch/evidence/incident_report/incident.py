"""IncidentReport: all that the report shows, and nothing that it has to compute from traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stillwatch.records.campaign import Campaign


@dataclass(frozen=True, slots=True, kw_only=True)
class TestNotRun:
    """A test that the whole run could not do, most often because a column is missing."""

    __test__: ClassVar[bool] = False  # the name begins like a test case's; test collectors must pass it by

    name: str
    reason: str
    needed: str
    """What would make the test possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPresence:
    """How much of a column the logs had."""

    name: str
    share: float
    """Share of exchanges in which the value is present, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What was run, on what, with which promise."""

    version: str
    engine: str
    fdr: float
    """Promised false-discovery rate over flagged campaigns, in (0, 1)."""
    input_digest: str
    output_digest: str = ""
    """Empty where the report itself is part of what is digested."""
    command: str = ""
    """Command line that repeats the run."""
    files: int
    exchanges: int
    accounts: int
    flagged_accounts: int
    candidates: int
    quarantined: int = 0
    duplicates: int = 0
    first_seen_us: int
    last_seen_us: int
    metadata_only: bool = False
    """True where no exchange had prompt text."""
    reference: bool = False
    """True where reference traffic calibrated the tests."""
    tests_not_run: tuple[TestNotRun, ...] = ()
    columns: tuple[ColumnPresence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhibitText:
    """Prompt text of one exhibit; present only where the person who ran the detection asked for text."""

    source_file: str
    source_offset: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReport:
    """One run's findings, ready to be shown."""

    run: RunFacts
    campaigns: tuple[Campaign, ...]
    """Flagged campaigns."""
    considered: tuple[Campaign, ...]
    """Candidates that were not flagged: look-alikes, unresolved, victims, licensed."""
    volume: tuple[tuple[int, int], ...]
    """(day since epoch, exchanges of all accounts), ascending."""
    texts: tuple[ExhibitText, ...] = ()
