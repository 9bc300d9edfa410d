"""Each registered data set names canaries that were committed to before they were used."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Look for each data set's canaries in the ledger."""
    register = evidence.newest(EntryKind.ASSETS_REGISTERED)
    sets = (
        []
        if register is None
        else [one for one in register.record.get("assets") or [] if one.get("kind") == "data set"]
    )
    if register is None or not sets:
        return Measurement(
            outcome=Outcome.NOT_COVERED, why="no data set is registered; `stillwatch assets register` registers them"
        )
    committed = {str(one.record.get("challenge_id")) for one in evidence.of(EntryKind.CANARY_SLOTS)}
    without = sorted(str(one["name"]) for one in sets if not committed & set(one.get("marks") or ()))
    return Measurement(
        outcome=Outcome.FAILS if without else Outcome.HOLDS,
        why=f"{len(sets)} data sets are registered, {len(without)} of them name no canaries that were committed to",
        entries=(register.index,),
    )
