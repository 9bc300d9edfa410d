"""Which result of a drill still speaks.

None that is over thirty days old, or older than a change of version, keys or routes; and none that went well on too few seeds to be a claim.
"""

from __future__ import annotations

from collections.abc import Callable

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence, RecordedEntry, day_of

_OF_ROUTES = frozenset({"marking", "surface", "log"})
"""Drills whose result depends on which routes there are."""


def judge_drill(
    evidence: Evidence, drill: str, wanted: str, counts: Callable[[RecordedEntry], bool] | None = None
) -> Measurement:
    """Say what the newest result of a drill is worth.

    Args:
        evidence: at the moment.
        drill: `campaign`, `marking`, `surface` or `log`.
        wanted: the command line that would give a fresh result.
        counts: which results count; all by default.
    """
    found = next((one for one in evidence.of_drill(drill) if counts is None or counts(one)), None)
    if found is None:
        return Measurement(outcome=Outcome.NOT_COVERED, why=f"no such drill is in the ledger; `{wanted}` runs one")
    stale = _why_stale(evidence, drill, found)
    if stale:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why=f"the drill of {day_of(found.time_us)} {stale}; run `{wanted}` again", entries=(found.index,)
        )  # fmt: skip
    passed = found.record.get("state") == "measured-pass"
    short = next((one for one in found.record.get("claims") or () if one.get("kind") == "inconclusive"), None)
    if (
        passed and short is not None
    ):  # what went well too seldom to be a claim is no measurement; what went wrong once is one
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why=f"the drill of {day_of(found.time_us)} went well, but is no claim: {short.get('reason')}; needed: {short.get('needed')}",
            entries=(found.index,),
        )
    return Measurement(
        outcome=Outcome.HOLDS if passed else Outcome.FAILS,
        why=f"drill of {day_of(found.time_us)}: {found.record.get('why', 'no reason was given')}",
        entries=(found.index,),
        until_us=int(found.record["expires_us"]),
        figures=dict(found.record.get("figures") or {}),
    )


def _why_stale(evidence: Evidence, drill: str, found: RecordedEntry) -> str:
    """Say why a result speaks no more; empty where it does."""
    expires = int(found.record.get("expires_us", 0))
    if evidence.now_us >= expires:
        return f"expired on {day_of(expires)}"
    if found.record.get("version") != evidence.version:
        return f"was of version {str(found.record.get('version'))[:20]}, and {evidence.version} runs now"
    if drill == "marking":
        changed = [*evidence.of(EntryKind.KEY_ISSUED), *evidence.of(EntryKind.KEY_RETIRED)]
        later = [one for one in changed if one.index > found.index]
        if later:
            return f"is older than {len(later)} changes of mark keys"
    if drill in _OF_ROUTES and any(index > found.index for index in route_changes(evidence)):
        return "is older than a change of routes"
    return ""


def route_changes(evidence: Evidence) -> list[int]:
    """Give the entries of the asset register at which the routes were not those of the entry before."""
    found: list[int] = []
    before: object = None
    for one in evidence.of(EntryKind.ASSETS_REGISTERED):
        routes = one.record.get("routes")
        if before is not None and routes != before:
            found.append(one.index)
        before = routes
    return found
