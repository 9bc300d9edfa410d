"""EUR-Lex and CELLAR: results of a SPARQL query as JSON (W3C SPARQL 1.1 Query Results JSON Format).

The variables `celex` and, where asked for, `title`, `date`, `force` and `work` are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.governance.law.sources.documents import day_of, rows_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "eur-lex"
_IN_FORCE = {"true": "in force", "1": "in force", "false": "not in force", "0": "not in force"}


def is_it(document: object) -> bool:
    """Say whether a JSON document is a SPARQL result with CELEX numbers."""
    if not isinstance(document, dict) or not isinstance(document.get("head"), dict):
        return False
    variables = document["head"].get("vars")
    return isinstance(variables, list) and "celex" in variables and isinstance(document.get("results"), dict)


def read(document: Mapping[str, Any], place: str) -> tuple[LawNotice, ...]:
    """Give a notice for each act."""
    found = []
    for row in rows_of(document["results"].get("bindings"), place, "results.bindings"):
        value = {name: text_of(one.get("value")) for name, one in row.items() if isinstance(one, dict)}
        celex = value.get("celex", "")
        if celex:
            day = day_of(value.get("date"))
            state = _IN_FORCE.get(value.get("force", "").lower(), "published")
            found.append(
                LawNotice(
                    source=SOURCE,
                    identifier=celex,
                    title=value.get("title", ""),
                    date=day,
                    says=f"{state}, {day}" if day else state,
                    url=f"https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=CELEX:{celex}",
                )
            )
    return tuple(found)
