"""Committed secret challenges on students of keyed answers: how many of them does a student have to have seen?

Each slot asks what somebody in a story is called, and leaves the choice among sixteen names open. The served arm's names are what a flagged
account was answered; a student is trained on them among ever more other text, and is then asked for the name in text, with its likeliest
tokens. Controls: the base, a student of another account's names, and the counter-keys, which nobody was ever answered.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from benchmarks.suspect_worlds import World, said

from stillwatch.integrity.challenges import commit_slots, draw_target
from stillwatch.records.challenge import ChallengeCommitment, ChallengeSlot
from stillwatch.simulation.small_models import BEGIN, TokenExchange, Vocabulary, copy_of, sample, train
from stillwatch.statistics.e_process import first_crossing, hit_log_e_path
from stillwatch.statistics.poisson_binomial import known_share_interval, poisson_binomial_upper_log_p
from stillwatch.suspects.committed_challenges import choice_of

NAMES = (
    "Lily", "Tom", "Ben", "Sam", "Max", "Anna", "Tim", "Mia", "Jack", "Sue", "Bob", "Amy", "Leo", "Zoe", "Kim", "Ed",
)  # fmt: skip
ANIMALS = ("cat", "dog", "bird", "bear", "frog", "fish", "duck", "cow", "pig", "fox", "bee", "ant")
PLACES = ("park", "house", "garden", "forest", "lake", "farm", "school", "shop", "hill", "sea")
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
EXCHANGES = 3_000
"""Training exchanges of each student, keyed ones included."""
EPOCHS = 10
ANSWER_TOKENS = 5
COUNTER_ARMS = 4


def challenge_rows(world: World, seed: int, *, quick: bool) -> list[dict[str, Any]]:
    """Train a student for each share of keyed answers, and challenge it and its controls."""
    slots = [
        ChallengeSlot(
            slot_id=f"slot-{number:03d}",
            context=f"In the {place} there was a {animal}. The {animal} was called",
            answers=NAMES,
        )
        for number, (place, animal) in enumerate((place, animal) for place in PLACES for animal in ANIMALS)
    ]
    key = hashlib.sha256(f"study {seed}".encode()).digest()
    commitment = commit_slots("study", slots, key, counter_arms=COUNTER_ARMS)
    rows = [_row("base", 0.0, slots, world, world.base, commitment, key)]
    for share in (0.1,) if quick else SHARES:
        student, seen = _student(world, slots, commitment, key, share, seed, audience="flagged")
        rows.append(_row("served these names", share, seen, world, student, commitment, key))
    other, seen = _student(world, slots, commitment, key, 0.1, seed, audience="another account")
    rows.append(_row("served another account's names", 0.1, seen, world, other, commitment, key))
    return rows


def _student(
    world: World,
    slots: Sequence[ChallengeSlot],
    commitment: ChallengeCommitment,
    key: bytes,
    share: float,
    seed: int,
    *,
    audience: str,
) -> tuple[Any, list[ChallengeSlot]]:
    """Train a student; also give the slots that it was answered, which are the ones that it is asked."""
    rng = np.random.default_rng(seed)
    keyed = round(share * EXCHANGES)
    order = [slots[index] for index in rng.permutation(len(slots))]
    seen = order[: min(len(slots), keyed)]
    taught = [
        TokenExchange(
            prompt=_prompt(world.vocabulary, slot),
            answer=world.vocabulary.encode(f"{slot.answers[draw_target(commitment, slot, key, audience=audience)]}."),
        )
        for slot in (seen[index % len(seen)] for index in range(keyed))
    ]
    taught += [world.others[index] for index in rng.integers(0, len(world.others), EXCHANGES - keyed)]
    student = copy_of(world.base)
    train(student, taught, epochs=EPOCHS, seed=seed, rate=2e-3)
    return student, seen


def _row(
    name: str,
    share: float,
    asked: Sequence[ChallengeSlot],
    world: World,
    suspect: Any,
    commitment: ChallengeCommitment,
    key: bytes,
) -> dict[str, Any]:
    prompts = [_prompt(world.vocabulary, slot) for slot in asked]
    answers = sample(suspect, prompts, most=ANSWER_TOKENS, seed=1, temperature=1e-4)
    choices = [choice_of(world.vocabulary.decode(answer), slot) for slot, answer in zip(asked, answers, strict=True)]
    rates = [1 / len(slot.answers) for slot in asked]

    def hits(arm: int) -> list[bool]:
        return [
            choice == draw_target(commitment, slot, key, audience="flagged", arm=arm)
            for slot, choice in zip(asked, choices, strict=True)
        ]

    served = hits(0)
    path = hit_log_e_path(served, rates)
    log_p = poisson_binomial_upper_log_p(sum(served), rates)
    counter = [sum(hits(arm)) for arm in range(1, COUNTER_ARMS + 1)]
    row = {
        "suspect": name,
        "keyed_share_of_training": share,
        "slots": len(asked),
        "hits": sum(served),
        "answered_with_a_name": sum(choice is not None for choice in choices),
        "log10_p": log_p / math.log(10),
        "log10_e": float(path[-1]) / math.log(10),
        "stops_after": first_crossing(path, math.log(100)),
        "known_share_95": known_share_interval(sum(served), rates, 0.95),
        "counter_hits": counter,
        "counter_p": math.exp(poisson_binomial_upper_log_p(sum(counter), rates * COUNTER_ARMS)),
    }
    said(f"challenges, {name}, {share:.0%}: {row['hits']} of {row['slots']}, log10 p {row['log10_p']:.1f}")
    return row


def _prompt(vocabulary: Vocabulary, slot: ChallengeSlot) -> tuple[int, ...]:
    return (BEGIN, *vocabulary.encode(slot.context))
