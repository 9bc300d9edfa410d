"""MarkKey: one key under which answers are marked, for whom, with which scheme, and since when.

The bytes of the key are never shown: not in a message, not in a log, not in the text form of the record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MarkLevel(StrEnum):
    """Whom a key stands for. Conclusions go from the first to the last: a campaign is asked about only where the provider is found."""

    PROVIDER = "provider"
    """All that the provider's model answered."""
    CAMPAIGN = "campaign"
    """What was answered to the accounts of one campaign."""
    ACCOUNT = "account"
    """What was answered to one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkKey:
    """A key that was issued. All keys ever issued for a model are tested together, not only those that are suspected."""

    handle: str
    """Name of the key, which may be shown and logged; it says nothing about the bytes."""
    scheme: str
    """`name@version`, one of `watermark.schemes`."""
    parameters: tuple[tuple[str, int | float | str], ...]
    """Parameters of the scheme that the mark depends on, by name in ascending order, such as `context_width`."""
    level: MarkLevel
    assigned_to: str
    """Id of the campaign or account; the provider's name at provider level."""
    key: bytes = field(repr=False)
    """8 bytes, big-endian, for each 64-bit word that the scheme needs."""
    tokenizer_digest: str
    """Digest of the tokenizer whose ids the mark was put on; empty where it is not known."""
    issued_us: int
    """Microseconds since 1970, UTC: the key was in use from here on."""
    retired_us: int | None = None
    """Microseconds since 1970, UTC, or null while the key is in use. A retired key is still tested."""
    commitment: str = ""
    """Digest by which the key was committed to before its first use; empty where it was not."""
