"""Decision: what is done about accounts, on which claims and which clauses; and what of it reaches the request path.

An action is one of five words. None of them lowers the quality of an answer in silence, and none can be added without a test failing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What may be done about an account's requests."""

    ALLOW = "allow"
    """Answer as always."""
    MARK = "mark"
    """Answer as always, with a statistical mark that the terms disclose."""
    THROTTLE = "throttle"
    """Answer fewer requests, and say so."""
    CHALLENGE = "challenge"
    """Ask the account holder to show who they are and what for, and answer then."""
    BLOCK = "block"
    """Do not answer, and say why."""


STRICTNESS: tuple[Action, ...] = (Action.ALLOW, Action.MARK, Action.THROTTLE, Action.CHALLENGE, Action.BLOCK)
"""From the mildest to the strictest."""


def strictest(actions: tuple[Action, ...]) -> Action:
    """Give the strictest of these actions; `ALLOW` where there is none."""
    return max(actions, key=STRICTNESS.index, default=Action.ALLOW)


class WhenStale(StrEnum):
    """What becomes of an action when the file that says it is out of date."""

    OPEN = "open"
    """The action ends: the account is answered as always."""
    CLOSED = "closed"
    """The action stays until a fresh file says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is decided about some members of a campaign, all of whom accepted the same terms."""

    id: str
    """`d-` and 12 hex digits: digest of all that follows."""
    campaign_id: str
    finding: str
    """The campaign's finding."""
    terms: tuple[str, ...]
    """Terms that the members accepted and that were in force, `NAME@VERSION`, sorted; empty where they accepted none."""
    action: Action
    would: Action
    """The strictest action of all breached clauses, those in record mode included."""
    members: tuple[str, ...]
    """Sorted account ids."""
    claims: tuple[str, ...]
    """Ids of the claims that it rests on, `CAMPAIGN/NAME`, sorted."""
    clauses: tuple[str, ...]
    """Clauses in mode enforce that are breached, `NAME@VERSION/CLAUSE`, sorted."""
    recorded: tuple[str, ...]
    """Clauses in mode record that are breached, likewise."""
    evaluations: tuple[str, ...]
    """Records of the evaluations, canonical JSON, one for each of the terms: what replay needs."""
    remark: str
    """Why this action and no stricter one, in a sentence."""
    from_us: int
    """Microseconds UTC."""
    until_us: int
    """End of the action; microseconds UTC."""
    notice: str
    """Text for the account holder; empty where nobody is told anything."""
    appeal: str
    """Where the account holder can object."""
    when_stale: WhenStale


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That a second person approved a decision."""

    decision_id: str
    proposed_by: str
    approved_by: str
    approved_us: int
    """Microseconds UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEntry:
    """One row of the bundle's table of actions: what is done, for how long, on which clauses."""

    action: Action
    decision_id: str
    clauses: tuple[str, ...]
    until_us: int
    """End of the action; microseconds UTC."""
    appeal: str
    when_stale: WhenStale
    requests_per_minute: int | None = None
    """For `THROTTLE`, and for nothing else: how many requests of one account are answered, at least 1."""
    key_id: str | None = None
    """For `MARK`, and for nothing else: handle of the campaign's mark key; never the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementBundle:
    """What a bundle says of itself."""

    name: str
    """Which gateways it is for, such as `example.com/gateway`; a bundle of another name is refused."""
    version: int
    """From 1; a smaller one than was seen is refused."""
    issued_us: int
    """Microseconds UTC."""
    expires_us: int
    """From then on it is stale; microseconds UTC."""
    salt: bytes
    """16 bytes, key of the account hashes."""
    accounts: int
    entries: tuple[BundleEntry, ...]
    """The table of actions; every account points to one row."""
