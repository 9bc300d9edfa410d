"""Documents in the shapes that the sources publish, and a server on this machine that hands them out as the sources do.

The shapes follow the sources' own documentation: Federal Register API v1, congress.gov API v3, CourtListener v4, SPARQL 1.1 JSON results,
RFC 4287 and RSS 2.0. Names and numbers of cases and bills that the register holds are real; what is said of them here is made up.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

FEDERAL_REGISTER = {
    "count": 2, "description": "Documents matching 'distillation'", "total_pages": 1,
    "results": [
        {
            "title": "Preventing Adversarial Distillation of Frontier Models", "type": "Presidential Document", "abstract": None,
            "document_number": "2026-20001", "html_url": "https://www.federalregister.gov/documents/2026/11/20/2026-20001/preventing",
            "pdf_url": "https://www.govinfo.gov/x.pdf", "public_inspection_pdf_url": None, "publication_date": "2026-11-20",
            "agencies": [{"raw_name": "EXECUTIVE OFFICE", "name": "Executive Office of the President", "id": 538, "slug": "eop"}], "excerpts": None,
        },
        {
            "title": "Fisheries of the Northeast; Summer Flounder Quota", "type": "Rule", "document_number": "2026-20002",
            "html_url": "https://www.federalregister.gov/d/2026-20002", "publication_date": "2026-11-20", "agencies": [],
        },
    ],
}  # fmt: skip


def congress_actions(*texts: tuple[str, str]) -> dict[str, Any]:
    """The actions of H.R. 8283: day and text of each."""
    return {
        "actions": [
            {"actionCode": "H11100", "actionDate": day, "sourceSystem": {"code": 2, "name": "House committee actions"}, "text": text, "type": "Committee"}
            for day, text in texts
        ],
        "pagination": {"count": len(texts)},
        "request": {"billNumber": "8283", "billType": "hr", "congress": "119", "contentType": "application/json", "format": "json"},
    }  # fmt: skip


CONGRESS_BILL = {
    "bill": {
        "actions": {"count": 4, "url": "https://api.congress.gov/v3/bill/119/hr/2683/actions?format=json"}, "congress": 119,
        "introducedDate": "2025-04-07", "latestAction": {"actionDate": "2026-11-18", "text": "Received in the Senate."}, "number": "2683",
        "originChamber": "House", "title": "Remote Access Security Act", "type": "HR", "updateDate": "2026-11-19",
    },
    "request": {"contentType": "application/json", "format": "json"},
}  # fmt: skip
COURTLISTENER_SEARCH = {
    "count": 1, "next": None, "previous": None,
    "results": [
        {
            "caseName": "Pagaya US Holding Company LLC v. Klarna Inc.", "court": "District Court, D. Delaware", "court_id": "ded", "dateFiled": "2026-05-08",
            "dateTerminated": None, "docketNumber": "1:26-cv-00557-ABC", "docket_absolute_url": "/docket/70000001/pagaya-v-klarna/", "docket_id": 70000001,
            "recap_documents": [],
        }
    ],
}  # fmt: skip
COURTLISTENER_DOCKET = {
    "id": 70000001, "case_name": "Pagaya US Holding Company LLC v. Klarna Inc.", "docket_number": "1:26-cv-00557", "court_id": "ded",
    "date_filed": "2026-05-08", "date_terminated": None, "date_last_filing": "2026-11-21", "absolute_url": "/docket/70000001/pagaya-v-klarna/",
}  # fmt: skip
EUR_LEX = {
    "head": {"link": [], "vars": ["celex", "date", "force"]},
    "results": {
        "distinct": False, "ordered": True,
        "bindings": [
            {
                "celex": {"type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#string", "value": "32026R1744"},
                "date": {"type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#date", "value": "2026-07-24"},
                "force": {"type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#boolean", "value": "true"},
            }
        ],
    },
}  # fmt: skip
RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Cybersecurity advisories</title><link>https://www.cisa.gov</link><description>All</description>
<item><title>Update 1: Adversarial distillation of large language models</title>
<link>https://www.cisa.gov/news-events/cybersecurity-advisories/aa26-251a</link>
<pubDate>Mon, 23 Nov 2026 12:00:00 EST</pubDate><guid isPermaLink="false">/node/99999</guid></item>
<item><title>A valve of a pump can be opened</title><link>https://www.cisa.gov/icsa-26-300-01</link><pubDate>Mon, 23 Nov 2026 12:00:00 EST</pubDate></item>
</channel></rss>"""
ATOM = b"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Alerts</title><id>urn:x</id><updated>2026-11-22T10:00:00Z</updated>
<entry><title>Regulation (EU) 2026/1744: corrigendum</title><id>urn:eurlex:1</id><updated>2026-11-22T10:00:00Z</updated>
<link rel="alternate" href="https://eur-lex.europa.eu/legal-content/EN/TXT/?uri=CELEX%3A32026R1744"/></entry>
<entry><title>Watermark detectors: interoperability</title><id>urn:other:2</id><published>2026-11-21T10:00:00Z</published>
<link href="https://example.eu/interoperability"/></entry></feed>"""
MAIL = b"""From: alerts@example.org\r\nTo: us@example.com\r\nSubject: =?utf-8?q?New_filing=3A_model_extraction_case?=\r\n\
Date: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <77@example.org>\r\n\r\nThe body is not read.\r\n"""


def as_bytes(document: object) -> bytes:
    """A JSON document as it comes over the wire."""
    return json.dumps(document).encode()


@dataclass(slots=True)
class Source:
    """A server that answers as a source does."""

    answers: dict[str, bytes] = field(default_factory=dict)
    """Path to body; `401`, `429` and such as bodies are answered as that status; `-> URL` as a redirect."""
    wanted_key: tuple[str, str] | None = None
    """Header and value without which 401 is answered."""
    asked: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(source: Source) -> Iterator[Source]:
    """Serve on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append(self.path)
            source.keys.append(None if source.wanted_key is None else self.headers.get(source.wanted_key[0]))
            if source.wanted_key is not None and source.keys[-1] != source.wanted_key[1]:
                return self._answer(401, b"")
            body = source.answers.get(self.path)
            if body is None:
                return self._answer(404, b"")
            if body.startswith(b"-> "):
                return self._answer(302, b"", body[3:].decode())
            return self._answer(int(body), b"") if body.isdigit() else self._answer(200, body)

        def _answer(self, status: int, body: bytes, location: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if location is not None:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    source.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
