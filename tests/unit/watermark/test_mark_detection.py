"""Conclusions over many keys: what is found, what is not, and when nothing may be said."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark import philox
from stillwatch.watermark.detection import KeyResult, KeyScorer, Plan
from stillwatch.watermark.errors import MarkKeyError, SchemeError
from stillwatch.watermark.power import units_needed
from stillwatch.watermark.scheme import Parameters, key_row
from stillwatch.watermark.schemes import SCHEMES, open_scheme
from stillwatch.watermark.token_files import Document

VOCABULARY = 2_000
PLAN = Plan(alpha=1e-6, seed=5)
PARAMETERS: dict[str, Parameters] = {
    "kgw-transformers@v1": {"vocabulary": VOCABULARY},
    "kgw-published@v1": {"vocabulary": VOCABULARY},
    "unigram@v1": {"vocabulary": VOCABULARY},
    "synthid-fixed@v1": {"depth": 4},
    "synthid-shipped@v1": {"depth": 4},
}


def keys_of(name: str, number: int, seed: int, *, provider: bool = False) -> list[MarkKey]:
    """Draw keys of a scheme; the first is the provider's where asked for."""
    rng = np.random.default_rng(seed)
    scheme = open_scheme(name, PARAMETERS.get(name, {}))
    own, shared = scheme.key_words - scheme.shared_words, rng.bytes(8 * scheme.shared_words)
    return [
        MarkKey(
            handle=f"k-{place}", scheme=name, parameters=tuple(sorted(PARAMETERS.get(name, {}).items())),
            level=MarkLevel.PROVIDER if provider and place == 0 else MarkLevel.CAMPAIGN, assigned_to=f"c-{place}",
            key=rng.bytes(8 * own) + shared, tokenizer_digest="", issued_us=0,
        )
        for place in range(number)
    ]  # fmt: skip


def marked(key: MarkKey, documents: int, length: int, seed: int, candidates: int = 8) -> list[Document]:
    """Make texts that bear a key: of some random candidates the one with the largest value is taken at each place."""
    scheme = open_scheme(key.scheme, dict(key.parameters))
    rng = np.random.default_rng(seed)
    width, row = scheme.context_width, key_row(scheme, key)
    text = rng.integers(0, VOCABULARY, size=(documents, length), dtype=np.uint32)
    for place in range(width, length):
        offered = rng.integers(0, VOCABULARY, size=(documents, candidates), dtype=np.uint32)
        contexts = np.repeat(text[:, place - width : place], candidates, axis=0)
        values = scheme.values(scheme.units_of(contexts, offered.ravel()).words, row)
        values = np.nan_to_num(values if values.ndim == 1 else values.mean(axis=1))
        text[:, place] = offered[np.arange(documents), values.reshape(documents, candidates).argmax(axis=1)]
    return [Document(tokens=one, prompt=None) for one in text]


def unmarked(documents: int, length: int, seed: int) -> list[Document]:
    rng = np.random.default_rng(seed)
    return [
        Document(tokens=rng.integers(0, VOCABULARY, length).astype(np.uint32), prompt=None) for _ in range(documents)
    ]


def scored(keys: list[MarkKey], corpus: list[Document], plan: Plan = PLAN) -> list[KeyResult]:
    scorer = KeyScorer(keys)
    try:
        scorer.add(corpus)
        return scorer.results(plan, "sha256:corpus")
    finally:
        scorer.close()


@pytest.mark.parametrize("name", sorted(set(SCHEMES) - {"synthid-shipped@v1", "unigram@v1"}))
def test_the_key_is_found_and_no_other(name: str) -> None:
    keys = keys_of(name, 6, seed=11)
    corpus = marked(keys[3], 24, 80, seed=1) + unmarked(24, 80, seed=2)
    results = scored(keys, corpus, replace(PLAN, decoys=99))
    assert [one.found for one in results] == [False, False, False, True, False, False]
    claim = results[3].answer
    assert isinstance(claim, Claim)
    assert claim.question is Question.MARKED
    assert claim.log_p is not None
    assert claim.log_p < math.log(1e-6 / 6)
    assert claim.input_digest == "sha256:corpus"
    assert results[3].decoys_above == 0
    assert results[3].decoy_log_p == pytest.approx(-math.log(100))


def test_unigram_finds_its_key_only_by_distinct_tokens() -> None:
    """One list for all contexts: a long text has no more distinct tokens than the vocabulary, so little can be shown."""
    keys = keys_of("unigram@v1", 2, seed=12)
    results = scored(keys, marked(keys[0], 6, 100, seed=3))
    assert results[0].found
    assert results[0].count < VOCABULARY
    assert not results[1].found


def test_campaigns_wait_for_the_provider() -> None:
    provider, campaign, other = keys_of("green-bernoulli@v1", 3, seed=13, provider=True)
    corpus = marked(campaign, 40, 100, seed=4)
    gated = scored([provider, campaign, other], corpus)
    assert not any(one.found for one in gated)
    assert isinstance(gated[1].answer, Inconclusive)
    assert "no key of the provider" in gated[1].answer.reason
    free = scored([provider, campaign, other], corpus, replace(PLAN, gate=False))
    assert [one.found for one in free] == [False, True, False]
    both = scored([provider, campaign, other], corpus + marked(provider, 40, 100, seed=5))
    assert [one.found for one in both] == [True, True, False]


def test_too_little_text_is_inconclusive_and_names_what_is_needed() -> None:
    keys = keys_of("sglang-gumbel@murmur3-v1", 10, seed=14)
    results = scored(keys, unmarked(2, 60, seed=6))
    needed = units_needed(results[0].scheme, 10, PLAN.alpha)
    for one in results:
        assert isinstance(one.answer, Inconclusive)
        assert f"{needed:,}" in one.answer.needed


def test_enough_text_without_a_mark_is_a_claim_with_its_power() -> None:
    keys = keys_of("sglang-gumbel@murmur3-v1", 3, seed=15)
    results = scored(keys, unmarked(30, 400, seed=7))
    assert all(isinstance(one.answer, Claim) and not one.found for one in results)
    assert all("would have been found" in one.answer.statement for one in results if isinstance(one.answer, Claim))


def test_power_agrees_with_the_published_table() -> None:
    """Field figures for power 0.95 at family error 1e-6: 3,163 and 4,491 green units at an excess of 0.05."""
    green = open_scheme("green-bernoulli@v1", {})
    gumbel = open_scheme("sglang-gumbel@murmur3-v1", {})
    assert units_needed(green, 1, 1e-6, excess=0.05) == pytest.approx(3_163, rel=0.05)
    assert units_needed(green, 1000, 1e-6, excess=0.05) == pytest.approx(4_491, rel=0.05)
    assert units_needed(gumbel, 1000, 1e-6, excess=0.05) == pytest.approx(24_000, rel=0.05)


@pytest.mark.parametrize(("keys", "documents", "said"), [(1, 40, "65,536"), (3, 2, "65,536"), (1, 2, "randomisation")])
def test_shipped_synthid_never_concludes(keys: int, documents: int, said: str) -> None:
    issued = keys_of("synthid-shipped@v1", keys, seed=16)
    results = scored(issued, marked(issued[0], documents, 100, seed=8), replace(PLAN, decoys=99))
    assert not any(one.found for one in results)
    assert all(isinstance(one.answer, Inconclusive) for one in results)
    assert said in getattr(results[0].answer, "reason", "")
    assert results[0].decoy_log_p <= math.log(0.05)  # what may be said is shown beside


def test_a_text_on_which_the_tail_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the values skewed, random keys would be rejected too often; the decoys see it before anybody is named."""
    keys = keys_of("vllm-gumbel@philox4x32-10-v1", 2, seed=17)
    sums = philox.gumbel_sums
    monkeypatch.setattr(philox, "gumbel_sums", lambda words, rows: 1.05 * sums(words, rows))
    results = scored(keys, unmarked(30, 300, seed=9))
    assert all("random keys have p <= 1 %" in getattr(one.answer, "reason", "") for one in results)


def test_same_input_same_numbers_in_any_order_of_documents() -> None:
    keys = keys_of("vllm-dual@philox4x32-10-v1", 3, seed=18)
    corpus = marked(keys[0], 10, 60, seed=10)
    one, other = scored(keys, corpus), scored(keys, [*reversed(corpus), *corpus])
    for first, second in zip(one, other, strict=True):
        assert (first.count, first.decoys_above) == (second.count, second.decoys_above)
        assert first.statistic == pytest.approx(second.statistic, rel=1e-12)


def test_prompted_places_do_not_count() -> None:
    (key,) = keys_of("green-bernoulli@v1", 1, seed=19)
    (document,) = marked(key, 1, 400, seed=11)
    quoted = Document(tokens=document.tokens, prompt=document.tokens)
    assert scored([key], [quoted])[0].count == 0
    assert scored([key], [document])[0].count > 300


def test_no_key_and_unknown_schemes_are_refused() -> None:
    with pytest.raises(MarkKeyError, match="got no key"):
        KeyScorer([])
    with pytest.raises(SchemeError, match="expected one of"):
        open_scheme("gumbel", {})
    (key,) = keys_of("vllm-gumbel@philox4x32-10-v1", 1, seed=20)
    with pytest.raises(MarkKeyError, match="got 4 bytes"):
        scored([replace(key, key=b"1234")], unmarked(1, 20, seed=1))
