"""Mixtures: which kinds of request a stream draws from, and how long the answers are.

Takes nothing. Gives compiled tables over the grammar's symbols.
Answer lengths are log-normal; the log means lie around those of the Azure 2023 traces (conversation 5.02 with spread 0.86,
code completion 2.79 with spread 0.85): they depend on the task alone, so that a harvest answers no longer than homework does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from stillwatch.simulation.randomness import Integers, Keys, Reals, unit
from stillwatch.simulation.text.grammar import load

LANGUAGES = ("english", "german", "french", "spanish", "portuguese", "chinese", "japanese")
FOREIGN = LANGUAGES[1:]

_MIXTURES: dict[str, dict[str, float]] = {
    "casual": {"chat.english": 78, "task.maths": 4, "ask.code": 6, "task.science": 3, "task.creative": 5, "work.english": 4},
    "curious": {"chat.english": 38, "task.science": 22, "task.maths": 16, "task.creative": 12, "ask.code": 12},
    "office": {"work.english": 60, "chat.english": 22, "task.analysis": 12, "ask.code": 6},
    "study": {"task.maths": 34, "task.science": 30, "chat.english": 26, "ask.code": 10},
    "developer": {"ask.code": 58, "task.code": 24, "task.diff": 8, "chat.english": 10},
    "maths": {"task.maths": 1},
    "code": {"task.code": 1},
    "science": {"task.science": 1},
    "analysis": {"task.analysis": 1},
    "reasoning": {"task.maths": 45, "task.science": 30, "task.analysis": 25},
    "general": {"task.maths": 18, "task.science": 18, "task.code": 18, "task.creative": 22, "task.analysis": 12, "chat.english": 12},
    "coding": {"task.code": 70, "task.analysis": 12, "task.agent": 18},
    "agent": {"task.agent": 1},
    "agentic": {"task.agent": 62, "task.code": 28, "task.diff": 10},
    "coding agent": {"task.agent": 40, "task.code": 22, "task.diff": 20, "ask.code": 18},
    "pair": {"task.pair": 1},
    "security": {"task.security": 1},
    "security desk": {"task.security": 40, "ask.code": 30, "scaffold.redteam": 30},
    "creative": {"task.creative": 1},
    "label": {"task.label": 1},
    "support": {"task.support": 1},
    "support desk": {"task.support": 70, "task.label": 18, "chat.english": 12},
    "product": {"task.product": 1},
    "string": {"task.string": 1},
    "diff": {"task.diff": 1},
    "selection": {"letter": 46, "task.string": 8, "task.product": 8, "work.english": 22, "answer": 16},
    "relay": {"chat.english": 44, "ask.code": 14, "work.english": 16, "task.maths": 5, "task.creative": 8, "task.agent": 6, "task.support": 7},
    "red team": {"scaffold.redteam": 70, "task.security": 20, "chat.english": 10},
    "seeds": {"task.code": 30, "task.maths": 30, "task.creative": 20, "task.science": 20},
    **{f"chat {language}": {f"chat.{language}": 88, "task.maths": 4, "ask.code": 8} for language in FOREIGN},
    **{f"task {language}": {f"maths.{language}": 70, f"chat.{language}": 30} for language in FOREIGN},
}  # fmt: skip
_CODE = ("developer", "code", "coding", "coding agent", "diff")
MIXTURES = {name: number for number, name in enumerate(_MIXTURES)}
"""Number of a mixture."""

_ANSWER_LOG_MEAN = {
    "chat": 5.05, "work": 5.2, "ask": 5.3, "follow": 4.6, "letter": 4.3, "answer": 4.3,
    "task.maths": 5.2, "task.code": 5.5, "task.science": 5.4, "task.analysis": 5.6, "task.creative": 5.9, "task.agent": 4.4,
    "task.pair": 4.7, "task.security": 5.8, "task.label": 2.2, "task.support": 4.3, "task.product": 4.2, "task.string": 3.2,
    "task.diff": 4.8, "scaffold": 5.0, "maths": 5.2,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureTable:
    """Compiled mixtures."""

    cumulative: Reals
    """Cumulative shares `[mixtures, width]`; 1 from the last symbol on."""
    symbols: Integers
    """Symbol numbers `[mixtures, width]`."""
    follow: Integers
    """Symbol of a follow-up in a conversation `[mixtures]`."""
    paste: Integers
    """Symbol of a pasted text `[mixtures]`."""
    answer_log_mean: Reals
    """Log of the median answer in tokens, by symbol number."""

    def choose(self, mixtures: Integers, keys: Keys) -> Integers:
        """Choose a symbol per row.

        Args:
            mixtures: numbers of mixtures `[n]`.
            keys: uint64 `[n]`.
        """
        column = (self.cumulative[mixtures] <= unit(keys)[:, None]).sum(axis=1).clip(0, self.symbols.shape[1] - 1)
        return np.asarray(self.symbols[mixtures, column], dtype=np.int64)


@cache
def mixture_table() -> MixtureTable:
    """Compile the mixtures against the package's grammar."""
    grammar = load()
    width = max(len(shares) for shares in _MIXTURES.values())
    cumulative = np.ones((len(_MIXTURES), width))
    symbols = np.zeros((len(_MIXTURES), width), dtype=np.int64)
    follow = np.zeros(len(_MIXTURES), dtype=np.int64)
    paste = np.zeros(len(_MIXTURES), dtype=np.int64)
    for row, (name, shares) in enumerate(_MIXTURES.items()):
        weights = np.array(list(shares.values()), dtype=np.float64)
        cumulative[row, : len(weights)] = np.cumsum(weights) / weights.sum()
        cumulative[row, len(weights) - 1 :] = 1.0
        numbers = [grammar.number(symbol) for symbol in shares]
        symbols[row] = numbers + [numbers[-1]] * (width - len(numbers))
        language = name.removeprefix("chat ").removeprefix("task ")
        kind = "code" if name in _CODE else "english"
        paste[row] = grammar.number(f"paste.{language if language in FOREIGN else kind}")
        follow[row] = grammar.number(f"chat.{language}" if language in FOREIGN else "follow.english")
    means = np.full(len(grammar.is_rule), 5.0)
    for name, number in grammar.names.items():
        matches = [prefix for prefix in _ANSWER_LOG_MEAN if name == prefix or name.startswith(f"{prefix}.")]
        if matches:
            means[number] = _ANSWER_LOG_MEAN[max(matches, key=len)]
    return MixtureTable(cumulative=cumulative, symbols=symbols, follow=follow, paste=paste, answer_log_mean=means)
