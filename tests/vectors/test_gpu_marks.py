"""Our CPU code against what the engines' own kernels, and torch's generator, gave on a GPU; see benchmarks/marks_on_gpu.py.

Whole vocabularies are held by a digest: one other bit among millions would change it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.watermark import murmur, philox, torch_cuda_random, torch_random
from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.scheme import scheme_units
from stillwatch.watermark.schemes import open_scheme

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("gpu_marks.json").read_text(encoding="utf-8"))
KEYS = [int(text, 16) for text in VECTORS["keys"]]
THREADS: int = VECTORS["generator"]["threads"]


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def settings(part: str, kind: str) -> list[Any]:
    return [
        pytest.param(one, id=f"V {one['vocabulary']}, width {one['width']}, key {one['key']}")
        for one in VECTORS[part][kind]
    ]


def uniforms(context: list[int], key: int, vocabulary: int) -> np.ndarray:
    words = np.empty((vocabulary, len(context) + 1), dtype=np.uint32)
    words[:, :-1], words[:, -1] = context, np.arange(vocabulary)
    return philox.uniforms(words, key)


@pytest.mark.parametrize("one", settings("vllm", "uniforms"))
def test_vllms_triton_kernel_gave_these_uniforms(one: dict[str, Any]) -> None:
    found = [uniforms(context, KEYS[one["key"]], one["vocabulary"]) for context in one["contexts"]]
    assert digest(np.stack(found).astype(np.float32)) == one["sha256"]


@pytest.mark.parametrize("one", settings("sglang", "hashes"))
def test_sglangs_triton_kernels_gave_these_hashes(one: dict[str, Any]) -> None:
    hashes = murmur.hash_contexts(np.array(one["contexts"], dtype=np.uint32))
    assert hashes.tolist() == one["context_hashes"]
    tokens = np.arange(one["vocabulary"], dtype=np.uint32)
    found = [
        murmur.hash_units(np.stack([np.full_like(tokens, context), tokens], axis=1), KEYS[one["key"]])
        for context in hashes
    ]
    assert digest(np.stack(found)) == one["sha256"]


def logits(rows: int, vocabulary: int) -> np.ndarray:
    """The logits of the study, made again."""
    place = np.arange(rows * vocabulary, dtype=np.uint64).reshape(rows, vocabulary)
    scrambled = place * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)
    return scrambled.astype(np.float32) / np.float32(2**20) - np.float32(8.0)


@pytest.mark.parametrize("one", VECTORS["vllm"]["draws"], ids=lambda one: f"V {one['vocabulary']}")
def test_vllms_kernel_drew_the_token_of_the_largest_score(one: dict[str, Any]) -> None:
    rows = 32  # of 256; the study compared all
    values = logits(rows, one["vocabulary"]).astype(np.float64)
    for row, context in enumerate(one["contexts"][:rows]):
        drawn = uniforms(context, KEYS[one["key"]], one["vocabulary"])
        assert int(np.argmax(values[row] - np.log(-np.log(drawn)))) == one["chosen"][row]


@pytest.mark.parametrize(
    "one", VECTORS["sglang"]["draws"],
    ids=lambda one: f"V {one['vocabulary']}, top-k {one['top_k']}, {'two keys' if one['dual'] else 'one key'}",
)  # fmt: skip
def test_sglangs_kernels_forced_the_token_that_our_rows_draw(one: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `models`")
    from stillwatch.watermark.marking.mark_rows import mark_rows  # noqa: PLC0415
    from stillwatch.watermark.marking.row_mark import Draw, RowMark  # noqa: PLC0415

    rows = 64
    (contexts,) = [draw["contexts"] for draw in VECTORS["vllm"]["draws"] if draw["vocabulary"] == one["vocabulary"]]
    mark = RowMark(
        draw=Draw.GUMBEL, key=KEYS[0], second_key=KEYS[1] if one["dual"] else None, mixing=0.5 if one["dual"] else 1.0, width=4,
        **{name: one[name] for name in ("temperature", "top_k", "top_p", "min_p")},
    )  # fmt: skip
    out = mark_rows(torch.from_numpy(logits(rows, one["vocabulary"])), torch.tensor(contexts[:rows]), [mark] * rows)
    assert out.argmax(dim=1).tolist() == one["chosen"][:rows]


@pytest.mark.parametrize(
    "one", VECTORS["generator"]["permutations"], ids=lambda one: f"{one['size']}, seed {one['seed']}"
)
def test_a_cuda_generator_drew_these_permutations(one: dict[str, Any]) -> None:
    found = torch_cuda_random.permutation(int(one["seed"]), one["size"], THREADS)
    assert found[:8].tolist() == one["head"]
    assert digest(found.astype("<i8")) == one["sha256"]


def test_the_shuffle_of_equal_keys_is_tried() -> None:
    """Some of the permutations above have equal keys, whose numbers are shuffled once more."""
    tried = 0
    for one in VECTORS["generator"]["permutations"]:
        size = one["size"]
        keys = np.empty(size, dtype=np.uint64)
        width, drawing = torch_cuda_random.sorted_bits(size), torch_cuda_random.drawing_threads(size, THREADS)
        torch_cuda_random.sort_keys(np.uint64(int(one["seed"])), keys, width, drawing)
        tried += size - len(np.unique(keys))
    assert tried > 0


@pytest.mark.parametrize(
    "one",
    VECTORS["generator"]["lists"],
    ids=lambda one: f"V {one['vocabulary']}, key {one['key']}, token {one['token']}",
)
def test_transformers_listed_these_green_ids_on_a_gpu(one: dict[str, Any]) -> None:
    vocabulary, key = one["vocabulary"], np.array([KEYS[one["key"]]], dtype=np.uint64)
    words = np.stack([np.full(vocabulary, one["token"]), np.arange(vocabulary)], axis=1).astype(np.uint32)
    scheme = open_scheme("kgw-transformers@v1", {"vocabulary": vocabulary, "device_threads": THREADS})
    assert digest(np.flatnonzero(scheme.values(words, key)).astype("<i8")) == one["sha256"]
    few = words[:: vocabulary // 20]  # few tokens of a list are ranked one by one
    assert (scheme.values(few, key) == scheme.values(words, key)[:: vocabulary // 20]).all()
    on_cpu = open_scheme("kgw-transformers@v1", {"vocabulary": vocabulary})
    assert abs(on_cpu.values(words, key) @ scheme.values(words, key) / scheme.head - 0.25) < 0.02  # type: ignore[attr-defined]


def test_units_of_equal_lists_are_counted_once() -> None:
    """The kernel's totals are the sum of the reference over distinct places, of `lefthash` and of `selfhash`."""
    tokens = np.random.default_rng(3).integers(1, 40, 300).astype(np.uint32)
    for seeding, width in (("lefthash", 1), ("selfhash", 3)):
        parameters = {"vocabulary": 997, "device_threads": THREADS, "seeding_scheme": seeding, "context_width": width}
        scheme = open_scheme("kgw-transformers@v1", parameters)
        words = scheme_units(scheme, tokens).words
        key = np.array([KEYS[0]], dtype=np.uint64)
        pairs = np.stack([scheme.seeds(words, key), words[:, -1].astype(np.uint64)], axis=1)  # type: ignore[attr-defined]
        _, first = np.unique(pairs, axis=0, return_index=True)
        totals = scheme.totals(words, key[np.newaxis])
        assert totals.counts[0] == len(first) < len(words)
        assert totals.statistics[0] == scheme.values(words[first], key).sum()
        assert scheme.parameters["device_threads"] == THREADS


@pytest.mark.parametrize("one", VECTORS["synthid"]["tables"], ids=lambda one: f"seed {one['seed']}")
def test_synthids_table_of_a_gpu(one: dict[str, Any]) -> None:
    found = torch_cuda_random.bits(one["seed"], 65_536, THREADS)
    assert digest(found) == one["sha256"]
    assert 0.49 < (found == torch_random.bits(one["seed"], 65_536)).mean() < 0.51
    scheme = open_scheme(
        "synthid-shipped@v1", {"sampling_table_seed": one["seed"], "depth": 1, "device_threads": THREADS}
    )
    words = np.arange(65_536, dtype=np.uint32)[:, np.newaxis]
    assert scheme.values(words, np.zeros(1, dtype=np.uint64)).sum() == found.sum()


def test_threads_that_no_card_runs_are_refused() -> None:
    with pytest.raises(SchemeError, match="device_threads: got 1000, expected multiprocessors times threads of each"):
        open_scheme("kgw-transformers@v1", {"vocabulary": 997, "device_threads": 1000})
