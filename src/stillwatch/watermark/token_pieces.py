"""Token pieces: the bytes that each token of a tokenizer stands for, so that texts cut by two tokenizers can be laid over each other.

Takes a tokenizer file, as `tokenizers.open_tokenizer` does. Gives bytes by id, and ids by bytes. Tokens that stand for no text (marks of the
beginning, padding) have none. Where two tokens stand for the same bytes, the lower id is meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.watermark.errors import TokenizerError, TokenizerMissingError
from stillwatch.watermark.tokenizers import open_tokenizer

_SPACE = "▁"
"""How SentencePiece writes a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPieces:
    """What the tokens of a vocabulary stand for."""

    by_id: Mapping[int, bytes]
    """Without those that stand for no text."""
    by_bytes: Mapping[bytes, int]

    def bytes_of(self, ids: Iterable[int]) -> list[bytes]:
        """Give the bytes of each token; empty for one that stands for no text or is not known."""
        return [self.by_id.get(int(one), b"") for one in ids]


def open_pieces(path: Path) -> TokenPieces:
    """Read the pieces of a tokenizer.

    Args:
        path: `*.json` (tokenizers; byte-level, SentencePiece's manner, or plain), `*.model` (SentencePiece) or `*.tiktoken`.

    Raises:
        TokenizerError: where it cannot be read, or writes pieces in another manner; `TokenizerMissingError` for a library.
    """
    open_tokenizer(path)  # says what is wrong with a file or a library
    kinds: dict[str, Callable[[Path], dict[int, bytes]]] = {
        ".json": _tokenizers, ".model": _sentencepiece, ".tiktoken": _tiktoken,
    }  # fmt: skip
    return pieces_of(kinds[path.suffix](path))


def pieces_of(by_id: Mapping[int, bytes]) -> TokenPieces:
    """Make pieces from bytes by id."""
    known = {number: piece for number, piece in by_id.items() if piece}
    by_bytes: dict[bytes, int] = {}
    for number in sorted(known):
        by_bytes.setdefault(known[number], number)
    return TokenPieces(by_id=known, by_bytes=by_bytes)


def _tokenizers(path: Path) -> dict[int, bytes]:
    document = json.loads(path.read_text(encoding="utf-8"))
    import tokenizers  # noqa: PLC0415  # an extra

    vocabulary: dict[str, int] = tokenizers.Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    added = {one["id"]: one for one in document.get("added_tokens") or ()}
    kinds = set(_types(document.get("decoder"))) | set(_types(document.get("pre_tokenizer")))
    if document["model"].get("type") == "WordPiece" or "WordPiece" in kinds:
        raise TokenizerError(
            f"tokenizer {path}: WordPiece does not say where spaces were; expected a byte-level or SentencePiece one"
        )
    byte_level, spaced = "ByteLevel" in kinds, bool(kinds & {"Metaspace", "Replace"})
    found = {}
    for text, number in vocabulary.items():
        if number in added:
            found[number] = b"" if added[number].get("special") else str(added[number]["content"]).encode()
        elif byte_level:
            found[number] = _from_byte_level(text)
        else:
            found[number] = _spaced(text) if spaced else text.encode()
    return found


def _types(part: Any) -> Iterable[str]:
    """Give the kinds of a decoder or pre-tokenizer, and of the parts of a sequence of them."""
    if isinstance(part, dict):
        yield str(part.get("type"))
        for name in ("decoders", "pretokenizers"):
            for one in part.get(name) or ():
                yield from _types(one)


def _byte_characters() -> dict[str, int]:
    """Give GPT-2's characters for bytes: those that print are themselves, the others follow from U+0100 on, in order."""
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    return {chr(byte): byte for byte in printed} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_characters()


def _from_byte_level(text: str) -> bytes:
    return bytes(_BYTES[one] for one in text) if all(one in _BYTES for one in text) else text.encode()


def _spaced(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes([int(text[3:5], 16)])
    return text.replace(_SPACE, " ").encode()


def _sentencepiece(path: Path) -> dict[int, bytes]:
    import sentencepiece  # noqa: PLC0415  # an extra

    model: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
    numbers: Sequence[int] = range(model.get_piece_size())
    return {
        one: b"" if model.is_control(one) or model.is_unknown(one) else _spaced(model.id_to_piece(one))
        for one in numbers
    }


def _tiktoken(path: Path) -> dict[int, bytes]:
    try:
        from tiktoken.load import load_tiktoken_bpe  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise TokenizerMissingError(f"tokenizer {path}: the library tiktoken is missing") from error
    return {number: piece for piece, number in load_tiktoken_bpe(str(path)).items()}
