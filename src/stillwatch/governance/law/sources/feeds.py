"""Atom (RFC 4287) and RSS 2.0: CISA's advisories, EUR-Lex alerts, dockets, and whoever else publishes a feed."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET  # types only; `documents.xml_of` parses

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources.documents import day_of, text_of
from stillwatch.records.law import LawNotice

SOURCE = "feed"
ATOM = "{http://www.w3.org/2005/Atom}"
_CELEX = re.compile(r"CELEX(?::|%3A)(\d{5}[A-Z]{1,2}\d{4})", re.IGNORECASE)


def read(root: ET.Element, place: str) -> tuple[LawNotice, ...]:
    """Give a notice for each entry of a feed. An entry whose link names a CELEX number is named as EUR-Lex names it.

    Raises:
        SourceError: where it is neither Atom nor RSS.
    """
    if root.tag == f"{ATOM}feed":
        return tuple(_named(_atom(one)) for one in root.iter(f"{ATOM}entry"))
    if root.tag == "rss":
        return tuple(_named(_rss(one)) for one in root.iter("item"))
    raise SourceError(f"{place}: got XML that begins with {text_of(root.tag)[:60]!a}, expected an Atom or RSS feed")


def _atom(entry: ET.Element) -> LawNotice:
    links = [one for one in entry.iter(f"{ATOM}link") if one.get("rel", "alternate") == "alternate"]
    url = text_of(links[0].get("href")) if links else ""
    title = text_of(entry.findtext(f"{ATOM}title"))
    updated = text_of(entry.findtext(f"{ATOM}updated") or entry.findtext(f"{ATOM}published"))
    return LawNotice(
        source=SOURCE,
        identifier=text_of(entry.findtext(f"{ATOM}id")) or url or title,
        title=title,
        date=day_of(updated),
        says=title,
        url=url,
    )


def _rss(item: ET.Element) -> LawNotice:
    url = text_of(item.findtext("link"))
    title = text_of(item.findtext("title"))
    return LawNotice(
        source=SOURCE,
        # The link is what a person would follow; the guid is often a number of the publisher's own.
        identifier=url or text_of(item.findtext("guid")) or title,
        title=title,
        date=day_of(item.findtext("pubDate")),
        says=title,
        url=url,
    )


def _named(notice: LawNotice) -> LawNotice:
    found = _CELEX.search(notice.url)
    if not found:
        return notice
    return LawNotice(
        source="eur-lex",
        identifier=found[1].upper(),
        title=notice.title,
        date=notice.date,
        says=f"published, {notice.date}" if notice.date else "published",
        url=notice.url,
    )
