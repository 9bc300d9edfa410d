"""report.json: everything that a report says, as dictionaries, lists, strings, finite numbers, booleans and nulls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stillwatch.records.claim import Claim
from stillwatch.records.suspect import Party, Stated, SuspectPlan, TestResult
from stillwatch.suspects.composition import Line
from stillwatch.suspects.conclude import Conclusion
from stillwatch.suspects.journal import Journal
from stillwatch.suspects.plan import plan_digest
from stillwatch.suspects.test import SuspectTest

FORMAT = "suspect-report/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Where the plan stands in the ledger, and what fixes its time."""

    origin: str
    """Of the log."""
    plan_entry: int
    planned_us: int
    """By the ledger's clock."""
    planned_by: str
    time_stamp: str
    """Which authority stamped a checkpoint that holds the plan, and when; empty where none did before the first query."""


def report_document(
    plan: SuspectPlan,
    conclusion: Conclusion,
    lines: Sequence[Line],
    journal: Journal,
    sealed: Sealed,
    tests: Mapping[str, SuspectTest],
) -> dict[str, Any]:
    """Give the document.

    Args:
        plan: that was committed to.
        conclusion: of the run.
        lines: as they were composed.
        journal: of the run.
        sealed: where the plan stands.
        tests: by id.
    """
    return {
        "format": FORMAT,
        "suspect": plan.suspect,
        "purpose": plan.purpose,
        "version": plan.version,
        "lines": [_line(one) for one in lines],
        "tests": [_result(one, tests[one.test].title) for one in conclusion.results],
        "conduct": [plain(one) for one in conclusion.conduct],
        "parties": [_party(one) for one in plan.parties],
        "collection": {
            "queries_planned": plan.queries,
            "queries_asked": conclusion.asked,
            "queries_unanswered": conclusion.unanswered,
            "requests": journal.requests.total(),
            "in_flight_at_an_interruption": sorted(journal.interrupted),
            "first_request_us": journal.first_us,
            "last_answer_us": journal.last_us,
            "tls_peers": sorted(journal.peers),
        },
        "plan": {
            "digest": plan_digest(plan),
            "entry": sealed.plan_entry,
            "log": sealed.origin,
            "planned_us": sealed.planned_us,
            "planned_by": sealed.planned_by,
            "decided_by": plan.decided_by,
            "time_stamp": sealed.time_stamp,
            "before_the_first_query": journal.first_us is None or sealed.planned_us <= journal.first_us,
            "queries_root": plan.queries_root,
            "code_digest": plan.code_digest,
            "materials": [plain(one) for one in plan.materials],
            "alpha": plan.alpha,
            "stop_early": plan.stop_early,
            "sequential": list(plan.sequential),
            "budget": plain(plan.budget),
            "seed": plan.seed,
            "tests": [plain(one) for one in plan.tests],
        },
        "journal": {"head": f"sha256:{journal.head}"},
    }


def plain(value: Any) -> Any:
    """Give a record as JSON has it; an infinite number, which JSON has not, is `inf` or `-inf`."""
    if isinstance(value, StrEnum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _line(line: Line) -> dict[str, Any]:
    return {"claim": line.number, **plain(line)}


def _result(result: TestResult, title: str) -> dict[str, Any]:
    return {"title": title, **plain(result), "stated": [_stated(one) for one in result.stated]}


def _stated(stated: Stated) -> dict[str, Any]:
    kind = "claim" if isinstance(stated.claim, Claim) else "inconclusive"
    return {
        kind: plain(stated.claim),
        "account": stated.account,
        "effect": plain(stated.effect),
        "against": stated.against,
        "power": plain(stated.power),
    }


def _party(party: Party) -> dict[str, Any]:
    """Show who was asked; of the settings, where and what, never how to get in."""
    shown: dict[str, Any] = {
        name: party.settings[name] for name in ("address", "model", "style", "scores") if name in party.settings
    }
    return {
        "name": party.name,
        "kind": party.kind,
        "role": None if party.role is None else party.role.value,
        "included_because": party.included_because,
        **shown,
    }
