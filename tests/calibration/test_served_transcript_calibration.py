"""The served-transcript test and the challenges on real students of real teachers, all small enough to be trained here.

The teacher is a model with strong habits of its own (random weights of a large spread); nobody had to train it. A seed draws fresh served and
unseen answers. Given a suspect, whatever it was trained on, its ranks of them are independent and uniform if they are exchangeable, so that the
p-values of different seeds are independent although the suspects are the same. The full study is `benchmarks.served_transcript_study`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `models` is not installed")

from stillwatch.integrity.challenges import commit_slots, draw_target
from stillwatch.records.challenge import ChallengeSlot
from stillwatch.simulation.small_models import (
    Shape,
    TokenExchange,
    copy_of,
    mean_scores,
    new_model,
    reworded,
    sample,
    train,
)
from stillwatch.statistics.e_process import first_crossing, rank_log_e_path
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.statistics.poisson_binomial import poisson_binomial_upper_log_p
from stillwatch.statistics.rank_uniform import randomised_ranks, uniform_sum_lower_log_p

SHAPE = Shape(vocabulary=64, width=32, layers=2, heads=2, inner=64, context=40)
ANSWER = 16
PROMPTS = [(3 + index % 60, 3 + index // 60) for index in range(160)]
SEEDS, SEED_PROMPTS, UNSEEN = 200, 24, 4
ERROR = 1e-6


@pytest.fixture(scope="module")
def teacher():
    return new_model(SHAPE, 11, spread=0.35)


@pytest.fixture(scope="module")
def base():
    """A student that has learnt the teacher's language, from answers to other prompts."""
    model = new_model(SHAPE, 12)
    train(
        model,
        exchanges(serve(new_model(SHAPE, 11, spread=0.35), [(5 + i % 50, 40) for i in range(200)], 0, 900)),
        epochs=6,
        seed=1,
    )
    return model


def serve(teacher, prompts, unseen: int, seed: int) -> list[list[TokenExchange]]:
    drawn = sample(teacher, [prompt for prompt in prompts for _ in range(unseen + 1)], most=ANSWER, seed=seed)
    return [
        [TokenExchange(prompt=prompt, answer=answer) for answer in drawn[start : start + unseen + 1]]
        for start, prompt in zip(range(0, len(drawn), unseen + 1), prompts, strict=True)
    ]


def exchanges(served: list[list[TokenExchange]]) -> list[TokenExchange]:
    return [answers[0] for answers in served]


def score_table(model, served: list[list[TokenExchange]]) -> np.ndarray:
    return mean_scores(model, [one for answers in served for one in answers]).reshape(len(served), -1)


def ranks_of(scores: np.ndarray, seed: int) -> np.ndarray:
    return randomised_ranks(scores[:, 0], list(scores[:, 1:]), np.random.default_rng(seed))


def student_of(base, taught: list[TokenExchange], epochs: int, rate: float = 8e-3):
    student = copy_of(base)
    train(student, taught, epochs=epochs, seed=5, rate=rate)
    return student


@pytest.mark.slow
def test_suspects_that_never_saw_the_served_answers_are_found_as_seldom_as_stated(teacher, base):
    prompts = PROMPTS[:SEED_PROMPTS]
    other = new_model(SHAPE, 31, spread=0.35)
    taught_others = exchanges(serve(teacher, prompts, 0, 700))
    likely = np.argsort(-mean_scores(base, taught_others))[: len(taught_others) // 2]
    suspects = {
        "base": base,
        "student of another teacher": student_of(base, exchanges(serve(other, prompts, 0, 701)), 20),
        "student of other samples for these prompts": student_of(base, taught_others, 20),
        "student of other samples, filtered": student_of(base, [taught_others[index] for index in likely], 20),
        "the teacher itself": teacher,
    }
    log_ps: dict[str, list[float]] = {name: [] for name in suspects}
    evidence: dict[str, list[float]] = {name: [] for name in suspects}
    for seed in range(SEEDS):
        served = serve(teacher, prompts, UNSEEN, 10_000 + seed)
        own = score_table(teacher, served)
        for name, suspect in suspects.items():
            # Our own model's score is subtracted, as in the default of a plan; of the teacher itself nothing would be left.
            scores = own if suspect is teacher else score_table(suspect, served) - own
            ranks = ranks_of(scores, seed)
            log_ps[name].append(uniform_sum_lower_log_p(ranks))
            evidence[name].append(float(rank_log_e_path(ranks).max()))
    for name in suspects:
        for level in (0.25, 0.1, 0.05, 0.01):
            low, high = binomial_acceptance(SEEDS, level, ERROR)
            found = sum(log_p <= math.log(level) for log_p in log_ps[name])
            assert low <= found <= high, f"{name}: {found} of {SEEDS} at {level}, expected {low} to {high}"
            assert sum(log_e >= -math.log(level) for log_e in evidence[name]) <= high, name


@pytest.mark.slow
def test_students_of_served_answers_are_found(teacher, base):
    served = serve(teacher, PROMPTS, UNSEEN, 1)
    own = score_table(teacher, served)
    taught = exchanges(served)
    found = {epochs: ranks_of(score_table(student_of(base, taught, epochs), served) - own, 2) for epochs in (3, 10, 30)}
    log_ps = [uniform_sum_lower_log_p(ranks) for ranks in found.values()]
    assert log_ps[0] < math.log(0.01)
    assert log_ps[1] < math.log(1e-10)
    assert log_ps == sorted(log_ps, reverse=True)
    assert first_crossing(rank_log_e_path(found[10]), math.log(100)) is not None

    # One in ten of what it was trained on is ours: invisible in all that we served, plain on the account's own prompts.
    rng = np.random.default_rng(3)
    used = rng.permutation(len(taught))[: len(taught) // 5]
    others = exchanges(
        serve(new_model(SHAPE, 31, spread=0.35), [PROMPTS[i % len(PROMPTS)] for i in range(9 * len(used))], 0, 4)
    )
    diluted = student_of(base, [taught[index] for index in used] + others, 10)
    ranks = ranks_of(score_table(diluted, served) - own, 5)
    assert uniform_sum_lower_log_p(ranks[used]) < math.log(1e-3)
    assert uniform_sum_lower_log_p(ranks) > uniform_sum_lower_log_p(ranks[used])

    # Rewording costs power by degrees.
    by_share = [
        uniform_sum_lower_log_p(
            ranks_of(score_table(student_of(base, reworded(base, taught, share=share, seed=6), 10), served) - own, 7)
        )
        for share in (0.2, 0.8)
    ]
    assert log_ps[1] < by_share[0] < by_share[1]
    assert by_share[0] < math.log(1e-3)


@pytest.mark.slow
def test_students_of_keyed_answers_are_found_and_others_are_not(base):
    names = tuple(f"n{index}" for index in range(16))
    slots = [ChallengeSlot(slot_id=f"s{index}", context=f"context {index}", answers=names) for index in range(60)]
    key = bytes(range(32))
    commitment = commit_slots("c", slots, key, counter_arms=1)

    def exchange(index: int, audience: str, arm: int = 0) -> TokenExchange:
        target = draw_target(commitment, slots[index], key, audience=audience, arm=arm)
        return TokenExchange(prompt=(3 + index % 30, 33 + index // 30, 60), answer=(40 + target,))

    def log_p(suspect, arm: int = 0) -> float:
        answers = sample(suspect, [exchange(i, "a").prompt for i in range(60)], most=1, seed=1, temperature=1e-4)
        hits = sum(answer[0] == exchange(i, "a", arm).answer[0] for i, answer in enumerate(answers))
        return poisson_binomial_upper_log_p(hits, [1 / 16] * 60)

    others = exchanges(serve(new_model(SHAPE, 31, spread=0.35), [PROMPTS[i % len(PROMPTS)] for i in range(240)], 0, 4))
    served = student_of(base, [exchange(i, "a") for i in range(60)] * 4 + others, 12, rate=4e-3)
    elsewhere = student_of(base, [exchange(i, "b") for i in range(60)] * 4 + others, 12, rate=4e-3)
    # Trained weights differ a little between processors: e-18 and less were seen, and one in a hundred thousand is asked.
    assert log_p(served) < math.log(1e-5)
    assert log_p(served, arm=1) > math.log(1e-3)
    assert log_p(elsewhere) > math.log(1e-3)
    assert log_p(base) > math.log(1e-3)
