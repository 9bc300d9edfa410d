"""Each source's document gives the notices that it holds, and a document that is none is refused."""

from __future__ import annotations

import law_sources as shapes
import pytest

from stillwatch.governance.errors import SourceError
from stillwatch.governance.law.sources.recognise import read_document

NOTICES = {
    "federal-register": (shapes.as_bytes(shapes.FEDERAL_REGISTER), [("federal-register:2026-20001", "2026-11-20"), ("federal-register:2026-20002", "2026-11-20")]),
    "actions": (shapes.as_bytes(shapes.congress_actions(("2026-04-15", "Introduced."), ("2026-11-19", "Passed."), ("2026-04-22", "Reported."))), [("congress:119/hr/8283", "2026-11-19")]),
    "bill": (shapes.as_bytes(shapes.CONGRESS_BILL), [("congress:119/hr/2683", "2026-11-18")]),
    "search": (shapes.as_bytes(shapes.COURTLISTENER_SEARCH), [("courtlistener:1:26-cv-00557", "2026-05-08")]),
    "docket": (shapes.as_bytes(shapes.COURTLISTENER_DOCKET), [("courtlistener:1:26-cv-00557", "2026-11-21")]),
    "sparql": (shapes.as_bytes(shapes.EUR_LEX), [("eur-lex:32026R1744", "2026-07-24")]),
    "rss": (shapes.RSS, [("feed:https://www.cisa.gov/news-events/cybersecurity-advisories/aa26-251a", "2026-11-23"), ("feed:https://www.cisa.gov/icsa-26-300-01", "2026-11-23")]),
    "atom": (shapes.ATOM, [("eur-lex:32026R1744", "2026-11-22"), ("feed:urn:other:2", "2026-11-21")]),
    "mail": (shapes.MAIL, [("mail:<77@example.org>", "2026-11-24")]),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTICES)
def test_a_document_gives_its_notices(name: str) -> None:
    content, expected = NOTICES[name]
    assert [(one.name, one.date) for one in read_document(content, "x/bill/119/hr/8283/actions.json")] == expected


def test_the_newest_action_counts_whatever_its_place() -> None:
    (notice,) = read_document(NOTICES["actions"][0], "dropped")
    assert (notice.says, notice.url) == ("Passed.", "https://www.congress.gov/bill/119th-congress/house-bill/8283")


def test_a_title_in_markup_and_many_lines_becomes_one_plain_line() -> None:
    content = shapes.RSS.replace(b"A valve of a pump can be opened", b"&lt;b&gt;A valve&lt;/b&gt;\n of a   pump")
    assert read_document(content, "x")[1].title == "A valve of a pump"


BOMB = b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"hello": 1}', "JSON of no known form"),
        (b"{", "this is no JSON"),
        (b"[" * 100_000, "this is no JSON"),
        (b"<html><body>Please turn on JavaScript</body></html>", "expected an Atom or RSS feed"),
        (b"<rss><channel>", "this is no XML"),
        (BOMB, "DOCTYPE or ENTITY"),
        (b"hello there", "without subject and date"),
        (b"", "without subject and date"),
        (shapes.as_bytes({"results": [{"document_number": "1"}, 3]}), "JSON of no known form"),
        (shapes.as_bytes({"actions": [], "request": {}}), "do not say of which bill"),
        (shapes.as_bytes({"bill": {"title": "x"}}), "without congress, type and number"),
    ],
)  # fmt: skip
def test_what_is_no_document_of_a_source_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_document(content, "dropped/file")
