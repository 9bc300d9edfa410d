"""The promise of a scan: of the documents that it selects, at most the stated share has no mark; over seeds, and none in real text."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

WATERMARK_TESTS = Path(__file__).resolve().parents[1] / "unit" / "watermark"
if str(WATERMARK_TESTS) not in sys.path:  # keys and marked texts are made in one place
    sys.path.insert(0, str(WATERMARK_TESTS))

from marked_texts import GREEN, GUMBEL, mark_keys, marked_text, plain_text  # noqa: E402

from stillwatch.records.progress import Silent  # noqa: E402
from stillwatch.statistics.intervals import binomial_acceptance  # noqa: E402
from stillwatch.watermark.scan.documents import scan_documents  # noqa: E402
from stillwatch.watermark.scan.spool import TokenSpool  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ERROR = 1e-6


def scanned(texts: list, keys: tuple, level: float) -> tuple[list[int], list[float]]:
    """Scan; give selected places and all p-values."""
    with TokenSpool() as spool:
        for number, text in enumerate(texts):
            spool.add(str(number), text)
        result = scan_documents(spool, keys, level=level, memory_bytes=1 << 26, progress=Silent())
    assert result.tested == len(texts)
    return [int(one.name) for one in result.selected], [one.log_p for one in result.documents]


@pytest.mark.parametrize("scheme", [GREEN, GUMBEL])
def test_without_any_mark_a_set_has_a_find_no_more_often_than_stated(scheme: str) -> None:
    """With no marked document at all, the rate is the chance of any find."""
    runs, level, finds = 150, 0.2, 0
    for seed in range(runs):
        rng = np.random.default_rng(1_000 + seed)
        finds += bool(scanned([plain_text(rng, 220) for _ in range(12)], mark_keys(rng, 6, scheme), level)[0])
    print(f"{scheme}: {finds} of {runs} sets with a find at {level}")
    assert finds <= binomial_acceptance(runs, level, ERROR)[1]
    assert finds > 0  # the test can find something


def test_the_share_of_false_finds_keeps_its_rate() -> None:
    """Marked and unmarked documents mixed: the mean over sets of the false share is at most the level, times the share of nulls."""
    level, runs = 0.2, 60
    shares, power = [], []
    for seed in range(runs):
        rng = np.random.default_rng(5_000 + seed)
        keys = mark_keys(rng, 4)
        texts = [marked_text(rng, keys[number % 4], 150) for number in range(4)] + [
            plain_text(rng, 150) for _ in range(8)
        ]
        found, _ = scanned(texts, keys, level)
        false = sum(number >= 4 for number in found)
        shares.append(false / max(len(found), 1))
        power.append((len(found) - false) / 4)
    mean = float(np.mean(shares))
    print(f"false share {mean:.3f} at level {level}, power {np.mean(power):.2f}")
    # A share lies in [0, 1] and has mean at most level x 8 / 12: no mean of such shares spreads more than that of a coin.
    assert mean <= binomial_acceptance(runs, level * 8 / 12, ERROR)[1] / runs
    assert np.mean(power) > 0.9


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_text_has_no_finds() -> None:
    """Answers that people and models wrote in four languages of form, as bytes and as words."""
    rng = np.random.default_rng(9)
    texts = []
    for name in (
        "prompts_benign/control_dolly_human",
        "prompts_extraction/code_alpaca_en",
        "prompts_benign/oasst_fr",
        "prompts_extraction/gsm8k_train",
    ):
        column = pq.read_table(DATA / f"{name}.parquet", columns=["response"]).column("response").to_pylist()
        whole = [text for text in column if text and len(text) > 400][:300]
        texts += [np.frombuffer(text.encode()[:3_000], dtype=np.uint8).astype(np.uint32) for text in whole]
    assert len(texts) > 500
    keys = (*mark_keys(rng, 60, GREEN, context_width=4), *(mark_keys(rng, 60, GUMBEL)))
    keys = tuple(
        type(key)(**{**{name: getattr(key, name) for name in key.__slots__}, "handle": f"mk-{place}"})
        for place, key in enumerate(keys)
    )
    with TokenSpool() as spool:
        for number, text in enumerate(texts):
            spool.add(str(number), text)
        result = scan_documents(spool, keys, level=0.01, memory_bytes=1 << 26, progress=Silent())
    assert result.tested > 300
    assert result.selected == ()
