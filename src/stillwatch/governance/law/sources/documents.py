"""What every reader of a source needs: JSON and XML of strangers, bounded, and days out of their many forms.

XML is read with expat of the standard library; a document type is refused before it is read, since entities live there.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET  # a document type is refused before parsing

from stillwatch.governance.errors import SourceError

MOST_BYTES = 1 << 26
LONGEST_TEXT = 2_000
"""Characters of a title or state that are kept."""
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TAG = re.compile(r"<[^<>]{0,2000}>")


def json_of(content: bytes, place: str) -> Any:
    """Read JSON.

    Raises:
        SourceError: where it is none, or too large.
    """
    _bounded(content, place)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{place}: this is no JSON ({type(error).__name__}); fetch it anew") from None


def xml_of(content: bytes, place: str) -> ET.Element:
    """Read XML without a document type.

    Raises:
        SourceError: where it is none, has a document type, or is too large.
    """
    _bounded(content, place)
    if _DOCTYPE.search(content):
        raise SourceError(f"{place}: the document has a DOCTYPE or ENTITY, which is never read; save the feed itself")
    try:
        return ET.fromstring(content)  # noqa: S314  # no document type, no entities
    except ET.ParseError as error:
        line = error.position[0]
        raise SourceError(f"{place}:{line}: this is no XML; fetch it anew") from None


def text_of(value: object) -> str:
    """Give a value of a source as one plain line, cut where it is long; empty for null."""
    text = _TAG.sub(" ", str(value)) if value is not None else ""
    return " ".join(text.split())[:LONGEST_TEXT]


def day_of(value: object) -> str:
    """Give the day of a date as sources write it, `YYYY-MM-DD`: ISO 8601 or RFC 5322; empty where it is none."""
    text = text_of(value)
    found = _DAY.match(text)
    if found:
        return found[0]
    try:
        return email.utils.parsedate_to_datetime(text).strftime("%Y-%m-%d")
    except ValueError:
        return ""


def rows_of(value: object, place: str, field: str) -> list[Mapping[str, Any]]:
    """Give the rows of a list of objects.

    Raises:
        SourceError: where it is none.
    """
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise SourceError(f"{place}: {field} is no list of objects; has the source changed its form?")
    return value


def _bounded(content: bytes, place: str) -> None:
    if len(content) > MOST_BYTES:
        raise SourceError(f"{place}: got {len(content):,} bytes, at most {MOST_BYTES:,}")
