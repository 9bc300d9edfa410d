"""Challenge: a question with many equally good answers, one of which was drawn in secret and committed to before anybody was asked.

A set of slots is fixed and committed to first. Only then is a target drawn for each slot and audience. So whoever knows nothing of the
targets hits each with probability one in the number of answers, however it chooses, and no reference model is needed to say so.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_ANSWERS = 16
"""Answers that a slot must have: fewer make a lucky hit too likely for a few dozen slots to say anything."""
SERVED_ARM = 0
"""The targets that were served. Arms from 1 on are counter-keys: drawn alike, and never served to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeSlot:
    """A question that leaves the choice open, and the answers that are equally good."""

    slot_id: str
    """Unique in its set; never text of a prompt."""
    context: str
    """The question or its template."""
    answers: tuple[str, ...]
    """Distinct and none empty, at least `LEAST_ANSWERS`; a target is an index into them."""

    def __post_init__(self) -> None:
        """Refuse a slot that could not carry a test.

        Raises:
            ValueError: for no id or context, too few answers, or answers that are empty or alike; no text is repeated.
        """
        if not self.slot_id or not self.context:
            raise ValueError(f"slot {self.slot_id!r}: got an empty id or context, expected both")
        if len(self.answers) < LEAST_ANSWERS:
            raise ValueError(
                f"slot {self.slot_id!r}: got {len(self.answers)} answers, expected at least {LEAST_ANSWERS} equally good ones"
            )
        if len(set(self.answers)) < len(self.answers) or not all(self.answers):
            raise ValueError(f"slot {self.slot_id!r}: got answers that are empty or alike, expected distinct ones")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeCommitment:
    """First entry of the ledger: what was asked is fixed, and no target exists yet."""

    challenge_id: str
    slots_root: str
    """Merkle root over the salted slots in their order, 64 hex digits."""
    slots: int
    """Number of slots, at least 1."""
    key_digest: str
    """SHA-256 of the secret key, 64 hex digits: the key cannot be exchanged for a luckier one later."""
    counter_arms: int
    """Arms of targets that will never be served, at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeTargets:
    """Second entry: the targets of one audience are drawn and committed to; only now may they be served or asked for."""

    challenge_id: str
    slots_root: str
    """Of the commitment that this rests on."""
    audience: str
    """Account that the served arm is for; empty where it is for the model itself."""
    beacon: str
    """Hex digits that came into being after the commitment and that we do not choose, such as the signature of its time stamp; empty
    where there is none: then that the targets were not picked rests on the key's commitment alone."""
    targets_root: str
    """Merkle root over the salted targets, slot after slot, all arms of a slot together, 64 hex digits."""
    targets: int
    """Leaves of that tree: slots times (1 + counter arms)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeTarget:
    """One leaf of the second tree."""

    slot_id: str
    audience: str
    arm: int
    """`SERVED_ARM`, or the number of a counter-key."""
    target: int
    """Index into the slot's answers."""
    salt: str
    """64 hex digits: without it nobody can try out what a leaf holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeOpening:
    """One slot and its served target, with the proofs that both were committed to; the other leaves stay closed."""

    slot: ChallengeSlot
    slot_salt: str
    slot_index: int
    """Place in the tree of slots."""
    slot_proof: tuple[str, ...]
    """Audit path of RFC 6962, hex digits, from the leaf's sibling up."""
    target: ChallengeTarget
    target_index: int
    """Place in the tree of targets."""
    target_proof: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeMaterial:
    """All slots and targets of one audience, as a test of a suspect reads them; whoever holds it can check it without the key."""

    commitment: ChallengeCommitment
    targets: ChallengeTargets
    slots: tuple[ChallengeSlot, ...]
    slot_salts: tuple[str, ...]
    leaves: tuple[ChallengeTarget, ...]
    """Slot after slot, of each the served arm and then its counter arms."""

    def target(self, slot_index: int, arm: int) -> int:
        """Return the target of a slot in an arm."""
        return self.leaves[slot_index * (self.commitment.counter_arms + 1) + arm].target
