"""Evidence for the tests of posture: entries of a ledger, written by hand in the form in which the verbs write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence, RecordedEntry, Seal

NOW_US = 1_795_600_000 * 1_000_000
VERSION = "0.1.0"
Row = tuple[EntryKind, float, str, Mapping[str, Any]]
"""(kind, days before now, actor, record)."""


def evidence(*rows: Row, **fields: Any) -> Evidence:
    """Give evidence of entries in this order; the first has index 0."""
    entries: dict[str, list[RecordedEntry]] = {}
    for index, (kind, days, actor, record) in enumerate(rows):
        one = RecordedEntry(
            index=index, kind=kind.value, time_us=ago(days), actor=actor, digest=f"sha256:{index:064x}", record=record
        )  # fmt: skip
        entries.setdefault(kind.value, []).append(one)
    return Evidence(
        now_us=NOW_US, version=VERSION, size=fields.pop("size", len(rows)), entries={name: tuple(found) for name, found in entries.items()}, **fields
    )  # fmt: skip


def ago(days: float) -> int:
    return NOW_US - round(days * DAY_US)


def seal(days: float) -> Seal:
    return Seal(size=1, by="authority", at_us=ago(days))


def drill(name: str, days: float = 1, *, state: str = "measured-pass", version: str = VERSION, **fields: Any) -> Row:
    record = {
        "format": "stillwatch-drill-result/v1", "drill": name, "state": state, "why": "as it came out", "version": version, "ended_us": ago(days),
        "expires_us": ago(days - 30), "settings": {}, "figures": {}, "claims": [], **fields,
    }  # fmt: skip
    return EntryKind.DRILL_RESULT, days, "bob", record


def spread(days: float = 1, *, state: str = "measured-pass", seeds: int = 20, alarms: int = 0, **fields: Any) -> Row:
    figures = {
        "seeds": seeds,
        "control_alarmed": {"count": alarms, "of": seeds, "interval": [0.0, 0.17]},
        "honest_accounts_flagged": 0,
    }
    claims = (
        [{"kind": "claim"}] if seeds >= 20 else [{"kind": "inconclusive", "reason": "too few", "needed": "--seeds 20"}]
    )
    return drill(
        "campaign", days, state=state, settings={"profile": "k-accounts"}, figures=figures, claims=claims, **fields
    )


def decision(days: float = 1, *, action: str = "block", name: str = "d-1", actor: str = "bob", **fields: Any) -> Row:
    record = {
        "format": "stillwatch-decision/v1",
        "decision": {
            "id": name, "campaign_id": "c-1", "finding": "operator", "action": action, "would": action, "members": ["a", "b"], "claims": ["c-1/x"],
            "clauses": ["api@1/no-pooling"], "recorded": [], "terms": ["api@1"], "evaluations": ["{}"], **fields,
        },
    }  # fmt: skip
    return EntryKind.DECISION_PROPOSED, days, actor, record


def approval(entry: int, days: float = 1, actor: str = "carol") -> Row:
    return (
        EntryKind.DECISION_APPROVED,
        days,
        actor,
        {"format": "stillwatch-approval/v1", "decision": "d-1", "proposed_entry": entry},
    )


def bundle(days: float = 0.5, hours: float = 24, *decisions: str) -> Row:
    record = {
        "for": "example.com/gateway",
        "version": 1,
        "issued_us": ago(days),
        "expires_us": ago(days - hours / 24),
        "accounts": 2,
        "decisions": list(decisions),
    }
    return EntryKind.BUNDLE_ISSUED, days, "bob", record


def run(days: float = 1) -> Row:
    return EntryKind.RUN_SEALED, days, "bob", {"format": "sealed-run/v1", "version": VERSION}


def key(
    days: float = 10, *, handle: str = "mk-1", level: str = "campaign", begins: float | None = None, ends: float = -300
) -> Row:
    record = {
        "handle": handle,
        "level": level,
        "valid_from_us": ago(days - 0.001 if begins is None else begins),
        "valid_until_us": ago(ends),
    }
    return EntryKind.KEY_ISSUED, days, "bob", record


def assets(
    days: float = 1,
    *,
    gaps: int = 0,
    routes: tuple[str, ...] = ("chat",),
    listed: tuple[Mapping[str, Any], ...] = (),
    **fields: Any,
) -> Row:
    record = {
        "assets": list(listed), "routes": [["endpoint", name] for name in routes], "attribution_floor": 1.0, "retention_days": None,
        "gaps": [{"gap": "no owner", "kind": "model", "name": f"m{number}", "what": "nobody"} for number in range(gaps)], **fields,
    }  # fmt: skip
    return EntryKind.ASSETS_REGISTERED, days, "bob", record


def coverage(
    days: float = 1, *, filled: int = 10, attributed: int = 100, missing: tuple[str, ...] = (), tokens: int = 100
) -> Row:
    names = (
        "account_id",
        "exchange_id",
        "session_id",
        "prompt",
        "response",
        "status",
        "model",
        "endpoint",
        "input_tokens",
        "output_tokens",
    )
    route = {
        "model": "m", "endpoint": "chat", "exchanges": 10, "tokens": tokens, "attributed_tokens": attributed, "with_reasoning": 0, "with_samples": 0,
        "filled": dict.fromkeys(names, filled),
    }  # fmt: skip
    return EntryKind.LOG_COVERAGE, days, "bob", {"routes": [route], "missing_days": list(missing), "quarantined": 0}


def law_change(days: float = 1) -> Row:
    work = {"id": "w-1", "subject": "control aisvs-1.0-C11.3.3", "what": "probe the marks", "opened_us": ago(days)}
    change = {
        "id": "c-9",
        "kind": "moved",
        "entry_id": "eu-ai-act-50",
        "title": "Art. 50",
        "date": "2026-11-20",
        "url": "",
    }
    return EntryKind.LAW_CHANGE, days, "bob", {"change": change, "work": [work]}
