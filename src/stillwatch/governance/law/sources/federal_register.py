"""The Federal Register API, version 1: a page of `documents.json`, or one document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.governance.law.sources.documents import day_of, rows_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "federal-register"


def is_it(document: object) -> bool:
    """Say whether a JSON document is one of the Federal Register."""
    if not isinstance(document, dict):
        return False
    results = document.get("results")
    if isinstance(results, list) and results:
        return all(isinstance(one, dict) and "document_number" in one for one in results)
    return "document_number" in document or (document.get("count") == 0 and "description" in document)


def read(document: Mapping[str, Any], place: str) -> tuple[LawNotice, ...]:
    """Give a notice for each document; its state is its type and title, since a published document does not change."""
    rows = [document] if "document_number" in document else rows_of(document.get("results", []), place, "results")
    return tuple(
        LawNotice(
            source=SOURCE,
            identifier=text_of(row["document_number"]),
            title=text_of(row.get("title")),
            date=day_of(row.get("publication_date")),
            says=text_of(f"{row.get('type') or 'Document'} published: {row.get('title') or ''}"),
            url=text_of(row.get("html_url")),
        )
        for row in rows
    )
