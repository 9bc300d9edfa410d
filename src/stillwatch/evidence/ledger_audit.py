"""The audit of a whole ledger: everything that it keeps is computed again and compared.

Takes a ledger and whom one trusts. Gives what was checked, or raises at the first thing that does not hold. One pass over all
entries; memory does not grow with the log.

It shows that the store agrees with itself and with the signatures. That nobody wrote another history with the same key is shown only
by checkpoints that others hold: pass their key, the authority's certificates and the witnesses' keys from elsewhere than the store.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch.evidence.access import ROLE_ASSIGNED, ROLE_REVOKED
from stillwatch.evidence.errors import LedgerDamagedError
from stillwatch.evidence.ledger import Ledger, leaf_bytes
from stillwatch.integrity.canonical import require_canonical
from stillwatch.integrity.errors import CanonicalFormError, IntegrityError
from stillwatch.integrity.merkle import TILE_WIDTH, grow, leaf_hash, root
from stillwatch.integrity.signed_note import parse_note, parse_signature_line, verify_checkpoint, verify_cosignature
from stillwatch.integrity.signing import VerifierKey
from stillwatch.integrity.time_stamp import TrustedAuthority, verify_stamp
from stillwatch.records.ledger import Checkpoint, LedgerEntry, TilePlace

_AT_A_TIME = 16 * TILE_WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAudit:
    """What was checked, and held."""

    entries: int
    checkpoints: int
    time_stamps: int
    """Verified by the given authority; 0 where none was given."""
    cosignatures: int
    """Verified by the given witnesses; 0 where none were given."""
    remarks: tuple[str, ...]
    """What a reader should know and is no contradiction, such as a clock that went back."""


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What is carried from entry to entry."""

    size: int = 0
    last_us: int = 0
    steps_back: int = 0
    """How often an entry's time is before that of the entry before it."""
    tiles: dict[TilePlace, bytes] = field(default_factory=dict)
    """The last tile of each level."""
    roles: set[tuple[str, str]] = field(default_factory=set)


def audit(
    ledger: Ledger,
    log: VerifierKey,
    authority: TrustedAuthority | None = None,
    witnesses: Sequence[VerifierKey] = (),
) -> LedgerAudit:
    """Check a whole ledger.

    1. Entries stand without a gap; each record is canonical and has the digest that is kept.
    2. The tiles that are kept are those of the entries.
    3. Every checkpoint is signed by the log's key, and its root is that of its entries.
    4. Every time stamp verifies by the authority, every cosignature by its witness, where those are given.
    5. The roles are those that the entries give.

    Args:
        ledger: what to check.
        log: the log's key, from elsewhere than the store.
        authority: of time stamps; null to leave them unchecked.
        witnesses: whose cosignatures to check.

    Raises:
        LedgerDamagedError: at the first thing that does not hold, naming it.
    """
    walk = _Walk()
    checkpoints = ledger.checkpoints()
    pending = list(checkpoints)
    size = ledger.size()
    for batch in _batches(ledger, size, [checkpoint.size for checkpoint in checkpoints]):
        while pending and pending[0].size == walk.size:
            _check_checkpoint(pending.pop(0), log, walk)
        _check_batch(ledger, batch, walk)
    while pending and pending[0].size == walk.size:
        _check_checkpoint(pending.pop(0), log, walk)
    if walk.size != size or pending:
        raise LedgerDamagedError(
            f"the ledger holds {walk.size} entries, expected {pending[0].size if pending else size}: entries are missing"
        )
    _check_tiles(ledger, walk.tiles)
    kept = {(one.actor, one.role) for one in ledger.store.roles()}
    if kept != walk.roles:
        differing = ", ".join(sorted(f"{actor!a} {role}" for actor, role in kept ^ walk.roles))
        raise LedgerDamagedError(f"the roles are not those that the entries give: {differing}")
    by_size = {checkpoint.size: checkpoint for checkpoint in checkpoints}
    return LedgerAudit(
        entries=walk.size,
        checkpoints=len(checkpoints),
        time_stamps=_check_time_stamps(ledger, by_size, authority),
        cosignatures=_check_cosignatures(ledger, by_size, witnesses),
        remarks=tuple(_remarks(walk, checkpoints)),
    )


def _batches(ledger: Ledger, size: int, stops: Sequence[int]) -> Iterator[list[LedgerEntry]]:
    """Give the entries in batches that end where a checkpoint does; nothing is sized by what a store claims to hold."""
    ahead = deque(sorted(stops))
    begin = 0
    while begin < size:
        while ahead and ahead[0] <= begin:
            ahead.popleft()
        end = min(begin + _AT_A_TIME, size, ahead[0] if ahead else size)
        batch = list(ledger.entries(start=begin, stop=end))
        if len(batch) != end - begin:
            held = {entry.index for entry in batch}
            missing = next(index for index in range(begin, end) if index not in held)
            raise LedgerDamagedError(f"entry {missing} is missing; the ledger claims to hold {size}")
        yield batch
        begin = end


def _check_batch(ledger: Ledger, batch: Sequence[LedgerEntry], walk: _Walk) -> None:
    hashes = []
    for place, entry in enumerate(batch, start=walk.size):
        if entry.index != place:
            raise LedgerDamagedError(f"entry {place} is missing: the next one that is kept is {entry.index}")
        digest = f"sha256:{hashlib.sha256(entry.record).hexdigest()}"
        if digest != entry.record_digest:
            raise LedgerDamagedError(
                f"entry {place}: expected a record with digest {entry.record_digest}, got {digest}"
            )
        try:
            require_canonical(entry.record)
        except CanonicalFormError as error:
            raise LedgerDamagedError(f"entry {place}: {error}") from error
        walk.steps_back += entry.recorded_us < walk.last_us
        walk.last_us = entry.recorded_us
        if entry.kind in {ROLE_ASSIGNED, ROLE_REVOKED}:
            _follow_roles(entry, walk)
        hashes.append(leaf_hash(leaf_bytes(entry)))
    grown = grow(
        walk.size, hashes, lambda places: {place: walk.tiles[place] for place in places if place in walk.tiles}
    )
    whole = {place: tile for place, tile in grown.items() if len(tile) == TILE_WIDTH * 32}
    _check_tiles(ledger, whole)
    walk.tiles.update(grown)
    walk.size += len(batch)
    last = {level: max(place.number for place in walk.tiles if place.level == level) for level, _ in walk.tiles}
    walk.tiles = {place: tile for place, tile in walk.tiles.items() if place.number == last[place.level]}


def _check_tiles(ledger: Ledger, expected: Mapping[TilePlace, bytes]) -> None:
    kept = ledger.store.read_tiles(expected.keys())
    for place, tile in expected.items():
        if kept.get(place) != tile:
            raise LedgerDamagedError(
                f"tile {place.number} of level {place.level} is not that of the entries: an entry or the tile was changed"
            )


def _check_checkpoint(checkpoint: Checkpoint, log: VerifierKey, walk: _Walk) -> None:
    try:
        signed = verify_checkpoint(checkpoint.note, log)
    except IntegrityError as error:
        raise LedgerDamagedError(f"checkpoint of {checkpoint.size} entries: {error}") from error

    def read(places: Collection[TilePlace]) -> Mapping[TilePlace, bytes]:
        return {place: walk.tiles[place] for place in places if place in walk.tiles}

    got = root(walk.size, read)
    if signed != checkpoint or got != checkpoint.root:
        raise LedgerDamagedError(
            f"checkpoint of {checkpoint.size} entries: expected root {checkpoint.root.hex()}, got {got.hex()} from the "
            "entries: one of them was changed after it was signed"
        )


def _check_time_stamps(ledger: Ledger, by_size: Mapping[int, Checkpoint], authority: TrustedAuthority | None) -> int:
    if authority is None:
        return 0
    stamps = ledger.store.time_stamps()
    for stamp in stamps:
        try:
            verified = verify_stamp(stamp.reply, by_size[stamp.size].note.encode(), stamp.request, authority)
        except IntegrityError as error:
            raise LedgerDamagedError(f"time stamp over the checkpoint of {stamp.size} entries: {error}") from error
        if verified.stamped_us != stamp.stamped_us:
            raise LedgerDamagedError(
                f"time stamp over the checkpoint of {stamp.size} entries: expected {stamp.stamped_us}, "
                f"got {verified.stamped_us} microseconds from its token"
            )
    return len(stamps)


def _check_cosignatures(ledger: Ledger, by_size: Mapping[int, Checkpoint], witnesses: Sequence[VerifierKey]) -> int:
    by_name = {witness.name: witness for witness in witnesses}
    checked = 0
    for kept in ledger.store.cosignatures():
        witness = by_name.get(kept.witness)
        if witness is None:
            continue
        try:
            text = parse_note(by_size[kept.size].note).text
            verify_cosignature(text, parse_signature_line(kept.line), witness)
        except IntegrityError as error:
            raise LedgerDamagedError(f"cosignature of the checkpoint of {kept.size} entries: {error}") from error
        checked += 1
    return checked


def _follow_roles(entry: LedgerEntry, walk: _Walk) -> None:
    said = json.loads(entry.record)
    if not isinstance(said, dict) or not {"actor", "role"} <= said.keys():
        raise LedgerDamagedError(f"entry {entry.index}: a change of roles that names no actor and role")
    change = (str(said["actor"]), str(said["role"]))
    if entry.kind == ROLE_ASSIGNED:
        walk.roles.add(change)
    else:
        walk.roles.discard(change)


def _remarks(walk: _Walk, checkpoints: Sequence[Checkpoint]) -> Iterator[str]:
    if walk.steps_back:
        yield f"the clock went back {walk.steps_back} times: some entries have an earlier time than the one before them"
    covered = checkpoints[-1].size if checkpoints else 0
    if covered < walk.size:
        yield f"the last {walk.size - covered} entries are in no checkpoint yet, so nothing signed speaks for them"
