"""Access: who may do what, and a ledger entry for every look at text and at mark keys.

Takes a ledger and names of actors. Gives permission or raises; hands out text and keys only after the look was recorded. Roles stand in the
store, and every change of them is an entry in the same transaction, so that the two agree; `ledger_audit.py` compares them.

What this guards: people who work through stillwatch. Whoever can read the log files or the store with other tools can do so
without an entry; file permissions and the database's own accounts are what guards those. Names are as trustworthy as whoever
calls: the command line takes the name that it is given, a console the one that it has authenticated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from stillwatch.evidence.errors import AccessError
from stillwatch.evidence.ledger import LONGEST_ACTOR, Alongside, Clock, Ledger, begin_ledger, check_word
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.signing import SignerKey
from stillwatch.records.ledger import NewEntry, RoleAssignment
from stillwatch.stores.protocol import LedgerStore, LedgerWriter

BEGUN = "ledger begun"
ROLE_ASSIGNED = "role assigned"
ROLE_REVOKED = "role revoked"
TEXT_LOOKED_AT = "text looked at"
TEXT_REFUSED = "text refused"
KEY_REVEALED = "mark key revealed"
KEYS_EXPORTED = "mark keys exported"
KEYS_REFUSED = "mark keys refused"
RESERVED_KINDS = frozenset(
    {BEGUN, ROLE_ASSIGNED, ROLE_REVOKED, TEXT_LOOKED_AT, TEXT_REFUSED, KEY_REVEALED, KEYS_EXPORTED, KEYS_REFUSED}
)
"""Kinds that only this module appends, since they must agree with what was done."""

Text = TypeVar("Text")


class Role(StrEnum):
    """What an actor is; one may be several."""

    VIEWER = "viewer"
    """Reads findings and entries; sees no text."""
    ANALYST = "analyst"
    """Investigates: seals runs, appends records, looks at text."""
    APPROVER = "approver"
    """Approves what others propose; looks at text to do so."""
    AUDITOR = "auditor"
    """Checks the ledger and draws proofs from it; sees no text."""
    ADMIN = "admin"
    """Keeps the ledger and the roles; sees no text."""


class Permission(StrEnum):
    """What may be done."""

    READ = "read entries"
    PROVE = "draw proofs"
    APPEND = "append records"
    SEAL_RUN = "seal a run"
    LOOK_AT_TEXT = "look at text"
    APPROVE = "approve"
    CHECKPOINT = "sign checkpoints"
    STAMP = "have checkpoints time-stamped"
    COSIGN = "keep cosignatures"
    ASSIGN_ROLES = "assign roles"
    EXPORT_KEYS = "export mark keys"
    REVEAL_KEY = "reveal a mark key"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.ANALYST: frozenset(
        {
            Permission.READ,
            Permission.PROVE,
            Permission.APPEND,
            Permission.SEAL_RUN,
            Permission.LOOK_AT_TEXT,
            Permission.EXPORT_KEYS,
        }
    ),
    Role.APPROVER: frozenset({Permission.READ, Permission.LOOK_AT_TEXT, Permission.APPROVE, Permission.REVEAL_KEY}),
    Role.AUDITOR: frozenset({Permission.READ, Permission.PROVE, Permission.STAMP, Permission.COSIGN}),
    Role.ADMIN: frozenset(
        {
            Permission.READ,
            Permission.PROVE,
            Permission.APPEND,
            Permission.CHECKPOINT,
            Permission.STAMP,
            Permission.COSIGN,
            Permission.ASSIGN_ROLES,
            Permission.EXPORT_KEYS,
        }
    ),
}
"""What each role may do. Nobody approves by being analyst, and nobody sees text by being admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReference:
    """Where text stands that somebody wants to see: ids and places, never the text."""

    file: str
    """Path of the log file as the run had it."""
    offset: int
    length: int
    """Bytes; 0 where the offset is a row of a Parquet file."""


class Access:
    """The access to one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Take the ledger that holds the roles and records the looks."""
        self._ledger = ledger

    def roles_of(self, actor: str) -> frozenset[Role]:
        """Give the roles of an actor."""
        return _roles(self._ledger.store.roles(actor))

    def require(self, actor: str, permission: Permission) -> None:
        """Make sure that an actor may do something.

        Raises:
            AccessError: where no role of the actor allows it.
        """
        _require(self._ledger.store.roles(actor), actor, permission)

    def append(self, actor: str, entries: Sequence[NewEntry], permission: Permission = Permission.APPEND) -> range:
        """Append entries for an actor, whose permission is checked in the same transaction.

        Raises:
            AccessError: where no role allows it, or a kind is one that only the ledger itself writes.
        """
        for entry in entries:
            if entry.kind in RESERVED_KINDS:
                raise AccessError(f"kind {entry.kind!r} is written by the ledger itself; name another")
            if entry.actor != actor:
                raise AccessError(f"{actor!a} cannot append an entry in the name of {entry.actor!a}")
        return self._ledger.append(entries, _checking(actor, permission))

    def assign(self, role: Role, to: str, by: str) -> int:
        """Give an actor a role, and record it.

        Returns:
            The index of the entry.

        Raises:
            AccessError: where `by` may not assign roles.
            EntryError: where `to` is no name.
        """
        check_word(to, "actor", LONGEST_ACTOR)

        def write(writer: LedgerWriter, indices: range) -> None:
            _require(writer.roles(by), by, Permission.ASSIGN_ROLES)
            writer.add_role(RoleAssignment(actor=to, role=role.value, entry_index=indices[0]))

        return self._ledger.append([_role_entry(ROLE_ASSIGNED, role, to, by)], write)[0]

    def revoke(self, role: Role, of: str, by: str) -> int:
        """Take a role from an actor, and record it.

        Returns:
            The index of the entry.

        Raises:
            AccessError: where `by` may not assign roles, the actor does not have the role, or is the last admin.
        """

        def write(writer: LedgerWriter, _: range) -> None:
            _require(writer.roles(by), by, Permission.ASSIGN_ROLES)
            if role not in _roles(writer.roles(of)):
                raise AccessError(f"{of!a} is no {role}; there is nothing to revoke")
            admins = [one for one in writer.roles() if one.role == Role.ADMIN]
            if role is Role.ADMIN and len(admins) == 1:
                raise AccessError(f"{of!a} is the last admin; make another one first")
            writer.remove_role(of, role.value)

        return self._ledger.append([_role_entry(ROLE_REVOKED, role, of, by)], write)[0]

    def look_at_text(
        self, actor: str, references: Sequence[TextReference], purpose: str, read: Callable[[], Text]
    ) -> Text:
        """Record a look at text, then read the text and hand it out.

        The entry is on the disk before the first byte of text is read. A look that is refused is recorded too.

        Args:
            actor: who looks.
            references: what is looked at, by places.
            purpose: why, in the actor's words; for example the name of a case.
            read: reads the text.

        Returns:
            What `read` gives.

        Raises:
            AccessError: where no role of the actor allows it.
            StoreError: where the look cannot be recorded; then no text is read.
        """
        record = canonical_bytes(
            {
                "format": "text-look/v1",
                "purpose": purpose,
                "references": [{"file": one.file, "length": one.length, "offset": one.offset} for one in references],
            }
        )
        self._record_look(
            NewEntry(kind=TEXT_LOOKED_AT, actor=actor, record=record),
            TEXT_REFUSED,
            _checking(actor, Permission.LOOK_AT_TEXT),
        )
        return read()

    def hand_out_keys(
        self,
        actor: str,
        handles: Sequence[str],
        purpose: str,
        kind: str,
        alongside: Alongside,
        read: Callable[[], Text],
    ) -> Text:
        """Record that raw mark keys are handed out, then derive them and hand them out.

        The entry is on the disk before the first key is derived. A try that is refused is recorded too.

        Args:
            actor: who wants them.
            handles: of the keys.
            purpose: why, in the actor's words; for example the name of a case.
            kind: `KEY_REVEALED`, for the world to check; or `KEYS_EXPORTED`, for detectors and engines of one's own.
            alongside: writes more in the transaction of the entry.
            read: derives the keys.

        Returns:
            What `read` gives.

        Raises:
            AccessError: where no role of the actor allows it.
            StoreError: where it cannot be recorded; then no key is derived.
        """
        record = canonical_bytes({"format": "mark-key-look/v1", "handles": list(handles), "purpose": purpose})
        permission = Permission.REVEAL_KEY if kind == KEY_REVEALED else Permission.EXPORT_KEYS
        check = _checking(actor, permission)

        def write(writer: LedgerWriter, indices: range) -> None:
            check(writer, indices)
            alongside(writer, indices)

        self._record_look(NewEntry(kind=kind, actor=actor, record=record), KEYS_REFUSED, write)
        return read()

    def _record_look(self, entry: NewEntry, refused: str, alongside: Alongside) -> None:
        """Append the entry of a look, or of its refusal."""
        try:
            self._ledger.append([entry], alongside)
        except AccessError:
            self._ledger.append([NewEntry(kind=refused, actor=entry.actor, record=entry.record)])
            raise


def begin_with_admin(store: LedgerStore, signer: SignerKey, clock: Clock, admin: str) -> Ledger:
    """Begin a ledger and make its first admin, in one transaction.

    Raises:
        LedgerError: where the store holds a ledger already, or the key is for cosignatures.
        EntryError: where `admin` is no name.
    """
    begun = canonical_bytes({"format": "ledger-begun/v1", "verifier_key": signer.verifier.text()})
    first = [
        NewEntry(kind=BEGUN, actor=admin, record=begun),
        _role_entry(ROLE_ASSIGNED, Role.ADMIN, admin, admin),
    ]

    def write(writer: LedgerWriter, indices: range) -> None:
        writer.add_role(RoleAssignment(actor=admin, role=Role.ADMIN.value, entry_index=indices[1]))

    return begin_ledger(store, signer, clock, first, write)


def _role_entry(kind: str, role: Role, actor: str, by: str) -> NewEntry:
    record = canonical_bytes({"actor": actor, "format": "role-change/v1", "role": role.value})
    return NewEntry(kind=kind, actor=by, record=record)


def _checking(actor: str, permission: Permission) -> Callable[[LedgerWriter, range], None]:
    """Return a check that undoes the transaction in which it fails."""

    def check(writer: LedgerWriter, _: range) -> None:
        _require(writer.roles(actor), actor, permission)

    return check


def _roles(assignments: Sequence[RoleAssignment]) -> frozenset[Role]:
    """Return the roles; a word that is none, from a newer program, allows nothing."""
    return frozenset(Role(one.role) for one in assignments if one.role in set(Role))


def _require(assignments: Sequence[RoleAssignment], actor: str, permission: Permission) -> None:
    roles = _roles(assignments)
    if not any(permission in PERMISSIONS[role] for role in roles):
        has = ", ".join(sorted(roles)) or "no role"
        allowed = ", ".join(role for role in Role if permission in PERMISSIONS[role])
        raise AccessError(
            f"{actor!a} may not {permission}: has {has}, expected one of {allowed}; an admin assigns it with "
            "`stillwatch ledger role`"
        )
