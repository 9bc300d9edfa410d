"""The compiled kernels against the references in NumPy, at the edges of their blocks, and the bounds that their short cuts rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.watermark import murmur, numpy_shuffle, philox, torch_random
from stillwatch.watermark.kernels import kernel, log_product
from stillwatch.watermark.scheme import Parameters, scheme_units, units_of_texts
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.schemes.unigram import Unigram

VOCABULARY = 5_000
SCHEMES: tuple[tuple[str, Parameters], ...] = (
    *(("vllm-gumbel@philox4x32-10-v1", {"context_width": width}) for width in (1, 3, 4, 5, 8, 9)),
    ("vllm-dual@philox4x32-10-v1", {"alpha": 0.3}),
    ("sglang-gumbel@murmur3-v1", {}),
    ("sglang-dual@murmur3-v1", {"mixing_probability": 0.3}),
    ("sglang-dual@murmur3-v1", {"mixing_probability": 0.7, "part": "both"}),
    ("green-bernoulli@v1", {"gamma": 0.4}),
    ("synthid-fixed@v1", {"depth": 7}),
    ("synthid-shipped@v1", {"depth": 7, "sampling_table_seed": 2}),
    ("unigram@v1", {"vocabulary": VOCABULARY, "fraction": 0.3}),
)


def units(name: str, parameters: Parameters, number: int) -> np.ndarray:
    scheme, rng = open_scheme(name, parameters), np.random.default_rng(number)
    contexts = rng.integers(0, VOCABULARY, size=(number, scheme.context_width)).astype(np.uint32)
    return scheme.units_of(contexts, rng.integers(0, VOCABULARY, size=number).astype(np.uint32)).words


@pytest.mark.parametrize(("name", "parameters"), SCHEMES)
@pytest.mark.parametrize("number", [0, 1, 63, 64, 65, 1_920, 1_921, 4_100])
def test_totals_are_sums_of_values(name: str, parameters: Parameters, number: int) -> None:
    scheme, words = open_scheme(name, parameters), units(name, parameters, number)
    keys = np.random.default_rng(1).integers(0, 2**64, size=(3, scheme.key_words), dtype=np.uint64)
    totals = scheme.totals(words, keys)
    for index, key in enumerate(keys):
        values = scheme.values(words, key)
        if "log(1 - u)" in scheme.statistic_name:
            values = -np.log1p(-values)
        if values.ndim == 2:
            values = values @ np.array([0.7, 0.3]) if name.startswith("vllm") else values.sum(axis=1)
        counted = ~np.isnan(values)
        assert totals.counts[index] == counted.sum()
        assert totals.statistics[index] == pytest.approx(values[counted].sum(), rel=1e-12)


@pytest.mark.parametrize(("name", "parameters"), SCHEMES)
def test_a_key_scores_the_same_alone_and_among_others(name: str, parameters: Parameters) -> None:
    scheme, words = open_scheme(name, parameters), units(name, parameters, 2_500)
    keys = np.random.default_rng(2).integers(0, 2**64, size=(9, scheme.key_words), dtype=np.uint64)
    together = scheme.totals(words, keys)
    for index, key in enumerate(keys):
        alone = scheme.totals(words, key[np.newaxis])
        assert (alone.counts[0], alone.statistics[0]) == (together.counts[index], together.statistics[index])


@pytest.mark.parametrize(("name", "parameters"), SCHEMES)
def test_units_of_many_texts_are_those_of_each(name: str, parameters: Parameters) -> None:
    scheme, rng = open_scheme(name, parameters), np.random.default_rng(5)
    texts = [rng.integers(0, VOCABULARY, size=size).astype(np.uint32) for size in (0, 3, 40, 9, 1, 0, 10, 5)]
    together, each = units_of_texts(scheme, texts), [scheme_units(scheme, text) for text in texts]
    for part in ("words", "contexts", "groups"):
        assert getattr(together, part).tolist() == np.concatenate([getattr(one, part) for one in each]).tolist()
    assert len(units_of_texts(scheme, [])) == 0


@pytest.mark.parametrize("width", [1, 4, 9])
def test_compiled_context_hashes_are_the_reference(width: int) -> None:
    rows = np.random.default_rng(6).integers(0, 2**32, size=(100, width), dtype=np.uint32)
    assert murmur.hash_contexts(rows).tolist() == murmur.hash_words(list(rows.T)).tolist()


def test_every_uniform_of_vllm_is_the_rounded_quotient() -> None:
    every = np.arange(2**24, dtype=np.uint64)
    above = np.uint64(0xABCDEF01) << np.uint64(
        32
    )  # the upper half may hold anything, and the lowest 8 bits are dropped
    found = _uniforms(above | every << np.uint64(8) | np.uint64(0x5A))
    assert (found == ((every.astype(np.float64) + 1.0) / 16777217.0).astype(np.float32)).all()


@kernel
def _uniforms(outputs: np.ndarray) -> np.ndarray:
    found = np.empty(len(outputs))
    for place in range(len(outputs)):
        found[place] = philox.uniform_of(outputs[place])
    return found


@pytest.mark.parametrize(("rows", "least"), [(philox.ROWS, 2.0**-24), (murmur.ROWS, 2.0**-33)])
def test_products_of_the_least_factors_stay_normal(rows: int, least: float) -> None:
    """Without this bound a block of extreme tokens would lose precision, or all of its evidence."""
    product = least**rows
    assert product >= np.finfo(np.float64).tiny
    lanes = np.full(64, product)
    assert log_product(lanes) == pytest.approx(64 * rows * math.log(least), rel=1e-14)


def test_one_logarithm_for_a_thousand_factors() -> None:
    factors = np.exp(np.random.default_rng(3).uniform(-700, 700, size=1_024))
    expected = math.fsum(np.log(factors))
    assert log_product(factors) == pytest.approx(expected, abs=1e-9)


def test_green_lists_by_following_tokens_and_by_all_swaps() -> None:
    rng = np.random.default_rng(4)
    for size, head in ((2, 1), (7, 6), (1_000, 250), (VOCABULARY, 1_250)):
        runs = [1, 2, torch_random.FOLLOWED, torch_random.FOLLOWED + 1, 200]
        seeds = np.repeat(rng.integers(0, 2**32, size=len(runs), dtype=np.uint32), runs)
        tokens = rng.integers(0, size + 1, size=len(seeds)).astype(np.uint32)  # one token is outside
        lists = {int(seed): set(torch_random.permutation_head(seed, size, head).tolist()) for seed in seeds}
        expected = [int(token) in lists[int(seed)] for seed, token in zip(seeds, tokens, strict=True)]
        assert torch_random.green_flags(seeds, tokens, size, head).astype(bool).tolist() == expected


@pytest.mark.parametrize("size", [2, 3, 4, 5, 64, 65, 1_000, 40_000])
def test_shuffle_is_that_of_numpy(size: int) -> None:
    head = max(1, size // 3)
    for seed in range(20):
        mask = np.arange(size) < head
        np.random.default_rng(seed).shuffle(mask)
        drawn = np.random.default_rng(seed).bit_generator.random_raw(numpy_shuffle.words_for(size))
        tokens = np.random.default_rng(seed + 1).permutation(size)[: size // 2 + 1].astype(np.uint32)
        assert numpy_shuffle.green_count(drawn, tokens, size, head) == mask[tokens].sum()


def test_a_shuffle_that_runs_out_of_words_is_done_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = Unigram.of({"vocabulary": VOCABULARY, "fraction": 0.4})
    words, key = np.arange(1_000, dtype=np.uint32)[:, np.newaxis], np.array([[7]], dtype=np.uint64)
    expected = scheme.totals(words, key).statistics
    monkeypatch.setattr(numpy_shuffle, "words_for", lambda size: size // 4)
    assert scheme.totals(words, key).statistics == expected == scheme.green(7)[:1_000].sum()
