"""Small models: the files that they are read from, that training, sampling and scoring agree, and that seeds decide."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `models` is not installed")

from stillwatch.simulation.errors import ModelFileError, SettingsError  # noqa: E402
from stillwatch.simulation.small_models import (  # noqa: E402
    BEGIN,
    END,
    Shape,
    TokenExchange,
    copy_of,
    mean_scores,
    new_model,
    read_model,
    read_vocabulary,
    sample,
    score,
    train,
)

STORIES = Path(__file__).resolve().parents[4] / "shared" / "data" / "small_lm"
TINY = Shape(vocabulary=24, width=16, layers=1, heads=2, inner=32, context=48)


@pytest.fixture(scope="module")
def stories() -> Path:
    if not STORIES.is_dir():
        pytest.skip("no ../shared/data/small_lm here")
    return STORIES


def test_the_stories_model_is_fluent_in_its_own_tongue(stories: Path):
    vocabulary = read_vocabulary(stories / "tok512.bin", 512)
    model = read_model(stories / "stories260K.bin")
    prompt = (BEGIN, *vocabulary.encode("Once upon a time, there was a little"))
    plain = TokenExchange(prompt=prompt, answer=vocabulary.encode("girl. Her name was Lily. She liked to play."))
    reversed_ = TokenExchange(prompt=prompt, answer=plain.answer[::-1])
    likely, unlikely = mean_scores(model, [plain, reversed_])
    # A story that it could have told costs little over one nat a token; weights read in the wrong order cost log 512 = 6.2.
    assert likely > -1.6
    assert unlikely < likely - 2


def test_a_vocabulary_gives_a_text_back(stories: Path):
    vocabulary = read_vocabulary(stories / "tok512.bin", 512)
    assert vocabulary.encode("Once upon a time") == (403, 407, 261, 378)  # as llama2.c cuts it
    for text in ("Zoë sang: “la la”.", "two\nlines\t", "木", ""):
        assert vocabulary.decode(vocabulary.encode(text)) == text


def test_a_score_is_the_probability_of_what_was_drawn():
    # The share of each first token among many draws is what `score` says of it.
    model = new_model(TINY, 5, spread=0.6)
    prompt = (3, 7)
    draws = [answer[0] for answer in sample(model, [prompt] * 4_000, most=1, seed=1)]
    said = [score(model, [TokenExchange(prompt=prompt, answer=(token,))])[0][0] for token in range(24)]
    assert math.fsum(map(math.exp, said)) == pytest.approx(1.0, abs=1e-5)
    allowed = 1.0 - math.exp(said[BEGIN]) - math.exp(said[END])
    for token in range(3, 24):
        expected = math.exp(said[token]) / allowed
        spread = math.sqrt(expected * (1 - expected) / len(draws))
        assert draws.count(token) / len(draws) == pytest.approx(expected, abs=5.5 * spread + 1e-9)


def test_padding_and_batches_change_no_score():
    model = new_model(TINY, 5, spread=0.6)
    rng = np.random.default_rng(2)
    exchanges = [
        TokenExchange(
            prompt=tuple(rng.integers(3, 24, 1 + n % 4).tolist()), answer=tuple(rng.integers(3, 24, 1 + n % 7).tolist())
        )
        for n in range(30)
    ]
    together = score(model, exchanges)
    for one, alone in zip(exchanges, together, strict=True):
        assert len(alone) == len(one.answer)
        np.testing.assert_allclose(score(model, [one], batch=1)[0], alone, atol=2e-5)


def test_seeds_decide_everything():
    model = new_model(TINY, 5, spread=0.6)
    prompts = [(3,), (4, 5), (3,), (9, 9, 9)]
    assert sample(model, prompts, most=12, seed=8) == sample(copy_of(model), prompts, most=12, seed=8)
    assert sample(model, prompts, most=12, seed=8) != sample(model, prompts, most=12, seed=9)
    exchanges = [
        TokenExchange(prompt=p, answer=a) for p, a in zip(prompts, sample(model, prompts, most=12, seed=8), strict=True)
    ]
    students = []
    for _ in range(2):
        student = new_model(TINY, 6)
        train(student, exchanges, epochs=3, seed=1)
        students.append(mean_scores(student, exchanges))
    np.testing.assert_array_equal(*students)


def test_a_student_learns_what_it_was_taught_and_its_teacher_does_not_change():
    teacher = new_model(TINY, 5, spread=0.6)
    prompts = [(3 + n % 20,) for n in range(60)]
    exchanges = [
        TokenExchange(prompt=p, answer=a)
        for p, a in zip(prompts, sample(teacher, prompts, most=12, seed=8), strict=True)
    ]
    before = mean_scores(teacher, exchanges)
    student = copy_of(teacher)
    train(student, exchanges, epochs=20, seed=1)
    assert mean_scores(student, exchanges).mean() > before.mean() + 0.3
    np.testing.assert_array_equal(mean_scores(teacher, exchanges), before)


def test_answers_end_where_the_model_ends_them():
    model = new_model(TINY, 5, spread=0.6)
    answers = sample(model, [(3,)] * 300, most=40, seed=4)
    assert all(1 <= len(answer) <= 40 for answer in answers)
    assert not any(token in (BEGIN, END) for answer in answers for token in answer)
    assert min(map(len, answers)) < 40


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"abc", "got 3 bytes, expected a header of 28"),
        (struct.pack("<7i", 8, 8, 1, 2, 0, 8, 8), "got a size below 1 in the header"),
        (struct.pack("<7i", 8, 8, 1, 2, 2, 8, 8) + bytes(40), "got 10 weights, expected"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes, message: str):
    file = tmp_path / "model.bin"
    file.write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        read_model(file)


def test_what_is_no_vocabulary_is_refused(tmp_path: Path):
    file = tmp_path / "tok.bin"
    file.write_bytes(struct.pack("<i", 4) + struct.pack("<fi", 0.0, 1) + b"a")
    with pytest.raises(ModelFileError, match="got 1 tokens, expected 300"):
        read_vocabulary(file, 300)
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_vocabulary(tmp_path / "nothing.bin", 512)


def test_impossible_shapes_are_refused():
    with pytest.raises(SettingsError, match="got width 10 for 4 heads, expected a multiple of 8"):
        new_model(Shape(width=10), 1)
    with pytest.raises(SettingsError, match="got no exchange to train on"):
        train(new_model(TINY, 1), [], epochs=1, seed=1)
