"""IndicatorSet: what one partner may tell another of a campaign, without a prompt and without a person in it.

Everything that could name somebody is a keyed digest; a partner who holds the same key can look for the same value in its own
data, and learns nothing of values that it does not have itself or cannot guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

TrafficLight = Literal["red", "amber", "green", "white"]
"""Traffic Light Protocol: who may see it."""


class IdentifierKind(StrEnum):
    """What an identifier identifies. Each kind has its own domain, so equal texts of two kinds have unrelated digests."""

    PAYMENT = "payment"
    """Token or fingerprint of a payment method."""
    ORGANIZATION = "organization"
    """Organisation of an account."""
    EMAIL_DOMAIN = "email domain"
    """Domain part of the registration address; guessable by any holder of the key."""
    TLS = "tls"
    """Fingerprint of the client's TLS greeting."""
    USER_AGENT = "user agent"
    """The client's User-Agent header."""
    NETWORK = "network"
    """The /24 (IPv4) or /48 (IPv6) of a client address; guessable by any holder of the key."""
    IP = "ip"
    """A client address; guessable by any holder of the key, and personal data in many places: never shared by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierIndicator:
    """One identifier that members of a campaign share."""

    kind: IdentifierKind
    digest: str
    """HMAC-SHA-256 under the partners' key, 64 hex digits."""
    carriers: int
    """Members that carry it, 1 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateIndicator:
    """One prompt template, as the smallest keyed hashes of its word 3-shingles (bottom-k MinHash)."""

    values: tuple[str, ...]
    """Ascending keyed hashes of 16 hex digits each, 8 to 64 of them."""
    shingles: int
    """Shingles that the template has."""
    exhibits: int
    """Exhibits that it was taken from, 2 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorSet:
    """What is shared of one campaign."""

    id: str
    """`i-` and 32 hex digits: keyed digest of the campaign's id, so that members cannot be guessed from it."""
    key_id: str
    """16 hex digits that tell which key was used, and nothing about the key."""
    producer: str
    """Name of the partner that shares it."""
    finding: str
    """`operator` or `reseller`."""
    techniques: tuple[str, ...]
    """Technique ids of MITRE ATLAS, sorted."""
    capability: str
    """Capability targeted, in plain words."""
    accounts: int
    exchanges: int
    first_seen_us: int
    last_seen_us: int
    made_us: int
    """When it was made, microseconds UTC."""
    valid_until_us: int
    """After this it must not be matched any more."""
    traffic_light: TrafficLight
    identifiers: tuple[IdentifierIndicator, ...]
    """Sorted by kind and digest."""
    templates: tuple[TemplateIndicator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorMatch:
    """One of our accounts that carries a partner's indicators. It is a lead: it says nothing about why."""

    set_id: str
    account_id: str
    identifiers: tuple[tuple[str, int], ...]
    """(kind, distinct identifiers of that kind that matched), sorted."""
    templates: int
    """Templates of which at least one prompt of the account holds the greater part."""
    prompts: int
    """Prompts of the account that hold the greater part of a template."""
    containment: float
    """Greatest share of a template's values found in one prompt, in [0, 1]; 0 where none matched."""
