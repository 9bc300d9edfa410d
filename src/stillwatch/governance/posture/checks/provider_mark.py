"""A key of the provider is in use, under which all that the models answer is marked, whoever asks."""

from __future__ import annotations

from stillwatch.governance.posture.checks.mark_keys import keys_in_use
from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import EntryKind, Evidence


def check(evidence: Evidence) -> Measurement:
    """Look for keys of level provider."""
    issued = [one for one in evidence.of(EntryKind.KEY_ISSUED) if one.record.get("level") == "provider"]
    using = [one for one in keys_in_use(evidence) if one.record.get("level") == "provider"]
    if not issued:
        return Measurement(
            outcome=Outcome.NOT_COVERED,
            why="no key of level provider was issued; `stillwatch keys issue --level provider` issues one",
        )
    return Measurement(
        outcome=Outcome.HOLDS if using else Outcome.FAILS,
        why=f"{len(issued)} keys of level provider were issued, {len(using)} are in use",
        entries=tuple(one.index for one in using or issued)[:20],
        until_us=min((int(one.record["valid_until_us"]) for one in using), default=None),
    )
