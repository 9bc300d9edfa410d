"""From a campaign to what may be shared of it.

Takes a flagged campaign, the identifiers of all accounts, and the prompts of its exhibits. Gives an `IndicatorSet`. Promises that a
victim, a licensed partner or a look-alike is never shared, and that an identifier leaves only if members share it and hardly
anybody else carries it: what honest customers carry too (a network of a whole city, a common client) stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.evidence.indicators.errors import NotShareableError
from stillwatch.evidence.indicators.keyed import IndicatorKey, templates_of
from stillwatch.records.campaign import FLAGGED_FINDINGS, Campaign, Finding
from stillwatch.records.indicator import IdentifierIndicator, IdentifierKind, IndicatorSet, TrafficLight

DEFAULT_KINDS = tuple(kind for kind in IdentifierKind if kind is not IdentifierKind.IP)
MEMBER_SHARE = (9, 10)
"""Of the accounts that carry a shared identifier, at least nine in ten are members."""
MICROSECONDS_PER_DAY = 86_400_000_000

EXTRACT_MODEL = "AML.T0024.002"
INFERENCE_API = "AML.T0040"
SERVICE_PROXIES = "AML.T0008.005"
ESTABLISH_ACCOUNTS = "AML.T0021"
PROMPT_CRAFTING = "AML.T0065"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingTerms:
    """Under which terms a set is shared."""

    producer: str
    """Name of the partner that shares it."""
    traffic_light: TrafficLight
    made_us: int
    valid_days: int
    """Days after which it must not be matched any more, 1 or more."""
    kinds: tuple[IdentifierKind, ...] = DEFAULT_KINDS


def make_indicators(
    campaign: Campaign,
    carriers: Mapping[IdentifierKind, Iterable[tuple[str, str]]],
    exhibits: Sequence[tuple[str, str]],
    key: IndicatorKey,
    terms: SharingTerms,
) -> IndicatorSet:
    """Make what is shared of a campaign.

    Args:
        campaign: a flagged campaign.
        carriers: for each kind the (account id, value) pairs of all accounts, members or not.
        exhibits: (account id, prompt) of the campaign's exhibits.
        key: the partners' key.
        terms: for whom, and for how long.

    Raises:
        NotShareableError: where the finding is not one of those that are flagged.
    """
    if campaign.finding not in FLAGGED_FINDINGS:
        raise NotShareableError(
            f"campaign {campaign.id} is {campaign.finding.value}, expected {' or '.join(sorted(FLAGGED_FINDINGS))}: only what was "
            "flagged is shared, since a partner may act on it"
        )
    members = frozenset(campaign.members)
    identifiers = [
        indicator for kind in terms.kinds for indicator in _identifiers(kind, carriers.get(kind, ()), members, key)
    ]
    templates = templates_of([exhibit for exhibit in exhibits if exhibit[0] in members], key)
    techniques = {EXTRACT_MODEL, INFERENCE_API}
    techniques |= {SERVICE_PROXIES} if campaign.finding is Finding.RESELLER else set()
    techniques |= {ESTABLISH_ACCOUNTS} if len(members) > 1 else set()
    techniques |= {PROMPT_CRAFTING} if templates else set()
    return IndicatorSet(
        id=key.set_id(campaign.id),
        key_id=key.id,
        producer=terms.producer,
        finding=campaign.finding.value,
        techniques=tuple(sorted(techniques)),
        capability=campaign.capability,
        accounts=len(members),
        exchanges=campaign.exchanges,
        first_seen_us=campaign.first_seen_us,
        last_seen_us=campaign.last_seen_us,
        made_us=terms.made_us,
        valid_until_us=terms.made_us + terms.valid_days * MICROSECONDS_PER_DAY,
        traffic_light=terms.traffic_light,
        identifiers=tuple(sorted(identifiers, key=lambda one: (one.kind.value, one.digest))),
        templates=templates,
    )


def _identifiers(
    kind: IdentifierKind, pairs: Iterable[tuple[str, str]], members: frozenset[str], key: IndicatorKey
) -> list[IdentifierIndicator]:
    """Make the indicators of one kind: shared by members, and by hardly anybody else."""
    accounts_of: dict[str, set[str]] = {}
    for account, value in pairs:
        digest = key.identifier(kind, value)
        if digest is not None:
            accounts_of.setdefault(digest, set()).add(account)
    needed = min(2, len(members))
    share, whole = MEMBER_SHARE
    return [
        IdentifierIndicator(kind=kind, digest=digest, carriers=len(accounts & members))
        for digest, accounts in accounts_of.items()
        if len(accounts & members) >= needed and len(accounts & members) * whole >= share * len(accounts)
    ]
