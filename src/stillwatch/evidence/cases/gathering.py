"""Gathering: from what stillwatch and its users have to items of a case.

Takes a campaign, the record of its run, log lines of exhibits, and JSON that users give (terms, decisions, releases, reports, claims). Gives
items with named fields. Every document is hostile until it was read: unknown names, wrong kinds and too much are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.evidence.cases.case_file import read_claim
from stillwatch.evidence.cases.casework import NewItem
from stillwatch.evidence.cases.elements import ELEMENT_KEYS
from stillwatch.evidence.cases.errors import CaseItemError
from stillwatch.evidence.incident_report.campaigns_file import campaigns_document
from stillwatch.evidence.ledger import Ledger
from stillwatch.evidence.sealing import RUN_SEALED, read_sealed_run
from stillwatch.records.campaign import Campaign, Exhibit
from stillwatch.records.case import ItemKind
from stillwatch.records.ledger import LedgerEntry

MOST_BYTES = 16 << 20
MOST_TEXT = 10_000
MOST_ITEMS = 10_000
RUN_FIELDS = ("version", "engine", "fdr", "input_digest", "output_digest", "counts", "tests_not_run", "formats")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMS: Mapping[ItemKind, tuple[frozenset[str], frozenset[str]]] = {
    ItemKind.TERMS: (
        frozenset({"account_id", "terms_version"}),
        frozenset({"terms_digest", "accepted_at", "clauses", "accepted_by"}),
    ),
    ItemKind.DECISION: (
        frozenset({"account_id", "action"}),
        frozenset({"clause", "decided_at", "gate", "reason", "terms_version"}),
    ),
    ItemKind.REPORT: (frozenset({"about"}), frozenset({"claims", "text", "made_at", "made_by"})),
}
"""Kind to (fields that are needed, fields that may be there)."""
_TIMES = ("accepted_at", "decided_at", "made_at")


def campaign_item(campaign: Campaign, fdr: float) -> NewItem:
    """Return a campaign as an item.

    Args:
        campaign: of a detection run.
        fdr: promised false-discovery rate of the run.
    """
    document = campaigns_document(version="", fdr=fdr, campaigns=[campaign], considered=[])["campaigns"][0]
    fields = {name: document[name] for name in Campaign.__slots__}
    kinds = Counter(link.kind for link in campaign.links)
    fields |= {
        "accounts": len(campaign.members),
        "fdr": fdr,
        "link_kinds": [{"kind": kind, "links": count} for kind, count in sorted(kinds.items())],
    }
    return NewItem(kind=ItemKind.CAMPAIGN, fields=fields)


def run_item(run: Mapping[str, Any], sealed_entry: int | None = None) -> NewItem:
    """Return a detection run as an item.

    Args:
        run: content of run.json.
        sealed_entry: the ledger's entry that sealed it; null where it was not sealed.

    Raises:
        CaseItemError: where it lacks a field.
    """
    missing = [name for name in RUN_FIELDS if name not in run]
    if missing:
        raise CaseItemError(f"run.json lacks {', '.join(missing)}; is the folder one that `stillwatch detect` wrote?")
    fields = {name: run[name] for name in RUN_FIELDS}
    return NewItem(
        kind=ItemKind.RUN, fields=fields if sealed_entry is None else {**fields, "sealed_entry": sealed_entry}
    )


def sealed_entry_of(ledger: Ledger, run: Mapping[str, Any]) -> LedgerEntry | None:
    """Return the entry that sealed a run: the last one with its digests; null where it was not sealed.

    Args:
        ledger: that may hold it.
        run: content of run.json.
    """
    found = None
    for entry in ledger.entries(RUN_SEALED):
        sealed = read_sealed_run(entry)
        if (sealed.input_digest, sealed.output_digest) == (run.get("input_digest"), run.get("output_digest")):
            found = entry
    return found


def exchange_item(exhibit: Exhibit, exchange: Mapping[str, Any], span_digest: str, file_digest: str) -> NewItem:
    """Return an exhibit's exchange as an item.

    Args:
        exhibit: of a campaign.
        exchange: the exchange as intake reads it: column to value.
        span_digest: `sha256:` and 64 hex digits of the log line's bytes; of the row as JSON where the log is a Parquet file.
        file_digest: of the whole log file, with the name of its hash in front.
    """
    wanted = ("exchange_id", "model", "system_prompt", "prompt", "response", "reasoning", "ip", "user_agent", "status")
    return NewItem(
        kind=ItemKind.EXCHANGE,
        fields={
            "claim": exhibit.claim,
            "account_id": exhibit.account_id,
            "time_us": exhibit.time_us,
            "source_file": exhibit.source_file,
            "source_offset": exhibit.source_offset,
            "source_length": exhibit.source_length,
            "source_digest": span_digest,
            "source_file_digest": file_digest,
            **{name: exchange[name] for name in wanted if exchange.get(name) is not None},
        },
    )


def releases_item(suspect: str, releases: Sequence[tuple[str, int]], source: str) -> NewItem:
    """Return a suspect's releases as an item.

    Args:
        suspect: its name.
        releases: (what was released, microseconds UTC).
        source: where the dates come from.

    Raises:
        CaseItemError: for no release.
    """
    if not releases:
        raise CaseItemError("got no release, expected at least one")
    listed = [{"model": model, "released_us": time_us} for model, time_us in sorted(releases, key=lambda one: one[1])]
    return NewItem(
        kind=ItemKind.RELEASES, fields={"suspect": _line(suspect), "releases": listed, "source": _line(source)}
    )


def attested_item(element: str, text: str, by: str) -> NewItem:
    """Return what a person attests as an item.

    Args:
        element: key of the element that it is for.
        text: what is attested.
        by: who attests it.

    Raises:
        CaseItemError: for an element that there is not, or a text that is empty or too long.
    """
    if element not in ELEMENT_KEYS:
        raise CaseItemError(f"got the element {element[:40]!a}, expected one of {', '.join(ELEMENT_KEYS)}")
    return NewItem(kind=ItemKind.STATEMENT, fields={"element": element, "text": _line(text), "by": _line(by)})


def note_item(text: str) -> NewItem:
    """Return a note as an item.

    Raises:
        CaseItemError: for a text that is empty or too long.
    """
    if not text.strip() or len(text) > MOST_TEXT:
        raise CaseItemError(f"a note has {len(text)} characters, expected 1 to {MOST_TEXT}")
    return NewItem(kind=ItemKind.NOTE, fields={"text": text})


def items_of_document(kind: ItemKind, content: bytes, where: str) -> list[NewItem]:
    """Read terms, decisions or reports that a user gives.

    Args:
        kind: `TERMS`, `DECISION` or `REPORT`.
        content: a JSON object, a list of them, or one a line.
        where: path of the file, for messages.

    Raises:
        CaseItemError: naming the field that is missing, unknown or of another form.
    """
    needed, more = _FORMS[kind]
    items = []
    for number, given in enumerate(_objects(content, where), start=1):
        unknown = sorted(set(given) - needed - more)
        missing = sorted(needed - set(given))
        if unknown or missing:
            raise CaseItemError(
                f"{where}, object {number}: missing {', '.join(missing) or 'nothing'}, unknown {', '.join(unknown) or 'nothing'}; a "
                f"{kind.value} has {', '.join(sorted(needed))} and may have {', '.join(sorted(more))}"
            )
        fields = {name: _field(name, value, f"{where}, object {number}") for name, value in given.items()}
        for name in _TIMES:
            if name in fields:
                fields[name.replace("_at", "_us")] = fields.pop(name)
        if kind is ItemKind.REPORT:
            fields["digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        items.append(NewItem(kind=kind, fields=fields))
    return items


def items_of_claims(content: bytes, where: str) -> list[NewItem]:
    """Read claims that a user gives, such as those of a test of a suspect.

    Args:
        content: a JSON object, a list of them, or one a line; each with the fields of a `Claim`.
        where: path of the file, for messages.

    Raises:
        CaseItemError: where one is no claim.
    """
    found = []
    for number, given in enumerate(_objects(content, where), start=1):
        read_claim(given, number)
        found.append(NewItem(kind=ItemKind.CLAIM, fields={"claim": given}))
    return found


def _field(name: str, value: Any, where: str) -> Any:
    """Check one field; times become microseconds."""
    if name in _TIMES:
        try:
            time = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            time = None
        if time is None or time.tzinfo is None:
            raise CaseItemError(f"{where}: {name} is no time of ISO 8601 with a zone, such as 2026-06-05T00:00:00Z")
        return (time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    if name == "clauses":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise CaseItemError(f"{where}: clauses is no list of clause names")
        return [_line(one) for one in value]
    if name == "claims":
        for number, one in enumerate(value if isinstance(value, list) else [value], start=1):
            read_claim(one, number)
        return value if isinstance(value, list) else [value]
    if not isinstance(value, str):
        raise CaseItemError(f"{where}: {name} is no text")
    return _line(value)


def _line(text: str) -> str:
    if not text.strip() or len(text) > MOST_TEXT:
        raise CaseItemError(f"a field has {len(text)} characters, expected 1 to {MOST_TEXT}")
    return text


def _objects(content: bytes, where: str) -> list[dict[str, Any]]:
    """Read a JSON object, a list of objects, or one object a line."""
    if len(content) > MOST_BYTES:
        raise CaseItemError(f"{where} has {len(content):,} bytes, expected at most {MOST_BYTES:,}")
    try:
        document = _lines(content) if _is_lines(content) else json.loads(content)
    except (ValueError, RecursionError):
        raise CaseItemError(f"{where} is no JSON: expected an object, a list of objects, or one a line") from None
    listed = document if isinstance(document, list) else [document]
    if not 1 <= len(listed) <= MOST_ITEMS or not all(isinstance(one, dict) for one in listed):
        raise CaseItemError(f"{where} holds {len(listed):,} values, expected 1 to {MOST_ITEMS:,} JSON objects")
    return listed


def _is_lines(content: bytes) -> bool:
    lines = [line for line in content.splitlines() if line.strip()]
    return len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines)


def _lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines() if line.strip()]
