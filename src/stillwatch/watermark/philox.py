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

from stillwatch.watermark.kernels import inlined, kernel, log_product

CONTEXT_DOMAIN = 0x574D4358
TOKEN_DOMAIN = 0x574D544B
_MASK = 0xFFFFFFFF

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

# What a unit costs under a key is counted in vector instructions, so nothing is computed that could be left out:
# - Words stay in 64-bit lanes and upper halves may hold anything: the multiplication reads lower halves alone, so nothing is masked.
# - Products of the first round of the context and of the token know no key; `_fill` computes them once.
# - Only one of the four outputs is needed. Units are laid out by it, and the last two rounds compute what it reads.
# - Two groups of lanes take turns, since an instruction waits several cycles for the one before it.

LANES = 64
"""Units that are scored together."""
ROWS = 30
"""Factors multiplied before one logarithm: 30 of at least 2^-24 stay above the smallest normal double."""
CHUNK = 1 << 15
"""Units that are laid out at a time."""
_HALF = LANES // 2
_FIRST = 0xD2511F53
_SECOND = 0xCD9E8D57
_FIRST_STEP = 0x9E3779B9
_SECOND_STEP = 0xBB67AE85
_UPPER = np.uint64(32)


@inlined
def _product(word: Any, factor: Any) -> Any:
    return np.uint64(np.uint64(word & np.uint64(_MASK)) * np.uint64(factor))


@inlined
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    one, two = _product(c0, _FIRST), _product(c2, _SECOND)
    return np.uint64((two >> _UPPER) ^ c1 ^ k0), two, np.uint64((one >> _UPPER) ^ c3 ^ k1), one


@inlined
def _set_keys(low: Any, high: Any, schedule: Any) -> None:
    """Write the ten keys of the first word, then the ten of the second; upper halves hold carries."""
    for step in range(10):
        schedule[step] = np.uint64(low + np.uint64(step) * np.uint64(_FIRST_STEP))
        schedule[10 + step] = np.uint64(high + np.uint64(step) * np.uint64(_SECOND_STEP))


@inlined
def _token(words: Any, place: Any, index: Any, width: Any) -> Any:
    """Give a context token, or what the engine puts in the place of one that is not there."""
    return np.uint64(words[place, index]) if index < width else np.uint64(_MASK - index % 4)


@kernel
def _fill(words: Any, places: Any, block: Any) -> None:
    """Lay out up to `LANES` units, given by their places, as the columns of a block.

    What the first round makes of the first four context tokens, without the key (four columns); the further context tokens (four columns for
    each four); upper and lower half of the token's product in its first round. Lanes past the last unit keep what they hold and are not read.
    """
    width = words.shape[1] - 1
    last = len(block) - 2 * LANES
    for lane in range(len(places)):
        place = places[lane]
        c0, c1, c2, c3 = _round(
            np.uint64(CONTEXT_DOMAIN) ^ _token(words, place, 0, width), np.uint64(width) ^ _token(words, place, 1, width),
            _token(words, place, 2, width), _token(words, place, 3, width), np.uint64(0), np.uint64(0),
        )  # fmt: skip
        block[lane], block[LANES + lane], block[2 * LANES + lane], block[3 * LANES + lane] = c0, c1, c2, c3
        for index in range(4, last // LANES):
            block[index * LANES + lane] = _token(words, place, index, width)
        product = _product(np.uint64(words[place, width]) >> np.uint64(2), _FIRST)
        block[last + lane], block[last + LANES + lane] = product >> _UPPER, product


@kernel
def _arrange(words: Any, blocks: Any, outputs: Any, sizes: Any) -> Any:
    """Lay out units `[n, h + 1]` as blocks, write which output the units of each read and how many it holds, and give the number of blocks."""
    ends = np.zeros(5, dtype=np.int64)
    tokens = words[:, words.shape[1] - 1]
    for token in tokens:
        ends[1 + np.int64(token & np.uint32(3))] += 1
    ends = np.cumsum(ends)
    places, filled = np.empty(len(words), dtype=np.int64), ends[:4].copy()
    for place in range(len(words)):
        kind = np.int64(tokens[place] & np.uint32(3))
        places[filled[kind]] = place
        filled[kind] += 1
    used = 0
    for output in range(4):
        for start in range(ends[output], ends[output + 1], LANES):
            stop = min(start + LANES, ends[output + 1])
            _fill(words, places[start:stop], blocks[used])
            outputs[used], sizes[used] = output, stop - start
            used += 1
    return used


@inlined
def _four(columns: Any, lane: Any) -> tuple[Any, Any, Any, Any]:
    return columns[lane], columns[LANES + lane], columns[2 * LANES + lane], columns[3 * LANES + lane]


@inlined
def _put(columns: Any, lane: Any, w0: Any, w1: Any, w2: Any, w3: Any) -> None:
    columns[lane], columns[LANES + lane], columns[2 * LANES + lane], columns[3 * LANES + lane] = w0, w1, w2, w3


@inlined
def _absorb_first(block: Any, schedule: Any, state: Any) -> None:
    """Apply the last nine rounds to the first four tokens of the context."""
    for lane in range(_HALF):
        other = lane + _HALF
        a0, a1, a2, a3 = _four(block, lane)
        b0, b1, b2, b3 = _four(block, other)
        a0, a2, b0, b2 = a0 ^ schedule[0], a2 ^ schedule[10], b0 ^ schedule[0], b2 ^ schedule[10]
        for step in range(1, 10):
            a0, a1, a2, a3 = _round(a0, a1, a2, a3, schedule[step], schedule[10 + step])
            b0, b1, b2, b3 = _round(b0, b1, b2, b3, schedule[step], schedule[10 + step])
        _put(state, lane, a0, a1, a2, a3)
        _put(state, other, b0, b1, b2, b3)


@inlined
def _absorb_further(block: Any, schedule: Any, state: Any) -> None:
    """Mix four more tokens of the context into the state by ten rounds."""
    for lane in range(LANES):
        s0, s1, s2, s3 = _four(state, lane)
        t0, t1, t2, t3 = _four(block, lane)
        s0, s1, s2, s3 = s0 ^ t0, s1 ^ t1, s2 ^ t2, s3 ^ t3
        for step in range(10):
            s0, s1, s2, s3 = _round(s0, s1, s2, s3, schedule[step], schedule[10 + step])
        _put(state, lane, s0, s1, s2, s3)


@inlined
def _token_start(product: Any, state: Any, lane: Any, low: Any, k1: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Apply the token's first round: counter (token / 4, s0, s1, s2) under (low ^ s3, k1). Gives the next key of the first word, too."""
    s0, s1, s2, s3 = _four(state, lane)
    k0 = np.uint64(low ^ s3)
    two = _product(s1, _SECOND)
    return (
        np.uint64((two >> _UPPER) ^ s0 ^ k0), two, np.uint64(product[lane] ^ s2 ^ k1), product[LANES + lane],
        np.uint64(k0 + np.uint64(_FIRST_STEP)),
    )  # fmt: skip


@inlined
def _last_rounds(output: Any, c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, last: Any) -> Any:
    """Give one output of the last two rounds, in its lower half; k0 and k1 are the keys of the ninth round."""
    if output < 2:
        c2_next = np.uint64((_product(c0, _FIRST) >> _UPPER) ^ c3 ^ k1)
        two = _product(c2_next, _SECOND)
        if output == 1:
            return two
        return np.uint64((two >> _UPPER) ^ _product(c2, _SECOND) ^ np.uint64(k0 + np.uint64(_FIRST_STEP)))
    c0_next = np.uint64((_product(c2, _SECOND) >> _UPPER) ^ c1 ^ k0)
    one = _product(c0_next, _FIRST)
    if output == 3:
        return one
    return np.uint64((one >> _UPPER) ^ _product(c0, _FIRST) ^ last)


@inlined
def _outputs(output: Any, product: Any, state: Any, low: Any, schedule: Any, found: Any) -> None:
    """Apply the token to the state of each lane and write the output word that it reads, whose upper half may hold anything."""
    for lane in range(_HALF):
        other = lane + _HALF
        a0, a1, a2, a3, ak = _token_start(product, state, lane, low, schedule[0])
        b0, b1, b2, b3, bk = _token_start(product, state, other, low, schedule[0])
        for step in range(1, 8):
            a0, a1, a2, a3 = _round(a0, a1, a2, a3, ak, schedule[step])
            b0, b1, b2, b3 = _round(b0, b1, b2, b3, bk, schedule[step])
            ak, bk = np.uint64(ak + np.uint64(_FIRST_STEP)), np.uint64(bk + np.uint64(_FIRST_STEP))
        found[lane] = _last_rounds(output, a0, a1, a2, a3, ak, schedule[8], schedule[9])
        found[other] = _last_rounds(output, b0, b1, b2, b3, bk, schedule[8], schedule[9])


@inlined
def uniform_of(output: Any) -> Any:
    """Give u of an output word as the engine computes it: (x + 1) / (2^24 + 1) of its top 24 bits x, rounded to single precision.

    That is the single-precision number just below (x + 1) / 2^24, for each of the 2^24 values (a test tries them all). The bits are put below the
    exponent of 2^52, which converts them without an instruction for it; 2^29 is one unit of single precision in a double.
    """
    placed = np.uint64(np.uint64(output & np.uint64(0xFFFFFF00)) | np.uint64(0x433 << 52)).view(np.float64)
    bits = np.float64(placed - (2.0**52 - 256.0)).view(np.uint64)  # of 256 (x + 1)
    return np.uint64(bits - np.uint64((32 << 52) + (1 << 29))).view(np.float64)


@kernel
def _add_sums(blocks: Any, outputs: Any, sizes: Any, keys: Any, sums: Any) -> None:
    """Add what up to `ROWS` blocks score under each key; they stay in cache while the keys stream over them."""
    further = blocks.shape[1] // (4 * LANES) - 1
    lanes, found, state = np.empty(LANES), np.empty(LANES, np.uint64), np.empty(4 * LANES, np.uint64)
    context, token, other = np.empty(20, np.uint64), np.empty(20, np.uint64), np.empty(20, np.uint64)
    for index in range(len(keys)):
        low, high = np.uint64(keys[index] & np.uint64(_MASK)), np.uint64(keys[index] >> _UPPER)
        _set_keys(low, high, context)
        _set_keys(low, np.uint64(high ^ np.uint64(TOKEN_DOMAIN)), token)
        lanes[:] = 1.0
        for row in range(len(blocks)):
            block = blocks[row]
            _absorb_first(block, context, state)
            for part in range(1, further + 1):
                _set_keys(np.uint64(low ^ np.uint64(4 * part)), high, other)
                _absorb_further(block[4 * part * LANES :], other, state)
            product = block[4 * (further + 1) * LANES :]
            if outputs[row] == 0:
                _outputs(0, product, state, low, token[10:], found)
            elif outputs[row] == 1:
                _outputs(1, product, state, low, token[10:], found)
            elif outputs[row] == 2:
                _outputs(2, product, state, low, token[10:], found)
            else:
                _outputs(3, product, state, low, token[10:], found)
            for lane in range(sizes[row]):
                lanes[lane] *= 1.0 - uniform_of(found[lane])
        sums[index] -= log_product(lanes)


@kernel
def gumbel_sums(words: Any, keys: Any) -> Any:
    """Sum -log(1 - u) over units `[n, h + 1]` for each key `[k]`."""
    sums = np.zeros(len(keys))
    most = min(len(words), CHUNK) // LANES + 4
    blocks = np.empty((most, 4 * ((words.shape[1] + 2) // 4) * LANES + 2 * LANES), dtype=np.uint64)
    outputs, sizes = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    for start in range(0, len(words), CHUNK):
        used = _arrange(words[start : start + CHUNK], blocks, outputs, sizes)
        for row in range(0, used, ROWS):
            stop = min(row + ROWS, used)
            _add_sums(blocks[row:stop], outputs[row:stop], sizes[row:stop], keys, sums)
    return sums
