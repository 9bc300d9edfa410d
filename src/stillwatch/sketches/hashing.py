"""A 64-bit hash over bytes, versioned, the same on every machine and in every batch.

Takes bytes and a seed. Gives an unsigned 64-bit value, shown to tables as signed `int64`. Two implementations give the
same bits: numba kernels over Arrow buffers, and pure Python for single values.

The hash reads 16 bytes at a time, little-endian, multiplies the two halves to 128 bits and folds the product (the
construction of wyhash by Wang Yi; constants and layout here are our own, so the values are not those of wyhash).
Complexity: O(bytes). It is not cryptographic: whoever chooses the inputs can make two of them collide, so equality of
hashes is a reason to look and never the only proof.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from stillwatch.sketches.kernels import inlined, kernel

HASH_VERSION: Final = "folded-multiply/v1"

WORD_MASK: Final = (1 << 64) - 1
# Fractional bits of the square roots of 2, 3, 5 and 7, made odd: nothing up the sleeve.
START: Final = 0x6A09E667F3BCC909
LEFT: Final = 0xBB67AE8584CAA73B
MIDDLE: Final = 0x3C6EF372FE94F82B
LAST: Final = 0xA54FF53A5F1D36F1

_START = np.uint64(START)
_LEFT = np.uint64(LEFT)
_MIDDLE = np.uint64(MIDDLE)
_LAST = np.uint64(LAST)


# --- pure Python ----------------------------------------------------------------------------------------------------


def mix(left: int, right: int) -> int:
    """Multiply two unsigned 64-bit numbers, fold the 128-bit product, and mix the factors back in.

    The factors are mixed back so that a zero factor does not wipe out the other one.
    """
    product = left * right
    return (product & WORD_MASK) ^ (product >> 64) ^ left ^ right


def hash_bytes(data: bytes, seed: int) -> int:
    """Return the unsigned 64-bit hash of bytes.

    Args:
        data: Bytes of any length.
        seed: Unsigned 64-bit domain seed; see `domain_seed`.
    """
    state = seed ^ START
    for position in range(0, len(data), 16):
        first = int.from_bytes(data[position : position + 8], "little")
        second = int.from_bytes(data[position + 8 : position + 16], "little")
        state = mix(first ^ LEFT, second ^ state)
    return mix(state ^ MIDDLE, len(data) ^ LAST)


def domain_seed(domain: str) -> int:
    """Return the seed of a domain, so that equal bytes in two domains have unrelated hashes.

    Args:
        domain: Name such as `payment` or `near-duplicate/v1`.
    """
    return hash_bytes(f"{HASH_VERSION}/{domain}".encode(), 0)


def signed(value: int) -> int:
    """Return an unsigned 64-bit value as the signed one with the same bits, as tables hold it."""
    return value - (1 << 64) if value >> 63 else value


def hash_text(text: str, *, domain: str = "text") -> int:
    """Return the signed 64-bit hash of a text's UTF-8 bytes.

    Args:
        text: Any text; neither case nor whitespace is folded.
        domain: Name of the domain.
    """
    return signed(hash_bytes(text.encode(), domain_seed(domain)))


# --- kernels --------------------------------------------------------------------------------------------------------


@intrinsic
def load64(typing_context: Any, data: Any, position: Any) -> Any:  # noqa: ARG001 - numba's form
    """Read 8 bytes as a little-endian number from any position of a byte array, without a bounds check."""
    signature = types.uint64(data, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        first = builder.bitcast(array.data, ir.IntType(8).as_pointer())
        place = builder.bitcast(builder.gep(first, [arguments[1]]), ir.IntType(64).as_pointer())
        value = builder.load(place, align=1)
        return value if _LITTLE_ENDIAN else builder.bswap(value)

    return signature, generate


_LITTLE_ENDIAN = sys.byteorder == "little"


@intrinsic
def mix64(typing_context: Any, left: Any, right: Any) -> Any:  # noqa: ARG001 - numba's form
    """Do what `mix` does, in one 64 x 64 to 128 bit multiplication."""
    signature = types.uint64(types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        wide = ir.IntType(128)
        word = ir.IntType(64)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        low = builder.trunc(product, word)
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)
        return builder.xor(builder.xor(low, high), builder.xor(arguments[0], arguments[1]))

    return signature, generate


@inlined
def hash_short(data: np.ndarray, begin: int, length: int, seed: np.uint64) -> np.uint64:
    """Hash 1 to 16 bytes that are followed by at least 16 readable ones; the same value as `hash_span`."""
    # No branch on the length: word lengths cannot be predicted.
    head = min(length, 8)
    tail = length - head
    head_shift = np.uint64(64 - 8 * head)
    tail_shift = np.uint64((64 - 8 * tail) & 63)
    first = (load64(data, begin) << head_shift) >> head_shift
    second = ((load64(data, begin + 8) << tail_shift) >> tail_shift) * np.uint64(tail > 0)
    state = mix64(first ^ _LEFT, second ^ seed ^ _START)
    value: np.uint64 = mix64(state ^ _MIDDLE, np.uint64(length) ^ _LAST)
    return value


@inlined
def hash_span(data: np.ndarray, begin: int, length: int, seed: np.uint64) -> np.uint64:
    """Hash `length` bytes from `begin`; the same value as `hash_bytes`, and no byte outside the span is read.

    Args:
        data: uint8 [bytes].
        begin: First byte.
        length: Bytes, 0 or more.
        seed: Domain seed.
    """
    state = seed ^ _START
    position = begin
    end = begin + length
    while end - position >= 16:
        state = mix64(load64(data, position) ^ _LEFT, load64(data, position + 8) ^ state)
        position += 16
    rest = end - position
    if rest > 0:
        first = np.uint64(0)
        second = np.uint64(0)
        if rest >= 8:
            first = load64(data, position)
            if rest > 8:
                second = load64(data, end - 8) >> np.uint64(8 * (16 - rest))
        elif length >= 8:
            first = load64(data, end - 8) >> np.uint64(8 * (8 - rest))
        else:
            for index in range(rest):
                first |= np.uint64(data[position + index]) << np.uint64(8 * index)
        state = mix64(first ^ _LEFT, second ^ state)
    value: np.uint64 = mix64(state ^ _MIDDLE, np.uint64(length) ^ _LAST)
    return value


@kernel
def hash_spans(
    data: np.ndarray, offsets: np.ndarray, valid: np.ndarray, fold_case: bool, seed: np.uint64, out: np.ndarray
) -> None:
    """Hash every string of a column; an empty string counts as no value.

    Args:
        data: uint8 [bytes].
        offsets: int64 [n + 1].
        valid: bool [n]; set to false where the string is empty.
        fold_case: True to fold ASCII capitals.
        seed: Domain seed.
        out: int64 [n], written; 0 where there is no value.
    """
    lower = np.empty(0, dtype=np.uint8)
    for row in range(out.shape[0]):
        begin = offsets[row]
        length = offsets[row + 1] - begin
        out[row] = 0
        if not valid[row] or length == 0:
            valid[row] = False
            continue
        if fold_case:
            if lower.shape[0] < length:
                lower = np.empty(2 * length, dtype=np.uint8)
            for index in range(length):
                byte = data[begin + index]
                lower[index] = byte + 32 if 65 <= byte <= 90 else byte
            out[row] = np.int64(hash_span(lower, 0, length, seed))
        else:
            out[row] = np.int64(hash_span(data, begin, length, seed))
