"""The SQL of mark keys that both stores share.

Takes the way in which a store runs statements, as `ledger_queries`. Gives records.
"""

from __future__ import annotations

import json

from stillwatch.records.key_registry import IssuedKey
from stillwatch.records.mark import MarkLevel
from stillwatch.stores.errors import StoreDamagedError
from stillwatch.stores.ledger_queries import LedgerQueries, LedgerWriting, Row

_KEY_SQL = (
    "SELECT mark_key.handle, level, subject, scheme, parameters, tokenizer_digest, words, paired_handle, valid_from_us, valid_until_us, commitment,"
    " mark_key.entry_index, retired.recorded_us, retirement.entry_index,"
    " (SELECT MIN(reveal.entry_index) FROM mark_key_reveal AS reveal WHERE reveal.handle = mark_key.handle)"
    " FROM mark_key"
    " LEFT JOIN mark_key_retirement AS retirement ON retirement.handle = mark_key.handle"
    " LEFT JOIN entry AS retired ON retired.entry_index = retirement.entry_index"
)


class KeyReading(LedgerQueries):
    """What both stores read of mark keys."""

    def mark_keys(self, level: str | None = None, subject: str | None = None) -> tuple[IssuedKey, ...]:
        """Give keys in the order in which they were issued: all, of one level, of one subject, or of both."""
        given = [(column, value) for column, value in (("level", level), ("subject", subject)) if value is not None]
        where = f" WHERE {' AND '.join(f'{column} = ?' for column, _ in given)}" if given else ""
        rows = self._fetch(f"{_KEY_SQL}{where} ORDER BY mark_key.entry_index", tuple(value for _, value in given))
        return tuple(map(_key, rows))

    def mark_key(self, handle: str) -> IssuedKey | None:
        """Give a key; null where there is none."""
        rows = self._fetch(f"{_KEY_SQL} WHERE mark_key.handle = ?", (handle,))
        return _key(rows[0]) if rows else None


class KeyWriting(LedgerWriting):
    """What both writers write of mark keys."""

    def add_mark_key(self, key: IssuedKey) -> None:
        """Keep an issued key whose entry the ledger holds; a second one of its handle or commitment is refused."""
        self._fetch(
            "INSERT INTO mark_key (handle, level, subject, scheme, parameters, tokenizer_digest, words, paired_handle, valid_from_us,"
            " valid_until_us, commitment, entry_index) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.handle, key.level.value, key.subject, key.scheme, json.dumps(dict(key.parameters)), key.tokenizer_digest, key.words,
                key.paired_handle, key.valid_from_us, key.valid_until_us, key.commitment, key.entry_index,
            ),
        )  # fmt: skip

    def add_key_retirement(self, handle: str, entry_index: int) -> None:
        """Keep that a key was retired; a second time, or for a key that is not kept, is refused."""
        self._fetch("INSERT INTO mark_key_retirement (handle, entry_index) VALUES (?, ?)", (handle, entry_index))

    def add_key_reveal(self, handle: str, entry_index: int) -> None:
        """Keep that a raw key was handed out; for a key that is not kept it is refused."""
        self._fetch("INSERT INTO mark_key_reveal (entry_index, handle) VALUES (?, ?)", (entry_index, handle))


def _key(row: Row) -> IssuedKey:
    (
        handle, level, subject, scheme, parameters, tokenizer_digest, words, paired_handle, valid_from_us, valid_until_us, commitment,
        entry_index, retired_us, retired_index, revealed_index,
    ) = row  # fmt: skip
    return IssuedKey(
        handle=handle, level=_level(level), subject=subject, scheme=scheme, parameters=_parameters(parameters),
        tokenizer_digest=tokenizer_digest, words=words, paired_handle=paired_handle,
        valid_from_us=valid_from_us, valid_until_us=valid_until_us, commitment=commitment, entry_index=entry_index,
        retired_us=retired_us, retired_index=retired_index, revealed_index=revealed_index,
    )  # fmt: skip


def _level(value: str) -> MarkLevel:
    if value not in set(MarkLevel):
        raise StoreDamagedError(
            f"column level: got {value[:40]!a}, expected one of {', '.join(MarkLevel)}; the store was tampered with"
        )
    return MarkLevel(value)


def _parameters(text: str) -> tuple[tuple[str, int | float | str], ...]:
    """Read the parameters of a scheme."""
    try:
        return tuple(sorted(json.loads(text).items()))
    except (ValueError, AttributeError):
        raise StoreDamagedError("column parameters: is no JSON object; the store was tampered with") from None
