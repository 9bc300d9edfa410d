"""MinHash: unbiased, banded where it was promised, blind to order and repetition."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.sketches.errors import SketchError
from stillwatch.sketches.near_duplicate import BANDS, band_keys, estimate_jaccard, signatures

SEED = 20261123


def pair_of_texts(rng: np.random.Generator, *, shared: int, own: int) -> tuple[str, str]:
    """Two texts whose shingle sets share `shared` and have `own` each: separators of one word shared by nobody."""
    shared_words = _words(rng, shared + 2)
    return (
        " ".join(shared_words + _words(rng, own)),
        " ".join(shared_words + _words(rng, own)),
    )


def _words(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size=9)) for _ in range(count)]


def within(hits: int, trials: int, probability: float) -> bool:
    """Whether a binomial count lies within 5 standard deviations, two-sided error about 1e-6."""
    return abs(hits - trials * probability) <= 5 * math.sqrt(trials * probability * (1 - probability)) + 1


def collisions(shared: int, own: int, trials: int) -> int:
    rng = np.random.default_rng(SEED)
    left, right = zip(*(pair_of_texts(rng, shared=shared, own=own) for _ in range(trials)), strict=True)
    left_keys = [band_keys(row) for row in signatures(pa.array(left))]
    right_keys = [band_keys(row) for row in signatures(pa.array(right))]
    return sum(bool(set(a) & set(b)) for a, b in zip(left_keys, right_keys, strict=True))


@pytest.mark.parametrize("scale", [1, 6], ids=["prompts of 22 words", "prompts of 120 words"])
def test_pairs_of_jaccard_07_share_a_band(scale: int) -> None:
    # 14 shared of 20 shingles: J = 0.7.
    trials = 600
    hits = collisions(14 * scale, 3 * scale, trials)
    expected = 1 - (1 - 0.7**4) ** 16
    assert expected > 0.95
    assert within(hits, trials, expected)
    assert hits > 0.95 * trials


@pytest.mark.parametrize("scale", [1, 6], ids=["prompts of 15 words", "prompts of 80 words"])
def test_pairs_of_jaccard_03_rarely_share_a_band(scale: int) -> None:
    # 6 shared of 20 shingles: J = 0.3.
    trials = 1000
    hits = collisions(6 * scale, 7 * scale, trials)
    expected = 1 - (1 - 0.3**4) ** 16
    assert expected < 0.15
    assert within(hits, trials, expected)


@pytest.mark.parametrize(("shared", "own"), [(5, 45), (20, 20), (45, 5), (3, 4)])
@pytest.mark.parametrize("bins", [64, 128])
def test_estimate_is_unbiased(shared: int, own: int, bins: int) -> None:
    rng = np.random.default_rng(SEED)
    trials = 200
    left, right = zip(*(pair_of_texts(rng, shared=shared, own=own) for _ in range(trials)), strict=True)
    a, b = signatures(pa.array(left), bins=bins), signatures(pa.array(right), bins=bins)
    jaccard = shared / (shared + 2 * own)
    estimates = np.array([estimate_jaccard(x, y) for x, y in zip(a, b, strict=True)])
    # Bins are never more spread than independent ones would be.
    assert abs(estimates.mean() - jaccard) < 5 * math.sqrt(jaccard * (1 - jaccard) / bins / trials)
    assert estimates.std() < 1.25 * math.sqrt(jaccard * (1 - jaccard) / bins)


def test_repetition_and_case_do_not_matter() -> None:
    rng = np.random.default_rng(SEED)
    words = _words(rng, 30)
    once, twice = " ".join(words), " ".join([*words, *words[-2:]])
    assert estimate_jaccard(*signatures(pa.array([once, once.upper()]))) == 1.0
    assert estimate_jaccard(*signatures(pa.array([once, twice]))) > 0.8


def test_bands_are_told_apart_by_their_number() -> None:
    signature = np.full(64, 7, dtype=np.uint64)
    assert len(set(band_keys(signature))) == BANDS


def test_texts_without_shingles_have_no_signature() -> None:
    assert (signatures(pa.array([None, "", "two words"])) == np.uint64(2**64 - 1)).all()


def test_other_sizes_are_refused() -> None:
    with pytest.raises(SketchError, match="got 100 bins, expected 64 or 128"):
        signatures(pa.array(["x"]), bins=100)
