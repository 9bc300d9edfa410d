"""Canaries in the ledger: sets of questions that leave the choice open, committed before any choice is drawn, and the choices for each account.

Takes a file of slots, a secret and accounts. Gives two kinds of entries in their order: the slots with the digest of the secret, and then, for each
account, the choices with those of counter-keys that are never served. What is drawn, and why the order makes the test's null exact, stands in
`integrity/challenges.py`; a trap is a slot whose answers are whole sentences, of which all but the drawn one are its withheld twins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stillwatch.evidence.access import Access
from stillwatch.evidence.errors import CanaryError
from stillwatch.evidence.ledger import Ledger
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.challenges import commit_slots, commit_targets, draw_target, open_leaf, verify_opening
from stillwatch.records.challenge import (
    ChallengeCommitment,
    ChallengeOpening,
    ChallengeSlot,
    ChallengeTarget,
    ChallengeTargets,
)
from stillwatch.records.ledger import NewEntry

SLOTS_COMMITTED = "canary slots committed"
TARGETS_COMMITTED = "canary targets committed"
PACK = Path(__file__).with_name("canary_slots.yaml")
"""Slots to begin with."""
COUNTER_ARMS = 4
Entry = tuple[int, Any]


def read_slots(content: bytes, where: str) -> tuple[ChallengeSlot, ...]:
    """Read a file of slots: `pools` of answers by name, and `slots` with `id`, `ask`, `pool`, and for a trap `says` with `{}` in it.

    Raises:
        CanaryError: where it is none, naming the slot; its text is never repeated.
    """
    try:
        said = yaml.safe_load(content)
        pools = {str(name): tuple(str(one) for one in pool) for name, pool in said["pools"].items()}
        slots = tuple(_slot(one, pools) for one in said["slots"])
    except yaml.YAMLError:
        raise CanaryError(f"{where}: is no YAML; see `stillwatch canary pack`") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise CanaryError(
            f"{where}: is no file of slots ({type(error).__name__}); see `stillwatch canary pack`"
        ) from None
    except ValueError as error:
        raise CanaryError(f"{where}: {error}") from None
    questions = {" ".join(slot.context.split()) for slot in slots}
    if len(questions) < len(slots) or len({slot.slot_id for slot in slots}) < len(slots):
        raise CanaryError(f"{where}: two slots have one id or one question; expected each once")
    return slots


def _slot(one: Mapping[str, Any], pools: Mapping[str, tuple[str, ...]]) -> ChallengeSlot:
    says = str(one.get("says", "{}"))
    if says.count("{}") != 1:
        raise ValueError(f"slot {one['id']!r}: `says` must have one {{}} in it, where the answer stands")
    answers = tuple(says.replace("{}", answer) for answer in pools[str(one["pool"])])
    return ChallengeSlot(slot_id=str(one["id"]), context=str(one["ask"]), answers=answers)


def commit_set(access: Access, actor: str, name: str, slots: Sequence[ChallengeSlot], secret: bytes) -> int:
    """Commit a set of slots; only then may choices be drawn. Give the index of the entry.

    Raises:
        ChallengeError: for slots that carry no test.
        AccessError: where the actor may not append.
    """
    commitment = commit_slots(name, slots, secret, counter_arms=COUNTER_ARMS)
    return access.append(actor, [NewEntry(kind=SLOTS_COMMITTED, actor=actor, record=canonical_bytes(commitment))])[0]


def committed_set(ledger: Ledger, name: str) -> tuple[int, ChallengeCommitment]:
    """Give the entry of a set.

    Raises:
        CanaryError: where there is none of that name, or there are two.
    """
    found = [
        (entry.index, ChallengeCommitment(**json.loads(entry.record)))
        for entry in ledger.entries(SLOTS_COMMITTED)
        if json.loads(entry.record).get("challenge_id") == name
    ]
    if len(found) != 1:
        raise CanaryError(f"the ledger holds {len(found)} sets of canaries named {name[:60]!a}, expected one")
    return found[0]


def committed_targets(ledger: Ledger, name: str) -> dict[str, tuple[int, ChallengeTargets]]:
    """Give the entries of a set's choices, by account."""
    found = {}
    for entry in ledger.entries(TARGETS_COMMITTED):
        targets = ChallengeTargets(**json.loads(entry.record))
        if targets.challenge_id == name:
            found[targets.audience] = (entry.index, targets)
    return found


def issue(
    access: Access,
    ledger: Ledger,
    actor: str,
    name: str,
    slots: Sequence[ChallengeSlot],
    secret: bytes,
    accounts: Sequence[str],
    beacon: str,
) -> dict[str, int]:
    """Draw and commit the choices of accounts; those that have them keep them.

    Args:
        access: to the ledger.
        ledger: that holds the set's commitment.
        actor: who issues.
        name: of the set.
        slots: as they were committed.
        secret: as it was committed.
        accounts: to which canaries were disclosed.
        beacon: hex digits from after the commitment that nobody here chose; empty for none.

    Returns:
        Account to the index of its entry, of those that are new.

    Raises:
        ChallengeError: where slots or secret are not those of the commitment.
    """
    _, commitment = committed_set(ledger, name)
    held = committed_targets(ledger, name)
    fresh = [one for one in dict.fromkeys(accounts) if one not in held]
    records = [
        canonical_bytes(commit_targets(commitment, slots, secret, audience=account, beacon=beacon)) for account in fresh
    ]
    if not fresh:
        return {}
    entries = [NewEntry(kind=TARGETS_COMMITTED, actor=actor, record=record) for record in records]
    return dict(zip(fresh, access.append(actor, entries), strict=True))


def choices(
    commitment: ChallengeCommitment, targets: ChallengeTargets, slots: Sequence[ChallengeSlot], secret: bytes
) -> dict[str, tuple[str, str]]:
    """Give, for the account of `targets`, question to slot and drawn answer; counter-keys are never in it.

    Raises:
        ChallengeError: where the secret is not the committed one.
    """
    return {
        slot.context: (
            slot.slot_id,
            slot.answers[draw_target(commitment, slot, secret, audience=targets.audience, beacon=targets.beacon)],
        )
        for slot in slots
    }


def reveal(
    ledger: Ledger, name: str, slots: Sequence[ChallengeSlot], secret: bytes, account: str, slot_id: str
) -> dict[str, Any]:
    """Open one choice of one account, with the proofs that it was committed to; all others stay closed.

    Raises:
        CanaryError: where nothing was committed for the account.
        ChallengeError: where there is no such slot, or slots or secret are not those that were committed.
    """
    place, commitment = committed_set(ledger, name)
    held = committed_targets(ledger, name)
    if account not in held:
        raise CanaryError(f"no choices of {name!a} were committed for account {account[:80]!a}")
    targets_place, targets = held[account]
    opening = open_leaf(commitment, targets, slots, secret, slot_id)
    document: dict[str, Any] = json.loads(canonical_bytes(opening))
    return {
        "format": "stillwatch-canary-opening/v1",
        "slots_entry": place,
        "targets_entry": targets_place,
        "opening": document,
    }


def verify(ledger: Ledger, document: Mapping[str, Any]) -> ChallengeOpening:
    """Check an opening against the two entries that it names, without the secret, and give it.

    Raises:
        CanaryError: where it is none.
        ChallengeError: where it does not belong to the entries.
        InclusionProofError: where a leaf does not stand in its tree.
    """
    try:
        said = document["opening"]
        slot = {**said["slot"], "answers": tuple(said["slot"]["answers"])}
        opening = ChallengeOpening(
            **{
                **said,
                "slot": ChallengeSlot(**slot),
                "target": ChallengeTarget(**said["target"]),
                "slot_proof": tuple(said["slot_proof"]),
                "target_proof": tuple(said["target_proof"]),
            }
        )
        places = (int(document["slots_entry"]), int(document["targets_entry"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CanaryError(f"is no opening of a canary ({type(error).__name__}); `canary reveal` writes one") from None
    first, second = (ledger.entry(place) for place in places)
    if (first.kind, second.kind) != (SLOTS_COMMITTED, TARGETS_COMMITTED) or first.index > second.index:
        raise CanaryError(f"entries {places} of the ledger are not a set and, after it, its choices")
    commitment = ChallengeCommitment(**json.loads(first.record))
    verify_opening(opening, commitment, ChallengeTargets(**json.loads(second.record)))
    return opening
