"""The judgement of endpoints keeps its promise: honest ones are accused no more often than the level says."""

from __future__ import annotations

import math

import numpy as np

from stillwatch.records.suspect import Alternative, Answer, Token
from stillwatch.simulation.suspect_server import LetterModel
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.suspects.conduct import change, sampled_log_e

ERROR = 1e-6
RUNS = 400
ROUNDS = 8


def tables(rng: np.random.Generator, *, drift: float = 0.0) -> list[np.ndarray]:
    """Four probes that are scored with noise, and four whose text is one of three each time."""
    made = []
    for _ in range(4):
        values = rng.standard_normal(ROUNDS) + drift * (np.arange(ROUNDS) >= 5)
        made.append(np.abs(values[:, None] - values[None, :]))
        texts = rng.integers(0, 3, ROUNDS)
        made.append((texts[:, None] != texts[None, :]).astype(np.float64))
    return made


def test_an_endpoint_that_stays_the_same_drifts_as_often_as_the_level_says() -> None:
    for level in (0.05, 0.2):
        rejected = sum(
            change(tables(np.random.default_rng(seed)), seed, permutations=199)[1] <= math.log(level) + 1e-12
            for seed in range(RUNS)
        )
        low, high = binomial_acceptance(RUNS, level, ERROR)
        assert low <= rejected <= high, (level, rejected)


def test_a_drift_is_seen() -> None:
    found = sum(
        change(tables(np.random.default_rng(seed), drift=4.0), seed, permutations=1_999)[1] <= math.log(0.001)
        for seed in range(100)
    )
    assert found >= 90, found


def samples(model: LetterModel, seed: int, told: float) -> list[Answer]:
    """Samples of a model that tells its log-probabilities times a factor."""
    rng = np.random.default_rng(seed)
    drawn = [model.write(prompt, 24, 1.0, rng) for prompt in ("The mill", "A train", "My sister", "Once upon")]
    return [
        Answer(
            query_id="", text="", finish="length", prompt_tokens=None, completion_tokens=None, model="", answered_us=0,
            tokens=tuple(
                Token(text=one.text, log_prob=told * one.log_prob,
                      alternatives=tuple(Alternative(token=name, log_prob=told * value) for name, value in one.alternatives[:5]))
                for one in drawn_once
            ),
        )
        for drawn_once in drawn
    ]  # fmt: skip


def test_true_log_probabilities_are_called_lies_no_more_often_than_one_in_e() -> None:
    model = LetterModel("the old mill by the river was quiet in the morning and nobody came to see it. " * 20)
    for bound in (5.0, 20.0):
        above = sum(sampled_log_e(samples(model, seed, 1.0))[0] >= math.log(bound) for seed in range(RUNS))
        assert above <= binomial_acceptance(RUNS, 1.0 / bound, ERROR)[1], (bound, above)


def test_flattered_log_probabilities_are_seen() -> None:
    model = LetterModel("the old mill by the river was quiet in the morning and nobody came to see it. " * 20)
    answers = [answer for seed in range(4) for answer in samples(model, seed, 0.3)]
    log_e, _, tokens = sampled_log_e(answers)
    assert tokens == 4 * 4 * 24
    assert log_e >= math.log(1_000.0)
