"""After an action on a campaign, indicators of it were shared with partners within thirty days."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence, day_of

LONGEST_DAYS = 30


def check(evidence: Evidence) -> Measurement:
    """Compare the newest action with the newest share."""
    actions = [
        one
        for one in evidence.of(EntryKind.DECISION_PROPOSED)
        if (one.record.get("decision") or {}).get("action", "allow") != "allow"
    ]
    shares = evidence.of(EntryKind.INDICATORS_SHARED)
    if not actions:
        return Measurement(outcome=Outcome.NOT_COVERED, why="no campaign was acted on, so there was nothing to share")
    newest = shares[-1] if shares else None
    owing = [one for one in actions if newest is None or one.index > newest.index]
    late = [one for one in owing if evidence.now_us - one.time_us > LONGEST_DAYS * DAY_US]
    last = f"the last of {len(shares)} is of {day_of(newest.time_us)}" if newest else "nothing was ever shared"
    if owing and not late:
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why=f"{len(owing)} actions came since; {last}; there are {LONGEST_DAYS} days for it",
            entries=tuple(one.index for one in owing)[:20],
        )
    return Measurement(
        outcome=Outcome.FAILS if late else Outcome.HOLDS,
        why=f"{last}; {len(late)} actions are over {LONGEST_DAYS} days old with nothing shared since",
        entries=tuple(one.index for one in (late or shares))[:20],
    )
