"""Commitments of challenges: slots first, then targets that nobody could have picked, then single leaves on demand.

Takes slots and a secret key of 32 bytes. Gives the two commitments for the ledger, the target of each slot, and openings that verify
against the commitments alone.

Order is what makes the test's null exact:

1. `commit_slots` binds contexts, answers and their order under salts, and the key by its digest. The ledger takes it.
2. `draw_target` is HMAC-SHA-256(key, slots root, beacon, audience, slot, arm) modulo the answers. It needs the root of step 1, so that no
   context can be chosen with its target in mind. With a beacon from after step 1 the key cannot have been chosen with it in mind either.
3. `commit_targets` binds the targets. The ledger takes it before the first one is served or asked for.
4. `open_leaf` shows one slot and target in a dispute; salts keep every other leaf closed, and a key once spent need not be shown.

The remainder modulo at most 2**32 answers is uniform up to 2**-224. Time and memory are linear in the slots. A commitment does not show
when it was made, and that the key was drawn at random, nobody can see: step 2's beacon makes it immaterial.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.errors import ChallengeError
from stillwatch.integrity.merkle import grow, inclusion_proof, leaf_hash, root_of_leaves, verify_inclusion
from stillwatch.records.challenge import (
    SERVED_ARM,
    ChallengeCommitment,
    ChallengeMaterial,
    ChallengeOpening,
    ChallengeSlot,
    ChallengeTarget,
    ChallengeTargets,
)

KEY_BYTES = 32
_HEX = re.compile(r"(?:[0-9a-f]{2})*")


def commit_slots(
    challenge_id: str, slots: Sequence[ChallengeSlot], key: bytes, *, counter_arms: int
) -> ChallengeCommitment:
    """Bind the slots and the key.

    Args:
        challenge_id: names the set.
        slots: at least one, with distinct ids; their order is bound too.
        key: `KEY_BYTES` bytes from a cryptographic generator, kept secret.
        counter_arms: arms of targets that will never be served, at least 1.

    Raises:
        ChallengeError: for a short key, no slot, ids that are alike, or no counter arm.
    """
    _check_key(key)
    if not slots or len({slot.slot_id for slot in slots}) < len(slots):
        raise ChallengeError(f"challenge {challenge_id!r}: got {len(slots)} slots, expected some with distinct ids")
    if counter_arms < 1:
        raise ChallengeError(f"challenge {challenge_id!r}: got {counter_arms} counter arms, expected at least 1")
    return ChallengeCommitment(
        challenge_id=challenge_id,
        slots_root=root_of_leaves(_slot_leaves(challenge_id, slots, key)).hex(),
        slots=len(slots),
        key_digest=hashlib.sha256(key).hexdigest(),
        counter_arms=counter_arms,
    )


def draw_target(
    commitment: ChallengeCommitment,
    slot: ChallengeSlot,
    key: bytes,
    *,
    audience: str,
    beacon: str = "",
    arm: int = SERVED_ARM,
) -> int:
    """Give the target of a slot for an audience: an index into its answers, the same at every call.

    Args:
        commitment: as the ledger holds it.
        slot: of the committed set.
        key: that the commitment binds.
        audience: the account that is served, or empty for the model itself.
        beacon: hex digits from after the commitment, as in `ChallengeTargets`.
        arm: `SERVED_ARM`, or 1 to `counter_arms`.

    Raises:
        ChallengeError: for another key, an arm that is not there, or a beacon that is not hex.
    """
    _check_bound(commitment, key)
    if not 0 <= arm <= commitment.counter_arms:
        raise ChallengeError(f"got arm {arm}, expected 0 to {commitment.counter_arms}")
    if not _HEX.fullmatch(beacon):
        raise ChallengeError("got a beacon that is not in small hex digits, expected the hex of its bytes")
    drawn = _keyed(key, "target", commitment.slots_root, beacon, audience, slot.slot_id, arm)
    return int.from_bytes(drawn, "big") % len(slot.answers)


def draw_targets(
    commitment: ChallengeCommitment, slots: Sequence[ChallengeSlot], key: bytes, *, audience: str, beacon: str = ""
) -> tuple[ChallengeTarget, ...]:
    """Give the leaves of the second tree: slot after slot, of each the served arm and then its counter arms.

    Raises:
        ChallengeError: where key or slots are not those of the commitment.
    """
    _check_slots(commitment, slots, key)
    return tuple(
        ChallengeTarget(
            slot_id=slot.slot_id,
            audience=audience,
            arm=arm,
            target=draw_target(commitment, slot, key, audience=audience, beacon=beacon, arm=arm),
            salt=_keyed(key, "target salt", commitment.slots_root, beacon, audience, slot.slot_id, arm).hex(),
        )
        for slot in slots
        for arm in range(commitment.counter_arms + 1)
    )


def commit_targets(
    commitment: ChallengeCommitment, slots: Sequence[ChallengeSlot], key: bytes, *, audience: str, beacon: str = ""
) -> ChallengeTargets:
    """Bind the targets of an audience.

    Raises:
        ChallengeError: where key or slots are not those of the commitment.
    """
    targets = draw_targets(commitment, slots, key, audience=audience, beacon=beacon)
    return ChallengeTargets(
        challenge_id=commitment.challenge_id,
        slots_root=commitment.slots_root,
        audience=audience,
        beacon=beacon,
        targets_root=root_of_leaves([_leaf("target", target) for target in targets]).hex(),
        targets=len(targets),
    )


def open_leaf(
    commitment: ChallengeCommitment, targets: ChallengeTargets, slots: Sequence[ChallengeSlot], key: bytes, slot_id: str
) -> ChallengeOpening:
    """Show one slot and its served target with the proofs of both.

    Raises:
        ChallengeError: where the slot is not there, or key, slots or targets are not those that were committed to.
    """
    drawn = draw_targets(commitment, slots, key, audience=targets.audience, beacon=targets.beacon)
    target_leaves = [_leaf("target", target) for target in drawn]
    if root_of_leaves(target_leaves).hex() != targets.targets_root:
        raise ChallengeError(f"challenge {commitment.challenge_id!r}: the targets are not those that were committed to")
    places = [place for place, slot in enumerate(slots) if slot.slot_id == slot_id]
    if not places:
        raise ChallengeError(f"challenge {commitment.challenge_id!r}: got slot {slot_id!r}, expected one of its own")
    slot_index = places[0]
    target_index = slot_index * (commitment.counter_arms + 1)
    return ChallengeOpening(
        slot=slots[slot_index],
        slot_salt=_slot_salt(commitment.challenge_id, slots[slot_index], key),
        slot_index=slot_index,
        slot_proof=_proof(_slot_leaves(commitment.challenge_id, slots, key), slot_index),
        target=drawn[target_index],
        target_index=target_index,
        target_proof=_proof(target_leaves, target_index),
    )


def verify_opening(opening: ChallengeOpening, commitment: ChallengeCommitment, targets: ChallengeTargets) -> None:
    """Check, without the key, that a slot and its target are those that were committed to.

    Args:
        opening: as the provider shows it.
        commitment: as the ledger holds it.
        targets: as the ledger holds it.

    Raises:
        ChallengeError: where opening, commitment and targets do not belong together.
        InclusionProofError: where a leaf does not stand in its tree.
    """
    # 1. The two commitments belong together.
    if (targets.challenge_id, targets.slots_root) != (commitment.challenge_id, commitment.slots_root):
        raise ChallengeError(
            f"targets of {targets.challenge_id!r} do not rest on the commitment of {commitment.challenge_id!r}"
        )
    # 2. The target is that of the slot, for this audience, and of the served arm: a counter-key passed off as served would hit too.
    shown = (opening.target.slot_id, opening.target.audience, opening.target.arm, opening.target_index)
    expected = (
        opening.slot.slot_id,
        targets.audience,
        SERVED_ARM,
        opening.slot_index * (commitment.counter_arms + 1),
    )
    if shown != expected:
        raise ChallengeError(
            f"opening of slot {opening.slot.slot_id!r}: got slot, audience, arm and place {shown}, expected {expected}"
        )
    if not 0 <= opening.target.target < len(opening.slot.answers):
        raise ChallengeError(
            f"opening of slot {opening.slot.slot_id!r}: got target {opening.target.target} of {len(opening.slot.answers)}"
        )
    # 3. Both leaves stand in their trees.
    salted = {"challenge_id": commitment.challenge_id, "salt": opening.slot_salt, "slot": opening.slot}
    for leaf, index, size, proof, root in (
        (_leaf("slot", salted), opening.slot_index, commitment.slots, opening.slot_proof, commitment.slots_root),
        (
            _leaf("target", opening.target),
            opening.target_index,
            targets.targets,
            opening.target_proof,
            targets.targets_root,
        ),
    ):
        verify_inclusion(leaf, index, size, _bytes(proof), _bytes([root])[0])


def material_of(
    commitment: ChallengeCommitment, targets: ChallengeTargets, slots: Sequence[ChallengeSlot], key: bytes
) -> ChallengeMaterial:
    """Give all slots and targets of an audience with their salts, for a test of a suspect.

    Raises:
        ChallengeError: where key, slots or targets are not those that were committed to.
    """
    material = ChallengeMaterial(
        commitment=commitment,
        targets=targets,
        slots=tuple(slots),
        slot_salts=tuple(_slot_salt(commitment.challenge_id, slot, key) for slot in slots),
        leaves=draw_targets(commitment, slots, key, audience=targets.audience, beacon=targets.beacon),
    )
    verify_material(material)
    return material


def verify_material(material: ChallengeMaterial) -> None:
    """Check, without the key, that slots and targets are those that were committed to, and each in its place.

    Raises:
        ChallengeError: where they are not.
    """
    commitment, targets = material.commitment, material.targets
    name = commitment.challenge_id
    if (targets.challenge_id, targets.slots_root) != (name, commitment.slots_root):
        raise ChallengeError(f"targets of {targets.challenge_id!r} do not rest on the commitment of {name!r}")
    expected = [
        (slot.slot_id, targets.audience, arm) for slot in material.slots for arm in range(commitment.counter_arms + 1)
    ]
    if [(leaf.slot_id, leaf.audience, leaf.arm) for leaf in material.leaves] != expected:
        raise ChallengeError(f"challenge {name!r}: the targets are not one for each slot and arm, in order")
    if any(
        not 0 <= material.target(index, arm) < len(slot.answers)
        for index, slot in enumerate(material.slots)
        for arm in range(commitment.counter_arms + 1)
    ):
        raise ChallengeError(f"challenge {name!r}: a target is no answer of its slot")
    slot_leaves = [
        _leaf("slot", {"challenge_id": name, "salt": salt, "slot": slot})
        for slot, salt in zip(material.slots, material.slot_salts, strict=False)
    ]
    for what, leaves, root, count in (
        ("slots", slot_leaves, commitment.slots_root, commitment.slots),
        ("targets", [_leaf("target", leaf) for leaf in material.leaves], targets.targets_root, targets.targets),
    ):
        got = root_of_leaves(leaves).hex()
        if (got, len(leaves)) != (root, count):
            raise ChallengeError(
                f"challenge {name!r}: got {len(leaves)} {what} with root {got}, expected {count} with {root}"
            )


def _check_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ChallengeError(f"got a key of {len(key)} bytes, expected {KEY_BYTES} from a cryptographic generator")


def _check_bound(commitment: ChallengeCommitment, key: bytes) -> None:
    _check_key(key)
    if not hmac.compare_digest(hashlib.sha256(key).hexdigest(), commitment.key_digest):
        raise ChallengeError(f"challenge {commitment.challenge_id!r}: the key is not the one that was committed to")


def _check_slots(commitment: ChallengeCommitment, slots: Sequence[ChallengeSlot], key: bytes) -> None:
    _check_bound(commitment, key)
    got = root_of_leaves(_slot_leaves(commitment.challenge_id, slots, key)).hex()
    if got != commitment.slots_root:
        raise ChallengeError(
            f"challenge {commitment.challenge_id!r}: got slots with root {got}, expected {commitment.slots_root}"
        )


def _slot_leaves(challenge_id: str, slots: Sequence[ChallengeSlot], key: bytes) -> list[bytes]:
    return [
        _leaf("slot", {"challenge_id": challenge_id, "salt": _slot_salt(challenge_id, slot, key), "slot": slot})
        for slot in slots
    ]


def _slot_salt(challenge_id: str, slot: ChallengeSlot, key: bytes) -> str:
    return _keyed(key, "slot salt", challenge_id, slot.slot_id).hex()


def _leaf(kind: str, value: object) -> bytes:
    """Hash a leaf; its kind is in it, so that no leaf of one tree can be shown as one of the other."""
    return leaf_hash(canonical_bytes({"kind": f"stillwatch.challenge-{kind}/v1", "value": value}))


def _keyed(key: bytes, *parts: str | int) -> bytes:
    return hmac.new(key, canonical_bytes(["stillwatch.challenge/v1", *parts]), hashlib.sha256).digest()


def _proof(leaves: Sequence[bytes], index: int) -> tuple[str, ...]:
    tiles = grow(0, leaves, lambda _: {})
    return tuple(one.hex() for one in inclusion_proof(index, len(leaves), lambda _: tiles))


def _bytes(values: Sequence[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(value) for value in values]
    except ValueError:
        raise ChallengeError("got a hash that is not in hex digits, expected 64 of them") from None
