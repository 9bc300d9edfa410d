"""CourtListener's API, version 4: dockets, docket entries and search results.

A docket is named by its number, as courts and lawyers name it; two courts may use one number, so the court stands in the title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stillwatch.governance.law.sources.documents import day_of, rows_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "courtlistener"
SITE = "https://www.courtlistener.com"
_JUDGES = re.compile(r"(?:-[A-Z]{2,4})+$")
"""Initials of judges, which change while the case stays."""


def is_it(document: object) -> bool:
    """Say whether a JSON document is one of CourtListener."""
    if not isinstance(document, dict):
        return False
    rows = document.get("results")
    first = rows[0] if isinstance(rows, list) and rows else document
    return isinstance(first, dict) and any(
        name in first for name in ("docket_number", "docketNumber", "docket_absolute_url")
    )


def read(document: Mapping[str, Any], place: str) -> tuple[LawNotice, ...]:
    """Give a notice for each docket: how far it is, by its dates."""
    rows = rows_of(document["results"], place, "results") if "results" in document else [document]
    return tuple(notice for row in rows if (notice := _notice(row)) is not None)


def _notice(row: Mapping[str, Any]) -> LawNotice | None:
    """Read one docket; search results spell the fields otherwise than dockets do."""
    number = _JUDGES.sub("", text_of(row.get("docket_number") or row.get("docketNumber")))
    if not number:
        return None
    ended = day_of(row.get("date_terminated") or row.get("dateTerminated"))
    last = day_of(row.get("date_last_filing"))
    filed = day_of(row.get("date_filed") or row.get("dateFiled"))
    said = f"terminated {ended}" if ended else f"last filing {last}" if last else f"filed {filed}"
    path = text_of(row.get("absolute_url") or row.get("docket_absolute_url"))
    court = text_of(row.get("court_id") or row.get("court"))
    name = text_of(row.get("case_name") or row.get("caseName"))
    return LawNotice(
        source=SOURCE,
        identifier=number,
        title=f"{name} ({court})" if court else name,
        date=ended or last or filed,
        says=said,
        url=SITE + path if path.startswith("/") else path,
    )
