"""The promises of T0 to T2 and T5: under each null the rejection rate lies in the binomial interval for its level, over seeds.

Where a law is exact the count must lie between both ends, where it is only an upper bound below the upper one. Each test also shows that it has power
in the same setting, so that silence is no answer.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.simulation.small_models import Shape, TokenExchange, copy_of, mean_scores, new_model, sample, train
from stillwatch.statistics.conformal import conformal_log_p
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.suspects.kinship import kinship_by_prompt
from stillwatch.suspects.likeness import RARE_WORDS, Likeness
from stillwatch.suspects.logprob_tracking import track
from stillwatch.suspects.training_order import order_kept
from stillwatch.suspects.two_sample import distance, matches, pair_bets_log_e, sameness_log_p
from stillwatch.suspects.weight_matching import FeedForward, match_weights

pytestmark = pytest.mark.slow

LEVEL, ERROR = 0.05, 1e-6
LOG_LEVEL = math.log(LEVEL)
OPENINGS, PROMPTS = 6, 25


def assert_exact(rejections: int, seeds: int, rate: float = LEVEL) -> None:
    low, high = binomial_acceptance(seeds, rate, ERROR)
    assert low <= rejections <= high, f"{rejections} of {seeds} rejected, expected {low} to {high}"


def assert_at_most(rejections: int, seeds: int, rate: float = LEVEL) -> None:
    _, high = binomial_acceptance(seeds, rate, ERROR)
    assert high < seeds, "so few seeds could not fail"
    assert rejections <= high, f"{rejections} of {seeds} rejected, at most {high} expected"


def likenesses(seed: int, kin: float) -> Likeness:
    """Twenty-six models with hubs and noise; the first is like the last by `kin` more than its habits say."""
    rng = np.random.default_rng(seed)
    hubs = rng.normal(0.0, 0.1, 26)
    values = rng.normal(0.0, 0.05, (20, 26, 26)) + hubs[None, :, None] + hubs[None, None, :]
    values = 0.5 * (values + values.transpose(0, 2, 1))
    values[:, 0, 25] += kin
    values[:, 25, 0] += kin
    names = tuple(f"m{number:02d}" for number in range(26))
    return Likeness(features=RARE_WORDS, models=names, values=values.astype(np.float32), input_digest="none")


def test_kinship_of_a_suspect_that_is_exchangeable_with_the_controls() -> None:
    seeds = 2_000
    found = {0.0: 0, 0.08: 0}
    for kin in found:
        for seed in range(seeds if kin == 0.0 else 200):
            made = likenesses(seed, kin)
            means = kinship_by_prompt(made, made.models[:25], "m25").mean(axis=0)
            found[kin] += conformal_log_p(float(means[0]), means[1:]) <= LOG_LEVEL
    assert_exact(found[0.0], seeds, 1 / 25)
    assert found[0.08] > 180


def sampled(rng: np.random.Generator, habits: np.ndarray, texts: list[list[str]]) -> list[list[str]]:
    return [[own[pick] for pick in rng.choice(OPENINGS, 10, p=one)] for own, one in zip(texts, habits, strict=True)]


def a_world(seed: int, tilt: float) -> tuple[list[list[str]], np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    texts = [["".join(rng.choice(list("abcdefgh "), 60)) for _ in range(OPENINGS)] for _ in range(PROMPTS)]
    ours = rng.dirichlet(np.ones(OPENINGS), PROMPTS)
    return texts, ours, (1 - tilt) * ours + tilt * rng.dirichlet(np.ones(OPENINGS), PROMPTS), rng


def test_equality_of_answers_and_bets_on_them() -> None:
    seeds, rejected, stopped, found = 400, 0, 0, 0
    for seed in range(seeds):
        texts, ours, _, rng = a_world(seed, 0.0)
        one, other = sampled(rng, ours, texts), sampled(rng, ours, texts)
        rejected += distance(one, other, permutations=199, rng=rng).log_p <= LOG_LEVEL
        stopped += float(pair_bets_log_e(one, other).max()) >= -LOG_LEVEL
    assert_exact(rejected, seeds)
    assert_at_most(stopped, seeds)
    for seed in range(60):
        texts, ours, theirs, rng = a_world(seed, 0.6)
        found += (
            distance(sampled(rng, ours, texts), sampled(rng, theirs, texts), permutations=199, rng=rng).log_p
            <= LOG_LEVEL
        )
    assert found > 50


@pytest.mark.parametrize("tilt", [0.3, 0.6])
def test_sameness_of_parties_that_lie_exactly_at_the_margin(tilt: float) -> None:
    seeds, wrong, power = 300, 0, 0
    for seed in range(seeds):
        texts, ours, theirs, rng = a_world(10_000 + seed, tilt)
        gap = ours - theirs
        kernels = [(matches(own, []) + 200 * np.eye(OPENINGS)) / 200 for own in texts]
        margin = float(np.mean([one @ kernel @ one for one, kernel in zip(gap, kernels, strict=True)]))
        apart = distance(sampled(rng, ours, texts), sampled(rng, theirs, texts), permutations=1, rng=rng)
        wrong += sameness_log_p(apart.by_prompt, margin) <= LOG_LEVEL
        if seed < 100:
            same = distance(sampled(rng, ours, texts), sampled(rng, ours, texts), permutations=1, rng=rng)
            power += sameness_log_p(same.by_prompt, 0.03) <= LOG_LEVEL
    assert_at_most(wrong, seeds)
    assert power > 80


def test_weights_of_independent_initialisations() -> None:
    """Random matrices: many seeds, and both orders exact. Then trained models from seeds of their own, in disjoint pairs."""
    seeds, kept, free = 500, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        one, other = (
            [FeedForward(up=rng.normal(size=(24, 12)), gate=rng.normal(size=(24, 12))) for _ in range(2)]
            for _ in range(2)
        )
        found = match_weights(one, other, seed=0)
        kept += found.log_p_kept <= LOG_LEVEL
        free += found.log_p_any <= LOG_LEVEL
    assert_at_most(kept, seeds)
    assert_at_most(free, seeds)


def trained_blocks(seed: int, exchanges: list[TokenExchange]) -> list[FeedForward]:
    model = new_model(Shape(vocabulary=32, width=16, layers=2, heads=2, inner=48, context=32), seed)
    train(model, exchanges, epochs=6, seed=seed, rate=1e-2)
    return [
        FeedForward(up=layer.mlp.up_proj.weight.detach().numpy(), gate=layer.mlp.gate_proj.weight.detach().numpy())
        for layer in model.model.layers
    ]


def test_weights_that_were_trained_on_the_same_data_from_seeds_of_their_own() -> None:
    teacher = new_model(Shape(vocabulary=32, width=16, layers=1, heads=2, inner=48, context=32), 999, spread=0.5)
    prompts = [tuple(int(token) for token in row) for row in np.random.default_rng(0).integers(3, 32, (96, 3))]
    exchanges = [
        TokenExchange(prompt=prompt, answer=answer)
        for prompt, answer in zip(prompts, sample(teacher, prompts, most=8, seed=0), strict=True)
    ]
    models = [trained_blocks(seed, exchanges) for seed in range(48)]
    found = [match_weights(one, other, seed=0) for one, other in zip(models[::2], models[1::2], strict=True)]
    assert_at_most(sum(one.log_p_kept <= LOG_LEVEL for one in found), len(found))
    assert_at_most(sum(one.log_p_any <= LOG_LEVEL for one in found), len(found))
    # All pairs hang together, but each neuron's agreement is as rare as chance has it: two layers, one expected in each.
    agreeing = [match_weights(models[i], models[j], seed=0) for i in range(12) for j in range(i)]
    crossed = sum(one.crossed_agreeing for one in agreeing)
    expected = sum(one.crossed_expected for one in agreeing)
    assert crossed < expected + 6.0 * math.sqrt(expected)


def test_order_of_training_that_the_suspect_is_independent_of() -> None:
    seeds, rejected, ever = 800, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        # Losses of any kind, ties included; only their order is random.
        values = rng.permutation(np.round(rng.gamma(2.0, 1.0, 80), 1))
        found = order_kept(values, np.zeros(80), permutations=199, rng=rng)
        rejected += found.log_p <= LOG_LEVEL
        ever += float(found.log_e_path.max()) >= -LOG_LEVEL
    assert_at_most(rejected, seeds)
    assert rejected >= binomial_acceptance(seeds, 0.8 * LEVEL, ERROR)[0]
    assert_at_most(ever, seeds)


def test_a_fine_tuned_copy_remembers_the_order_in_which_its_ancestor_was_trained() -> None:
    """One pass over random texts in an order that is kept; then further training on other texts."""
    shape = Shape(vocabulary=48, width=48, layers=2, heads=2, inner=128, context=32)
    rng = np.random.default_rng(3)
    texts = [
        TokenExchange(prompt=(3,), answer=tuple(int(token) for token in rng.integers(3, 48, 12))) for _ in range(480)
    ]
    seed = 11
    ours = new_model(shape, 1)
    for block in range(6):
        train(ours, texts[80 * block : 80 * (block + 1)], epochs=4, seed=seed, batch=16, rate=5e-3)
    copy = copy_of(ours)
    other = [
        TokenExchange(prompt=(4,), answer=tuple(int(token) for token in rng.integers(3, 48, 12))) for _ in range(40)
    ]
    train(copy, other, epochs=1, seed=seed, batch=20, rate=1e-3)
    stranger = new_model(shape, 2)
    reference = -mean_scores(stranger, texts)
    found = order_kept(-mean_scores(copy, texts), reference, permutations=9_999, rng=np.random.default_rng(0))
    assert found.log_p == pytest.approx(math.log(1 / 10_000))
    assert float(found.log_e_path[-1]) > math.log(1_000)
    train(stranger, texts, epochs=2, seed=5)
    independent = order_kept(
        -mean_scores(stranger, texts), np.zeros(480), permutations=999, rng=np.random.default_rng(0)
    )
    assert independent.log_p > math.log(0.01)


def test_an_endpoint_that_does_not_change() -> None:
    seeds, ever, found = 400, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        rounds = rng.standard_t(3, size=(60, 10)) * 0.02 - 2.0
        ever += float(track(rounds, rng).log_e_path.max()) >= -LOG_LEVEL
        if seed < 100:
            rounds[35:] += 0.08
            found += float(track(rounds, rng).log_e_path.max()) >= -LOG_LEVEL
    assert_at_most(ever, seeds)
    assert found > 90
