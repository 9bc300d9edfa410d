"""The promise of marks on real, unmarked text: fresh keys are rejected at 1 % and 0.01 % within binomial intervals.

Repetitive, templated, code and multilingual text, every scheme and several widths. `benchmarks/marks_calibration.py` holds the long run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.marks_calibration import (  # noqa: E402  # importable once the root is on the path
    EXACT,
    Setting,
    real_texts,
    rejections,
)

from stillwatch.statistics.intervals import binomial_acceptance  # noqa: E402
from stillwatch.watermark.scheme import scheme_units  # noqa: E402
from stillwatch.watermark.schemes import open_scheme  # noqa: E402
from stillwatch.watermark.unit_store import distinct  # noqa: E402

SEED = 71
KINDS = ("repetitive", "templated", "code", "multilingual")
SETTINGS: tuple[Setting, ...] = (
    ("sglang-gumbel@murmur3-v1", {"context_width": 1}, 20_000, 2_000),
    ("sglang-gumbel@murmur3-v1", {"context_width": 4}, 20_000, 2_000),
    ("sglang-dual@murmur3-v1", {"context_width": 4}, 4_000, 1_000),
    ("vllm-gumbel@philox4x32-10-v1", {"context_width": 1}, 4_000, 1_000),
    ("vllm-gumbel@philox4x32-10-v1", {"context_width": 4}, 4_000, 1_000),
    ("vllm-dual@philox4x32-10-v1", {"context_width": 4}, 2_000, 1_000),
    ("green-bernoulli@v1", {"context_width": 2, "gamma": 0.25}, 20_000, 2_000),
    ("kgw-transformers@v1", {"vocabulary": 4_000}, 100, 500),
    ("kgw-transformers@v1", {"vocabulary": 4_000, "seeding_scheme": "selfhash", "context_width": 4}, 40, 500),
    ("kgw-published@v1", {"vocabulary": 4_000, "seeding": "selfhash"}, 100, 500),
    ("kgw-published@v1", {"vocabulary": 4_000, "context_width": 3}, 100, 500),
    ("synthid-fixed@v1", {"ngram_len": 5, "depth": 30}, 400, 500),
    ("unigram@v1", {"vocabulary": 4_000}, 2_000, 2_000),
)


@pytest.fixture(scope="module")
def texts() -> dict[str, np.ndarray]:
    given = os.environ.get("STILLWATCH_SHARED")
    data = (Path(given) if given else ROOT.parent / "shared") / "data"
    if not data.is_dir():
        pytest.skip(f"no third-party data at {data}; set STILLWATCH_SHARED to the folder that holds data/")
    return real_texts(data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_keys_that_a_text_does_not_know_are_rejected_as_seldom_as_stated(
    texts: dict[str, np.ndarray], number: int, kind: str
) -> None:
    one = rejections(SETTINGS[number], kind, texts[kind], 1.0, np.random.default_rng([SEED, number]))
    assert one.units > 40
    assert one.holds, f"seed {SEED}: {one}"


def test_without_deduplication_repetitive_text_is_rejected_too_often(texts: dict[str, np.ndarray]) -> None:
    """So the text is hard enough, and the de-duplication is what keeps the promise."""
    setting: Setting = ("sglang-gumbel@murmur3-v1", {"context_width": 4}, 4_000, 3_000)
    one = rejections(setting, "repetitive", texts["repetitive"], 1.0, np.random.default_rng(SEED))
    assert setting[0] in EXACT
    assert one.without_deduplication is not None
    assert one.without_deduplication[0] > 2 * binomial_acceptance(4_000, 0.01, 1e-6)[1]


def test_randomisation_p_is_exact_on_any_text_even_without_deduplication(texts: dict[str, np.ndarray]) -> None:
    """The key's rank among decoys is uniform, however the text repeats itself."""
    scheme = open_scheme("sglang-gumbel@murmur3-v1", {"context_width": 4})
    words = scheme_units(scheme, texts["repetitive"][:2_000]).words
    assert len(distinct(words)) < 0.7 * len(words)
    rng = np.random.default_rng(SEED)
    runs, decoys = 3_000, 99
    scores = scheme.totals(words, rng.integers(0, 2**64, size=(runs * (decoys + 1), 1), dtype=np.uint64)).statistics
    ranks = scores.reshape(runs, decoys + 1)
    rejected = int((((ranks[:, 1:] >= ranks[:, :1]).sum(axis=1) + 1) / (decoys + 1) <= 0.01).sum())
    low, high = binomial_acceptance(runs, 0.01, 1e-6)
    assert low <= rejected <= high, f"seed {SEED}: {rejected} of {runs}"
