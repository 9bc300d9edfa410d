"""Distinct units: the same set however the corpus is cut, ordered, merged or spilled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.watermark.scheme import Units, scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.unit_store import UnitStore, distinct

SCHEMES = ["sglang-gumbel@murmur3-v1", "vllm-gumbel@philox4x32-10-v1", "synthid-shipped@v1"]


def held(store: UnitStore) -> set[tuple[int, ...]]:
    found = [tuple(map(int, unit)) for words in store.parts() for unit in words]
    assert len(found) == len(set(found))
    return set(found)


def expected(units: list[Units]) -> set[tuple[int, ...]]:
    return {tuple(map(int, word)) for one in units for word in one.words}


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.lists(st.integers(0, 6), max_size=40), max_size=8), cut=st.integers(0, 8))
def test_merging_and_order_change_nothing(name: str, texts: list[list[int]], cut: int) -> None:
    scheme = open_scheme(name, {})
    units = [scheme_units(scheme, np.array(text, dtype=np.uint32)) for text in texts]
    with UnitStore(scheme.unit_words) as one, UnitStore(scheme.unit_words) as other:
        for place, some in enumerate(units):
            (one if place < cut else other).add(some)
        one.merge(other)
        assert held(one) == expected(units)
        assert one.seen == sum(map(len, units))


@pytest.mark.parametrize("name", SCHEMES)
def test_units_that_do_not_fit_in_memory(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scheme = open_scheme(name, {})
    units = [scheme_units(scheme, rng.integers(0, 3000, size=8_000).astype(np.uint32)) for _ in range(12)]
    units += units[:6]
    with UnitStore(scheme.unit_words, memory_bytes=1 << 18, folder=tmp_path) as small:
        with UnitStore(scheme.unit_words) as other:
            for some in units[:9]:
                small.add(some)
            for some in units[9:]:
                other.add(some)
            small.merge(other)
        spilled = list(tmp_path.glob("*/part-*"))
        assert spilled
        assert held(small) == expected(units)
    assert not list(tmp_path.iterdir())


def test_merging_a_store_that_has_files(tmp_path: Path) -> None:
    scheme = open_scheme("vllm-gumbel@philox4x32-10-v1", {})
    units = scheme_units(scheme, np.random.default_rng(4).integers(0, 900, size=60_000).astype(np.uint32))
    with (
        UnitStore(scheme.unit_words, memory_bytes=1 << 18, folder=tmp_path) as large,
        UnitStore(scheme.unit_words) as one,
    ):
        large.add(units)
        one.merge(large)
        assert held(one) == expected([units]) == held(large)


def test_places_whose_context_stands_in_the_prompt_are_left_out() -> None:
    scheme = open_scheme("sglang-gumbel@murmur3-v1", {"context_width": 2})
    prompt = np.array([5, 6, 7, 8], dtype=np.uint32)
    answer = np.array([1, 5, 6, 9, 6, 7, 1, 2], dtype=np.uint32)
    with UnitStore(scheme.unit_words) as store:
        store.add(scheme_units(scheme, answer), unless_in=scheme_units(scheme, prompt).contexts)
        kept = held(store)
    contexts = [(1, 5), (6, 9), (9, 6), (7, 1)]  # (5, 6) and (6, 7) stand in the prompt
    tokens = [6, 6, 7, 2]
    units = scheme.units_of(np.array(contexts, dtype=np.uint32), np.array(tokens, dtype=np.uint32))
    assert kept == expected([units])


def test_distinct_of_nothing() -> None:
    for width in (1, 2, 5):
        assert distinct(np.empty((0, width), dtype=np.uint32)).shape == (0, width)
