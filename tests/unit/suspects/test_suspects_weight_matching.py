"""Ancestry of weights: the law of agreeing matches, copies that were changed, and tiny transformers trained on the spot."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from observing import setting_of
from safetensors.numpy import save_file

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.simulation.small_models import Shape, TokenExchange, copy_of, new_model, sample, train
from stillwatch.suspects.errors import MaterialError, PlanError
from stillwatch.suspects.feed_forward import read_feed_forward
from stillwatch.suspects.weight_ancestry import WeightAncestry
from stillwatch.suspects.weight_matching import (
    FeedForward,
    agreement_log_p,
    assignment,
    fisher_log_p,
    match_weights,
)

SHAPE = Shape(vocabulary=48, width=32, layers=3, heads=2, inner=64, context=48)
Blocks = tuple[FeedForward, ...]


def exchanges(seed: int, number: int = 200) -> list[TokenExchange]:
    teacher = new_model(Shape(vocabulary=48, width=32, layers=1, heads=2, inner=64, context=48), 900, spread=0.5)
    rng = np.random.default_rng(seed)
    prompts = [tuple(int(token) for token in rng.integers(3, 48, 3)) for _ in range(number)]
    return [
        TokenExchange(prompt=prompt, answer=answer)
        for prompt, answer in zip(prompts, sample(teacher, prompts, most=12, seed=seed), strict=True)
    ]


def blocks_of(model) -> Blocks:
    return tuple(
        FeedForward(
            up=layer.mlp.up_proj.weight.detach().numpy().copy(), gate=layer.mlp.gate_proj.weight.detach().numpy().copy()
        )
        for layer in model.model.layers
    )


@pytest.fixture(scope="module")
def ours():
    model = new_model(SHAPE, 1)
    train(model, exchanges(1), epochs=8, seed=1)
    return model


@pytest.fixture(scope="module")
def tuned(ours):
    """Our model, trained further on other text at a high rate."""
    model = copy_of(ours)
    train(model, exchanges(2), epochs=10, seed=2, rate=1e-2)
    return model


@pytest.fixture(scope="module")
def stranger():
    """The same architecture and the same data, from an initialisation of its own."""
    model = new_model(SHAPE, 77)
    train(model, exchanges(1), epochs=8, seed=1)
    return model


def shuffled(blocks: Blocks) -> Blocks:
    rng = np.random.default_rng(5)
    orders = [rng.permutation(len(block.up)) for block in blocks]
    return tuple(
        FeedForward(up=block.up[order], gate=block.gate[order]) for block, order in zip(blocks, orders, strict=True)
    )


def pruned(blocks: Blocks) -> Blocks:
    """Half of the neurons, and the middle layer, are gone."""
    rng = np.random.default_rng(6)
    kept = [np.sort(rng.permutation(len(block.up))[: len(block.up) // 2]) for block in blocks]
    return tuple(
        FeedForward(up=block.up[rows], gate=block.gate[rows]) for block, rows in zip(blocks, kept, strict=True)
    )[::2]


def signs_turned(blocks: Blocks) -> Blocks:
    signs = np.where(np.arange(64) % 2, 1.0, -1.0)[:, None]
    return tuple(FeedForward(up=block.up * signs, gate=block.gate) for block in blocks)


def test_agreement_has_the_law_of_fixed_points() -> None:
    for size in (3, 5, 6):
        fixed = [sum(place == one for place, one in enumerate(order)) for order in permutations(range(size))]
        for count in range(size + 1):
            true = np.mean([one >= count for one in fixed])
            assert true <= math.exp(agreement_log_p(count, size, size)) + 1e-12
        assert math.exp(agreement_log_p(size, size, size)) == pytest.approx(1 / math.factorial(size))
    assert agreement_log_p(2, 3, 7) == pytest.approx(math.log(3 / 42))


def test_fisher_of_one_is_itself() -> None:
    assert fisher_log_p([math.log(0.03)]) == pytest.approx(math.log(0.03))


def test_an_assignment_finds_an_order_and_leaves_spare_rows_out() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 6))
    order = np.random.default_rng(1).permutation(10)
    assert assignment(rows[order], rows).tolist() == order.tolist()
    assert sorted(assignment(rows, rows[:4]).tolist())[:6] == [-1] * 6


@pytest.mark.parametrize("change", [lambda blocks: blocks, shuffled, pruned, signs_turned])
def test_what_derives_from_ours_is_found(ours, tuned, change: Callable[[Blocks], Blocks]) -> None:
    found = match_weights(change(blocks_of(tuned)), blocks_of(ours), seed=0)
    assert found.log_p_any < math.log(1e-6)
    assert (found.log_p_kept < math.log(1e-6)) is (change not in {shuffled, pruned})


def test_a_merge_is_found_by_both_parents(ours, stranger) -> None:
    merged = tuple(
        FeedForward(up=0.5 * (one.up + two.up), gate=0.5 * (one.gate + two.gate))
        for one, two in zip(blocks_of(ours), blocks_of(stranger), strict=True)
    )
    for parent in (ours, stranger):
        assert match_weights(merged, blocks_of(parent), seed=0).log_p_kept < math.log(1e-6)


def test_the_same_data_from_another_initialisation_is_no_ancestry(ours, stranger) -> None:
    found = match_weights(blocks_of(stranger), blocks_of(ours), seed=0)
    assert found.log_p_kept > math.log(0.01)
    assert found.log_p_any > math.log(0.01)


def test_a_choice_of_neurons_is_enough(ours, tuned) -> None:
    found = match_weights(shuffled(blocks_of(tuned)), blocks_of(ours), seed=0, most_neurons=24)
    assert [one.neurons for one in found.layers] == [24, 24, 24]
    assert found.log_p_any < math.log(1e-4)


def test_other_widths_are_refused() -> None:
    one, other = (FeedForward(up=np.ones((4, width)), gate=np.ones((4, width))) for width in (3, 5))
    with pytest.raises(ValueError, match=r"widths \[3, 5\]"):
        match_weights([one], [other], seed=0)


@pytest.fixture(scope="module")
def folders(ours, tuned, stranger, tmp_path_factory) -> dict[str, Path]:
    made = {}
    for name, model in (("ours", ours), ("tuned", tuned), ("stranger", stranger)):
        made[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(made[name])
    narrow = tmp_path_factory.mktemp("narrow")
    new_model(Shape(vocabulary=48, width=16, layers=1, heads=2, inner=32, context=48), 3).save_pretrained(narrow)
    return {**made, "narrow": narrow}


class TestPlanned:
    """The test as a plan runs it, on folders that `save_pretrained` wrote."""

    def run(self, folders: dict[str, Path], suspect: str):
        setting = setting_of(
            WeightAncestry(),
            parameters={"suspect_weights": suspect, "our_weights": "ours", "control_weights": ["stranger"]},
            materials=folders,
        )
        test = WeightAncestry()
        assert list(test.prepare(setting)) == []
        return test.conclude(setting, {})

    def test_weights_that_derive_from_ours(self, folders: dict[str, Path]) -> None:
        found = self.run(folders, "tuned")
        kept, free = (one.claim for one in found.stated)
        assert isinstance(kept, Claim)
        assert kept.question is free.question is Question.DERIVED
        assert kept.log_e > math.log(1_000)
        assert found.stated[0].effect.value > 0.3
        assert [one.as_expected for one in found.controls] == [True, True]
        assert "found again would have been enough" in found.power.statement

    def test_weights_that_do_not(self, folders: dict[str, Path]) -> None:
        found = self.run(folders, "stranger")
        assert all(one.claim.log_p > math.log(0.01) for one in found.stated)
        assert all(one.claim.log_e < math.log(20) for one in found.stated)

    def test_another_width_is_inconclusive(self, folders: dict[str, Path]) -> None:
        (stated,) = self.run(folders, "narrow").stated
        assert isinstance(stated.claim, Inconclusive)

    def test_a_folder_without_weights_is_refused(self, tmp_path: Path, folders: dict[str, Path]) -> None:
        with pytest.raises(MaterialError, match="no feed-forward weights"):
            read_feed_forward(tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"nothing")
        with pytest.raises(MaterialError, match="cannot be read as safetensors"):
            read_feed_forward(tmp_path)
        with pytest.raises(PlanError, match="got no material 'missing'"):
            self.run(folders, "missing")


def test_a_block_without_a_gate_is_read_by_its_down_projection(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    up, down = rng.normal(size=(8, 4)).astype(np.float32), rng.normal(size=(4, 8)).astype(np.float32)
    save_file(
        {"gpt_neox.layers.0.mlp.dense_h_to_4h.weight": up, "gpt_neox.layers.0.mlp.dense_4h_to_h.weight": down},
        tmp_path / "model.safetensors",
    )
    (block,) = read_feed_forward(tmp_path)
    assert np.array_equal(block.up, up)
    assert np.array_equal(block.gate, down.T)
    save_file(
        {"h.0.mlp.c_fc.weight": np.ascontiguousarray(up.T), "h.0.mlp.c_proj.weight": np.ascontiguousarray(down.T)},
        tmp_path / "model.safetensors",
    )
    (block,) = read_feed_forward(tmp_path)
    assert np.array_equal(block.up, up)
    assert np.array_equal(block.gate, down.T)
    save_file({"model.layers.0.mlp.gate_up_proj.weight": np.vstack([up, 2 * up])}, tmp_path / "model.safetensors")
    (block,) = read_feed_forward(tmp_path)
    assert np.array_equal(block.gate, up)
    assert np.array_equal(block.up, 2 * up)


def test_nothing_is_asked_of_anybody() -> None:
    assert WeightAncestry().enough(setting_of(WeightAncestry()), {})
