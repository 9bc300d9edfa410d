"""Commitments of challenges: targets are bound to slots, key and beacon; single leaves open; anything changed is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest
from scipy import stats

from stillwatch.integrity.challenges import (
    commit_slots,
    commit_targets,
    draw_target,
    draw_targets,
    open_leaf,
    verify_opening,
)
from stillwatch.integrity.errors import ChallengeError, InclusionProofError
from stillwatch.records.challenge import ChallengeSlot

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def make_slots(count: int, answers: int = 16) -> list[ChallengeSlot]:
    return [
        ChallengeSlot(
            slot_id=f"slot-{n}", context=f"Pick a name for cat {n}.", answers=tuple(f"name {a}" for a in range(answers))
        )
        for n in range(count)
    ]


SLOTS = make_slots(37)
COMMITMENT = commit_slots("c-1", SLOTS, KEY, counter_arms=2)
TARGETS = commit_targets(COMMITMENT, SLOTS, KEY, audience="account-7", beacon="ab01")


def test_every_leaf_opens_and_verifies_without_the_key():
    for slot in SLOTS:
        opening = open_leaf(COMMITMENT, TARGETS, SLOTS, KEY, slot.slot_id)
        verify_opening(opening, COMMITMENT, TARGETS)
        assert opening.target.target == draw_target(COMMITMENT, slot, KEY, audience="account-7", beacon="ab01")


def changed(**changes: object):
    opening = open_leaf(COMMITMENT, TARGETS, SLOTS, KEY, "slot-5")
    for path, value in changes.items():
        if "__" in path:
            outer, inner = path.split("__")
            opening = dataclasses.replace(
                opening, **{outer: dataclasses.replace(getattr(opening, outer), **{inner: value})}
            )
        else:
            opening = dataclasses.replace(opening, **{path: value})
    return opening


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"slot__context": "Pick a name for dog 5."}, InclusionProofError),
        ({"slot__answers": tuple(f"word {a}" for a in range(16))}, InclusionProofError),
        ({"slot_salt": "00" * 32}, InclusionProofError),
        ({"target__salt": "00" * 32}, InclusionProofError),
        ({"target__target": 99}, ChallengeError),
        ({"target__arm": 1}, ChallengeError),
        ({"target__audience": "account-8"}, ChallengeError),
        ({"target__slot_id": "slot-6"}, ChallengeError),
        ({"target_index": 18}, ChallengeError),
        ({"slot_proof": ("zz",)}, ChallengeError),
        ({"target_proof": ()}, InclusionProofError),
    ],
)
def test_an_opening_with_anything_changed_is_refused(changes, error):
    with pytest.raises(error):
        verify_opening(changed(**changes), COMMITMENT, TARGETS)


def test_another_target_of_the_same_slot_is_refused():
    opening = open_leaf(COMMITMENT, TARGETS, SLOTS, KEY, "slot-5")
    other = dataclasses.replace(opening.target, target=(opening.target.target + 1) % 16)
    with pytest.raises(InclusionProofError, match="expected root"):
        verify_opening(dataclasses.replace(opening, target=other), COMMITMENT, TARGETS)


def test_a_counter_target_cannot_be_passed_off_as_served():
    counter = draw_targets(COMMITMENT, SLOTS, KEY, audience="account-7", beacon="ab01")[5 * 3 + 1]
    opening = open_leaf(COMMITMENT, TARGETS, SLOTS, KEY, "slot-5")
    with pytest.raises(ChallengeError, match="arm and place"):
        verify_opening(dataclasses.replace(opening, target=counter, target_index=16), COMMITMENT, TARGETS)


def test_targets_depend_on_all_that_must_come_first():
    def all_targets(commitment=COMMITMENT, slots=SLOTS, key=KEY, audience="account-7", beacon="ab01"):
        return [draw_target(commitment, slot, key, audience=audience, beacon=beacon) for slot in slots]

    base = all_targets()
    one_word = [*SLOTS[:-1], dataclasses.replace(SLOTS[-1], context="Pick a name.")]
    assert base == all_targets()
    assert base != all_targets(audience="account-8")
    assert base != all_targets(beacon="ab02")
    assert base != all_targets(commit_slots("c-1", SLOTS, OTHER_KEY, counter_arms=2), key=OTHER_KEY)
    # A word of one context changes the targets of all the others: no context can be fitted to its target.
    assert base[:-1] != all_targets(commit_slots("c-1", one_word, KEY, counter_arms=2), one_word)[:-1]


def test_targets_are_uniform_and_arms_are_unlike():
    slots = make_slots(3_000, 17)
    commitment = commit_slots("c-2", slots, KEY, counter_arms=1)
    drawn = draw_targets(commitment, slots, KEY, audience="")
    served, counter = [t.target for t in drawn if t.arm == 0], [t.target for t in drawn if t.arm == 1]
    for arm in (served, counter):
        assert stats.chisquare([arm.count(a) for a in range(17)]).pvalue > 1e-6
    alike = sum(a == b for a, b in zip(served, counter, strict=True))
    assert alike == pytest.approx(3_000 / 17, abs=5 * math.sqrt(3_000 / 17))
    assert len({t.salt for t in drawn}) == len(drawn)


def test_what_was_not_committed_to_is_refused():
    with pytest.raises(ChallengeError, match="the key is not the one that was committed to"):
        draw_target(COMMITMENT, SLOTS[0], OTHER_KEY, audience="")
    with pytest.raises(ChallengeError, match="got slots with root"):
        commit_targets(COMMITMENT, SLOTS[::-1], KEY, audience="")
    with pytest.raises(ChallengeError, match="expected one of its own"):
        open_leaf(COMMITMENT, TARGETS, SLOTS, KEY, "slot-99")
    with pytest.raises(ChallengeError, match="not those that were committed to"):
        open_leaf(COMMITMENT, dataclasses.replace(TARGETS, beacon="ff"), SLOTS, KEY, "slot-5")
    with pytest.raises(ChallengeError, match="do not rest on the commitment"):
        verify_opening(changed(), COMMITMENT, dataclasses.replace(TARGETS, slots_root="00" * 32))


def test_arguments_that_make_no_commitment_are_refused():
    with pytest.raises(ChallengeError, match="got a key of 5 bytes, expected 32"):
        commit_slots("c", SLOTS, b"short", counter_arms=1)
    with pytest.raises(ChallengeError, match="distinct ids"):
        commit_slots("c", [SLOTS[0], SLOTS[0]], KEY, counter_arms=1)
    with pytest.raises(ChallengeError, match="got 0 counter arms"):
        commit_slots("c", SLOTS, KEY, counter_arms=0)
    with pytest.raises(ChallengeError, match="expected 0 to 2"):
        draw_target(COMMITMENT, SLOTS[0], KEY, audience="", arm=3)
    with pytest.raises(ChallengeError, match="small hex digits"):
        draw_target(COMMITMENT, SLOTS[0], KEY, audience="", beacon="XY")
    with pytest.raises(ValueError, match="got 15 answers, expected at least 16"):
        make_slots(1, 15)
    with pytest.raises(ValueError, match="empty or alike"):
        ChallengeSlot(slot_id="s", context="c", answers=("same",) * 16)
    with pytest.raises(ValueError, match="empty id or context"):
        ChallengeSlot(slot_id="s", context="", answers=tuple(map(str, range(16))))
