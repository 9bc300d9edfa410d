"""Green lists on a CPU: the hash and the bias of a whole row in one compiled pass, without a tensor of hashes.

Takes rows of logits as NumPy views. Changes them in place. The hash is that of `green-bernoulli@v1` and `sglang-gumbel`, bit for bit. Cost: about 20
integer operations a token, one pass over memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.watermark.kernels import kernel
from stillwatch.watermark.murmur import finished, mixed, prepared


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
