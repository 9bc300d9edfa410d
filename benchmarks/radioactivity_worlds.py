"""Worlds for radioactivity: a teacher that nobody had to train, its marked answers, students, and how they read.

The teacher is a tiny Llama with large random weights, so that it has strong habits. Its answers are marked by the row marks of
`watermark.marking`, as in a serving engine. Students are tiny Llamas with other weights, trained on its answers. All is drawn from seeds, in
float32, on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.simulation.small_models import Shape, TokenExchange, new_model, sample, train
from stillwatch.watermark.marking.mark_rows import mark_rows, repeated_contexts
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.radioactivity.places import Reading
from stillwatch.watermark.scheme import Scheme, key_row, scheme_units
from stillwatch.watermark.schemes import open_scheme

SHAPE = Shape(vocabulary=256, width=32, layers=1, heads=2, inner=64, context=64)
FIRST_TOKEN = 3
SPREAD = 1.0
PROMPT = 4
ANSWER = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A scheme with its parameters, and how strongly it marks."""

    scheme: str = "green-bernoulli@v1"
    width: int = 1
    delta: float = 3.0
    """For green lists."""

    def opened(self) -> Scheme:
        """Give the scheme."""
        return open_scheme(self.scheme, {"context_width": self.width})

    def key(self, seed: int, handle: str = "k", level: MarkLevel = MarkLevel.CAMPAIGN) -> MarkKey:
        """Draw a key."""
        return MarkKey(
            handle=handle, scheme=self.scheme, parameters=(("context_width", self.width),), level=level,
            assigned_to=f"c-{handle}", key=np.random.default_rng([seed, 77]).bytes(8), tokenizer_digest="", issued_us=0,
        )  # fmt: skip

    def row(self, key: MarkKey) -> RowMark:
        """Give the mark of a row."""
        number = int.from_bytes(key.key, "big")
        if self.scheme == "green-bernoulli@v1":
            return RowMark(draw=Draw.GREEN_LIST, key=number, width=self.width, gamma=0.25, delta=self.delta)
        return RowMark(draw=Draw.GUMBEL, key=number, width=self.width)


def teacher(seed: int, shape: Shape = SHAPE, *, attention: float = 1.0) -> Any:
    """Make a teacher.

    Args:
        seed: of its weights.
        shape: its size.
        attention: what its attention's output is multiplied by. At 1 its next token hangs on all tokens before it in a way that no small student
            learns from few answers; at 0.1 mostly on the last one.
    """
    import torch  # noqa: PLC0415

    model = new_model(shape, seed, spread=SPREAD)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight *= attention
    return model


def prompts(count: int, seed: int, vocabulary: int = SHAPE.vocabulary) -> list[tuple[int, ...]]:
    """Draw prompts."""
    rng = np.random.default_rng([seed, 5])
    return [tuple(row) for row in rng.integers(FIRST_TOKEN, vocabulary, size=(count, PROMPT)).tolist()]


def answers(
    model: Any, asked: Sequence[tuple[int, ...]], seed: int, key: MarkKey | None = None, marking: Marking | None = None
) -> list[TokenExchange]:
    """Have a model answer, with or without a mark."""
    change = None
    if key is not None and marking is not None:
        row = marking.row(key)

        def change(tokens: Any, logits: Any) -> Any:
            repeated = repeated_contexts(tokens, PROMPT, row.width) if row.draw is Draw.GUMBEL else None
            return mark_rows(logits.clone(), tokens[:, -row.width :], [row] * len(tokens), repeated)

    drawn = sample(model, asked, most=ANSWER, seed=seed, change=change)
    return [TokenExchange(prompt=prompt, answer=answer) for prompt, answer in zip(asked, drawn, strict=True)]


def student(exchanges: Sequence[TokenExchange], seed: int, *, epochs: int, rate: float, shape: Shape = SHAPE) -> Any:
    """Train a student; `rate` is the largest learning rate."""
    model = new_model(shape, seed)
    train(model, exchanges, epochs=epochs, seed=seed, rate=rate)
    return model


def readings(model: Any, exchanges: Sequence[TokenExchange], alternatives: int = 32) -> Iterator[Reading]:
    """Feed answers to a model, and give what it predicts at each of their places."""
    import torch  # noqa: PLC0415

    by_length: dict[int, list[TokenExchange]] = {}
    for one in exchanges:
        by_length.setdefault(len(one.prompt) + len(one.answer), []).append(one)
    with torch.inference_mode():
        for length, members in sorted(by_length.items()):
            for start in range(0, len(members), 256):
                rows = np.array([[*one.prompt, *one.answer] for one in members[start : start + 256]])
                logits = model(input_ids=torch.from_numpy(rows), use_cache=False).logits[:, PROMPT - 1 : length - 1]
                chances, tokens = torch.softmax(logits, dim=-1).topk(alternatives, dim=-1)
                for row, chance, token in zip(rows, chances.numpy(), tokens.numpy(), strict=True):
                    yield Reading(
                        tokens=row.astype(np.uint32), places=np.arange(PROMPT, length),
                        alternatives=token.astype(np.uint32), probabilities=chance.astype(np.float64),
                    )  # fmt: skip


def mark_excess(exchanges: Sequence[TokenExchange], key: MarkKey) -> float:
    """Give the mean excess of the score of one token of the answers themselves: how strongly they are marked."""
    scheme = open_scheme(key.scheme, dict(key.parameters))
    row = key_row(scheme, key)
    values = np.concatenate(
        [scheme.values(scheme_units(scheme, np.array(one.answer, dtype=np.uint32)).words, row) for one in exchanges]
    )
    return float(values.mean() - 0.25) if "green" in key.scheme else float((-np.log1p(-values)).mean() - 1.0)
