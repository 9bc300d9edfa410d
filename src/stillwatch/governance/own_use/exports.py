"""What an audit writes: JSON, SARIF 2.1.0, CSV, and a page. None of them holds what was found.

Takes findings. Gives text. A cell of CSV that a spreadsheet would run begins with an apostrophe; the page loads nothing from elsewhere.
"""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stillwatch.governance.own_use.findings import FindingPlace, FindingState, UseFinding, counted

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"secret": "error", "canary": "error", "source code": "error", "personal data": "error"}
_BASELINE = {FindingState.NEW: "new", FindingState.OPEN: "unchanged", FindingState.FIXED: "absent"}
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


def findings_document(findings: Sequence[UseFinding], about: Mapping[str, Any]) -> dict[str, Any]:
    """Give the document of an audit: what was read, counts by check and state, findings."""
    return {**about, "counts": counted(findings), "findings": [asdict(one) for one in findings]}


def read_findings(content: bytes) -> dict[str, UseFinding]:
    """Read the findings of an earlier document, by fingerprint, fixed ones left out.

    Raises:
        ValueError: where it is none.
        KeyError: likewise.
        TypeError: likewise.
    """
    rows = json.loads(content)["findings"]
    found = {}
    for row in rows:
        places = tuple(FindingPlace(**place) for place in row["places"])
        one = UseFinding(**row | {"places": places, "state": FindingState(row["state"])})
        if one.state is not FindingState.FIXED:
            found[one.fingerprint] = one
    return found


def sarif(findings: Sequence[UseFinding], version: str) -> str:
    """Give the findings as SARIF 2.1.0 (OASIS), for code-scanning tools; the baseline state says what became of each."""
    rules = sorted({(one.check, one.kind) for one in findings})
    run = {
        "tool": {
            "driver": {
                "name": "stillwatch",
                "version": version,
                "rules": [
                    {"id": _rule_id(check, kind), "shortDescription": {"text": f"{check}: {kind}"}}
                    for check, kind in rules
                ],
            }
        },
        "results": [
            {
                "ruleId": _rule_id(one.check, one.kind),
                "level": _LEVELS.get(one.check, "warning"),
                "message": {
                    "text": f"{one.check}: {one.masked} ({one.count} times; {one.clause}; owner {one.owner or 'unknown'})"
                },
                "partialFingerprints": {"stillwatchUse/v1": one.fingerprint},
                "baselineState": _BASELINE[one.state],
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": place.file},
                            "region": {"byteOffset": place.offset, "byteLength": 0},
                        }
                    }
                    for place in one.places
                ],
            }
            for one in findings
        ],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule_id(check: str, kind: str) -> str:
    return f"{check}/{kind}".replace(" ", "-")


def as_csv(findings: Sequence[UseFinding]) -> str:
    """Give one line for each finding."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        [
            "state",
            "check",
            "kind",
            "masked",
            "count",
            "owner",
            "clause",
            "first",
            "last",
            "file",
            "offset",
            "fingerprint",
        ]
    )
    for one in findings:
        place = one.places[0] if one.places else None
        writer.writerow(
            _harmless(cell)
            for cell in (
                one.state.value, one.check, one.kind, one.masked, str(one.count), one.owner, one.clause, day(one.first_us), day(one.last_us),
                place.file if place else "", str(place.offset) if place else "", one.fingerprint,
            )
        )  # fmt: skip
    return out.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(_RUN_BY_SPREADSHEETS) else cell


def day(time_us: int) -> str:
    """Give the day of a time; empty for 0."""
    return dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC).date().isoformat() if time_us else ""


PAGE_STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
th{background:#f4f4f4}td.n{text-align:right}code{background:#f4f4f4;padding:0 .25rem}.new{font-weight:600}.fixed{color:#555}small{color:#555}"""


def page(findings: Sequence[UseFinding], about: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    """Give the page: counts, what is new first, and the trend over audits.

    Args:
        findings: of this audit.
        about: what was read.
        history: `day` and `open` (check to number) of each audit, the oldest first, this one last.
    """
    order = {FindingState.NEW: 0, FindingState.OPEN: 1, FindingState.FIXED: 2}
    words = {FindingState.NEW: "● new", FindingState.OPEN: "○ open", FindingState.FIXED: "✓ fixed"}
    counts = counted(findings)
    checks = sorted(set(counts) | {name for one in history for name in one["open"]})
    rows = "".join(
        f'<tr class="{one.state.value}"><td>{words[one.state]}</td><td>{_text(one.check)}</td><td>{_text(one.kind)}</td><td><code>{_text(one.masked)}</code></td>'
        f'<td class="n">{one.count:,}</td><td>{_text(one.owner)}</td><td>{_text(one.clause)}</td><td>{day(one.last_us)}</td></tr>'
        for one in sorted(findings, key=lambda item: (order[item.state], item.check, item.kind, item.fingerprint))
    )
    table = "".join(
        f"<tr><td>{_text(name)}</td>"
        + "".join(f'<td class="n">{counts.get(name, {}).get(state.value, 0)}</td>' for state in FindingState)
        + "</tr>"
        for name in checks
    )
    trend = "".join(
        f"<tr><td>{_text(str(one['day']))}</td>"
        + "".join(f'<td class="n">{one["open"].get(name, 0)}</td>' for name in checks)
        + "</tr>"
        for one in history
    )
    heads = "".join(f"<th>{_text(name)}</th>" for name in checks)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Audit of own use</title><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><style>{PAGE_STYLE}</style></head><body>
<h1>Audit of own use</h1>
<p>{about["exchanges"]:,} exchanges and {about["text_bytes"]:,} bytes of text were read on {_text(str(about["day"]))}. What was found is shown masked; nothing of a prompt stands here.</p>
<h2>By check</h2><table><tr><th>check</th><th>new</th><th>open</th><th>fixed</th></tr>{table}</table>
<h2>Findings</h2><table><tr><th>state</th><th>check</th><th>kind</th><th>masked</th><th>times</th><th>owner</th><th>clause</th><th>last seen</th></tr>{rows}</table>
<h2>Over time</h2><table><tr><th>audit</th>{heads}</tr>{trend}</table>
<p><small>Secrets that were found have to be revoked, whoever saw them. Checks that the policy does not speak of were not made.</small></p>
</body></html>
"""


def _text(value: str) -> str:
    return html.escape(value)
