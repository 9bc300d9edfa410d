"""In the logs themselves, every field that detection and a case need is filled on every route, and no day between the first and the last is missing."""

from __future__ import annotations

from stillwatch.governance.posture.control import Measurement, Outcome
from stillwatch.governance.posture.evidence import Evidence
from stillwatch.governance.posture.measured_logs import NEEDED_FIELDS, newest_coverage


def check(evidence: Evidence) -> Measurement:
    """Look at the newest measurement of the logs."""
    found = newest_coverage(evidence)
    if isinstance(found, Measurement):
        return found
    routes = found.record.get("routes") or []
    lacking = [
        f"{name} on {one['endpoint'] or 'no endpoint'} of {one['model'] or 'no model'}"
        for one in routes
        for name in NEEDED_FIELDS
        if int((one.get("filled") or {}).get(name, 0)) < int(one["exchanges"])
    ]
    missing = list(found.record.get("missing_days") or ())
    quarantined = int(found.record.get("quarantined", 0))
    faults = (
        [f"not always filled: {', '.join(lacking[:6])}" + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")]
        if lacking
        else []
    )
    faults += [f"days without a line: {', '.join(missing[:6])}"] if missing else []
    faults += [f"{quarantined:,} lines could not be read"] if quarantined else []
    total = sum(int(one["exchanges"]) for one in routes)
    return Measurement(
        outcome=Outcome.FAILS if faults or not total else Outcome.HOLDS,
        why=f"{total:,} exchanges on {len(routes)} routes" + (f"; {'; '.join(faults)}" if faults else "; every needed field is filled, no day is missing"),
        entries=(found.index,),
    )  # fmt: skip
