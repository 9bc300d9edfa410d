"""The congress.gov API, version 3: a bill, a list of bills, or the actions of a bill.

A bill's `latestAction` was seen to lag weeks behind its actions, so where the actions are at hand, they are what counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources.documents import day_of, rows_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "congress"
_BILL_PATH = re.compile(r"/bill/(\d+)/([a-z]+)/(\d+)", re.IGNORECASE)


def is_it(document: object) -> bool:
    """Say whether a JSON document is one of congress.gov."""
    return isinstance(document, dict) and any(isinstance(document.get(name), kind) for name, kind in _SHAPES)


_SHAPES = (("bill", dict), ("bills", list), ("actions", list))


def read(document: Mapping[str, Any], place: str) -> tuple[LawNotice, ...]:
    """Give a notice for each bill.

    Raises:
        SourceError: where actions do not say of which bill they are.
    """
    if isinstance(document.get("actions"), list):
        return (_of_actions(document, place),)
    rows = [document["bill"]] if "bill" in document else rows_of(document["bills"], place, "bills")
    return tuple(_of_bill(row, place) for row in rows)


def _of_bill(row: Mapping[str, Any], place: str) -> LawNotice:
    try:
        identifier = f"{int(row['congress'])}/{str(row['type']).lower()}/{int(row['number'])}"
    except (KeyError, TypeError, ValueError):
        raise SourceError(
            f"{place}: a bill without congress, type and number; has the source changed its form?"
        ) from None
    latest = row.get("latestAction")
    action = latest if isinstance(latest, dict) else {}
    return LawNotice(
        source=SOURCE,
        identifier=identifier,
        title=text_of(row.get("title")),
        date=day_of(action.get("actionDate")),
        says=text_of(action.get("text")),
        url=_page(identifier),
    )


def _of_actions(document: Mapping[str, Any], place: str) -> LawNotice:
    """Read the actions of one bill; the request that the API repeats says of which."""
    request = document.get("request")
    asked = request if isinstance(request, dict) else {}
    pagination = document.get("pagination")
    found = _BILL_PATH.search(text_of(asked.get("url") or (pagination or {}).get("next") or place))
    if found:
        identifier = f"{found[1]}/{found[2].lower()}/{found[3]}"
    else:
        parts = [text_of(asked.get(name)) for name in ("congress", "billType", "billNumber")]
        if not all(parts):
            raise SourceError(
                f"{place}: actions that do not say of which bill; save them as bill/119/hr/8283/actions.json"
            )
        identifier = "/".join(parts).lower()
    actions = rows_of(document["actions"], place, "actions")
    newest = max(actions, key=lambda one: day_of(one.get("actionDate")), default={})
    return LawNotice(
        source=SOURCE,
        identifier=identifier,
        title="",
        date=day_of(newest.get("actionDate")),
        says=text_of(newest.get("text")),
        url=_page(identifier),
    )


_PAGES = {"hr": "house-bill", "s": "senate-bill", "hres": "house-resolution", "sres": "senate-resolution", "hjres": "house-joint-resolution", "sjres": "senate-joint-resolution"}  # fmt: skip


def _page(identifier: str) -> str:
    congress, kind, number = identifier.split("/")
    return f"https://www.congress.gov/bill/{congress}th-congress/{_PAGES[kind]}/{number}" if kind in _PAGES else ""
