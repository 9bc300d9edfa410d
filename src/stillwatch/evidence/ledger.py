"""The ledger: an append-only log of canonical records, signed, time-stamped, and provable to a stranger.

Takes canonical bytes of any record, with a kind and an actor. Gives indices, checkpoints, time stamps and proofs. It knows nothing of what the
records mean. Promises that an index which was given back stays, that every checkpoint continues the last one, and that a proof reads
O(log n) tiles. Adding an entry costs one hash of its record, one of its leaf and about one of a node.

The leaf of an entry is the canonical JSON of its actor, kind, time and the digest of its record, so a record can be withheld
and its entry still be proved. A checkpoint that only its owner holds proves little: whoever owns the store can write another
history. Time stamps and witnesses are what fixes it against the owner.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

from stillwatch.evidence.errors import EntryError, LedgerDamagedError, LedgerError
from stillwatch.integrity.canonical import require_canonical
from stillwatch.integrity.errors import CanonicalFormError, SignatureError
from stillwatch.integrity.merkle import (
    consistency_proof,
    grow,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
)
from stillwatch.integrity.signed_note import (
    NoteSignature,
    parse_note,
    parse_signature_line,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    with_cosignatures,
)
from stillwatch.integrity.signing import SignatureType, SignerKey, VerifierKey, parse_verifier_key
from stillwatch.integrity.time_stamp import Transport, TrustedAuthority, stamp_request, verify_stamp
from stillwatch.records.ledger import (
    Checkpoint,
    ConsistencyProof,
    Cosignature,
    InclusionProof,
    LedgerEntry,
    LedgerIdentity,
    NewEntry,
    TimeStamp,
)
from stillwatch.stores.errors import NotKeptError
from stillwatch.stores.protocol import LedgerStore, LedgerWriter

ENTRY_FORMAT = "ledger-entry/v1"
LONGEST_RECORD = 16 << 20
"""Bytes of a record."""
LONGEST_KIND = 64
LONGEST_ACTOR = 128

Clock = Callable[[], int]
"""Gives the present time: microseconds since the Unix epoch, UTC."""
Alongside = Callable[[LedgerWriter, range], None]
"""What else to write in the transaction of an append, given the new indices."""


class Ledger:
    """A ledger in a store."""

    def __init__(self, store: LedgerStore, signer: SignerKey | None, clock: Clock) -> None:
        """Open a ledger that was begun.

        Args:
            store: where it is kept.
            signer: the log's key; null where no checkpoint will be made.
            clock: gives the time of entries.

        Raises:
            LedgerError: where the store holds no ledger, or the key is that of another one.
        """
        identity = store.identity()
        if identity is None:
            raise LedgerError("the store holds no ledger yet; begin one with `stillwatch ledger init`")
        if signer is not None and signer.verifier.text() != identity.verifier_key:
            raise LedgerError(
                f"the key {signer.verifier.text()} is not that of this ledger, expected {identity.verifier_key}"
            )
        self._store = store
        self._signer = signer
        self._clock = clock
        self.identity: LedgerIdentity = identity

    @property
    def verifier(self) -> VerifierKey:
        """The log's public key, as the store has it."""
        return parse_verifier_key(self.identity.verifier_key)

    @property
    def store(self) -> LedgerStore:
        """Where it is kept."""
        return self._store

    def size(self) -> int:
        """Count the entries."""
        return self._store.size()

    def append(self, entries: Sequence[NewEntry], alongside: Alongside | None = None) -> range:
        """Append a batch, whole or not at all.

        Args:
            entries: in the order in which they will stand. Their records must be canonical bytes (`integrity.canonical_bytes`).
            alongside: writes more in the same transaction.

        Returns:
            The indices. When they are returned, the entries are on the disk.

        Raises:
            EntryError: for an entry that the ledger does not take.
            StoreError: where the store cannot keep the batch; then nothing of it is kept.
        """
        _check_entries(entries)
        with self._store.write() as writer:
            indices = append_to(writer, entries, self._clock())
            if alongside is not None:
                alongside(writer, indices)
        return indices

    def entry(self, index: int) -> LedgerEntry:
        """Give an entry.

        Raises:
            NotKeptError: where there is none of that index.
        """
        return self._store.entry(index)

    def entries(self, kind: str | None = None, start: int = 0, stop: int | None = None) -> Iterator[LedgerEntry]:
        """Give entries in order, of one kind or all, from `start` to before `stop`."""
        return self._store.entries(start, stop, kind)

    def checkpoint(self) -> Checkpoint:
        """Sign the log as it is now, and keep the checkpoint; where nothing was appended since the last one, give that.

        Raises:
            LedgerError: where the ledger was opened without its key.
            LedgerDamagedError: where the log does not continue its last checkpoint; then nothing is signed.
            StoreError: where the checkpoint cannot be kept.
        """
        if self._signer is None:
            raise LedgerError("a checkpoint needs the ledger's key: --key-file, or STILLWATCH_LEDGER_KEY_FILE")
        with self._store.write() as writer:
            size = writer.size
            last = self._store.checkpoint()
            whole = root(size, writer.read_tiles)
            if last is not None:
                self._check_continues(last, size, whole, writer)
                if last.size == size:
                    return last
            made = sign_checkpoint(self.identity.origin, size, whole, self._signer)
            writer.add_checkpoint(made)
        return made

    def _check_continues(self, last: Checkpoint, size: int, whole: bytes, writer: LedgerWriter) -> None:
        """Refuse to sign what contradicts a checkpoint that was signed (C2SP tlog-checkpoint, Signatures: MUST NOT)."""
        if (
            size < last.size
            or root(last.size, writer.read_tiles) != last.root
            or (size == last.size and whole != last.root)
        ):
            raise LedgerDamagedError(
                f"the log of {size} entries does not continue its checkpoint of {last.size}, root {last.root.hex()}; "
                "nothing was signed. Keep the store as it is, and look for who changed it"
            )

    def stamp(self, checkpoint: Checkpoint, transport: Transport, authority: TrustedAuthority) -> TimeStamp:
        """Have a checkpoint's note stamped, verify the reply, and keep it as it came.

        Args:
            checkpoint: one that is kept.
            transport: carries the request to the authority; the only way to a network.
            authority: whom one trusts.

        Raises:
            NotKeptError: where the checkpoint is not one of this ledger.
            TimeStampError: where there is no reply, or it does not verify; then nothing is kept.
        """
        kept = self.kept(checkpoint.size)
        if kept != checkpoint:
            raise NotKeptError(f"the checkpoint of {checkpoint.size} entries is not the one that the ledger keeps")
        data = checkpoint.note.encode()
        request = stamp_request(data)
        reply = transport(request)
        verified = verify_stamp(reply, data, request, authority)
        stamp = TimeStamp(
            size=checkpoint.size,
            authority=verified.authority,
            stamped_us=verified.stamped_us,
            request=request,
            reply=reply,
        )
        with self._store.write() as writer:
            writer.add_time_stamp(stamp)
        return stamp

    def add_cosignature(self, size: int, line: str, witness: VerifierKey) -> Cosignature:
        """Verify a witness's line below a checkpoint, and keep it.

        Raises:
            NotKeptError: where there is no checkpoint of that size.
            SignedNoteError: where the line is none.
            SignatureError: where it is not the witness's, or does not verify.
        """
        checkpoint = self.kept(size)
        if witness.type is not SignatureType.COSIGNATURE:
            raise SignatureError(f"key {witness.name} is for notes, expected one for cosignatures (type 0x04)")
        signature: NoteSignature = parse_signature_line(line)
        time_s = verify_cosignature(parse_note(checkpoint.note).text, signature, witness)
        kept = Cosignature(size=size, witness=witness.name, cosigned_s=time_s, line=signature.line())
        with self._store.write() as writer:
            writer.add_cosignature(kept)
        return kept

    def note(self, size: int | None = None) -> str:
        """Give a checkpoint's note with all cosignatures that are kept; of the largest checkpoint by default.

        Raises:
            NotKeptError: where there is none.
        """
        checkpoint = self.kept(size)
        return with_cosignatures(checkpoint, self._store.cosignatures(checkpoint.size))

    def prove(self, index: int, size: int | None = None) -> InclusionProof:
        """Prove that an entry is in the log.

        Args:
            index: of the entry.
            size: of the tree that the proof is for, usually a checkpoint's; the largest checkpoint's by default.

        Raises:
            NotKeptError: where there is no such entry, or no checkpoint to take the size from.
            TreeError: where the entry is not in a tree of that size.
        """
        at = self.kept(None).size if size is None else size
        entry = self._store.entry(index)
        return InclusionProof(
            index=index, size=at, leaf=leaf_bytes(entry), hashes=inclusion_proof(index, at, self._store.read_tiles)
        )

    def prove_consistency(self, old: int, new: int) -> ConsistencyProof:
        """Prove that the log of `new` entries continues the log of `old` entries.

        Raises:
            TreeError: where the log was never that large, or `old` is over `new`.
        """
        return ConsistencyProof(old=old, new=new, hashes=consistency_proof(old, new, self._store.read_tiles))

    def root(self, size: int) -> bytes:
        """Give the root of the tree of the first `size` entries, 32 bytes, from the tiles that are kept.

        Raises:
            TreeError: where the log was never that large.
        """
        return root(size, self._store.read_tiles)

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Give all checkpoints, smallest first."""
        return self._store.checkpoints()

    def kept(self, size: int | None = None) -> Checkpoint:
        """Give the checkpoint of a size, or the largest.

        Raises:
            NotKeptError: where there is none.
        """
        checkpoint = self._store.checkpoint(size)
        if checkpoint is None:
            wanted = "no checkpoint yet" if size is None else f"no checkpoint of {size} entries"
            raise NotKeptError(f"the ledger has {wanted}; make one with `stillwatch ledger checkpoint`")
        return checkpoint


def begin_ledger(
    store: LedgerStore, signer: SignerKey, clock: Clock, first: Sequence[NewEntry], alongside: Alongside | None = None
) -> Ledger:
    """Begin a ledger in a store that holds none: its identity and its first entries, in one transaction.

    Args:
        store: where it will be kept.
        signer: the log's key; its name is the origin of all checkpoints.
        clock: gives the time of entries.
        first: entries to begin with.
        alongside: writes more in the same transaction.

    Raises:
        LedgerError: where the store holds a ledger already, or the key is for cosignatures.
        EntryError: for an entry that the ledger does not take.
    """
    if signer.type is not SignatureType.NOTE:
        raise LedgerError(f"key {signer.name} is for cosignatures, expected a key for notes")
    _check_entries(first)
    now = clock()
    identity = LedgerIdentity(origin=signer.name, verifier_key=signer.verifier.text(), created_us=now)
    held = store.identity()
    if held is not None:
        raise LedgerError(f"the store holds the ledger {held.origin} already; open that, or name another store")
    with store.write() as writer:
        writer.add_identity(identity)
        indices = append_to(writer, first, now)
        if alongside is not None:
            alongside(writer, indices)
    return Ledger(store, signer, clock)


def append_to(writer: LedgerWriter, entries: Sequence[NewEntry], now_us: int) -> range:
    """Append checked entries in a transaction that has begun; see `Ledger.append`."""
    start = writer.size
    digests = [hashlib.sha256(entry.record).hexdigest() for entry in entries]
    kept = [
        LedgerEntry(
            index=index,
            kind=entry.kind,
            recorded_us=now_us,
            actor=entry.actor,
            record_digest="sha256:" + digest,
            record=entry.record,
        )
        for index, (entry, digest) in enumerate(zip(entries, digests, strict=True), start=start)
    ]
    frames = {key: _frame(*key) for key in {(entry.actor, entry.kind) for entry in entries}}
    end = f'","recorded_us":{now_us}}}'.encode()
    hashes = [
        leaf_hash(frames[(entry.actor, entry.kind)] + digest.encode() + end)
        for entry, digest in zip(entries, digests, strict=True)
    ]
    writer.add_entries(kept, grow(start, hashes, writer.read_tiles))
    return range(start, start + len(kept))


def leaf_bytes(entry: LedgerEntry) -> bytes:
    """Return what is hashed into the tree for an entry: canonical JSON of its actor, format, kind, record digest and time."""
    digest = entry.record_digest.removeprefix("sha256:")
    return _frame(entry.actor, entry.kind) + f'{digest}","recorded_us":{entry.recorded_us}}}'.encode()


def check_witnessed(seen: Checkpoint | None, note: str, log: VerifierKey, proof: ConsistencyProof) -> Checkpoint:
    """Check, as a witness must before it cosigns, that a checkpoint continues the last one it saw (C2SP tlog-cosignature).

    Args:
        seen: what the witness saw last of this log; null for the first time.
        note: the new checkpoint.
        log: the log's key.
        proof: from the size seen to the new one.

    Returns:
        The new checkpoint.

    Raises:
        SignatureError: where the log did not sign it.
        ConsistencyProofError: where it does not continue what was seen.
    """
    new = verify_checkpoint(note, log)
    if seen is not None:
        if seen.origin != new.origin:
            raise SignatureError(f"the checkpoint is of another log: expected {seen.origin!a}, got {new.origin!a}")
        verify_consistency(seen.size, new.size, seen.root, new.root, proof.hashes)
    return new


def _frame(actor: str, kind: str) -> bytes:
    """Return the leaf up to the digest's hex digits."""
    who, what = (json.dumps(text, ensure_ascii=False) for text in (actor, kind))
    return f'{{"actor":{who},"format":"{ENTRY_FORMAT}","kind":{what},"record_digest":"sha256:'.encode()


def _check_entries(entries: Sequence[NewEntry]) -> None:
    """Refuse what the ledger does not take; names are checked once each, not once an entry."""
    for kind in {entry.kind for entry in entries}:
        check_word(kind, "kind", LONGEST_KIND)
    for actor in {entry.actor for entry in entries}:
        check_word(actor, "actor", LONGEST_ACTOR)
    for place, entry in enumerate(entries):
        size = len(entry.record)
        if not 0 < size <= LONGEST_RECORD:
            raise EntryError(
                f"entry {place} of the batch: got a record of {size} bytes, expected 1 to {LONGEST_RECORD}"
            )
        try:
            require_canonical(entry.record)
        except CanonicalFormError as error:
            raise EntryError(f"entry {place} of the batch: {error}") from None


def check_word(text: str, what: str, longest: int) -> None:
    """Refuse a kind or actor that is empty, too long, or holds what cannot be printed.

    Raises:
        EntryError: naming it.
    """
    if not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
        raise EntryError(f"{what}: got {text[:LONGEST_ACTOR]!a}, expected 1 to {longest} printable characters")
