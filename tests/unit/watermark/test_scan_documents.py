"""The scan of a set: marked documents are found and attributed, copies count once, and what cannot be said is not said."""

from __future__ import annotations

import numpy as np
import pytest
from marked_texts import GUMBEL, mark_key, mark_keys, marked_text, plain_text
from numpy.typing import NDArray

from stillwatch.records.claim import Claim, Inconclusive
from stillwatch.records.mark import MarkKey
from stillwatch.records.progress import Silent
from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.scan.documents import ScanResult, least_units, scan_documents
from stillwatch.watermark.scan.first_uses import first_uses
from stillwatch.watermark.scan.spool import TokenSpool
from stillwatch.watermark.scan.statements import document_claim, key_statements, untested
from stillwatch.watermark.scheme import scheme_units
from stillwatch.watermark.schemes import open_scheme

MEMORY = 1 << 26


def scan(
    texts: list[NDArray[np.uint32]], keys: tuple[MarkKey, ...], level: float = 1e-4, memory: int = MEMORY
) -> ScanResult:
    with TokenSpool() as spool:
        for number, text in enumerate(texts):
            spool.add(f"set#{number}", text)
        return scan_documents(spool, keys, level=level, memory_bytes=memory, progress=Silent())


@pytest.fixture(scope="module")
def planted() -> tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]]:
    """Sixty documents; ten of one campaign, five of another, and forty-five without a mark."""
    rng = np.random.default_rng(31)
    keys = mark_keys(rng, 20)
    texts = [marked_text(rng, keys[3], 400) for _ in range(10)] + [marked_text(rng, keys[7], 400) for _ in range(5)]
    return texts + [plain_text(rng, 400) for _ in range(45)], keys


def test_marked_documents_are_found_and_attributed(
    planted: tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]],
) -> None:
    texts, keys = planted
    result = scan(texts, keys)
    assert [one.name for one in result.selected] == [f"set#{number}" for number in range(15)]
    assert [one.keys[0].handle for one in result.selected] == ["mk-0003"] * 10 + ["mk-0007"] * 5
    statements = key_statements(result, 1e-6, "sha256:0")
    assert [one.total.key.handle for one in statements if one.found] == ["mk-0003", "mk-0007"]
    assert [one.total.documents for one in statements if one.found] == [10, 5]
    claim = document_claim(result.selected[0], result, "sha256:0")
    assert claim.log_p == result.selected[0].log_p < np.log(1e-4)
    assert all(isinstance(one.answer, Claim) for one in statements if one.found)


def test_a_copy_is_no_new_evidence(planted: tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]]) -> None:
    texts, keys = planted
    result = scan([texts[0], *[texts[0]] * 6, *texts[20:]], keys)
    assert [one.name for one in result.selected] == ["set#0"]
    copies = result.documents[1:7]
    assert all(one.units == 0 and one.repeated == 398 and not one.tested for one in copies)
    alone = scan([texts[0], *texts[20:]], keys)
    assert [one.statistic for one in result.keys] == [one.statistic for one in alone.keys]
    said = untested(result)
    assert isinstance(said, Inconclusive)
    assert "6 of them none at all" in said.reason


def test_short_documents_are_named_and_not_tested(
    planted: tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]],
) -> None:
    texts, keys = planted
    result = scan([*texts[:4], texts[5][:6], np.empty(0, dtype=np.uint32)], keys)
    assert [one.tested for one in result.documents] == [True] * 4 + [False] * 2
    assert result.documents[4].log_p == 0.0
    assert untested(scan(texts[:4], keys)) is None
    scheme = open_scheme("green-bernoulli@v1", {})
    least = least_units([scheme], 6, 20, 0.05)
    target = np.log(0.05 / (6 * 20))
    assert scheme.log_p(least, least) <= target < scheme.log_p(least - 1, least - 1)


def test_memory_changes_nothing(planted: tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]]) -> None:
    texts, _ = planted
    scheme = open_scheme("green-bernoulli@v1", {})
    with TokenSpool() as spool:
        for number, text in enumerate([*texts, texts[2]]):
            spool.add(f"set#{number}", text)
        wide, narrow = (first_uses(spool, scheme, memory, Silent()) for memory in (MEMORY, 1 << 12))
    assert all(np.array_equal(one, other) for one, other in zip(wide, narrow, strict=True))
    words = np.concatenate([scheme_units(scheme, text).words for text in texts])
    kept = sum(int(np.unpackbits(one).sum()) for one in wide)
    assert kept == len(np.unique(words, axis=0))


def test_keys_of_several_schemes_are_scanned_together(
    planted: tuple[list[NDArray[np.uint32]], tuple[MarkKey, ...]],
) -> None:
    texts, keys = planted
    rng = np.random.default_rng(32)
    more = tuple(mark_key(rng, f"mk-g{number}", GUMBEL) for number in range(5))
    result = scan(texts, (*keys, *more))
    assert [one.keys[0].handle for one in result.selected] == ["mk-0003"] * 10 + ["mk-0007"] * 5
    assert [one.key.handle for one in result.keys] == [one.handle for one in (*keys, *more)]


def test_schemes_without_independent_keys_are_refused() -> None:
    rng = np.random.default_rng(33)
    key = mark_key(rng, "mk-s", "synthid-shipped@v1")
    with pytest.raises(SchemeError, match="share one table"):
        scan([plain_text(rng, 100)], (key,))


def test_too_little_text_is_inconclusive() -> None:
    rng = np.random.default_rng(34)
    result = scan([plain_text(rng, 60)], mark_keys(rng, 3))
    (first, *_) = key_statements(result, 1e-6, "")
    assert isinstance(first.answer, Inconclusive)
    assert "distinct scored tokens" in first.answer.needed
