"""Rows on a GPU: what `cpu_rows` does, as Triton kernels: the state of key and context of each row, the green bias and the keyed draw of whole rows.

Takes contexts, keys and rows of logits as tensors of one device. Gives states; changes logits in place, and never waits for the device. The hash is that of
`green-bernoulli@v1` and `sglang-gumbel`, bit for bit. Cost: a pass over the logits for a green list and two for a draw, about 20 integer operations a token.
A draw is made in single precision: two candidates whose scores agree in about six digits may change places with what the CPU draws, and either bears the mark.

Triton comes with torch where torch has a GPU; elsewhere this module cannot be imported, and `mark_rows` takes tensor operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl

BLOCK = 2_048
"""Tokens of a row that one program takes."""
_ROWS = 32
"""Rows whose states one program makes."""


@triton.jit
def _mixed(state: tl.tensor, value: tl.tensor) -> tl.tensor:
    """Take a word into the state (MurmurHash3_x86_32, body)."""
    value = value * 0xCC9E2D51
    value = (value << 15) | (value >> 17)
    value = value * 0x1B873593
    state = state ^ value
    state = (state << 13) | (state >> 19)
    return state * 5 + 0xE6546B64


@triton.jit
def _finished(value: tl.tensor) -> tl.tensor:
    """Spread the state (MurmurHash3 fmix32)."""
    value = (value ^ (value >> 16)) * 0x85EBCA6B
    value = (value ^ (value >> 13)) * 0xC2B2AE35
    return value ^ (value >> 16)


@triton.jit
def _row_states(
    contexts: tl.tensor,
    stride: tl.tensor,
    widest: tl.tensor,
    rows: tl.tensor,
    firsts: tl.tensor,
    seconds: tl.tensor,
    bounds: tl.tensor,
    repeated: tl.tensor,
    states: tl.tensor,
    active: tl.tensor,
    count: tl.tensor,
    width: tl.constexpr,
    rows_at_once: tl.constexpr,
) -> None:
    places = tl.program_id(0) * rows_at_once + tl.arange(0, rows_at_once)
    inside = places < count
    row = tl.load(rows + places, mask=inside, other=0)
    at = contexts + row * stride + widest - width
    whole = inside
    context = places.to(tl.uint32) * 0
    for place in range(width):
        token = tl.load(at + place, mask=inside, other=-1)
        whole = whole & (token >= 0)
        context = _mixed(context, token.to(tl.uint32))
    if repeated is not None:
        whole = whole & (tl.load(repeated + row, mask=inside, other=1) == 0)
    context = _finished(context ^ (4 * width))
    zero = places.to(tl.uint32) * 0
    first = tl.load(firsts + places, mask=inside, other=0).to(tl.uint64)
    second = tl.load(seconds + places, mask=inside, other=0).to(tl.uint64)
    of_first = _mixed(_mixed(zero, first.to(tl.uint32)), (first >> 32).to(tl.uint32))
    coin = _mixed(_mixed(of_first, second.to(tl.uint32)), (second >> 32).to(tl.uint32))
    coin = _finished(_mixed(coin, context) ^ 20)
    of_second = _mixed(_mixed(zero, second.to(tl.uint32)), (second >> 32).to(tl.uint32))
    is_first = coin.to(tl.int64) < tl.load(bounds + places, mask=inside, other=0)
    state = _mixed(tl.where(is_first, of_first, of_second), context)
    tl.store(states + places, state.to(tl.int64), mask=inside)
    tl.store(active + places, whole.to(tl.int32), mask=inside)


@triton.jit
def _raise_green(
    logits: tl.tensor,
    stride: tl.tensor,
    vocabulary: tl.tensor,
    rows: tl.tensor,
    states: tl.tensor,
    active: tl.tensor,
    bounds: tl.tensor,
    deltas: tl.tensor,
    block: tl.constexpr,
) -> None:
    place = tl.program_id(0)
    if tl.load(active + place) == 0:
        return
    tokens = tl.program_id(1) * block + tl.arange(0, block)
    inside = tokens < vocabulary
    state = tl.load(states + place).to(tl.uint32)
    hashed = _finished(_mixed(state, tokens.to(tl.uint32)) ^ 16)
    at = logits + tl.load(rows + place) * stride + tokens
    scores = tl.load(at, mask=inside, other=0.0)
    green = hashed.to(tl.int64) < tl.load(bounds + place)
    raised = scores.to(tl.float32) + tl.load(deltas + place)
    tl.store(at, raised.to(scores.dtype), mask=inside & green)


@triton.jit
def _best(
    scores: tl.tensor,
    stride: tl.tensor,
    rows: tl.tensor,
    temperatures: tl.tensor,
    tokens: tl.tensor,
    states: tl.tensor,
    best: tl.tensor,
    chosen: tl.tensor,
    count: tl.tensor,
    from_logits: tl.constexpr,
    block: tl.constexpr,
) -> None:
    place = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    candidates = part * block + tl.arange(0, block)
    inside = candidates < count
    if from_logits:
        at = scores + tl.load(rows + place) * stride + candidates
        value = tl.load(at, mask=inside, other=float("-inf")).to(tl.float32) / tl.load(temperatures + place)
        ids = candidates.to(tl.int64)
    else:
        value = tl.log(tl.load(scores + place * stride + candidates, mask=inside, other=0.0))
        ids = tl.load(tokens + place * stride + candidates, mask=inside, other=0)
    hashed = _finished(_mixed(tl.load(states + place).to(tl.uint32), ids.to(tl.uint32)) ^ 16)
    # -log(u), u = (x + 0.5) / 2^32, in single precision at both ends. Near 1 the distance 1 - u is exact, and log(1 - d) is taken as d times
    # log(w) / (w - 1), w = 1 - d as it is rounded: the error of w cancels (W. Kahan).
    near_zero = -tl.log((hashed.to(tl.float32) + 0.5) * 2.0**-32)
    distance = ((hashed ^ 0xFFFFFFFF).to(tl.float32) + 0.5) * 2.0**-32
    rounded = 1.0 - distance
    ratio = tl.where(rounded < 1.0, tl.log(rounded) / tl.where(rounded < 1.0, rounded - 1.0, 1.0), 1.0)
    surprise = tl.where(hashed < 0x80000000, near_zero, distance * ratio)
    # log(u) / p is largest where log p - log(-log u) is, and a constant in log p changes nothing.
    known = inside & (value == value)  # noqa: PLR0124  # no number is not equal to itself
    value = tl.where(known, value - tl.log(surprise), float("-inf"))
    most = tl.max(value, axis=0)
    number = tl.num_programs(1)
    tl.store(best + place * number + part, most)
    tl.store(chosen + place * number + part, tl.min(tl.where(value == most, ids, 0x7FFFFFFF), axis=0))


@triton.jit
def _keep_best(
    logits: tl.tensor,
    stride: tl.tensor,
    vocabulary: tl.tensor,
    rows: tl.tensor,
    active: tl.tensor,
    best: tl.tensor,
    chosen: tl.tensor,
    parts: tl.tensor,
    most_parts: tl.constexpr,
    block: tl.constexpr,
) -> None:
    place = tl.program_id(0).to(tl.int64)
    if tl.load(active + place) == 0:
        return
    some = tl.arange(0, most_parts)
    values = tl.load(best + place * parts + some, mask=some < parts, other=float("-inf"))
    ids = tl.load(chosen + place * parts + some, mask=some < parts, other=0x7FFFFFFF)
    token = tl.min(tl.where(values == tl.max(values, axis=0), ids, 0x7FFFFFFF), axis=0)
    tokens = tl.program_id(1) * block + tl.arange(0, block)
    kept = tl.where(tokens == token, 0.0, float("-inf"))
    at = logits + tl.load(rows + place) * stride + tokens
    tl.store(at, kept.to(logits.dtype.element_ty), mask=tokens < vocabulary)


@dataclass(frozen=True, slots=True)
class RowTable:
    """What the kernels read of rows that share draw and width, on their device; made once for as long as the rows stay."""

    width: int
    """Tokens of context."""
    rows: Any
    """Their places in the batch, int64 [marked]."""
    firsts: Any
    """The 64 bits of key A of each, int64 [marked]."""
    seconds: Any
    """Of key B; anything where the bound leaves it no place."""
    coin_bounds: Any
    """Key A has the place where the coin of both keys and the context lies below, int64 [marked]; 2^32 for rows of one key."""
    green_bounds: Any
    """A token is green where its hash is below, int64 [marked]."""
    deltas: Any
    """What is added to green logits, float32 [marked]."""
    temperatures: Any
    """Above 0, float32 [marked]."""


def row_states(table: RowTable, contexts: Any, repeated: Any) -> tuple[Any, Any]:
    """Give the state of key and context that every candidate of a row begins with, and which rows are to be marked.

    Args:
        table: the rows.
        contexts: token ids before every row of the batch, the last one last, int64 [batch, widest]; below 0 where there is none.
        repeated: rows whose context was drawn from before, bool [batch]; null where that does not matter.

    Returns:
        States, int64 [marked], words of 32 bits; and int32 [marked], 0 for rows that are left alone.
    """
    contexts = contexts if contexts.stride(1) == 1 else contexts.contiguous()
    count = len(table.rows)
    states, active = torch.empty_like(table.firsts), torch.empty(count, dtype=torch.int32, device=table.rows.device)
    _row_states[(triton.cdiv(count, _ROWS),)](
        contexts, contexts.stride(0), contexts.shape[1], table.rows, table.firsts, table.seconds, table.coin_bounds, repeated, states, active,
        count, width=table.width, rows_at_once=_ROWS,
    )  # fmt: skip
    return states, active


def raise_green(table: RowTable, logits: Any, states: Any, active: Any) -> None:
    """Raise the logits of green tokens.

    Args:
        table: the rows.
        logits: float [batch, vocabulary] of any precision, a row contiguous; changed in place.
        states: as `row_states` gives them.
        active: the same.
    """
    vocabulary = logits.shape[1]
    _raise_green[len(table.rows), triton.cdiv(vocabulary, BLOCK)](
        logits, logits.stride(0), vocabulary, table.rows, states, active, table.green_bounds, table.deltas, block=BLOCK
    )


def draw(table: RowTable, logits: Any, states: Any, active: Any, candidates: tuple[Any, Any] | None) -> None:
    """Leave one token in each row: the one of largest log(u) / p.

    Args:
        table: the rows.
        logits: float [batch, vocabulary] of any precision, a row contiguous; changed in place.
        states: as `row_states` gives them.
        active: the same.
        candidates: probabilities, float32 [marked, candidates], 0 for those that are cut, and their ids, int64 [marked, candidates];
            null where every token is one, with the probability that its logit and the row's temperature give.
    """
    scores, tokens = (logits, None) if candidates is None else (candidates[0].contiguous(), candidates[1].contiguous())
    count, marked, vocabulary = scores.shape[1], len(table.rows), logits.shape[1]
    parts = triton.cdiv(count, BLOCK)
    best = torch.empty((marked, parts), dtype=torch.float32, device=logits.device)
    chosen = torch.empty((marked, parts), dtype=torch.int64, device=logits.device)
    _best[marked, parts](
        scores, scores.stride(0), table.rows, table.temperatures, tokens, states, best, chosen, count,
        from_logits=candidates is None, block=BLOCK,
    )  # fmt: skip
    _keep_best[marked, triton.cdiv(vocabulary, BLOCK)](
        logits, logits.stride(0), vocabulary, table.rows, active, best, chosen, parts, most_parts=triton.next_power_of_2(parts), block=BLOCK
    )  # fmt: skip
