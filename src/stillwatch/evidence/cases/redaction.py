"""What the version for sharing shows: per kind of item, the fields that name no person and show no text.

Takes the disclosures of an item. Gives those that may be shown. It is a list of what is shown, not of what is hidden, so a field
that is new is withheld until somebody decides otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.evidence.cases.commitments import Disclosure
from stillwatch.records.case import ItemKind

SHOWN_WHEN_SHARED: Mapping[ItemKind, frozenset[str]] = {
    ItemKind.OPENING: frozenset(),
    ItemKind.CAMPAIGN: frozenset(
        {
            "finding", "finding_reason", "log_e", "q_value", "claims", "inconclusive", "explanations", "capability", "exchanges",
            "harvest_exchanges", "first_seen_us", "last_seen_us", "days", "rate_per_account_day", "timeline", "models", "accounts",
            "link_kinds", "fdr",
        }
    ),
    ItemKind.RUN: frozenset({"version", "engine", "fdr", "input_digest", "output_digest", "counts", "tests_not_run", "formats", "sealed_entry"}),
    ItemKind.EXCHANGE: frozenset({"claim", "time_us", "model", "source_digest", "source_file_digest", "source_length"}),
    ItemKind.TERMS: frozenset({"terms_version", "terms_digest", "accepted_us", "clauses"}),
    ItemKind.DECISION: frozenset(
        {
            "action", "clause", "decided_us", "gate", "decision", "campaign_id", "finding", "terms", "would", "claims", "clauses", "recorded",
            "evaluations", "policies", "remark", "from_us", "until_us", "when_stale", "supersedes", "proposed_entry", "approved_entry",
            "approved_us",
        }
    ),
    ItemKind.CLAIM: frozenset({"claim"}),
    ItemKind.RELEASES: frozenset({"suspect", "releases", "source"}),
    ItemKind.REPORT: frozenset({"about", "digest", "claims"}),
    ItemKind.STATEMENT: frozenset({"element", "text"}),
    ItemKind.NOTE: frozenset(),
    ItemKind.STATUS: frozenset({"status"}),
    ItemKind.ERASURE: frozenset({"reason"}),
}  # fmt: skip


def shown_when_shared(kind: ItemKind, disclosures: Mapping[str, Disclosure]) -> dict[str, Disclosure]:
    """Return the disclosures that the version for sharing holds.

    Args:
        kind: of the item.
        disclosures: all of them.
    """
    return {name: one for name, one in disclosures.items() if name in SHOWN_WHEN_SHARED[kind]}
