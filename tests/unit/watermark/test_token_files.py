"""Token files: every form gives the same ids, and messages hold no text."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
import tokenizers as tokenizers_library

from stillwatch.watermark import token_files
from stillwatch.watermark.errors import TokenFileError, TokenizerError
from stillwatch.watermark.scheme import scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.token_files import Fields, corpus_digest, documents
from stillwatch.watermark.tokenizers import open_tokenizer, tokenizer_digest
from stillwatch.watermark.unit_store import UnitStore

ROWS = [[1, 2, 3, 70_000], [], [4_000_000_000, 5]]
TEXTS = ["the old man and the sea", "the sea is deep and old", "a man is an island in the sea " * 4]


def read(*paths: Path, fields: Fields | None = None, tokenizer: Path | None = None) -> list[list[int]]:
    opened = None if tokenizer is None else open_tokenizer(tokenizer)
    return [one.tokens.tolist() for batch in documents(paths, opened, fields or Fields()) for one in batch]


def byte_pairs(folder: Path) -> Path:
    """Train a tokenizer on the spot."""
    model = tokenizers_library.Tokenizer(tokenizers_library.models.BPE())
    model.pre_tokenizer = tokenizers_library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers_library.trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=tokenizers_library.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    model.train_from_iterator(TEXTS, trainer)
    path = folder / "tokenizer.json"
    model.save(str(path))
    return path


def sentence_pieces(folder: Path) -> Path:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20), model_prefix=str(folder / "pieces"), vocab_size=40, minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    return folder / "pieces.model"


def ranks(folder: Path) -> Path:
    """Write the ranks of single bytes and a few pairs, in the form of tiktoken."""
    path = folder / "bytes.tiktoken"
    entries = [bytes([value]) for value in range(256)] + [b"th", b"the", b"an", b"se"]
    path.write_bytes(b"".join(base64.b64encode(one) + b" %d\n" % place for place, one in enumerate(entries)))
    path.with_name("bytes.tiktoken.json").write_text(
        json.dumps({"pattern": r"\S+|\s+", "special_tokens": {"<|end|>": 260}})
    )
    return path


def test_ids_of_every_form(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"token_ids": row, "text": "not read"}) + "\n" for row in ROWS)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pq.write_table(pa.table({"tokens": ROWS}), tmp_path / "c.parquet")
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet"):
        assert read(tmp_path / name) == ROWS, name
    np.save(tmp_path / "d.npy", np.arange(12, dtype=np.uint16).reshape(3, 4))
    assert read(tmp_path / "d.npy") == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize("make", [byte_pairs, sentence_pieces, ranks])
def test_texts_through_every_tokenizer(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    tokenizer = open_tokenizer(path)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"response": text, "q": "the sea"}) + "\n" for text in TEXTS))
    found = list(documents([tmp_path / "a.jsonl"], tokenizer, Fields(prompt="q")))
    assert [one.tokens.tolist() for one in found[0]] == [ids.tolist() for ids in tokenizer.encode(TEXTS)]
    (prompt,) = tokenizer.encode(["the sea"])
    assert all((one.prompt == prompt).all() for one in found[0] if one.prompt is not None)
    assert sum(one.prompt is not None for one in found[0]) == len(TEXTS)
    assert tokenizer.digest == tokenizer_digest(path)
    assert min(len(ids) for ids in tokenizer.encode(TEXTS)) > 4


def test_a_changed_tokenizer_has_another_digest(tmp_path: Path) -> None:
    path = ranks(tmp_path)
    before = tokenizer_digest(path)
    path.with_name("bytes.tiktoken.json").write_text(json.dumps({"pattern": r"\S+"}))
    assert tokenizer_digest(path) != before


def test_pieces_of_one_long_array_lose_no_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_files, "PIECE", 500)
    ids = np.random.default_rng(1).integers(0, 5000, size=5_321).astype(np.uint32)
    np.save(tmp_path / "long.npy", ids)
    scheme = open_scheme("vllm-gumbel@philox4x32-10-v1", {"context_width": 4})
    with UnitStore(scheme.unit_words) as store:
        for batch in documents([tmp_path / "long.npy"], None, Fields()):
            for one in batch:
                store.add(scheme_units(scheme, one.tokens))
        found = {tuple(map(int, unit)) for words in store.parts() for unit in words}
    assert found == {tuple(map(int, unit)) for unit in scheme_units(scheme, ids).words}


def test_texts_in_pieces_of_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_files, "PIECE", 20)
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    tokenizer = ranks(tmp_path)
    found = read(tmp_path / "a.txt", tokenizer=tokenizer)
    assert found == [
        ids.tolist() for ids in open_tokenizer(tokenizer).encode([TEXTS[0] + "\n", TEXTS[1] + "\n", TEXTS[2]])
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": "secret words"}\n', "--tokenizer"),
        ("a.jsonl", b'{"words": "secret words"}\n', "--field"),
        ("a.jsonl", b'{"token_ids": "secret', "is no JSON"),
        ("a.jsonl", b'{"token_ids": [1, -2]}', "whole numbers"),
        ("a.jsonl", b'{"token_ids": {"secret": 1}}', "neither text nor"),
        ("a.jsonl", b"[1]", "expected an object"),
        ("a.parquet", b"secret", "Parquet"),
        ("a.npy", b"secret", "NumPy"),
        ("a.docx", b"secret", "ends in"),
        ("a.txt", b"\xff\xfe secret", "UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_text(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenFileError, match=said) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", "{}", "vocabulary"), ("t.json", '{"model": {"vocab": {}}}', "empty"), ("t.model", "x", "SentencePiece"),
        ("t.tiktoken", "eA== 0", "pattern"), ("t.vocab", "x", "ends in"),
    ],
)  # fmt: skip
def test_files_that_are_no_tokenizers(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TokenizerError, match=said):
        open_tokenizer(tmp_path / name)
    with pytest.raises(TokenizerError, match="no such file"):
        open_tokenizer(tmp_path / "missing" / "tokenizer.json")


def test_digest_of_a_corpus_hangs_on_every_byte(tmp_path: Path) -> None:
    one, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    one.write_text("1")
    other.write_text("2")
    assert len({corpus_digest(paths) for paths in ([one], [other], [one, other], [other, one])}) == 4
