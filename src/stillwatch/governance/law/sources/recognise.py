"""A document of any source: told apart by content, and read.

Takes bytes from the network or from a dropped file. Gives notices. A file's name is used in messages, and for the one format that does not
say what it is about (the actions of a bill).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources import congress, court_listener, eur_lex, federal_register, feeds, mail
from stillwatch.governance.law.sources.documents import json_of, xml_of
from stillwatch.records.law import LawNotice

Reading = tuple[str, Callable[[object], bool], Callable[[Any, str], tuple[LawNotice, ...]]]
JSON_SOURCES: tuple[Reading, ...] = tuple(
    (one.SOURCE, one.is_it, one.read) for one in (federal_register, congress, court_listener, eur_lex)
)


def read_document(content: bytes, place: str) -> tuple[LawNotice, ...]:
    """Read a document.

    Args:
        content: as it came.
        place: its address or path, for messages.

    Raises:
        SourceError: where it is of no known format, or cannot be read.
    """
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"{", b"["):
        document = json_of(content, place)
        for _, is_it, read in JSON_SOURCES:
            if is_it(document):
                return read(document, place)
        raise SourceError(
            f"{place}: got JSON of no known form, expected one of {', '.join(name for name, _, _ in JSON_SOURCES)}"
        )
    if start == b"<":
        return feeds.read(xml_of(content, place), place)
    return mail.read(content, place)
