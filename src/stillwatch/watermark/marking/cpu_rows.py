"""Rows on a CPU: the state of key and context of each, and the green bias of a whole row in one compiled pass, without a tensor of hashes.

Takes contexts, keys and rows of logits as NumPy views. Gives states; changes logits in place. The hash is that of `green-bernoulli@v1` and `sglang-gumbel`, bit for bit. Cost: about 20
integer operations a token, one pass over memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.watermark.kernels import kernel
from stillwatch.watermark.murmur import finished, key_state, mixed, prepared


@kernel
def raise_green(scores: Any, rows: Any, states: Any, bounds: Any, deltas: Any) -> None:
    """Raise the logits of green tokens.

    Args:
        scores: logits, float32 [batch, vocabulary]; changed in place.
        rows: rows to change, int64 [marked].
        states: state of key and context of each, uint32 [marked].
        bounds: a token is green where its hash is below, uint32 [marked].
        deltas: what is added, float32 [marked].
    """
    for place in range(len(rows)):
        row, state, bound, delta = rows[place], states[place], bounds[place], deltas[place]
        for token in range(scores.shape[1]):
            hashed = finished(np.uint32(mixed(state, prepared(np.uint32(token))) ^ np.uint32(16)))
            scores[row, token] += delta if hashed < bound else np.float32(0.0)


@kernel
def likeliest(probabilities: Any, tokens: Any, states: Any) -> Any:
    """Choose the candidate of each row whose -log(u) / p is least, which is the one of largest log(u) / p.

    No logarithm is taken of a candidate that cannot be it: -log(u) is at least 1 - u.

    Args:
        probabilities: of the candidates, float32 [rows, candidates]; 0 for those that are cut.
        tokens: their ids, int64 [rows, candidates], or [1, candidates] where all rows have the same.
        states: state of key and context of each row, uint32 [rows].

    Returns:
        Place of the candidate in its row, int64 [rows].
    """
    chosen = np.zeros(len(states), dtype=np.int64)
    for row in range(len(states)):
        state, likely, ids = states[row], probabilities[row], tokens[row % len(tokens)]
        best = np.inf
        for place in range(len(likely)):
            hashed = finished(np.uint32(mixed(state, prepared(np.uint32(ids[place]))) ^ np.uint32(16)))
            uniform = (np.float64(hashed) + 0.5) * 2.0**-32
            probability = np.float64(likely[place])
            if probability > 0.0 and 1.0 - uniform < best * probability:
                score = -np.log(uniform) / probability
                if score < best:
                    best, chosen[row] = score, place
    return chosen


@kernel
def row_states(contexts: Any, firsts: Any, seconds: Any, bounds: Any) -> Any:
    """Give the state of key and context that every candidate of a row begins with.

    Args:
        contexts: token ids, int64 [rows, width].
        firsts: key A of each row, uint64 [rows].
        seconds: key B of each, uint64 [rows]; anything where the bound leaves it no place.
        bounds: key A has the place where the coin of both keys and the context lies below, uint64 [rows]; 2^32 for rows of one key.

    Returns:
        uint32 [rows].
    """
    states = np.empty(len(contexts), dtype=np.uint32)
    for row in range(len(contexts)):
        hashed = np.uint32(0)
        for place in range(contexts.shape[1]):
            hashed = mixed(hashed, prepared(np.uint32(contexts[row, place])))
        ready = prepared(finished(np.uint32(hashed ^ np.uint32(4 * contexts.shape[1]))))
        coin = mixed(key_state(firsts[row]), prepared(np.uint32(seconds[row] & np.uint64(0xFFFFFFFF))))
        coin = mixed(mixed(coin, prepared(np.uint32(seconds[row] >> np.uint64(32)))), ready)
        is_first = np.uint64(finished(np.uint32(coin ^ np.uint32(20)))) < bounds[row]
        states[row] = mixed(key_state(firsts[row] if is_first else seconds[row]), ready)
    return states
