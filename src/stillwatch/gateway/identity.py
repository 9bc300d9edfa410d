"""Identity: whose request it is, from headers, by the operator's configuration.

Takes headers in order, duplicates included, and the peer's address. Gives account, hash of the API key, client address and User-Agent. A header
that could be read in two ways is refused: the model behind might count the other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Headers = Sequence[tuple[str, str]]
"""Names in lower case."""
_KEY_HEADERS = ("authorization", "x-api-key", "api-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Where the account stands."""

    account_header: str | None = None
    """Header that the edge in front sets to the provider's account, in lower case; whoever can reach the guard past that edge can set it too.
    Null: the account is the API key's."""
    key_accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`key_id` to account, for API keys whose account is known; another key's account is its `key_id` itself."""
    trusted_hops: int = 0
    """Proxies in front that append to X-Forwarded-For; 0 takes the peer's own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose request it is."""

    account_id: str | None
    api_key_id: str | None
    client_address: str | None
    user_agent: str | None


def key_id(key: str) -> str:
    """Give the id of an API key: `key-` and 20 hex digits of its SHA-256. Keys are long and random, so that none can be found from it."""
    return f"key-{hashlib.sha256(b'stillwatch-api-key' + key.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def identify(headers: Headers, peer: str | None, settings: IdentitySettings) -> Identity | None:
    """Say whose request it is.

    Args:
        headers: of the request, names in lower case.
        peer: address of the connection.
        settings: of the operator.

    Returns:
        The identity; null where the headers are ambiguous: an account named twice, or two different keys.
    """
    keys: set[str] = set()
    accounts: list[str] = []
    forwarded: list[str] = []
    agent = None
    for name, value in headers:
        if name in _KEY_HEADERS:
            keys.add(_bearer(value) if name == "authorization" else value.strip())
        if name == settings.account_header:
            accounts.append(value.strip())
        elif name == "x-forwarded-for":
            forwarded += value.split(",")
        elif name == "user-agent":
            agent = value
    if len(keys) > 1 or len(accounts) > 1:
        return None
    key = key_id(keys.pop()) if keys else None
    account = next(iter(accounts), None) if settings.account_header else settings.key_accounts.get(key or "", key)
    hops = settings.trusted_hops
    address = forwarded[-hops].strip() if 0 < hops <= len(forwarded) else peer
    return Identity(account_id=account or None, api_key_id=key, client_address=address, user_agent=agent)


def _bearer(value: str) -> str:
    scheme, _, token = value.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else value.strip()
