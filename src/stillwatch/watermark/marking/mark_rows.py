"""Marking the rows of a batch: each with its own key, scheme, width and truncation.

Takes logits before temperature and truncation, the tokens before each row, and the mark of each row. Changes the logits. A green row gets a bias. A
Gumbel row is truncated as its own request says, one token is chosen by argmax of log(u) / p over what is left (Aaronson 2022; SGLang's and
vLLM's rule, equal to the Gumbel-max trick), and every other logit becomes minus infinity, so that whatever draws later draws this token. A
repeated context is left to the engine's own draw (`single_turn`), since a repeated uniform would repeat its token.

Under the assumption that the hash gives independent uniforms, a Gumbel row draws each token with its own probability, averaged over keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stillwatch.watermark.marking.cpu_rows import likeliest, raise_green, row_states
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.uniform_hash import context_hashes, key_states, position_coins, token_hashes


def mark_rows(logits: Any, contexts: Any, marks: Sequence[RowMark | None], repeated: Any = None) -> Any:
    """Mark the rows of a batch.

    Args:
        logits: float tensor [rows, vocabulary]; changed in place where its type allows it.
        contexts: int64 tensor [rows, widest]: the tokens before each row, the last one last; at least as wide as any row's mark. An id below 0
            says that there is no token, and its row is not marked.
        marks: of each row; null for rows that are left alone.
        repeated: bool tensor [rows]: rows whose context was drawn from before; left to the engine's draw where the mark is Gumbel.

    Returns:
        The logits.
    """
    groups: dict[tuple[Draw, int], list[int]] = {}
    for row, mark in enumerate(marks):
        if mark is not None and mark.draws:
            groups.setdefault((mark.draw, mark.width), []).append(row)
    for (draw, width), rows in groups.items():
        index = _index(rows, logits)
        seen = contexts[index][:, contexts.shape[1] - width :]
        keep = (seen >= 0).all(dim=1)
        if draw is Draw.GUMBEL and repeated is not None:
            keep &= ~repeated[index]
        kept = [row for row, stays in zip(rows, keep.tolist(), strict=True) if stays]
        if not kept:
            continue
        chosen = [mark for mark in (marks[row] for row in kept) if mark is not None]
        states = _states(chosen, seen[keep])
        logits = (_raise if draw is Draw.GREEN_LIST else _choose)(logits, _index(kept, logits), chosen, states)
    return logits


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
    if length < width or length <= first:
        return tokens.new_zeros(rows, dtype=_torch().bool)
    windows = tokens.unfold(1, width, 1)  # window w stands before the token at w + width
    earlier = windows[:, max(first - width, 0) : length - width]
    return (earlier == windows[:, -1:, :]).all(dim=2).any(dim=1)


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
    """Apply temperature, top-k, top-p and min-p of each row, in the order of SGLang and vLLM, and normalise.

    Args:
        logits: float32 tensor [rows, vocabulary].
        marks: of each row, temperatures above 0.

    Returns:
        Probabilities [rows, candidates], 0 for what is cut, and their tokens [rows, candidates], the likeliest first; where no row cuts anything, of all tokens
        in their order, which are given once [1, vocabulary].
    """
    torch = _torch()
    size = logits.shape[1]
    limits = [min(mark.top_k, size) if mark.top_k else size for mark in marks]
    whole = torch.softmax(logits / _column([mark.temperature for mark in marks], logits), dim=1)
    if min(limits) == size and all(mark.top_p == 1.0 and mark.min_p == 0.0 for mark in marks):
        return whole, torch.arange(size, device=logits.device)[None, :]
    sorted_whole, tokens = whole.topk(max(limits), dim=1)
    before = sorted_whole.cumsum(dim=1) - sorted_whole
    keep = torch.arange(sorted_whole.shape[1], device=logits.device)[None, :] < _column(limits, logits)
    keep &= before <= _column([mark.top_p for mark in marks], logits)
    keep &= sorted_whole >= sorted_whole[:, :1] * _column([mark.min_p for mark in marks], logits)
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
        bounds = np.array(
            [1 << 32 if mark.second_key is None else int(mark.mixing * 2**32) for mark in marks], dtype=np.uint64
        )
        return _torch().from_numpy(row_states(contexts.numpy(), firsts, seconds, bounds).astype(np.int64))
    return states_by_tensors(marks, contexts)


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


def _torch() -> Any:
    import torch  # noqa: PLC0415  # an extra

    return torch
