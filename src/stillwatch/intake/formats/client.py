"""Client facts: address, agent and account as gateways log them in headers.

Takes header mappings and address texts. Gives the address as the edge saw it: a client may write anything in front of
`X-Forwarded-For`, each proxy appends what it saw, so the last public address is the one that a trusted hop wrote.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from stillwatch.intake.formats.format import Record, mapping

ACCOUNT_HEADERS = (
    "x-account-id",
    "x-user-id",
    "x-consumer-custom-id",
    "x-consumer-id",
    "x-customer-id",
    "x-tenant-id",
    "x-auth-request-user",
    "x-authenticated-userid",
    "x-smg-routing-key",
)
"""Headers in which gateways commonly pass the authenticated account on, most specific first."""

_INSIDE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


def edge_address(*seen: object) -> str | None:
    """Give the client's address.

    Args:
        seen: texts in order of trust: an address, an address with a port, or a list of addresses joined by commas.

    Returns:
        The last public address of the first text that has one; else the last address of any text; null when there is none.
    """
    inside: str | None = None
    for text in seen:
        if not isinstance(text, str):
            continue
        for part in reversed(text.split(",")):
            address = _address(part.strip())
            if address is None:
                continue
            if not any(address in network for network in _INSIDE if network.version == address.version):
                return str(address)
            inside = inside or str(address)
    return inside


def _address(text: str) -> IPv4Address | IPv6Address | None:
    host = text
    if text.startswith("["):
        host = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        host = text.split(":", 1)[0]
    try:
        return ip_address(host)
    except ValueError:
        return None


def lower_headers(headers: object) -> Record:
    """Give headers with names in lower case."""
    return {str(name).lower(): value for name, value in mapping(headers).items()}


def account_in_headers(headers: Record) -> Any:
    """Give the account that a gateway wrote in a header; null when none of the usual headers is there."""
    for name in ACCOUNT_HEADERS:
        if headers.get(name):
            return headers[name]
    return None
