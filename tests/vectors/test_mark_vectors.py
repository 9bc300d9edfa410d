"""Every scheme against numbers that the engines' and libraries' own code gave; see make_mark_vectors.py."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.watermark import murmur, torch_random
from stillwatch.watermark.scheme import Parameters, Scheme, scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.schemes.sglang_dual import SglangDual
from stillwatch.watermark.schemes.synthid_fixed import SynthIdFixed
from stillwatch.watermark.schemes.unigram import Unigram
from stillwatch.watermark.schemes.vllm_dual import derived_key
from stillwatch.watermark.unit_store import distinct

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("mark_vectors.json").read_text(encoding="utf-8"))
TOKENS = np.array(VECTORS["tokens"], dtype=np.uint32)
KEYS = [int(text, 16) for text in VECTORS["keys"]]
VOCABULARY = VECTORS["vocabulary"]
WHERE_KEYS_COUNT = {"lefthash-1", "lefthash-3", "additive-1"}


def row(*words: int) -> np.ndarray:
    return np.array(words, dtype=np.uint64)


def values(name: str, parameters: Parameters, key: np.ndarray) -> np.ndarray:
    scheme = open_scheme(name, parameters)
    return scheme.values(scheme_units(scheme, TOKENS).words, key)


def agree_with_kernel(scheme: Scheme, key: np.ndarray, per_unit: np.ndarray) -> None:
    """The compiled total over distinct units is the sum of the reference over them."""
    words = scheme_units(scheme, TOKENS).words
    _, first = np.unique(words, axis=0, return_index=True)
    totals = scheme.totals(distinct(words), key[np.newaxis])
    expected = per_unit[first]
    counted = ~np.isnan(expected)
    assert totals.counts[0] == counted.sum()
    assert totals.statistics[0] == pytest.approx(expected[counted].sum(), rel=1e-12)


@pytest.mark.parametrize("width", [1, 2, 4, 5, 8])
def test_vllm_uniforms(width: int) -> None:
    for key, expected in zip(KEYS, VECTORS["vllm"]["uniforms"][str(width)], strict=True):
        scheme = open_scheme("vllm-gumbel@philox4x32-10-v1", {"context_width": width})
        found = values(scheme.name, scheme.parameters, row(key))
        assert found.tolist() == expected
        agree_with_kernel(scheme, row(key), -np.log1p(-found))


def test_vllm_dual_keys_and_weights() -> None:
    for key, pair in zip(KEYS, VECTORS["vllm"]["derived"], strict=True):
        assert [f"{derived_key(key, domain):016x}" for domain in (b"key_a", b"key_b")] == pair
        dual = open_scheme("vllm-dual@philox4x32-10-v1", {"context_width": 4, "alpha": 0.1})
        found = values(dual.name, dual.parameters, row(key))
        for column, one in enumerate(pair):
            assert (found[:, column] == values("vllm-gumbel@philox4x32-10-v1", {}, row(int(one, 16)))).all()
        agree_with_kernel(dual, row(key), -np.log1p(-found) @ np.array([0.9, 0.1]))


@pytest.mark.parametrize("width", [1, 4, 9])
def test_sglang_hashes(width: int) -> None:
    vectors = VECTORS["sglang"][str(width)]
    scheme = open_scheme("sglang-gumbel@murmur3-v1", {"context_width": width})
    words = scheme_units(scheme, TOKENS).words
    assert words[:, 0].tolist() == vectors["context_hashes"]
    for key, expected in zip(KEYS, vectors["token_hashes"], strict=True):
        assert murmur.hash_units(words, key).tolist() == expected
        agree_with_kernel(scheme, row(key), -np.log1p(-scheme.values(words, row(key))))
    assert murmur.position_coins(words[:, 0].copy(), KEYS[0], KEYS[1]).tolist() == vectors["coins"]


@pytest.mark.parametrize("width", [1, 4, 9])
@pytest.mark.parametrize("part", ["first", "both"])
def test_sglang_dual_statistics(width: int, part: str) -> None:
    """The engine counts each context once, with its first token; so do we here, where no context has two tokens but at width 1."""
    dual = SglangDual.of({"context_width": width, "mixing_probability": 0.3, "part": part})
    words = scheme_units(dual, TOKENS).words
    _, first = np.unique(words[:, 0], return_index=True)
    totals = dual.totals(words[first], row(KEYS[0], KEYS[1])[np.newaxis])
    number, score, log_p = VECTORS["sglang"][str(width)]["detected"][
        "combined" if part == "both" else "key_a_partition"
    ]
    assert totals.counts[0] == number
    assert totals.statistics[0] == pytest.approx(score, rel=1e-12)
    assert dual.log_p(number, float(totals.statistics[0])) == pytest.approx(log_p, abs=1e-9)
    agree_with_kernel(dual, row(KEYS[0], KEYS[1]), -np.log1p(-dual.values(words, row(KEYS[0], KEYS[1]))))


@pytest.mark.parametrize("setting", sorted(VECTORS["kgw_transformers"]["green"]))
def test_kgw_as_in_transformers(setting: str) -> None:
    seeding, width = setting.split("-")
    parameters: Parameters = {"vocabulary": VOCABULARY, "seeding_scheme": seeding, "context_width": int(width)}
    for text, green in zip(
        VECTORS["kgw_transformers"]["keys"], VECTORS["kgw_transformers"]["green"][setting], strict=True
    ):
        found = values("kgw-transformers@v1", parameters, row(int(text, 16)))
        # lefthash reads the last token alone, so ours begins earlier than a detector that waits for a whole context.
        assert found[len(found) - len(green) :].astype(bool).tolist() == green


@pytest.mark.parametrize("setting", sorted(VECTORS["kgw_published"]["green"]))
def test_kgw_as_published(setting: str) -> None:
    seeding, width = setting.split("-")
    parameters: Parameters = {"vocabulary": VOCABULARY, "seeding": seeding, "context_width": int(width)}
    for text, green in zip(VECTORS["kgw_published"]["keys"], VECTORS["kgw_published"]["green"][setting], strict=True):
        found = values("kgw-published@v1", parameters, row(int(text, 16)))
        assert found.astype(bool).tolist() == green


@pytest.mark.parametrize("name", ["kgw-transformers@v1", "kgw-published@v1"])
def test_green_totals_count_each_seed_and_token_once(name: str) -> None:
    scheme = open_scheme(name, {"vocabulary": VOCABULARY})
    words = distinct(scheme_units(scheme, TOKENS).words)
    kept = words[words[:, 0] != 0]  # after token 0 the list is the same under every key
    totals = scheme.totals(words, row(KEYS[0])[np.newaxis])
    assert totals.counts[0] == len(kept) < len(words)
    assert totals.statistics[0] == scheme.values(kept, row(KEYS[0])).sum()


@pytest.mark.parametrize("seed", [0, 2])
def test_synthid_as_shipped(seed: int) -> None:
    vectors = VECTORS["synthid_shipped"]
    found = values(
        "synthid-shipped@v1", {"depth": len(vectors["layers"]), "sampling_table_seed": seed}, row(*vectors["layers"])
    )
    assert found.astype(int).tolist() == vectors["g_values"][str(seed)]


def test_synthid_as_fixed() -> None:
    vectors = VECTORS["synthid_fixed"]
    scheme = SynthIdFixed.of({"depth": len(vectors["layers"])})
    key = row(*vectors["layers"])
    assert str(scheme.start(key)) == vectors["start"]
    found = values(scheme.name, scheme.parameters, key)
    assert found.astype(int).tolist() == vectors["g_values"]
    agree_with_kernel(scheme, key, found.sum(axis=1))


def test_unigram() -> None:
    scheme = Unigram.of({"vocabulary": VOCABULARY, "fraction": 0.4})
    for text, mask in zip(VECTORS["unigram"]["keys"], VECTORS["unigram"]["masks"], strict=True):
        expected = np.unpackbits(np.frombuffer(bytes.fromhex(mask), dtype=np.uint8))[:VOCABULARY].astype(bool)
        assert (scheme.green(int(text, 16)) == expected).all()
        agree_with_kernel(scheme, row(int(text, 16)), expected[TOKENS].astype(float))


def test_torch_generator() -> None:
    for text, drawn in VECTORS["torch"].items():
        seed = np.uint32(int(text) & 0xFFFFFFFF)
        assert torch_random.permutation_head(seed, 1000, 20).tolist() == drawn["randperm_1000"]
        assert torch_random.bits(int(text), 40).tolist() == drawn["randint_2"]
    # Seeds equal modulo 2^32 are one generator: that is why two keys may be one mark.
    assert VECTORS["torch"]["42"] == VECTORS["torch"][str(2**32 + 42)]


def test_smallest_and_largest_uniform_are_inside() -> None:
    for hashed in (0, 2**32 - 1):
        assert math.isfinite(-math.log1p(-(hashed + 0.5) / 2**32))
