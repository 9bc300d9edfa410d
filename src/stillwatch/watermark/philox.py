"""Philox4x32-10 as vLLM's marks use it: NumPy reference and compiled kernels.

Takes contexts, tokens and keys. Gives uniforms and Gumbel sums.

The contract (vLLM 0.33.0, `v1/watermarking/prfs/philox.py`, `philox4x32-10-v1`; the generator itself is J. Salmon and others,
"Parallel Random Numbers: As Easy as 1, 2, 3", 2011): the context is absorbed four tokens at a time under the key, then one more
application gives four outputs for four neighbouring tokens. u = (top 24 bits + 1) / (2^24 + 1), rounded to single precision.
Philox is not cryptographic: who sees many tokens may find the key.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.watermark.kernels import inlined, kernel

CONTEXT_DOMAIN = 0x574D4358
TOKEN_DOMAIN = 0x574D544B
RECIPROCAL = 1.0 / 16777217.0
_MASK = 0xFFFFFFFF
_LANES = 128
_ROWS = 30
_BLOCK = _LANES * _ROWS

# --- reference ------------------------------------------------------------------------------------------------------

Block = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]


def philox(counter: Block, key: tuple[NDArray[np.uint64], NDArray[np.uint64]]) -> Block:
    """Apply ten rounds to 32-bit words that are held in 64-bit arrays."""
    mask = np.uint64(_MASK)
    first, second = key
    c0, c1, c2, c3 = counter
    for step in range(10):
        one, two = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (two >> np.uint64(32)) ^ c1 ^ first,
            two & mask,
            (one >> np.uint64(32)) ^ c3 ^ second,
            one & mask,
        )
        if step < 9:
            first, second = (first + np.uint64(0x9E3779B9)) & mask, (second + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


def uniforms(words: NDArray[np.uint32], key: int) -> NDArray[np.float64]:
    """Give u for rows of h context tokens and the token after them `[n, h + 1]`.

    Returns:
        `[n]`, exact single-precision numbers in (0, 1).
    """
    count, width = len(words), words.shape[1] - 1
    wide = words.astype(np.uint64)
    low, high = np.full(count, key & _MASK, dtype=np.uint64), np.full(count, key >> 32, dtype=np.uint64)
    nothing = np.zeros(count, dtype=np.uint64)
    state: Block = (nothing + np.uint64(CONTEXT_DOMAIN), nothing + np.uint64(width), nothing, nothing)
    for offset in range(0, width, 4):
        block = [
            wide[:, offset + index] if offset + index < width else nothing + np.uint64(_MASK - index)
            for index in range(4)
        ]
        counter = (state[0] ^ block[0], state[1] ^ block[1], state[2] ^ block[2], state[3] ^ block[3])
        state = philox(counter, (low ^ np.uint64(offset), high))
    token = wide[:, width]
    outputs = philox(
        (token >> np.uint64(2), state[0], state[1], state[2]), (low ^ state[3], high ^ np.uint64(TOKEN_DOMAIN))
    )
    chosen = np.choose((token & np.uint64(3)).astype(np.int64), outputs)
    single = (((chosen >> np.uint64(8)).astype(np.float64) + 1.0) / (2**24 + 1)).astype(np.float32)
    return single.astype(np.float64)


# --- kernels --------------------------------------------------------------------------------------------------------


# Words stay in 64-bit lanes: one instruction multiplies eight pairs of them, and nothing is packed or unpacked between rounds.


@inlined
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    one = np.uint64(c0 * np.uint64(0xD2511F53))
    two = np.uint64(c2 * np.uint64(0xCD9E8D57))
    return (
        np.uint64((two >> np.uint64(32)) ^ np.uint64(c1 ^ k0)),
        np.uint64(two & np.uint64(_MASK)),
        np.uint64((one >> np.uint64(32)) ^ np.uint64(c3 ^ k1)),
        np.uint64(one & np.uint64(_MASK)),
    )


@inlined
def _ten(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    for _ in range(9):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0 = np.uint64(np.uint64(k0 + np.uint64(0x9E3779B9)) & np.uint64(_MASK))
        k1 = np.uint64(np.uint64(k1 + np.uint64(0xBB67AE85)) & np.uint64(_MASK))
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


@inlined
def uniform_of(output: Any) -> Any:
    """Give u of one output word as the engine computes it: a quotient in double precision, rounded to single.

    Multiplying by the reciprocal rounds to the same single-precision number for each of the 2^24 values (a test tries them all).
    """
    return np.float64(np.float32((np.float64(np.int64(output >> np.uint64(8))) + 1.0) * RECIPROCAL))


@kernel
def gumbel_sums(columns: Any, keys: Any) -> Any:
    """Sum -log(1 - u) for each key `[k]` over units whose columns are `[h + 1, n]`.

    A block of units stays in cache while the keys stream over it; each innermost loop runs over lanes alone.
    """
    width = len(columns) - 1
    count = columns.shape[1]
    sums = np.zeros(len(keys))
    state, block, lanes = np.empty((4, _LANES), np.uint64), np.empty((4, _LANES), np.uint64), np.empty(_LANES)
    for start in range(0, count, _BLOCK):
        stop = min(count, start + _BLOCK)
        for index in range(len(keys)):
            low, high = np.uint64(keys[index] & np.uint64(_MASK)), np.uint64(keys[index] >> np.uint64(32))
            lanes[:] = 1.0
            for row in range(start, stop, _LANES):
                size = min(_LANES, stop - row)
                state[0], state[1], state[2:] = np.uint64(CONTEXT_DOMAIN), np.uint64(width), np.uint64(0)
                for offset in range(0, width, 4):
                    for part in range(4):
                        if offset + part < width:
                            block[part, :size] = columns[offset + part, row : row + size]
                        else:
                            block[part] = np.uint64(_MASK - part)
                    _absorb(state[0], state[1], state[2], state[3], block, np.uint64(low ^ np.uint64(offset)), high)
                block[0, :size] = columns[width, row : row + size]
                _multiply(lanes, block[0], state[0], state[1], state[2], state[3], low, high, size)
            total = 0.0
            for lane in range(_LANES):
                total -= np.log(lanes[lane])
            sums[index] += total
    return sums


@inlined
def _absorb(s0: Any, s1: Any, s2: Any, s3: Any, block: Any, low: Any, high: Any) -> None:
    """Mix up to four context tokens of each lane into its state; lanes past the last unit hold anything and are not read."""
    for lane in range(_LANES):
        s0[lane], s1[lane], s2[lane], s3[lane] = _ten(
            np.uint64(s0[lane] ^ block[0, lane]), np.uint64(s1[lane] ^ block[1, lane]),
            np.uint64(s2[lane] ^ block[2, lane]), np.uint64(s3[lane] ^ block[3, lane]), low, high,
        )  # fmt: skip


@inlined
def _multiply(lanes: Any, tokens: Any, s0: Any, s1: Any, s2: Any, s3: Any, low: Any, high: Any, size: Any) -> None:
    """Multiply 1 - u of each lane's token into its product."""
    for lane in range(size):
        token = tokens[lane]
        o0, o1, o2, o3 = _ten(
            np.uint64(token >> np.uint64(2)), s0[lane], s1[lane], s2[lane],
            np.uint64(low ^ s3[lane]), np.uint64(high ^ np.uint64(TOKEN_DOMAIN)),
        )  # fmt: skip
        which = np.uint64(token & np.uint64(3))
        pair = o0 if which == 0 else o1
        other = o2 if which == 2 else o3
        lanes[lane] *= 1.0 - uniform_of(pair if which < 2 else other)
