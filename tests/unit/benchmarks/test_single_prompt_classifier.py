from __future__ import annotations

import numpy as np
import pytest
from benchmarks.real_world.errors import SourceAbsentError, WorldSettingsError
from benchmarks.real_world.single_prompt_classifier import (
    BUCKETS,
    LabelledPrompts,
    _tested,
    area_under_curve,
    hashed_features,
    load_prompts,
    train,
)
from scipy.sparse import csr_matrix


def test_area_under_curve_counts_pairs():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 6, size=60).astype(float)
    positive = rng.random(60) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))


def test_area_under_curve_needs_both_kinds():
    with pytest.raises(WorldSettingsError, match="some of each"):
        area_under_curve(np.zeros(3), np.ones(3, dtype=bool))


def test_features_are_unit_rows_and_ignore_case():
    features = hashed_features(["Hello there friend", "hello THERE friend", "x"])
    assert features.shape == (3, BUCKETS)
    lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    assert lengths == pytest.approx(1.0)
    assert (features[0] != features[1]).nnz == 0


def _families(families: dict[str, tuple[bool, str]], count: int) -> LabelledPrompts:
    rng = np.random.default_rng(7)
    prompts, kinds, names = [], [], []
    for name, (extraction, words) in families.items():
        for _ in range(count):
            prompts.append(f"{words} {rng.integers(1_000)} item {rng.integers(1_000)}")
            kinds.append(extraction)
            names.append(name)
    return LabelledPrompts(features=hashed_features(prompts), extraction=np.array(kinds), family=np.array(names))


def test_a_classifier_that_knows_families_does_not_carry_over():
    prompts = _families(
        {
            "a": (True, "solve the riddle of"),
            "b": (True, "weather forecast in town"),
            "c": (False, "weather tomorrow in town"),
            "d": (False, "please solve the riddle"),
        },
        60,
    )
    at_random = _tested(prompts, np.random.default_rng(1).random(240) < 0.5)
    unseen = _tested(prompts, np.isin(prompts.family, ["a", "c"]))
    assert at_random > 0.99
    assert unseen < 0.5


def test_training_balances_the_kinds():
    features = csr_matrix(np.eye(10, BUCKETS))
    positive = np.array([True] + [False] * 9)
    values = train(features, positive)
    margins = features @ values[:-1] + values[-1]
    assert margins[0] > 0
    assert (margins[1:] < margins[0]).all()


def test_absent_prompts_are_named(tmp_path):
    with pytest.raises(SourceAbsentError, match="prompts"):
        load_prompts(tmp_path, 1)
