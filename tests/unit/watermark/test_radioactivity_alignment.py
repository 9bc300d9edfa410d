"""Two tokenizers over one text: pieces, places where both begin a token, and prediction files."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import tokenizers as tokenizers_library

from stillwatch.watermark.errors import TokenFileError, TokenizerError
from stillwatch.watermark.radioactivity.alignment import SaidToken, aligned
from stillwatch.watermark.radioactivity.places import NO_TOKEN
from stillwatch.watermark.radioactivity.prediction_files import read_predictions
from stillwatch.watermark.token_pieces import open_pieces, pieces_of
from stillwatch.watermark.tokenizers import open_tokenizer

TEXTS = ["the old man and the sea", "the sea is deep, café old", "a man is an island — in the sea " * 3]
PIECES = pieces_of({0: b"", 1: b"a", 2: b"b", 3: b"ab", 4: b"c", 5: b"bc", 6: b" "})


def byte_level(folder: Path) -> Path:
    model = tokenizers_library.Tokenizer(tokenizers_library.models.BPE())
    model.pre_tokenizer = tokenizers_library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.train_from_iterator(
        TEXTS,
        tokenizers_library.trainers.BpeTrainer(
            vocab_size=330, initial_alphabet=tokenizers_library.pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=["<s>"], show_progress=False,
        ),
    )  # fmt: skip
    model.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def spaced(folder: Path) -> Path:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20), model_prefix=str(folder / "pieces"), vocab_size=300, minloglevel=2,
        hard_vocab_limit=False, byte_fallback=True,
    )  # fmt: skip
    return folder / "pieces.model"


def ranks(folder: Path) -> Path:
    path = folder / "bytes.tiktoken"
    entries = [bytes([value]) for value in range(256)] + [b"th", b"the", b"an", b"se"]
    path.write_bytes(b"".join(base64.b64encode(one) + b" %d\n" % place for place, one in enumerate(entries)))
    path.with_name("bytes.tiktoken.json").write_text(json.dumps({"pattern": r"\S+|\s+"}))
    return path


@pytest.mark.parametrize("make", [byte_level, spaced, ranks])
def test_the_pieces_of_a_text_are_the_text(make, tmp_path: Path) -> None:
    path = make(tmp_path)
    pieces = open_pieces(path)
    for text, found in zip(TEXTS, open_tokenizer(path).encode([one.strip() for one in TEXTS]), strict=True):
        joined = b"".join(pieces.bytes_of(found.tolist()))
        assert joined.removeprefix(b" ") == text.strip().encode()
        assert all(pieces.by_bytes[piece] <= number for number, piece in pieces.by_id.items())


def test_word_pieces_are_refused(tmp_path: Path) -> None:
    model = tokenizers_library.Tokenizer(tokenizers_library.models.WordPiece({"[UNK]": 0, "a": 1}))
    model.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="WordPiece"):
        open_pieces(tmp_path / "tokenizer.json")


def said(*tokens: tuple[bytes, dict[bytes, float]]) -> list[SaidToken]:
    return [
        SaidToken(piece=piece, alternatives=tuple((name, math.log(chance)) for name, chance in others.items()))
        for piece, others in tokens
    ]


def test_places_where_both_begin_a_token_count_with_the_shared_vocabulary() -> None:
    # The mark cuts ab|c|ab, the suspect a|bc|ab.
    found = aligned(
        np.array([6], dtype=np.uint32),
        np.array([3, 4, 3], dtype=np.uint32),
        said((b"a", {b"a": 0.2, b"abc": 0.5, b"ab": 0.3}), (b"bc", {b"b": 1.0}), (b"ab", {b"x": 0.6, b"c": 0.4})),
        PIECES,
    )
    assert found is not None
    assert found.tokens.tolist() == [6, 3, 4, 3]
    assert found.places.tolist() == [1, 3]
    assert found.alternatives.tolist() == [[3, 1], [4, NO_TOKEN]]
    assert found.probabilities == pytest.approx(np.array([[0.3, 0.2], [0.4, 0.0]]))


def test_a_first_token_that_reaches_into_the_prompt_is_left_out() -> None:
    found = aligned(
        np.array([1], dtype=np.uint32), np.array([2, 4], dtype=np.uint32), said((b"ab", {b"ab": 1.0}), (b"c", {b"c": 1.0})), PIECES
    )  # fmt: skip
    assert found is not None
    assert found.places.tolist() == [2]


def test_another_text_gives_no_reading() -> None:
    mark = np.array([1, 2], dtype=np.uint32)
    assert aligned(mark[:0], mark, said((b"a", {b"a": 1.0}), (b"c", {b"c": 1.0})), PIECES) is None
    assert aligned(mark[:0], mark, said((b"ab", {b"zz": 1.0})), PIECES) is None  # nothing shared
    assert aligned(mark[:0], mark[:0], [], PIECES) is None


def test_prediction_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"prompt_ids": [5], "token_ids": [1, 2, 3], "top_ids": [[7, 8], null, [9]], "log_probs": [[-1, -2], null, [-3]]}\n'
        '{"token_ids": [1, 2], "top_ids": [4, 5]}\n'
    )
    first, second = read_predictions(path)
    assert first.tokens.tolist() == [5, 1, 2, 3]
    assert first.places.tolist() == [1, 3]
    assert first.alternatives.tolist() == [[7, 8], [9, NO_TOKEN]]
    assert first.probabilities is not None
    assert first.probabilities[0].tolist() == pytest.approx([math.exp(-1), math.exp(-2)])
    assert second.probabilities is None
    assert second.alternatives.tolist() == [[4], [5]]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[", "is no prediction"),
        ('{"token_ids": [1], "top_ids": []}', "got 0 top_ids"),
        ('{"token_ids": [1], "top_ids": [[1, 2]], "log_probs": [[-1]]}', "is no prediction"),
        ('{"token_ids": ["secret"], "top_ids": [1]}', "is no prediction"),
        ('{"token_ids": [-1], "top_ids": [1]}', "is no prediction"),
    ],
)
def test_a_line_that_is_no_prediction_is_named_without_its_text(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line)
    with pytest.raises(TokenFileError, match=r"p\.jsonl:1") as caught:
        list(read_predictions(path))
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)
