"""Marking: every row bears its own key's mark and no other, found again by the detector's own schemes."""

from __future__ import annotations

import numpy as np
import pytest
from marked_texts import DUAL, GREEN, GUMBEL, log_ps, mark_key, mark_keys

torch = pytest.importorskip("torch", reason="needs the extra `models`")
transformers = pytest.importorskip("transformers", reason="needs the extra `models`")

from stillwatch.records.mark import MarkKey  # noqa: E402
from stillwatch.statistics.intervals import binomial_acceptance  # noqa: E402
from stillwatch.watermark import murmur  # noqa: E402
from stillwatch.watermark.detection import KeyScorer, Plan  # noqa: E402
from stillwatch.watermark.marking.errors import MarkingError  # noqa: E402
from stillwatch.watermark.marking.mark_rows import (  # noqa: E402
    _log_uniforms,
    _states,
    mark_rows,
    repeated_before,
    repeated_contexts,
    states_by_tensors,
    truncated,
)
from stillwatch.watermark.marking.row_mark import Draw, RowMark, row_mark_of  # noqa: E402
from stillwatch.watermark.marking.sglang import gateway_fields, watermark_field  # noqa: E402
from stillwatch.watermark.marking.transformers_processor import MarkLogitsProcessor  # noqa: E402
from stillwatch.watermark.marking.uniform_hash import context_hashes, key_states, token_hashes  # noqa: E402
from stillwatch.watermark.token_files import Document  # noqa: E402

VOCABULARY = 500
MAYBE = 1e-9
"""Chance by which a right programme may fail one of these tests."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> object:
    """A small untrained model: its answers are nearly uniform, which is what a mark needs."""
    torch.manual_seed(11)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=256, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=None, pad_token_id=0
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval()


def generate(model: object, marks: list[RowMark | None], length: int = 120) -> list[np.ndarray]:
    """Answer one prompt in each row of one batch."""
    torch.manual_seed(12)
    prompt = torch.arange(1, 9).repeat(len(marks), 1)
    processor = MarkLogitsProcessor(marks, prompt_length=prompt.shape[1])
    with torch.no_grad():
        out = model.generate(  # type: ignore[attr-defined]
            prompt, attention_mask=torch.ones_like(prompt), do_sample=True, top_k=0, max_new_tokens=length, min_new_tokens=length,
            logits_processor=transformers.LogitsProcessorList([processor]),
        )  # fmt: skip
    return [row.numpy().astype(np.uint32) for row in out]


def test_the_hash_is_the_detectors() -> None:
    rng = np.random.default_rng(1)
    contexts = rng.integers(0, 2**31, (5, 4))
    tokens = rng.integers(0, 2**17, (5, 7))
    keys = rng.integers(0, 2**63, 5, dtype=np.int64) * 2 + 1
    hashes = context_hashes(torch.tensor(contexts))
    assert hashes.tolist() == murmur.hash_contexts(contexts.astype(np.uint32)).tolist()
    got = token_hashes(key_states(torch.tensor(keys), hashes), torch.tensor(tokens)).numpy()
    for row in range(5):
        words = np.stack([np.full(7, hashes[row]), tokens[row]], axis=1).astype(np.uint32)
        assert got[row].tolist() == murmur.hash_units(words, int(np.uint64(keys[row]))).tolist()


def test_states_by_tensors_are_those_of_the_compiled_kernel() -> None:
    rng = np.random.default_rng(14)
    contexts = torch.tensor(rng.integers(0, 2**31, (400, 3)))
    marks = [
        RowMark(
            draw=Draw.GUMBEL, key=int(rng.integers(2**63)) * 2 + 1, width=3, mixing=0.5 if row % 2 else 1.0,
            second_key=int(rng.integers(2**63)) if row % 2 else None,
        )
        for row in range(400)
    ]  # fmt: skip
    assert torch.equal(states_by_tensors(marks, contexts), _states(marks, contexts))


def test_each_row_of_a_batch_bears_its_own_keys_mark_and_no_other(model: object) -> None:
    rng = np.random.default_rng(2)
    keys = (*mark_keys(rng, 3), *(mark_key(rng, f"mk-g{number}", GUMBEL) for number in range(3)))
    marks = [row_mark_of(key, delta=3.0, sampling=None) for key in keys]
    texts = generate(model, [*marks, None])
    for row, text in enumerate(texts):
        found = log_ps(keys, [text])
        for place, log_p in enumerate(found):
            if place == row:
                assert log_p < -20.0
            else:
                assert log_p > np.log(MAYBE)


def test_the_detector_finds_the_key_that_marked_and_no_other(model: object) -> None:
    """Answers of one campaign, marked by our processor and tested under 24 issued keys of two schemes by `mark detect`'s own code."""
    rng = np.random.default_rng(15)
    keys = (*mark_keys(rng, 12), *(mark_key(rng, f"mk-g{number}", GUMBEL) for number in range(12)))
    for marker in (keys[5], keys[17]):
        texts = generate(model, [row_mark_of(marker, delta=2.0, sampling=None)] * 6, length=80)
        scorer = KeyScorer(keys)
        try:
            scorer.add([Document(tokens=text, prompt=text[:8]) for text in texts])
            results = scorer.results(Plan(alpha=1e-6, seed=1, decoys=200))
        finally:
            scorer.close()
        assert [one.key.handle for one in results if one.found] == [marker.handle]


def test_a_dual_key_leaves_both_marks(model: object) -> None:
    rng = np.random.default_rng(3)
    dual = mark_key(rng, "mk-a", DUAL)
    provider = MarkKey(
        handle="mk-b", scheme=GUMBEL, parameters=(("context_width", 4),), level=dual.level, assigned_to="b", key=dual.key[8:],
        tokenizer_digest="", issued_us=1,
    )  # fmt: skip
    other = mark_key(rng, "mk-c", DUAL)
    texts = generate(model, [row_mark_of(dual, delta=1.0, sampling=None)] * 2)
    of_campaign, of_provider, of_other = log_ps([dual, provider, other], texts)
    assert of_campaign < -20.0
    assert of_provider < -10.0
    assert of_other > np.log(MAYBE)


def test_a_row_without_a_key_is_not_touched() -> None:
    torch.manual_seed(4)
    logits = torch.randn(3, VOCABULARY)
    before = logits.clone()
    mark = RowMark(draw=Draw.GREEN_LIST, key=7 << 40, width=2)
    mark_rows(logits, torch.tensor([[1, 2], [3, 4], [-1, 5]]), [None, mark, mark])
    assert torch.equal(logits[0], before[0])
    assert not torch.equal(logits[1], before[1])
    assert torch.equal(logits[2], before[2])  # its context is not whole


def test_both_ways_of_raising_green_logits_agree() -> None:
    torch.manual_seed(5)
    contexts = torch.randint(0, VOCABULARY, (4, 3))
    marks = [
        RowMark(draw=Draw.GREEN_LIST, key=1 << 50 | row, width=row % 3 + 1, gamma=0.1 * (row + 1), delta=2.0)
        for row in range(4)
    ]
    single = mark_rows(torch.zeros(4, VOCABULARY), contexts, marks)
    double = mark_rows(torch.zeros(4, VOCABULARY, dtype=torch.float64), contexts, marks)
    assert torch.equal(single.double(), double)
    for row, mark in enumerate(marks):
        green = int((single[row] > 0).sum())
        low, high = binomial_acceptance(VOCABULARY, mark.gamma, MAYBE)
        assert low <= green <= high


def test_a_gumbel_row_draws_each_token_with_its_own_probability() -> None:
    """Over keys, a token comes as often as its truncated probability says."""
    logits = torch.tensor([3.0, 2.0, 1.0, 0.0, -1.0])
    mark = RowMark(draw=Draw.GUMBEL, key=1, width=1, temperature=0.8, top_k=4, top_p=0.97)
    probabilities, tokens = truncated(logits[None, :], [mark])
    rng, runs = np.random.default_rng(6), 4_000
    marks = [
        RowMark(draw=Draw.GUMBEL, key=int(rng.integers(1 << 62)), width=1, temperature=0.8, top_k=4, top_p=0.97)
        for _ in range(runs)
    ]
    out = mark_rows(logits.repeat(runs, 1), torch.full((runs, 1), 9), marks)
    assert bool((torch.isfinite(out).sum(dim=1) == 1).all())
    drawn = np.bincount(out.argmax(dim=1).numpy(), minlength=5)
    for token, probability in zip(tokens[0].tolist(), probabilities[0].tolist(), strict=True):
        low, high = binomial_acceptance(runs, probability, MAYBE)
        assert low <= drawn[token] <= high
    assert drawn[4] == 0


@pytest.mark.parametrize("cut", [{}, {"top_k": 40}, {"top_p": 0.7}])
def test_the_compiled_choice_is_that_of_tensors(cut: dict[str, float]) -> None:
    torch.manual_seed(16)
    logits = torch.randn(40, VOCABULARY) * 4
    contexts = torch.randint(0, VOCABULARY, (40, 2))
    marks = [RowMark(draw=Draw.GUMBEL, key=1 << 50 | row, width=2, **cut) for row in range(40)]
    probabilities, tokens = truncated(logits, marks)
    hashed = token_hashes(states_by_tensors(marks, contexts), tokens)
    scores = torch.where(probabilities > 0, _log_uniforms(hashed) / probabilities, -torch.inf)
    expected = tokens.expand(40, -1).gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    assert torch.equal(mark_rows(logits.clone(), contexts, marks).argmax(dim=1), expected)


def test_a_repeated_context_and_a_row_without_randomness_are_left_to_the_engine() -> None:
    tokens = torch.tensor([[1, 2, 5, 6, 5, 6], [1, 2, 5, 6, 7, 6]])
    assert repeated_contexts(tokens, 2, 2).tolist() == [True, False]
    assert repeated_contexts(tokens, 2, 1).tolist() == [True, True]
    assert repeated_contexts(tokens[:, :2], 2, 2).tolist() == [False, False]
    mark = RowMark(draw=Draw.GUMBEL, key=1, width=1)
    logits = torch.zeros(2, 9)
    assert torch.equal(mark_rows(logits.clone(), tokens[:, -1:], [mark, mark], torch.tensor([True, True])), logits)
    greedy = RowMark(draw=Draw.GUMBEL, key=1, width=1, temperature=0.0)
    assert torch.equal(mark_rows(logits.clone(), tokens[:, -1:], [greedy, None]), logits)


def test_rows_of_different_lengths_repeat_what_each_would_alone() -> None:
    rng = np.random.default_rng(17)
    tokens, seen = torch.tensor(rng.integers(0, 3, (200, 12))), 0
    firsts, ends = torch.tensor(rng.integers(1, 5, 200)), torch.tensor(rng.integers(5, 13, 200))
    for width in (1, 2, 4):
        contexts = torch.stack([row[end - width : end] for row, end in zip(tokens, ends.tolist(), strict=True)])
        got = repeated_before(tokens, firsts, ends, contexts)
        for row in range(200):
            alone = repeated_contexts(tokens[row : row + 1, : int(ends[row])], int(firsts[row]), width)
            assert bool(got[row]) == bool(alone[0])
        seen += int(got.sum())
    assert 100 < seen < 500  # both answers come


def test_contexts_that_reach_into_padding_are_not_marked() -> None:
    marks = [RowMark(draw=Draw.GREEN_LIST, key=1 << 60, width=2)] * 2
    processor = MarkLogitsProcessor(marks, prompt_length=3, padding=0)
    scores = torch.zeros(2, 50)
    out = processor(torch.tensor([[0, 0, 5], [0, 4, 5]]), scores)
    assert torch.equal(out[0], scores[0])
    assert not torch.equal(out[1], scores[1])


def test_a_batch_of_another_size_is_refused() -> None:
    processor = MarkLogitsProcessor([None], prompt_length=1)
    with pytest.raises(MarkingError, match="got a batch of 2 rows, expected 1"):
        processor(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 5))


def test_keys_of_other_engines_are_refused_without_showing_them() -> None:
    rng = np.random.default_rng(8)
    key = mark_key(rng, "mk-v", "vllm-gumbel@philox4x32-10-v1")
    with pytest.raises(MarkingError, match="mk-v is for vllm-gumbel") as refused:
        row_mark_of(key, delta=1.0, sampling=None)
    assert key.key.hex() not in str(refused.value)
    with pytest.raises(MarkingError, match="expected one of SGLang's schemes"):
        watermark_field(key)
    mark = RowMark(draw=Draw.GUMBEL, key=123456789012345, width=1)
    assert "123456789012345" not in repr(mark)


def test_sglangs_field_carries_key_a() -> None:
    rng = np.random.default_rng(9)
    dual, green = mark_key(rng, "mk-d", DUAL, context_width=3), mark_key(rng, "mk-e")
    assert watermark_field(dual) == {"key": dual.key[:8].hex(), "context_window": 3}
    assert gateway_fields((dual, green)) == {"mk-d": watermark_field(dual)}


def test_a_green_mark_is_left_at_temperature_0(model: object) -> None:
    rng = np.random.default_rng(10)
    key, other = mark_keys(rng, 2)
    prompt = torch.arange(1, 9)[None, :]
    processor = MarkLogitsProcessor([row_mark_of(key, delta=4.0, sampling=None)], prompt_length=8)
    with torch.no_grad():
        out = model.generate(  # type: ignore[attr-defined]
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=150,
            logits_processor=transformers.LogitsProcessorList([processor]),
        )  # fmt: skip
    text = out[0].numpy().astype(np.uint32)
    assert log_ps([key], [text])[0] < -5.0
    assert log_ps([other], [text])[0] > np.log(MAYBE)


def test_the_scheme_of_the_green_list_is_the_one_that_is_drawn() -> None:
    rng = np.random.default_rng(13)
    key = mark_key(rng, "mk-x", GREEN, context_width=2, gamma=0.3)
    mark = row_mark_of(key, delta=1.0, sampling=None)
    raised = mark_rows(torch.zeros(1, VOCABULARY), torch.tensor([[4, 9]]), [mark])[0] > 0
    from stillwatch.watermark.scheme import key_row  # noqa: PLC0415
    from stillwatch.watermark.schemes import open_scheme  # noqa: PLC0415

    scheme = open_scheme(key.scheme, dict(key.parameters))
    context = np.tile(np.array([4, 9], dtype=np.uint32), (VOCABULARY, 1))
    units = scheme.units_of(context, np.arange(VOCABULARY, dtype=np.uint32))
    assert raised.tolist() == (scheme.values(units.words, key_row(scheme, key)) == 1).tolist()
