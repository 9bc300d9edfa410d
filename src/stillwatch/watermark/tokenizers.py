"""Tokenizers: texts into the token ids under which they were marked, through three libraries.

Takes a tokenizer file. Gives an encoder and its digest, by which a key says under which tokenizer it was used. Needs the extra `marks`.

`tokenizer.json` is read by `tokenizers`, `*.model` by SentencePiece, and `*.tiktoken` by tiktoken with a file `NAME.tiktoken.json` beside
it that holds `pattern` and `special_tokens`. No special token is added or read in texts: marks are on the ids that a model gave out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.records.mark import MarkKey
from stillwatch.watermark.errors import TokenizerError, TokenizerMissingError
from stillwatch.watermark.scheme import Tokens

_NEEDS = "install the extra: pip install 'stillwatch[marks]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """Encodes texts."""

    name: str
    """File name."""
    digest: str
    """`sha256:` and 64 hex digits, over the bytes of all files that decide the ids."""
    encode: Callable[[Sequence[str]], list[Tokens]]
    """Texts to token ids, each uint32 `[n]`."""


def open_tokenizer(path: Path) -> Tokenizer:
    """Open a tokenizer.

    Args:
        path: `*.json` (tokenizers), `*.model` (SentencePiece) or `*.tiktoken` (tiktoken).

    Returns:
        The tokenizer.

    Raises:
        TokenizerError: where the file or its library is missing, or it cannot be read; `TokenizerMissingError` for the library.
    """
    kinds: dict[str, Callable[[Path], Callable[[Sequence[str]], list[Tokens]]]] = {
        ".json": _tokenizers, ".model": _sentencepiece, ".tiktoken": _tiktoken,
    }  # fmt: skip
    open_kind = kinds.get(path.suffix)
    if open_kind is None:
        raise TokenizerError(f"tokenizer {path}: expected a file that ends in {', '.join(kinds)}")
    if path.suffix == ".tiktoken" and not _description(path).is_file():
        raise TokenizerError(f"tokenizer {path}: expected {_description(path).name} with its pattern beside it")
    if not path.is_file():
        raise TokenizerError(f"tokenizer {path}: there is no such file")
    return Tokenizer(name=path.name, digest=tokenizer_digest(path), encode=open_kind(path))


def tokenizer_of(path: Path | None, keys: Sequence[MarkKey]) -> Tokenizer | None:
    """Open the tokenizer of a file, and refuse one that keys were not used under; null where no file is given.

    Raises:
        TokenizerError: naming the first key of another tokenizer, or as `open_tokenizer`.
    """
    if path is None:
        return None
    opened = open_tokenizer(path)
    for key in keys:
        if key.tokenizer_digest and key.tokenizer_digest != opened.digest:
            raise TokenizerError(
                f"key {key.handle} was used under tokenizer {key.tokenizer_digest}, got {opened.name} with {opened.digest}; name that tokenizer"
            )
    return opened


def tokenizer_digest(path: Path) -> str:
    """Give the digest of a tokenizer's files, which needs no library."""
    total = hashlib.sha256()
    for file in (path, _description(path)) if path.suffix == ".tiktoken" else (path,):
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return f"sha256:{total.hexdigest()}"


def _description(path: Path) -> Path:
    """Give the file beside a tiktoken file."""
    return path.with_name(f"{path.name}.json")


def _tokenizers(path: Path) -> Callable[[Sequence[str]], list[Tokens]]:
    try:
        import tokenizers  # noqa: PLC0415
    except ImportError as error:
        raise TokenizerMissingError(f"tokenizer {path}: the library tokenizers is missing; {_NEEDS}") from error
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        model_part = json.loads(text)["model"]["vocab"]
    except (ValueError, KeyError, TypeError) as error:
        raise TokenizerError(f"tokenizer {path}: expected a tokenizer.json with a model and its vocabulary") from error
    if not model_part:
        raise TokenizerError(f"tokenizer {path}: its vocabulary is empty")
    model: Any = tokenizers.Tokenizer.from_str(text)

    def encode(texts: Sequence[str]) -> list[Tokens]:
        found = model.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, dtype=np.uint32) for one in found]

    return encode


def _sentencepiece(path: Path) -> Callable[[Sequence[str]], list[Tokens]]:
    try:
        import sentencepiece  # noqa: PLC0415
    except ImportError as error:
        raise TokenizerMissingError(f"tokenizer {path}: the library sentencepiece is missing; {_NEEDS}") from error
    try:
        model: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise TokenizerError(f"tokenizer {path}: SentencePiece cannot read it; expected a .model file") from error

    def encode(texts: Sequence[str]) -> list[Tokens]:
        return [np.array(ids, dtype=np.uint32) for ids in model.encode(list(texts))]

    return encode


def _tiktoken(path: Path) -> Callable[[Sequence[str]], list[Tokens]]:
    try:
        import tiktoken  # noqa: PLC0415
        from tiktoken.load import load_tiktoken_bpe  # noqa: PLC0415
    except ImportError as error:
        raise TokenizerMissingError(f"tokenizer {path}: the library tiktoken is missing; {_NEEDS}") from error
    try:
        description = json.loads(_description(path).read_text(encoding="utf-8"))
        model: Any = tiktoken.Encoding(
            name=path.name, pat_str=description["pattern"], mergeable_ranks=load_tiktoken_bpe(str(path)),
            special_tokens=description.get("special_tokens", {}),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokenizerError(
            f"tokenizer {path}: tiktoken cannot read it; expected ranks, and {_description(path).name} with a pattern beside it"
        ) from error

    def encode(texts: Sequence[str]) -> list[Tokens]:
        return [np.array(model.encode_ordinary(text), dtype=np.uint32) for text in texts]

    return encode
