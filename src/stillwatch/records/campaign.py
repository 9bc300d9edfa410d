"""Campaign: accounts that act together to harvest the model, with the claims, exhibits and innocent explanations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.table import Column, TableSchema


class Finding(StrEnum):
    """One word for what stands behind a candidate or an account."""

    OPERATOR = "operator"
    """One operator harvests the model through these accounts."""
    RESELLER = "reseller"
    """Accounts that resell others' traffic and carry a harvest in it."""
    VICTIM = "victim"
    """The account's own ordinary use and, from elsewhere, somebody else's harvest: a stolen key. Never flagged."""
    LICENSED = "licensed"
    """Harvests under an agreement. Never flagged."""
    LOOK_ALIKE = "look-alike"
    """Linked accounts for which an innocent explanation was not rejected. Never flagged."""
    UNRESOLVED = "unresolved"
    """Linked accounts for which telemetry is missing or evidence is short. Never flagged, never called innocent."""
    ORDINARY = "ordinary"
    """No candidate contains the account."""


FLAGGED_FINDINGS = frozenset({Finding.OPERATOR, Finding.RESELLER})
SET_APART = frozenset({Finding.VICTIM, Finding.LICENSED})
"""Of accounts that are linked to a campaign and stand apart from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One exchange that shows a claim, by reference to the log bytes."""

    claim: str
    """Name of the claim that it shows."""
    account_id: str
    exchange_id: str | None
    time_us: int
    source_file: str
    source_offset: int
    source_length: int
    """Bytes; 0 where the offset is a Parquet row number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An innocent explanation, itself a null hypothesis, and what speaks against it."""

    name: str
    says: str
    """The explanation in one sentence, as its defender would put it."""
    log_e: float
    """Natural log of the e-value against it; the campaign's e-value is the smallest of all applicable explanations."""
    rejected: bool
    against: tuple[str, ...]
    """Names of the claims that speak against it, strongest first."""
    remark: str
    """One plain sentence for the reader of the report."""
    tested: bool = True
    """False where no test could speak against it, because columns or exchanges are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An attribute shared by members: a row of the link table and a node of the link picture."""

    kind: str
    """payment, ip, network, tls, user agent, prefix, span, shape, parameters and so on."""
    value: str
    """Short hex digest of the value; never the value."""
    members: int
    """Members of the candidate that carry it."""
    accounts: int
    """All accounts that carry it."""
    rarity: float
    """Weight in nats, at least 0: log of (accounts seen / accounts that carry it)."""
    carriers: tuple[str, ...]
    """Up to 60 member accounts that carry it, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A candidate group of accounts with its finding. Flagged only for findings in `FLAGGED_FINDINGS`."""

    id: str
    """`c-` and 12 hex digits: digest of the sorted members."""
    finding: Finding
    members: tuple[str, ...]
    """Sorted account ids."""
    finding_reason: str
    log_e: float
    """Natural log of the campaign's e-value: the smallest over the explanations."""
    q_value: float
    """Smallest false-discovery rate at which e-BH selects this candidate, in [0, 1]."""
    claims: tuple[Claim, ...]
    inconclusive: tuple[Inconclusive, ...]
    explanations: tuple[Explanation, ...]
    exhibits: tuple[Exhibit, ...]
    links: tuple[Link, ...]
    capability: str
    """Capability targeted, in plain words."""
    exchanges: int
    """Exchanges of the members."""
    harvest_exchanges: int
    """Of these, those that carry the campaign's own trait: the share in the sample, scaled to all exchanges."""
    first_seen_us: int
    last_seen_us: int
    days: int
    """Days on which at least one member was active."""
    rate_per_account_day: float
    """Median over members of exchanges per active day."""
    timeline: tuple[tuple[int, int], ...]
    """(day since epoch, exchanges of the members), ascending."""
    models: tuple[tuple[str, int], ...]
    """(model, exchanges), most used first, at most 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A log line that could not be read."""

    file: str
    offset: int
    length: int
    reason: str


ACCOUNTS = TableSchema(
    name="accounts",
    columns=(
        Column(name="account_id", type="string", required=True, about="The provider's account."),
        Column(
            name="flagged",
            type="bool",
            required=True,
            about="True where the finding is operator or reseller and selected.",
        ),
        Column(name="campaign_id", type="string", about="Campaign or candidate that contains the account."),
        Column(name="finding", type="string", required=True, about="A word of `Finding`."),
        Column(name="q_value", type="float64", about="q-value of the candidate; null where there is none."),
        Column(name="exchanges", type="int64", required=True, about="Exchanges seen."),
        Column(
            name="first_seen", type="int64", required=True, about="Microseconds UTC; a timestamp in the Parquet file."
        ),
        Column(
            name="last_seen", type="int64", required=True, about="Microseconds UTC; a timestamp in the Parquet file."
        ),
    ),
)
