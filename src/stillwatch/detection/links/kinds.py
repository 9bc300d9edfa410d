"""Kinds of attribute that may link accounts: what each is, and whether it is text, infrastructure or behaviour."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """An attribute's kind. The numbers are stored in tables; do not reuse one."""

    SPAN = 1
    BAND = 2
    SHAPE = 3
    PREFIX = 4
    SUFFIX = 5
    SYSTEM = 6
    PAYMENT = 20
    IP = 21
    NETWORK = 22
    TLS = 23
    USER_AGENT = 24
    EMAIL_DOMAIN = 25
    ORGANIZATION = 26
    BEHAVIOUR = 40
    TOOLS = 41
    CONFIGURATION = 42

    @property
    def title(self) -> str:
        """The word that reports use."""
        return _TITLES[self]


_TITLES = {
    Kind.SPAN: "text span",
    Kind.BAND: "near-duplicate text",
    Kind.SHAPE: "prompt template",
    Kind.PREFIX: "opening words",
    Kind.SUFFIX: "closing words",
    Kind.SYSTEM: "system prompt",
    Kind.PAYMENT: "payment",
    Kind.IP: "address",
    Kind.NETWORK: "network",
    Kind.TLS: "TLS fingerprint",
    Kind.USER_AGENT: "user agent",
    Kind.EMAIL_DOMAIN: "e-mail domain",
    Kind.ORGANIZATION: "organisation",
    Kind.BEHAVIOUR: "request parameters",
    Kind.TOOLS: "tool set",
    Kind.CONFIGURATION: "client configuration",
}

TEXT_KINDS = (Kind.SPAN, Kind.BAND, Kind.SHAPE, Kind.PREFIX, Kind.SUFFIX)
"""What the prompts share."""
BEHAVIOUR_KINDS = (Kind.BEHAVIOUR, Kind.TOOLS, Kind.CONFIGURATION)
"""How the accounts call: parameters, tools, client."""
IDENTITY_KINDS = (Kind.PAYMENT, Kind.IP, Kind.NETWORK, Kind.EMAIL_DOMAIN, Kind.ORGANIZATION)
"""Infrastructure that says who stands behind an account, as opposed to which client software it runs."""
