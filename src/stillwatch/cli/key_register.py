"""The register of mark keys: issued, retired and handed out, each with its entry of the ledger or not at all.

A key is derived where it is issued (to commit to it), revealed or exported, and nowhere kept. What a table says is compared with its entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from stillwatch.cli.errors import OptionError
from stillwatch.cli.ledger_options import now_us

if TYPE_CHECKING:
    from stillwatch.evidence.ledger import Ledger
    from stillwatch.records.key_registry import IssuedKey
    from stillwatch.records.mark import MarkKey
    from stillwatch.stores.key_protocol import KeyStore, KeyWriter
    from stillwatch.stores.protocol import LedgerWriter
    from stillwatch.watermark.keys.derive import KeyLabel, Opening
    from stillwatch.watermark.keys.master_secret import MasterSecret

KEY_ISSUED = "mark key issued"
KEY_RETIRED = "mark key retired"
FIRST_USE_US = 1_000_000
"""A key that is issued now may be used a second from now: its entry is then on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegister:
    """An opened register, for an actor whose permission to read or append was checked."""

    store: KeyStore
    ledger: Ledger
    actor: str


@contextmanager
def open_key_register(url: str, actor: str, permission: str | None) -> Iterator[KeyRegister]:
    """Open the register of a ledger for an actor.

    Args:
        url: of the ledger's store.
        actor: who asks.
        permission: name of a `Permission`, such as `READ`; null where the act itself checks it and records a refusal.

    Raises:
        AccessError: where no role of the actor allows it.
        StoreError: where the store cannot be opened.
    """
    # Drivers and cryptography are loaded only where a store is opened, so that help is instant.
    from stillwatch.evidence.access import Access, Permission  # noqa: PLC0415
    from stillwatch.evidence.ledger import Ledger  # noqa: PLC0415
    from stillwatch.stores.key_opening import open_key_store  # noqa: PLC0415

    store = open_key_store(url)
    try:
        ledger = Ledger(store, None, now_us)
        if permission is not None:
            Access(ledger).require(actor, Permission[permission])
        yield KeyRegister(store=store, ledger=ledger, actor=actor)
    finally:
        store.close()


def issue_keys(
    register: KeyRegister,
    master: MasterSecret,
    labels: Sequence[KeyLabel],
    window: tuple[int | None, int],
    paired_handle: str | None = None,
) -> tuple[IssuedKey, ...]:
    """Derive keys, commit to them in the ledger, and keep what they are for, all or none.

    Args:
        register: of an actor who may append.
        master: the master secret.
        labels: what each key is for.
        window: first moment of use, not before now, null for at once; and end of use.
        paired_handle: for schemes of two keys, handle of the provider's key.

    Returns:
        The keys with the indices of their entries.

    Raises:
        OptionError: for a window that lies before now or is empty, or a pair that is no provider's key.
    """
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.key_registry import IssuedKey  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415
    from stillwatch.records.mark import MarkLevel  # noqa: PLC0415
    from stillwatch.watermark.keys.derive import derive  # noqa: PLC0415

    if paired_handle is not None and checked_key(register, paired_handle).level is not MarkLevel.PROVIDER:
        raise OptionError(f"--paired-with got {paired_handle}, expected a key of level provider.")
    now, (valid_from_us, valid_until_us) = now_us(), window
    begins = now + FIRST_USE_US if valid_from_us is None else valid_from_us
    if begins < now:
        raise OptionError(
            "--valid-from lies before now: a key is committed to before its first use; name a later time."
        )
    if valid_until_us <= begins:
        raise OptionError("--valid-until is not after the first use; name a later time.")
    keys = [
        IssuedKey(
            handle=label.handle, level=MarkLevel(label.level), subject=label.subject, scheme=label.scheme, parameters=label.parameters,
            tokenizer_digest=label.tokenizer_digest, words=label.words, paired_handle=paired_handle, valid_from_us=begins,
            valid_until_us=valid_until_us, commitment=derive(master, label).commitment,
        )
        for label in labels
    ]  # fmt: skip
    entries = [
        NewEntry(kind=KEY_ISSUED, actor=register.actor, record=canonical_bytes(issued_record(key))) for key in keys
    ]

    def keep(writer: LedgerWriter, indices: range) -> None:
        for key, index in zip(keys, indices, strict=True):
            cast("KeyWriter", writer).add_mark_key(replace(key, entry_index=index))

    indices = register.ledger.append(entries, keep)
    return tuple(replace(key, entry_index=index) for key, index in zip(keys, indices, strict=True))


def retire_key(register: KeyRegister, handle: str, reason: str) -> int:
    """Retire a key: it may mark no more, and is still searched for.

    Returns:
        Index of the entry.

    Raises:
        OptionError: where there is no such key, or it is retired already.
    """
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415
    from stillwatch.records.ledger import NewEntry  # noqa: PLC0415

    key = checked_key(register, handle)
    if key.retired_index is not None:
        raise OptionError(f"{handle} was retired by entry {key.retired_index} of the ledger already.")
    record = canonical_bytes({"format": "stillwatch-mark-key-retired/v1", "handle": handle, "reason": reason})

    def keep(writer: LedgerWriter, indices: range) -> None:
        cast("KeyWriter", writer).add_key_retirement(handle, indices[0])

    return register.ledger.append([NewEntry(kind=KEY_RETIRED, actor=register.actor, record=record)], keep)[0]


def reveal_key(register: KeyRegister, master: MasterSecret, handle: str, purpose: str) -> tuple[IssuedKey, Opening]:
    """Record the look at one key, then derive it and compare it with its commitment.

    Raises:
        AccessError: where the actor may not reveal keys; that is recorded too.
        OptionError: where there is no such key.
        OpeningError: where the master secret is not that of the key.
    """
    from stillwatch.evidence.access import KEY_REVEALED, Access  # noqa: PLC0415

    key = checked_key(register, handle)

    def keep(writer: LedgerWriter, indices: range) -> None:
        cast("KeyWriter", writer).add_key_reveal(handle, indices[0])

    opening = Access(register.ledger).hand_out_keys(
        register.actor, [handle], purpose, KEY_REVEALED, keep, lambda: opening_of(master, key)
    )
    return key, opening


def export_keys(
    register: KeyRegister, master: MasterSecret, keys: Sequence[IssuedKey], purpose: str
) -> tuple[MarkKey, ...]:
    """Record that raw keys go to detectors or engines, then derive them.

    Args:
        register: of an actor who may export.
        master: the master secret.
        keys: as the register has them.
        purpose: why.

    Returns:
        The keys; one of a scheme of two keys with the provider's words after its own.

    Raises:
        AccessError: where the actor may not export keys; that is recorded too.
        OpeningError: where the master secret is not that of a key.
    """
    from stillwatch.evidence.access import KEYS_EXPORTED, Access  # noqa: PLC0415

    paired = {
        handle: checked_key(register, handle) for handle in {key.paired_handle for key in keys} if handle is not None
    }

    def derive_all() -> tuple[MarkKey, ...]:
        second: dict[str | None, bytes] = {None: b""}
        second |= {handle: bytes.fromhex(opening_of(master, key).key_hex) for handle, key in paired.items()}
        return tuple(
            _mark_key(key, bytes.fromhex(opening_of(master, key).key_hex) + second[key.paired_handle]) for key in keys
        )

    handles = sorted({*(key.handle for key in keys), *paired})
    return Access(register.ledger).hand_out_keys(
        register.actor, handles, purpose, KEYS_EXPORTED, _nothing_more, derive_all
    )


def _mark_key(key: IssuedKey, raw: bytes) -> MarkKey:
    from stillwatch.records.mark import MarkKey  # noqa: PLC0415

    return MarkKey(
        handle=key.handle, scheme=key.scheme, parameters=key.parameters, level=key.level, assigned_to=key.subject, key=raw,
        tokenizer_digest=key.tokenizer_digest, issued_us=key.valid_from_us, retired_us=key.retired_us, commitment=key.commitment,
    )  # fmt: skip


def opening_of(master: MasterSecret, key: IssuedKey) -> Opening:
    """Derive a key again.

    Raises:
        OpeningError: where it does not open the commitment that was made.
    """
    from stillwatch.watermark.keys.derive import KeyLabel, derive  # noqa: PLC0415
    from stillwatch.watermark.keys.errors import OpeningError  # noqa: PLC0415

    opening = derive(
        master,
        KeyLabel(
            handle=key.handle, level=key.level.value, subject=key.subject, scheme=key.scheme, parameters=key.parameters,
            tokenizer_digest=key.tokenizer_digest, words=key.words,
        ),
    )  # fmt: skip
    if opening.commitment != key.commitment:
        raise OpeningError(
            f"{key.handle}: what this master secret gives does not open the commitment of entry {key.entry_index}; name the secret "
            "that the key was issued with"
        )
    return opening


def all_keys(register: KeyRegister, level: str | None = None, subject: str | None = None) -> tuple[IssuedKey, ...]:
    """Give keys in the order of issue, each compared with its entry of the ledger.

    Raises:
        LedgerDamagedError: where one is not what its entry says.
    """
    found = tuple(register.store.mark_keys(level, subject))
    for key in found:
        _agrees(register, key)
    return found


def checked_key(register: KeyRegister, handle: str) -> IssuedKey:
    """Give a key, compared with its entry of the ledger.

    Raises:
        OptionError: where there is no such key.
        LedgerDamagedError: where it is not what its entry says.
    """
    key = register.store.mark_key(handle)
    if key is None:
        raise OptionError(
            f"the register holds no key {handle[:40]!a}; `stillwatch keys list` names those that it holds."
        )
    _agrees(register, key)
    return key


def issued_record(key: IssuedKey) -> dict[str, object]:
    """Give the ledger's record of an issued key: everything but the key."""
    return {
        "format": "stillwatch-mark-key-issued/v1",
        "handle": key.handle,
        "level": key.level,
        "subject": key.subject,
        "scheme": key.scheme,
        "parameters": dict(key.parameters),
        "tokenizer_digest": key.tokenizer_digest,
        "words": key.words,
        "paired_handle": key.paired_handle,
        "valid_from_us": key.valid_from_us,
        "valid_until_us": key.valid_until_us,
        "commitment": key.commitment,
    }


def _agrees(register: KeyRegister, key: IssuedKey) -> None:
    from stillwatch.evidence.errors import LedgerDamagedError  # noqa: PLC0415
    from stillwatch.integrity.canonical import canonical_bytes  # noqa: PLC0415

    entry = register.store.entry(key.entry_index)
    if entry.kind != KEY_ISSUED or entry.record != canonical_bytes(issued_record(key)):
        raise LedgerDamagedError(
            f"key {key.handle} is not what entry {key.entry_index} of the ledger says; keep the store as it is, and look for who changed it"
        )


def _nothing_more(writer: LedgerWriter, indices: range) -> None:
    """Write nothing beside the entry."""
