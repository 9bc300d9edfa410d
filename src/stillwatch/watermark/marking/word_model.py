"""A model of words that marks as SGLang does: for drills and tests, where no serving engine is at hand.

Takes a prompt, and a key or none. Gives words. The next word is drawn from a table of candidates that the seed, the prompt and the word before decide
(Zipf's law over 24 of 256 words, 3.9 bits a word). Under a key it is the candidate with the largest log(u) / p, u by the scheme's own hash of
context and word, as SGLang 0.5.23 draws it at temperature 1; a context that came before in the same answer is drawn at random. It is no language, and
how strongly it bears a mark says nothing about a real model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from stillwatch.watermark.scheme import Scheme, Tokens
from stillwatch.watermark.tokenizers import Tokenizer

VOCABULARY = 256
CANDIDATES = 24
_UNKNOWN = VOCABULARY
_ONSETS = "bdfghklmnprstvwz"
WORDS = tuple(onset + vowel + ending for onset in _ONSETS for vowel in "aeio" for ending in ("", "l", "n", "r"))
"""The vocabulary; a word's id is its place."""
_PROBABILITIES = (1.0 / np.arange(1, CANDIDATES + 1)) / (1.0 / np.arange(1, CANDIDATES + 1)).sum()
_IDS = {word: number for number, word in enumerate(WORDS)}


class WordModel:
    """A model; answers depend on its seed, the prompt and the number of the sample."""

    def __init__(self, seed: int) -> None:
        """Take the seed."""
        self._seed = seed

    def answer(
        self, prompt: str, length: int, sample: int, scheme: Scheme | None, key: bytes | None = None
    ) -> list[str]:
        """Answer a prompt.

        Args:
            prompt: any text.
            length: words, 0 or more.
            sample: number of the draw; under a key, most of an answer does not depend on it.
            scheme: of SGLang's; null for no mark.
            key: of the scheme, 8 bytes a word; null where nothing is marked.

        Returns:
            Words of the vocabulary.
        """
        tokens = ids_of(prompt).tolist()
        first = len(tokens)
        draws = np.random.default_rng(_number(self._seed, prompt, sample))
        words = np.frombuffer(key or b"", dtype=">u8").astype(np.uint64)
        seen: set[tuple[int, ...]] = set()
        for _ in range(length):
            table = np.random.default_rng(_number(self._seed, prompt, tokens[-1] if tokens else -1))
            candidates = table.permutation(VOCABULARY)[:CANDIDATES].astype(np.uint32)
            context = () if scheme is None else tuple(tokens[-scheme.context_width :])
            if scheme is None or len(context) < scheme.context_width or context in seen:
                tokens.append(int(draws.choice(candidates, p=_PROBABILITIES)))
                continue
            seen.add(context)
            contexts = np.tile(np.array(context, dtype=np.uint32), (CANDIDATES, 1))
            uniforms = scheme.values(scheme.units_of(contexts, candidates).words, words)
            tokens.append(int(candidates[np.argmax(np.log(uniforms) / _PROBABILITIES)]))
        return [WORDS[token] for token in tokens[first:]]


def ids_of(text: str) -> Tokens:
    """Give the ids of a text's words, uint32; those that the model does not know share one."""
    return np.array([_IDS.get(word, _UNKNOWN) for word in text.split()], dtype=np.uint32)


def word_tokenizer() -> Tokenizer:
    """Give the model's tokenizer, for `mark detect` and drills; needs no library."""

    def encode(texts: Sequence[str]) -> list[Tokens]:
        return [ids_of(text) for text in texts]

    content = tokenizer_file()
    digest = hashlib.sha256(hashlib.sha256(content).digest()).hexdigest()
    return Tokenizer(name="word-model.json", digest=f"sha256:{digest}", encode=encode)


def tokenizer_file() -> bytes:
    """Give the same tokenizer as a `tokenizer.json`."""
    model = {"type": "WordLevel", "vocab": _IDS | {"<unknown>": _UNKNOWN}, "unk_token": "<unknown>"}
    parts: dict[str, object] = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    document: dict[str, object] = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": model,
        **parts,
    }
    return json.dumps(document).encode()


def _number(*of: object) -> int:
    """Give 64 bits that depend on all of these, and on nothing else."""
    return int.from_bytes(hashlib.blake2b(json.dumps(of).encode(), digest_size=8).digest(), "big")
