"""Likeness of answers: how alike did any two models answer the same prompt?

Takes the answers of several models to the same prompts. Gives a number for each prompt and each two models.

Method: a feature set turns the beginning of an answer into binary features. `rare words` takes words and pairs of neighbouring words,
weights each by its rarity among the answers to this prompt (G. Salton and C. Buckley, "Term-weighting approaches in automatic text
retrieval", 1988) and takes the cosine, so that agreement on what few others say counts most. `first word` asks only whether two
answers begin with the same word. Both are fixed here, so that nobody chooses them after seeing a suspect's answers.
Complexity: linear in the text, and one sparse product for each prompt; the result holds prompts x models^2 numbers of four bytes.

What it does not show: two models are alike for many reasons (common data, common fashion, common format). A likeness is no evidence
before it is compared with controls (`kinship.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.integrity.digest import digest_bytes

READ_CHARACTERS: Final = 600
"""Characters read of each answer: what comes later depends on the length that the model was asked for."""

_WORD = re.compile(r"\w+")

Values = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """A way to compare the answers to one prompt, fixed before any answer of a suspect is seen."""

    name: str
    method: str
    """`name/vN`."""
    compare: Callable[[Sequence[str]], Values]
    """Takes the answers of the models to one prompt, [models]. Gives likenesses in [0, 1], [models, models], symmetric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike the models answered, prompt by prompt."""

    features: FeatureSet
    models: tuple[str, ...]
    values: Values
    """In [0, 1], [prompts, models, models], symmetric in the models."""
    input_digest: str
    """Of models, prompts and answers."""

    def positions(self, models: Sequence[str]) -> Numbers:
        """Return where these models stand along the last axes."""
        places = {model: place for place, model in enumerate(self.models)}
        return np.array([places[model] for model in models], dtype=np.int64)


def likeness(answers: Mapping[str, Sequence[str | None]], features: FeatureSet) -> Likeness:
    """Compare all models on the prompts that all of them answered.

    Args:
        answers: for each model its answers in the order of the prompts, None where it was not asked; an empty answer is one.
        features: how to compare.

    Returns:
        The likenesses; no prompts where none was answered by all.

    Raises:
        ValueError: for models with different numbers of prompts.
    """
    models = tuple(sorted(answers))
    columns = [answers[model] for model in models]
    compared = [list(texts) for texts in zip(*columns, strict=True)]
    kept = [[text for text in texts if text is not None] for texts in compared]
    kept = [texts for texts in kept if len(texts) == len(models)]
    values = np.zeros((len(kept), len(models), len(models)), dtype=np.float32)
    for place, texts in enumerate(kept):
        values[place] = features.compare(texts)
    return Likeness(features=features, models=models, values=values, input_digest=_digest(models, compared))


def rare_words(texts: Sequence[str]) -> Values:
    """Give the cosine of binary words and pairs of words, each weighted by ln((1 + models) / models that used it)."""
    owners, features = _words_and_pairs(texts)
    distinct, columns, used_by = np.unique(features, return_inverse=True, return_counts=True)
    weights = np.log((1.0 + len(texts)) / used_by)[columns]
    table = sparse.csr_array((weights, (owners, columns)), shape=(len(texts), len(distinct)))
    lengths = np.sqrt(np.bincount(owners, weights * weights, minlength=len(texts)))
    scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    products = (table @ table.T).toarray()
    cosines: Values = (products * scales[:, None] * scales[None, :]).astype(np.float32)
    return cosines


def first_word(texts: Sequence[str]) -> Values:
    """Give 1 where two answers begin with the same word, in whatever case, and 0 otherwise; an empty answer begins with none."""
    words = [found.group().lower() if (found := _WORD.search(text[:READ_CHARACTERS])) else "" for text in texts]
    _, numbers = np.unique(np.array(words), return_inverse=True)
    spoken = np.array([bool(word) for word in words])
    equal = (numbers[:, None] == numbers[None, :]) & spoken[:, None] & spoken[None, :]
    likenesses: Values = equal.astype(np.float32)
    return likenesses


RARE_WORDS: Final = FeatureSet(name="rare words", method="rare-words/v1", compare=rare_words)
FIRST_WORD: Final = FeatureSet(name="first word", method="first-word/v1", compare=first_word)
FEATURE_SETS: Final = (RARE_WORDS, FIRST_WORD)
"""Registered separately; a report corrects their p-values for one another."""


def _words_and_pairs(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Number the distinct words and neighbouring pairs of each text.

    Returns:
        For each distinct feature of each text: the position of the text, and the number of the feature.
    """
    numbers: dict[str, int] = {}
    owners, words = [], []
    for place, text in enumerate(texts):
        for word in _WORD.findall(text[:READ_CHARACTERS].lower()):
            words.append(numbers.setdefault(word, len(numbers)))
            owners.append(place)
    owner, word_of = np.array(owners, dtype=np.int64), np.array(words, dtype=np.int64)
    together = owner[1:] == owner[:-1]
    size = len(numbers)
    pairs = size + word_of[:-1][together] * size + word_of[1:][together]
    every_owner = np.concatenate([owner, owner[:-1][together]])
    every = np.concatenate([word_of, pairs])
    span = size * (size + 1) + 1
    once = np.unique(every_owner * span + every)
    return once // span, once % span


def _digest(models: Sequence[str], compared: Sequence[Sequence[str | None]]) -> str:
    """Digest names and answers; lengths keep neighbouring texts apart."""
    parts = [name.encode() for name in models]
    parts += [
        b"\xff" if text is None else text.encode("utf-8", "surrogatepass") for texts in compared for text in texts
    ]
    return digest_bytes(b"".join(len(part).to_bytes(8, "big") + part for part in parts))
