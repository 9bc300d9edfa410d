"""Worlds of small models for the studies of suspects: a teacher, a student's base, prompts, and text of others.

Takes the folder of shared data and a seed. Gives worlds in which what a student was trained on is known. Two kinds: `trained` has a teacher
that is trained on the spot on machine-made answers, and a base of human ones; `stories` has the 260K stories model as the teacher and a base
of children's stories, so that teacher and student share much without one having seen the other.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.simulation.small_models import (
    BEGIN,
    Shape,
    TokenExchange,
    Vocabulary,
    mean_scores,
    new_model,
    read_model,
    read_vocabulary,
    sample,
    train,
)

VOCABULARY_TOKENS = 512
ANSWER_TOKENS = 32
PROMPT_TOKENS = 12
CHARACTERS = 160
"""Of a text that are read; more than prompt and answer hold."""
STUDENT = Shape(width=48, layers=2, heads=4, inner=128, context=128)
TEACHER = Shape(width=64, layers=3, heads=4, inner=172, context=128)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Models and text in which nothing was harvested yet."""

    name: str
    vocabulary: Vocabulary
    teacher: Any
    other_teacher: Any
    """A model of somebody else, trained on other text."""
    base: Any
    """What students are made of; it never saw an answer of the teacher."""
    prompts: tuple[tuple[int, ...], ...]
    others: tuple[TokenExchange, ...]
    """Exchanges that no model of this world wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Answers of the teacher to prompts: the first of each was served, the others never left the house."""

    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[tuple[int, ...], ...], ...]
    """[prompts][1 + unseen]."""

    def exchanges(self, place: int = 0) -> list[TokenExchange]:
        """Give the answers at a place with their prompts."""
        return [TokenExchange(prompt=p, answer=a[place]) for p, a in zip(self.prompts, self.answers, strict=True)]

    def scores(self, model: Any) -> NDArray[np.float64]:
        """Give the mean token log-probability of each answer, [prompts, 1 + unseen]."""
        flat = [
            TokenExchange(prompt=prompt, answer=answer)
            for prompt, answers in zip(self.prompts, self.answers, strict=True)
            for answer in answers
        ]
        return mean_scores(model, flat).reshape(len(self.prompts), -1)


def serve(teacher: Any, prompts: Sequence[tuple[int, ...]], unseen: int, seed: int) -> Served:
    """Draw 1 + unseen answers to each prompt, all alike."""
    drawn = sample(teacher, [prompt for prompt in prompts for _ in range(unseen + 1)], most=ANSWER_TOKENS, seed=seed)
    rows = [tuple(drawn[start : start + unseen + 1]) for start in range(0, len(drawn), unseen + 1)]
    return Served(prompts=tuple(prompts), answers=tuple(rows))


def stories_world(shared: Path, prompts: int, seed: int) -> World:
    """Give the world of the stories model."""
    vocabulary = read_vocabulary(shared / "data" / "small_lm" / "tok512.bin", VOCABULARY_TOKENS)
    lines = (shared / "data" / "text" / "tinystories_1000.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = []
    for line in lines:
        # Sentences of a story, each with the one before as its prompt: many exchanges of few stories.
        sentences = [part.strip() for part in json.loads(line)["text"].replace("\n", " ").split(". ") if len(part) > 20]
        pairs += [(f"{before}.", after) for before, after in itertools.pairwise(sentences)]
    exchanges = _exchanges(vocabulary, pairs, 6_000, seed)
    base = _trained(STUDENT, exchanges[:2_500], epochs=4, seed=seed + 1)
    other = _trained(STUDENT, exchanges[2_500:4_000], epochs=6, seed=seed + 2)
    return World(
        name="stories",
        vocabulary=vocabulary,
        teacher=read_model(shared / "data" / "small_lm" / "stories260K.bin"),
        other_teacher=other,
        base=base,
        prompts=_distinct(exchanges[4_000:], prompts),
        others=tuple(exchanges[1_500:2_500]),
    )


def trained_world(shared: Path, prompts: int, seed: int) -> World:
    """Give the world whose teacher is trained on the spot."""
    vocabulary = read_vocabulary(shared / "data" / "small_lm" / "tok512.bin", VOCABULARY_TOKENS)
    machine = _exchanges(vocabulary, _pairs(shared / "data" / "prompts_extraction" / "alpaca_en.parquet"), 5_000, seed)
    human = _exchanges(
        vocabulary, _pairs(shared / "data" / "prompts_benign" / "control_dolly_human.parquet"), 2_500, seed
    )
    return World(
        name="trained",
        vocabulary=vocabulary,
        teacher=_trained(TEACHER, machine[:3_500], epochs=4, seed=seed + 1),
        other_teacher=_trained(STUDENT, human[1_500:], epochs=4, seed=seed + 2),
        base=_trained(STUDENT, human[:1_500], epochs=4, seed=seed + 3),
        prompts=_distinct(machine[3_500:], prompts),
        others=tuple(human[1_500:]),
    )


def said(text: str) -> None:
    """Tell the person who waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _trained(shape: Shape, exchanges: Sequence[TokenExchange], *, epochs: int, seed: int) -> Any:
    model = new_model(shape, seed)
    loss = train(model, exchanges, epochs=epochs, seed=seed)
    said(f"a model of {len(exchanges)} exchanges: {loss:.2f} nats a token")
    return model


def _pairs(path: Path) -> list[tuple[str, str]]:
    table = pq.read_table(path, columns=["prompt", "response"]).to_pylist()
    return [(row["prompt"], row["response"]) for row in table if row["prompt"] and row["response"]]


def _exchanges(vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]], count: int, seed: int) -> list[TokenExchange]:
    order = np.random.default_rng(seed).permutation(len(pairs))[:count]
    found = []
    for index in order:
        prompt, answer = pairs[index]
        given = vocabulary.encode(prompt[:CHARACTERS])[-PROMPT_TOKENS + 1 :]
        found.append(
            TokenExchange(prompt=(BEGIN, *given), answer=vocabulary.encode(answer[:CHARACTERS])[:ANSWER_TOKENS])
        )
    return found


def _distinct(exchanges: Sequence[TokenExchange], count: int) -> tuple[tuple[int, ...], ...]:
    prompts = tuple(dict.fromkeys(exchange.prompt for exchange in exchanges))[:count]
    if len(prompts) < count:
        raise ValueError(f"got {len(prompts)} distinct prompts, expected {count}; ask for fewer")
    return prompts
