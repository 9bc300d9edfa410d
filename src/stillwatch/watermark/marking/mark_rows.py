"""Marking the rows of a batch: each with its own key, scheme, width and truncation.

Takes logits before temperature and truncation, the tokens before each row, and the mark of each row. Changes the logits. A green row gets a bias. A
Gumbel row is truncated as its own request says, one token is chosen by argmax of log(u) / p over what is left (Aaronson 2022; SGLang's and
vLLM's rule, equal to the Gumbel-max trick), and every other logit becomes minus infinity, so that whatever draws later draws this token. A
repeated context is left to the engine's own draw (`single_turn`), since a repeated uniform would repeat its token.

Under the assumption that the hash gives independent uniforms, a Gumbel row draws each token with its own probability, averaged over keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.watermark.marking.cpu_rows import likeliest, raise_green, row_states
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.uniform_hash import context_hashes, key_states, position_coins, token_hashes


class MarkedBatch:
    """The marks of a batch's rows. What is the same at every step is made once, so keep it for as long as the rows stay."""

    def __init__(self, marks: Sequence[RowMark | None]) -> None:
        """Take the marks of each row, in the order of the batch; null for rows that are left alone."""
        self.marks = tuple(marks)
        grouped: dict[tuple[Draw, int], list[int]] = {}
        for row, mark in enumerate(self.marks):
            if mark is not None and mark.draws:
                grouped.setdefault((mark.draw, mark.width), []).append(row)
        self._groups = [
            _Group(draw, width, rows, [mark for mark in (self.marks[row] for row in rows) if mark is not None])
            for (draw, width), rows in grouped.items()
        ]

    def mark(self, logits: Any, contexts: Any, repeated: Any = None) -> Any:
        """Mark the rows.

        Args:
            logits: float tensor [rows, vocabulary]; changed in place where its type allows it.
            contexts: int64 tensor [rows, widest]: the tokens before each row, the last one last; at least as wide as any row's mark. An id
                below 0 says that there is no token, and its row is not marked.
            repeated: bool tensor [rows]: rows whose context was drawn from before; left to the engine's draw where the mark is Gumbel.

        Returns:
            The logits.
        """
        kernels = _gpu_rows(logits)
        for group in self._groups:
            if kernels is not None and logits.stride(1) == 1:
                group.mark_on_gpu(kernels, logits, contexts, repeated)
            else:
                logits = group.mark(logits, contexts, repeated)
        return logits


def mark_rows(logits: Any, contexts: Any, marks: Sequence[RowMark | None], repeated: Any = None) -> Any:
    """Mark the rows of a batch once; see `MarkedBatch`, which costs less over many steps."""
    return MarkedBatch(marks).mark(logits, contexts, repeated)


class _Group:
    """Rows of one draw and width."""

    def __init__(self, draw: Draw, width: int, rows: list[int], marks: list[RowMark]) -> None:
        self._draw, self._width, self._rows, self._marks = draw, width, rows, marks
        self._brought: tuple[object, Any, Truncation] | None = None
        """Device and vocabulary, and what was brought there for them."""

    def mark(self, logits: Any, contexts: Any, repeated: Any) -> Any:
        """Mark by compiled kernels on a CPU, by tensor operations elsewhere."""
        index = _index(self._rows, logits)
        seen = contexts[index][:, contexts.shape[1] - self._width :]
        keep = (seen >= 0).all(dim=1)
        if self._draw is Draw.GUMBEL and repeated is not None:
            keep &= ~repeated[index]
        kept = [place for place, stays in enumerate(keep.tolist()) if stays]
        if not kept:
            return logits
        marks = [self._marks[place] for place in kept]
        rows = _index([self._rows[place] for place in kept], logits)
        return (_raise if self._draw is Draw.GREEN_LIST else _choose)(logits, rows, marks, _states(marks, seen[keep]))

    def mark_on_gpu(self, kernels: Any, logits: Any, contexts: Any, repeated: Any) -> None:
        """Mark by Triton kernels."""
        place = (logits.device, logits.shape[1])
        if self._brought is None or self._brought[0] != place:
            self._brought = (place, self._table(kernels, logits), Truncation.of(self._marks, logits))
        _, table, truncation = self._brought
        if self._draw is Draw.GREEN_LIST:
            kernels.raise_green(table, logits, *kernels.row_states(table, contexts, None))
            return
        states, active = kernels.row_states(table, contexts, repeated)
        candidates = None
        if truncation.cuts:
            whole = logits if len(self._rows) == len(logits) else logits[table.rows]
            candidates = truncation.candidates(whole.float())
        kernels.draw(table, logits, states, active, candidates)

    def _table(self, kernels: Any, like: Any) -> Any:
        """Bring to the device what the kernels read."""
        numbers, index = _torch().float32, _index(self._rows, like)
        return kernels.RowTable(
            width=self._width, rows=index, firsts=_keys([mark.key for mark in self._marks], index),
            seconds=_keys([mark.second_key or 0 for mark in self._marks], index),
            coin_bounds=index.new_tensor([_coin_bound(mark) for mark in self._marks]),
            green_bounds=index.new_tensor([mark.green_below for mark in self._marks]),
            deltas=index.new_tensor([mark.delta for mark in self._marks], dtype=numbers),
            temperatures=index.new_tensor([mark.temperature for mark in self._marks], dtype=numbers),
        )  # fmt: skip


def repeated_contexts(tokens: Any, first: int, width: int) -> Any:
    """Tell rows whose context has been drawn from before in this answer.

    Args:
        tokens: int64 tensor [rows, length]: prompt and answer so far, padded on the left.
        first: place of the first token of the answer.
        width: tokens of context.

    Returns:
        bool tensor [rows]: whether the last `width` tokens stood before some token of the answer already.
    """
    rows, length = tokens.shape
    if length < width:
        return tokens.new_zeros(rows, dtype=_torch().bool)
    skipped = max(first - width, 0)  # what stands further before the answer is nobody's context
    firsts, ends = tokens.new_full((rows,), first - skipped), tokens.new_full((rows,), length - skipped)
    return repeated_before(tokens[:, skipped:], firsts, ends, tokens[:, length - width :])


def repeated_before(tokens: Any, firsts: Any, ends: Any, contexts: Any) -> Any:
    """Tell rows whose context has been drawn from before, of answers that begin and end at different places.

    Args:
        tokens: int64 tensor [rows, longest]: prompt and answer of each row from its first token on.
        firsts: place of the first token of each answer, int64 [rows].
        ends: place of the token that each row draws, int64 [rows].
        contexts: what stands before it, int64 [rows, width].

    Returns:
        bool tensor [rows].
    """
    width = contexts.shape[1]
    if tokens.shape[1] <= width:
        return firsts.new_zeros(len(firsts), dtype=_torch().bool)
    windows = tokens.unfold(1, width, 1)[:, :-1]  # window w stands before the token at w + width
    alike = (windows == contexts[:, None, :]).all(dim=2)
    before = _torch().arange(width, tokens.shape[1], device=tokens.device)[None, :]
    return (alike & (before >= firsts[:, None]) & (before < ends[:, None])).any(dim=1)


def _raise(logits: Any, index: Any, marks: Sequence[RowMark], states: Any) -> Any:
    """Raise green logits: compiled on a CPU, with tensor operations elsewhere or in another precision."""
    torch = _torch()
    if logits.device.type == "cpu" and logits.dtype == torch.float32 and logits.is_contiguous():
        raise_green(
            logits.numpy(),
            index.numpy(),
            states.numpy().astype(np.uint32),
            np.array([mark.green_below for mark in marks], dtype=np.uint32),
            np.array([mark.delta for mark in marks], dtype=np.float32),
        )
        return logits
    hashed = token_hashes(states, torch.arange(logits.shape[1], device=logits.device))
    bounds = torch.tensor([mark.green_below for mark in marks], device=logits.device)
    deltas = torch.tensor([mark.delta for mark in marks], device=logits.device, dtype=logits.dtype)
    logits[index] += torch.where(hashed < bounds[:, None], deltas[:, None], 0.0)
    return logits


def _choose(logits: Any, index: Any, marks: Sequence[RowMark], states: Any) -> Any:
    """Leave one token in each row: the one with the largest log(u) / p among those that truncation leaves."""
    torch = _torch()
    probabilities, tokens = truncated(logits[index].float(), marks)
    if logits.device.type == "cpu":
        places = torch.from_numpy(likeliest(probabilities.numpy(), tokens.numpy(), states.numpy().astype(np.uint32)))
    else:
        scores = torch.where(probabilities > 0, _log_uniforms(token_hashes(states, tokens)) / probabilities, -torch.inf)
        places = scores.argmax(dim=1)
    token = tokens.expand(len(marks), -1).gather(1, places[:, None])
    logits[index] = -torch.inf
    logits[index, token[:, 0]] = 0.0
    return logits


def truncated(logits: Any, marks: Sequence[RowMark]) -> tuple[Any, Any]:
    """Apply temperature, top-k, top-p and min-p of each row, in the order of SGLang and vLLM, and normalise; see `Truncation`."""
    return Truncation.of(marks, logits).candidates(logits)


@dataclass(frozen=True, slots=True)
class Truncation:
    """How each row is truncated, as columns on the device of its logits."""

    temperatures: Any
    """Above 0, float32 [rows, 1], as all others."""
    limits: Any
    """The likeliest tokens that are kept at most."""
    top_ps: Any
    min_ps: Any
    widest: int
    """The largest limit."""
    cuts: bool
    """Whether any row cuts anything."""

    @classmethod
    def of(cls, marks: Sequence[RowMark], like: Any) -> Truncation:
        """Make it for rows of marks and their logits [rows, vocabulary]."""
        size = like.shape[1]
        limits = [min(mark.top_k, size) if mark.top_k else size for mark in marks]
        return cls(
            temperatures=_column([mark.temperature for mark in marks], like), limits=_column(limits, like),
            top_ps=_column([mark.top_p for mark in marks], like), min_ps=_column([mark.min_p for mark in marks], like), widest=max(limits),
            cuts=min(limits) < size or any(mark.top_p < 1.0 or mark.min_p > 0.0 for mark in marks),
        )  # fmt: skip

    def candidates(self, logits: Any) -> tuple[Any, Any]:
        """Truncate and normalise.

        Args:
            logits: float32 tensor [rows, vocabulary].

        Returns:
            Probabilities [rows, candidates], 0 for what is cut, and their tokens [rows, candidates], the likeliest first; where no row cuts anything, of
            all tokens in their order, which are given once [1, vocabulary].
        """
        torch = _torch()
        whole = torch.softmax(logits / self.temperatures, dim=1)
        if not self.cuts:
            return whole, torch.arange(logits.shape[1], device=logits.device)[None, :]
        sorted_whole, tokens = whole.topk(self.widest, dim=1)
        before = sorted_whole.cumsum(dim=1) - sorted_whole
        keep = torch.arange(self.widest, device=logits.device)[None, :] < self.limits
        keep &= before <= self.top_ps
        keep &= sorted_whole >= sorted_whole[:, :1] * self.min_ps
        left = torch.where(keep, sorted_whole, 0.0)
        return left / left.sum(dim=1, keepdim=True), tokens


def _log_uniforms(hashed: Any) -> Any:
    """Give log of (x + 0.5) / 2^32 in float64: exact enough at both ends."""
    return (hashed.double() + 0.5).log() - 32 * float(np.log(2.0))


def _states(marks: Sequence[RowMark], contexts: Any) -> Any:
    """Give the state of key and context of each row; where a row has two keys, a coin of both and the context says whose place it is."""
    if contexts.device.type == "cpu":
        firsts = np.array([mark.key for mark in marks], dtype=np.uint64)
        seconds = np.array([mark.second_key or 0 for mark in marks], dtype=np.uint64)
        bounds = np.array([_coin_bound(mark) for mark in marks], dtype=np.uint64)
        return _torch().from_numpy(row_states(contexts.numpy(), firsts, seconds, bounds).astype(np.int64))
    return states_by_tensors(marks, contexts)


def _coin_bound(mark: RowMark) -> int:
    """Give what the coin of both keys must lie below for key A to have the place: all of 2^32 where there is one key."""
    return 1 << 32 if mark.second_key is None else int(mark.mixing * 2**32)


def states_by_tensors(marks: Sequence[RowMark], contexts: Any) -> Any:
    """Give the states as `cpu_rows.row_states` does, with tensor operations on any device.

    Args:
        marks: of each row.
        contexts: int64 tensor [rows, width].

    Returns:
        int64 [rows], words of 32 bits.
    """
    hashes = context_hashes(contexts)
    first = _keys([mark.key for mark in marks], hashes)
    states = key_states(first, hashes)
    if all(mark.second_key is None for mark in marks):
        return states
    second = _keys([mark.key if mark.second_key is None else mark.second_key for mark in marks], hashes)
    below = hashes.new_tensor([int(mark.mixing * 2**32) for mark in marks])
    is_first = position_coins(first, second, hashes) < below
    return _torch().where(is_first, states, key_states(second, hashes))


def _keys(keys: Sequence[int], like: Any) -> Any:
    """Give the 64 bits of keys as int64."""
    return like.new_tensor([key if key < 1 << 63 else key - (1 << 64) for key in keys])


def _index(rows: Sequence[int], like: Any) -> Any:
    return _torch().tensor(rows, dtype=_torch().int64, device=like.device)


def _column(values: Sequence[float], like: Any) -> Any:
    return _torch().tensor(values, dtype=_torch().float32, device=like.device)[:, None]


def _gpu_rows(like: Any) -> Any:
    """Give the kernels for the tensor's GPU; null where it is on none, or Triton is not there."""
    if like.device.type != "cuda":
        return None
    try:
        from stillwatch.watermark.marking import gpu_rows  # noqa: PLC0415  # Triton is there with a GPU only
    except ModuleNotFoundError:
        return None
    return gpu_rows


def _torch() -> Any:
    import torch  # noqa: PLC0415  # an extra

    return torch
