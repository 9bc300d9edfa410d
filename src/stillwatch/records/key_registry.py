"""Key registry: mark keys as they were issued. The raw key is never part of a record: it is derived again where it is needed."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.records.mark import MarkLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A mark key as the registry keeps it."""

    handle: str
    """`mk-` and 16 hex digits: what gateway and engine call the key by."""
    level: MarkLevel
    subject: str
    """Id of the campaign or account; the provider's name."""
    scheme: str
    """`name@version`."""
    parameters: tuple[tuple[str, int | float | str], ...]
    """Of the scheme, by name in ascending order."""
    tokenizer_digest: str
    """`sha256:` and 64 hex digits of the tokenizer whose ids the mark is over."""
    words: int
    """64-bit words that are derived for it."""
    paired_handle: str | None
    """For a scheme of two keys: handle of the provider's key, whose words follow its own; null for all others."""
    valid_from_us: int
    """First moment in which the key may be used; microseconds UTC, not before its entry."""
    valid_until_us: int
    """Moment from which it may not be used any more; microseconds UTC."""
    commitment: str
    """`sha256:` and 64 hex digits: digest of the key's opening."""
    entry_index: int = -1
    """The ledger's entry; -1 before there is one."""
    retired_us: int | None = None
    """When it was retired, by the ledger's clock; null while it is not."""
    retired_index: int | None = None
    """The ledger's entry of the retirement."""
    revealed_index: int | None = None
    """The ledger's first entry that hands the raw key out by `reveal`; null while there is none."""


def is_in_use(key: IssuedKey, at_us: int) -> bool:
    """Say whether a key may mark at a moment: within its window, and not retired."""
    return key.valid_from_us <= at_us < key.valid_until_us and (key.retired_us is None or at_us < key.retired_us)
