"""What the report says: the entries of a period, counted and listed.

Takes the evidence at the end of the period. Gives a dictionary of plain values, in a fixed order. Every row names the entry that it rests on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.governance.posture.assess import posture_document
from stillwatch.governance.posture.control import Standing, State
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry
from stillwatch.governance.posture.open_work import open_law_work

FORMAT = "stillwatch-audit-report/v1"
LIMITS = (
    "The report tells what the ledger holds. What nobody recorded is not in it.",
    "Error rates are those of the drills named, on simulated traffic; how often the detection is wrong about real customers shows in appeals, and only as far as customers object.",
    "Signatures, proofs and time stamps were not computed again for this report; `stillwatch ledger verify` does that.",
    "It draws no conclusion of law.",
)


def report_content(
    evidence: Evidence,
    standings: Sequence[Standing],
    from_us: int,
    own_use: Mapping[str, Any] | None = None,
    own_use_digest: str | None = None,
    error_rates: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Tell a period.

    Args:
        evidence: at the end of the period; its `now_us` is that end.
        standings: of all controls at the end of the period.
        from_us: begin of the period; microseconds UTC.
        own_use: `findings.json` of the audit of own use; null where none was given.
        own_use_digest: `sha256:` and 64 hex digits of that file.
        error_rates: by campaign, from the files of sealed runs: `q_value`, `fdr` of the run, and `entry`; null where none were given.
    """

    def within(kind: EntryKind) -> list[RecordedEntry]:
        return [one for one in evidence.of(kind) if one.time_us >= from_us]

    decisions = within(EntryKind.DECISION_PROPOSED)
    appeals = within(EntryKind.APPEAL_DECIDED)
    return {
        "format": FORMAT,
        "from_us": from_us,
        "to_us": evidence.now_us,
        "version": evidence.version,
        "ledger_entries": evidence.size,
        "entries_in_period": {kind.value: len(within(kind)) for kind in EntryKind if within(kind)},
        "posture": posture_document(standings, evidence),
        "posture_changes": _posture_changes(evidence, standings, from_us),
        "drills": [_drill(one) for one in within(EntryKind.DRILL_RESULT)],
        "runs": [{"entry": one.index, "time_us": one.time_us, "by": one.actor, "version": one.record.get("version")} for one in within(EntryKind.RUN_SEALED)],
        "decisions": [_decision(one, evidence, error_rates or {}) for one in decisions],
        "actions": _actions(decisions),
        "appeals": [_appeal(one) for one in appeals],
        "appeal_figures": _appeal_figures(evidence, appeals),
        "bundles": [_bundle(one) for one in within(EntryKind.BUNDLE_ISSUED)],
        "shared": [{"entry": one.index, "time_us": one.time_us, "set": one.record.get("set"), "identifiers": one.record.get("identifiers")} for one in within(EntryKind.INDICATORS_SHARED)],
        "suspects": [{"entry": one.index, "time_us": one.time_us, "report": one.record.get("report")} for one in within(EntryKind.SUSPECT_CONCLUDED)],
        "looks": {
            "text": len(within(EntryKind.TEXT_LOOKED_AT)),
            "text_refused": len(within(EntryKind.TEXT_REFUSED)),
            "keys": len(within(EntryKind.KEY_REVEALED)) + len(within(EntryKind.KEYS_EXPORTED)),
            "keys_refused": len(within(EntryKind.KEYS_REFUSED)),
        },
        "own_use": _own_use(own_use, own_use_digest),
        "law_changes": [_change(one) for one in within(EntryKind.LAW_CHANGE)],
        "open_work": _open_work(evidence, standings),
        "limits": list(LIMITS),
    }  # fmt: skip


def _drill(one: RecordedEntry) -> dict[str, Any]:
    figures = one.part("figures")
    kept = {name: figures[name] for name in ("seeds", "alarmed", "acted", "control_alarmed", "answers_before_alert", "answers_before_action",
                                             "honest_accounts_flagged", "honest_requests_refused") if name in figures}  # fmt: skip
    return {
        "entry": one.index, "time_us": one.time_us, "by": one.actor, "drill": one.record.get("drill"), "state": one.record.get("state"),
        "why": one.record.get("why"), "expires_us": one.record.get("expires_us"), "figures": kept, "claims": list(one.rows("claims")),
    }  # fmt: skip


def _decision(one: RecordedEntry, evidence: Evidence, rates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    fields = one.part("decision")
    approval = next(
        (two for two in evidence.of(EntryKind.DECISION_APPROVED) if two.record.get("proposed_entry") == one.index), None
    )
    appeal = next(
        (
            two
            for two in reversed(evidence.of(EntryKind.APPEAL_DECIDED))
            if two.record.get("decision") == fields.get("id")
        ),
        None,
    )
    return {
        "entry": one.index, "time_us": one.time_us, "by": one.actor, "decision": fields.get("id"), "campaign": fields.get("campaign_id"),
        "finding": fields.get("finding"), "action": fields.get("action"), "would": fields.get("would"), "accounts": _count(fields.get("members")),
        "clauses": _texts(fields.get("clauses")), "claims": _count(fields.get("claims")),
        "evidence_log10": _evidence_power(fields), "error_rate": dict(rates.get(str(fields.get("campaign_id")), {})) or None,
        "approved_by": None if approval is None else approval.actor, "appeal": None if appeal is None else appeal.record.get("outcome"),
    }  # fmt: skip


def _count(value: object) -> int:
    return len(value) if isinstance(value, list) else 0


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _evidence_power(fields: Mapping[str, Any]) -> int | None:
    """Give the power of ten that the campaign's e-value reached, as the stored evaluation has it; null where no terms were evaluated."""
    for text in _texts(fields.get("evaluations")):
        try:
            power = json.loads(text)["facts"]["evidence_log10"]
        except (ValueError, KeyError, TypeError):
            continue
        return int(power)
    return None


def _actions(decisions: Sequence[RecordedEntry]) -> list[dict[str, Any]]:
    table: dict[str, list[int]] = {}
    for one in decisions:
        fields = one.part("decision")
        row = table.setdefault(str(fields.get("action")), [0, 0])
        row[0] += 1
        row[1] += _count(fields.get("members"))
    return [{"action": name, "decisions": row[0], "accounts": row[1]} for name, row in sorted(table.items())]


def _appeal(one: RecordedEntry) -> dict[str, Any]:
    return {"entry": one.index, "time_us": one.time_us, "by": one.actor, **{name: one.record.get(name) for name in ("decision", "outcome", "reason")}}  # fmt: skip


def _appeal_figures(evidence: Evidence, appeals: Sequence[RecordedEntry]) -> dict[str, Any]:
    """Count appeals of the period, and say how many of all decisions that acted were reversed up to its end."""
    acted = {
        one.part("decision").get("id")
        for one in evidence.of(EntryKind.DECISION_PROPOSED)
        if one.part("decision").get("action", "allow") != "allow"
    }
    reversed_ = {
        one.record.get("decision")
        for one in evidence.of(EntryKind.APPEAL_DECIDED)
        if one.record.get("outcome") == "reversed"
    }
    return {
        "decided": len(appeals),
        "reversed": sum(one.record.get("outcome") == "reversed" for one in appeals),
        "decisions_that_acted_so_far": len(acted),
        "of_these_reversed_so_far": len(acted & reversed_),
    }  # fmt: skip


def _bundle(one: RecordedEntry) -> dict[str, Any]:
    return {
        "entry": one.index, "time_us": one.time_us, "for": one.record.get("for"), "version": one.record.get("version"),
        "accounts": one.record.get("accounts"), "expires_us": one.record.get("expires_us"),
    }  # fmt: skip


def _own_use(findings: Mapping[str, Any] | None, digest: str | None) -> dict[str, Any] | None:
    if findings is None:
        return None
    table: dict[str, dict[str, int]] = {}
    for one in findings.get("findings") or ():
        row = table.setdefault(str(one.get("check")), {"new": 0, "open": 0, "fixed": 0})
        row[str(one.get("state"))] = row.get(str(one.get("state")), 0) + 1
    about = {name: findings[name] for name in ("day", "exchanges", "version") if name in findings}
    return {"digest": digest, "about": about, "counts": dict(sorted(table.items()))}


def _change(one: RecordedEntry) -> dict[str, Any]:
    change = one.part("change")
    return {
        "entry": one.index, "time_us": one.time_us, **{name: change.get(name) for name in ("id", "kind", "entry_id", "title", "date", "url")},
        "work": len(one.rows("work")),
    }  # fmt: skip


def _posture_changes(evidence: Evidence, standings: Sequence[Standing], from_us: int) -> list[dict[str, Any]]:
    """Compare with the last posture that was sealed before the period; nothing where none was."""
    before = [one for one in evidence.of(EntryKind.POSTURE) if one.time_us < from_us]
    if not before:
        return []
    states = {str(one.get("id")): str(one.get("state")) for one in before[-1].rows("controls")}
    return [
        {"control": one.control.id, "was": states[one.control.id], "is": one.state.value, "entry": before[-1].index}
        for one in standings
        if states.get(one.control.id, one.state.value) != one.state.value
    ]


def _open_work(evidence: Evidence, standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """List what waits for somebody: controls that fail, gaps of assets, decisions without approval, work of the legal watch."""
    found: list[dict[str, Any]] = [
        {"kind": "control fails", "subject": one.control.id, "what": one.why}
        for one in standings
        if one.state is State.MEASURED_FAIL
    ]
    newest_drills = {str(one.record.get("drill")): one for one in evidence.of(EntryKind.DRILL_RESULT)}
    found += [
        {"kind": "drill overdue", "subject": name, "what": f"its last result, entry {one.index}, has expired"}
        for name, one in sorted(newest_drills.items())
        if isinstance(one.record.get("expires_us"), int) and one.record["expires_us"] <= evidence.now_us
    ]
    register = evidence.newest(EntryKind.ASSETS_REGISTERED)
    gaps = [] if register is None else register.rows("gaps")
    found += [
        {
            "kind": "gap of an asset",
            "subject": f"{one.get('kind')} {one.get('name')}",
            "what": f"{one.get('gap')}: {one.get('what')}",
        }
        for one in gaps
    ]
    approved = {one.record.get("proposed_entry") for one in evidence.of(EntryKind.DECISION_APPROVED)}
    found += [
        {
            "kind": "decision waits",
            "subject": str(one.part("decision").get("id")),
            "what": "a block that nobody approved yet",
        }
        for one in evidence.of(EntryKind.DECISION_PROPOSED)
        if one.part("decision").get("action") == "block" and one.index not in approved
    ]
    found += [{"kind": "legal watch", "subject": one.subject, "what": one.what} for one in open_law_work(evidence)]
    return found  # fmt: skip
