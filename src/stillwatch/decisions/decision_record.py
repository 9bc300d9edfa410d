"""Decisions as the ledger's records: canonical bytes, and back.

Takes a decision or its bytes. Gives the other. Promises that what is read is what was written, by the decision's own id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any

from stillwatch.decisions.errors import DecisionRecordError
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.decision import Action, Decision, WhenStale

FORMAT = "stillwatch-decision/v1"
_TUPLES = {"terms", "members", "claims", "clauses", "recorded", "evaluations"}


def decision_record(decision: Decision, supersedes: tuple[str, ...] = ()) -> bytes:
    """Give a decision's record.

    Args:
        decision: to be kept.
        supersedes: ids of the older decisions that it supersedes.
    """
    more = {"supersedes": supersedes} if supersedes else {}
    return canonical_bytes({"format": FORMAT, "decision": decision, **more})


def supersedes_of(record: bytes) -> tuple[str, ...]:
    """Give the ids of the decisions that the one of this record supersedes.

    Raises:
        DecisionRecordError: where they cannot be read.
    """
    try:
        listed = json.loads(record).get("supersedes", [])
        sound = all(isinstance(one, str) for one in listed)
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise DecisionRecordError(f"got {len(record):,} bytes that do not list what they supersede, expected {FORMAT}")
    return tuple(listed)


def read_decision(record: bytes) -> Decision:
    """Read a decision's record.

    Raises:
        DecisionRecordError: where it is none, or its id is not that of its fields.
    """
    try:
        given = json.loads(record)
        values: dict[str, Any] = {
            field.name: tuple(given["decision"][field.name]) if field.name in _TUPLES else given["decision"][field.name]
            for field in fields(Decision)
        }
        for name in ("action", "would"):
            values[name] = Action(values[name])
        values["when_stale"] = WhenStale(values["when_stale"])
        decision = Decision(**values)
        sound = given["format"] == FORMAT and len(given["decision"]) == len(values)
        sound = (
            sound and decision.id == f"d-{hashlib.sha256(canonical_bytes(replace(decision, id=''))).hexdigest()[:12]}"
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DecisionRecordError(
            f"got {len(record):,} bytes that are no decision ({type(error).__name__}), expected {FORMAT}"
        ) from None
    if not sound:
        raise DecisionRecordError(
            f"the record of {str(decision.id)[:20]!a} does not hold the decision of that id; it was changed"
        )
    return decision
