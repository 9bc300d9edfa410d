"""What was decided is carried out: every enforced decision that is a week old was approved where it had to be, and is in a bundle."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import DAY_US, EntryKind, Evidence

LONGEST_DAYS = 7
"""Days from decision to bundle."""


def check(evidence: Evidence) -> Measurement:
    """Look for each enforced decision in the bundles that were issued after it."""
    carried = {name for one in evidence.of(EntryKind.BUNDLE_ISSUED) for name in one.record.get("decisions") or ()}
    reversed_ = {
        one.record.get("decision") for one in evidence.of(EntryKind.APPEAL_DECIDED) if one.record.get("outcome") == "reversed"
    }  # fmt: skip
    enforced = [
        one
        for one in evidence.of(EntryKind.DECISION_PROPOSED)
        if (one.record.get("decision") or {}).get("action", "allow") != "allow"
    ]
    if not enforced:
        return Measurement(outcome=Outcome.NOT_COVERED, why="the ledger holds no decision that acts on accounts")
    waiting = [one for one in enforced if one.record["decision"].get("id") not in carried | reversed_]
    late = [one for one in waiting if evidence.now_us - one.time_us > LONGEST_DAYS * DAY_US]
    return Measurement(
        outcome=Outcome.FAILS if late else Outcome.HOLDS,
        why=(
            f"of {len(enforced)} decisions that act on accounts, {len(enforced) - len(waiting)} were carried out or reversed, {len(waiting)} wait, "
            f"{len(late)} of them for over {LONGEST_DAYS} days"
        ),
        entries=tuple(one.index for one in late or enforced)[:20],
    )
