"""Places of a suspect's predictions: only what the text before them has not shown, each once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.records.claim import Claim, Inconclusive, Question
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.watermark.detection import KeyScorer, Plan
from stillwatch.watermark.errors import SchemeError
from stillwatch.watermark.radioactivity.places import Reading, ServedContexts, places_read, places_written
from stillwatch.watermark.radioactivity.scorer import NULL, Mode, RadioactivityScorer, mode_of
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.token_files import Document

PLAN = Plan(alpha=1e-3, seed=1, gate=False, decoys=99)
ONE_PERCENT = math.log(0.01)


def ids(*tokens: int) -> np.ndarray:
    return np.array(tokens, dtype=np.uint32)


def key_of(
    seed: int, scheme: str = "green-bernoulli@v1", level: MarkLevel = MarkLevel.CAMPAIGN, **more: int
) -> MarkKey:
    return MarkKey(
        handle=f"k{seed}", scheme=scheme, parameters=tuple(sorted(({"context_width": 2} | more).items())), level=level,
        assigned_to=f"a-{seed}", key=np.random.default_rng(seed).bytes(8), tokenizer_digest="", issued_us=0,
    )  # fmt: skip


def reading(tokens: np.ndarray, predicted: np.ndarray, first: int, chance: float | None = 1.0) -> Reading:
    """A suspect that is sure of one token at each place from `first` on."""
    return Reading(
        tokens=tokens, places=np.arange(first, len(tokens)), alternatives=predicted[:, np.newaxis].astype(np.uint32),
        probabilities=None if chance is None else np.full((len(predicted), 1), chance),
    )  # fmt: skip


def test_a_context_counts_where_it_stands_first() -> None:
    tokens = ids(1, 2, 3, 1, 2, 4, 1, 2)
    contexts, rows = places_read(reading(tokens, np.arange(10, 16), 2), 2)
    # Places 2 to 7; before 5 stands (1, 2) for the second time.
    assert rows.tolist() == [0, 1, 2, 4, 5]
    assert contexts.tolist() == [[1, 2], [2, 3], [3, 1], [2, 4], [4, 1]]


def test_what_a_prompt_shows_does_not_count() -> None:
    contexts, tokens = places_written(Document(tokens=ids(1, 2, 3, 4), prompt=ids(9, 2, 3)), 2)
    assert (contexts.tolist(), tokens.tolist()) == ([[1, 2]], [3])
    contexts, tokens = places_written(Document(tokens=ids(1, 2, 3, 4), prompt=None), 2)
    assert (contexts.tolist(), tokens.tolist()) == ([[1, 2], [2, 3]], [3, 4])


def test_only_served_contexts_count_whatever_token_followed_them() -> None:
    served = ServedContexts([ids(1, 2, 3), ids(7)])
    contexts, tokens = places_written(Document(tokens=ids(1, 2, 9, 9), prompt=None), 2, served)
    assert (contexts.tolist(), tokens.tolist()) == ([[1, 2]], [9])
    assert len(places_read(reading(ids(2, 3, 4), ids(5), 2), 2, served)[1]) == 0  # nothing was served after (2, 3)


def test_a_text_too_short_for_its_context_has_no_place() -> None:
    assert len(places_read(reading(ids(1, 2), ids(5), 1), 2)[1]) == 0
    assert len(places_written(Document(tokens=ids(1), prompt=None), 2)[1]) == 0


def test_a_mark_without_context_is_refused() -> None:
    unigram = MarkKey(
        handle="u", scheme="unigram@v1", parameters=(("vocabulary", 100),), level=MarkLevel.CAMPAIGN, assigned_to="c",
        key=bytes(8), tokenizer_digest="", issued_us=0,
    )  # fmt: skip
    with pytest.raises(SchemeError, match="without context"):
        RadioactivityScorer([unigram], Mode.TOP)


def marked_text(key: MarkKey, rng: np.random.Generator, length: int, vocabulary: int) -> np.ndarray:
    """Draw a text in which three of four tokens that could be green are."""
    scheme = open_scheme(key.scheme, dict(key.parameters))
    row = np.frombuffer(key.key, dtype=">u8").astype(np.uint64)
    every = np.arange(vocabulary, dtype=np.uint32)
    text = list(rng.integers(0, vocabulary, 2))
    while len(text) < length:
        contexts = np.tile(np.array(text[-2:], dtype=np.uint32), (vocabulary, 1))
        green = scheme.values(scheme.units_of(contexts, every).words, row) > 0
        pool = every[green] if green.any() and rng.random() < 0.9 else every
        text.append(int(rng.choice(pool)))
    return np.array(text, dtype=np.uint32)


def test_a_suspect_that_repeats_what_it_just_read_bears_no_key() -> None:
    """It has learnt nothing; scored without the rule, it would bear every key that marked what it reads."""
    rng = np.random.default_rng(3)
    rejected, naive_found, runs = 0, 0, 30
    for run in range(runs):
        key = key_of(100 + run)
        naive = KeyScorer([key])
        with RadioactivityScorer([key], Mode.TOP) as scorer:
            for _ in range(6):
                text = marked_text(key, rng, 150, 12)
                said = rng.integers(0, 12, len(text)).astype(np.uint32)
                for place in range(2, len(text)):
                    before = [at for at in range(2, place) if (text[at - 2 : at] == text[place - 2 : place]).all()]
                    if before:
                        said[place] = text[before[-1]]
                scorer.read([reading(text, said[2:], 2)])
                contexts = np.lib.stride_tricks.sliding_window_view(text[:-1], 2)
                naive.add_places(lambda _, contexts=contexts, said=said: (contexts, said[2:]))
            rejected += scorer.results(PLAN)[0].log_p <= ONE_PERCENT
        naive_found += naive.results(PLAN)[0].log_p <= ONE_PERCENT
        naive.close()
    low, high = binomial_acceptance(runs, 0.01, 1e-6)
    assert low <= rejected <= high
    assert naive_found == runs


@pytest.mark.parametrize("mode", [Mode.TOP, Mode.MASS])
@pytest.mark.parametrize("scheme", ["green-bernoulli@v1", "sglang-gumbel@murmur3-v1", "vllm-gumbel@philox4x32-10-v1"])
def test_a_suspect_that_favours_the_key_is_found_and_another_is_not(mode: Mode, scheme: str) -> None:
    rng = np.random.default_rng(4)
    mine, other = key_of(1, scheme, MarkLevel.ACCOUNT), key_of(2, scheme)
    opened = open_scheme(scheme, dict(mine.parameters))
    row = np.frombuffer(mine.key, dtype=">u8").astype(np.uint64)
    with RadioactivityScorer([mine, other], mode) as scorer:
        for _ in range(12):
            text = rng.integers(0, 5_000, 200).astype(np.uint32)
            contexts = np.lib.stride_tricks.sliding_window_view(text[:-1], 2)
            candidates = rng.integers(0, 5_000, (len(contexts), 2)).astype(np.uint32)
            scores = np.stack(
                [opened.values(opened.units_of(contexts, candidates[:, one]).words, row) for one in (0, 1)], axis=1
            )
            first = scores.argmax(axis=1)[:, np.newaxis]
            ordered = np.take_along_axis(candidates, np.concatenate([first, 1 - first], axis=1), axis=1)
            scorer.read(
                [
                    Reading(
                        tokens=text, places=np.arange(2, 200), alternatives=ordered,
                        probabilities=np.tile([0.5, 0.2], (198, 1)),
                    )
                ]
            )  # fmt: skip
        found, not_found = scorer.results(PLAN, "digest")
    claim = found.answer
    assert isinstance(claim, Claim)
    assert found.found
    assert claim.question is Question.TRAINED_ON_ACCOUNT
    assert claim.null_hypothesis == NULL
    assert claim.input_digest == "digest"
    assert "places whose context stood before them" in " ".join(claim.assumptions)
    assert found.log_p < math.log(1e-12)
    assert found.decoys_above == 0
    assert not not_found.found
    assert not_found.answer.question is Question.TRAINED_ON_OUTPUTS


def test_the_tail_of_mass_stays_above_its_level() -> None:
    """Random probabilities, independent of the key: the bound rejects no more often than it says."""
    rng = np.random.default_rng(8)
    rejected, ranked, runs = 0, [], 200
    for run in range(runs):
        with RadioactivityScorer([key_of(500 + run)], Mode.MASS) as scorer:
            text = rng.integers(0, 900, 120).astype(np.uint32)
            chances = np.sort(rng.dirichlet(np.full(6, 0.5), size=118), axis=1)[:, ::-1]
            others = np.stack([rng.choice(900, 6, replace=False) for _ in range(118)]).astype(np.uint32)
            scorer.read([Reading(tokens=text, places=np.arange(2, 120), alternatives=others, probabilities=chances)])
            (one,) = scorer.results(PLAN)
        rejected += one.log_p <= math.log(0.1)
        ranked.append(one.decoys_above / one.decoys)
    assert rejected <= binomial_acceptance(runs, 0.1, 1e-6)[1]
    low, high = binomial_acceptance(runs, 0.5, 1e-6)
    assert low <= sum(one < 0.5 for one in ranked) <= high


def test_a_pair_counts_once_over_all_texts() -> None:
    text, said = ids(1, 2, 3, 4), ids(8, 9)
    with RadioactivityScorer([key_of(1)], Mode.TOP) as scorer:
        assert scorer.read([reading(text, said, 2)] * 5) == 5
        assert scorer.results(PLAN)[0].count == 2
    with RadioactivityScorer([key_of(1)], Mode.MASS) as scorer:
        scorer.read([reading(text, said, 2), reading(text, ids(7, 9), 2)])
        assert scorer.results(PLAN)[0].count == 2  # contexts, each at its first place


def test_nothing_to_score_is_inconclusive() -> None:
    for mode in Mode:
        with RadioactivityScorer([key_of(1)], mode) as scorer:
            answer = scorer.results(PLAN)[0].answer
        assert isinstance(answer, Inconclusive)
        assert answer.question is Question.TRAINED_ON_OUTPUTS


def test_mass_is_chosen_where_it_is_known_for_every_key() -> None:
    dual = key_of(3, "sglang-dual@murmur3-v1")
    assert mode_of([key_of(1)], probabilities=True) is Mode.MASS
    assert mode_of([key_of(1)], probabilities=False) is Mode.TOP
    assert mode_of([key_of(1), dual], probabilities=True) is Mode.TOP
    with pytest.raises(SchemeError, match="likeliest"):
        RadioactivityScorer([dual], Mode.MASS)
    with RadioactivityScorer([key_of(1)], Mode.MASS) as scorer, pytest.raises(SchemeError, match="no probabilities"):
        scorer.read([reading(ids(1, 2, 3), ids(4), 2, chance=None)])
