"""The 32-bit hash of (key, context, token) for whole rows of candidates, as SGLang 0.5.23 computes it, on any device.

Takes int64 tensors that hold unsigned 32-bit words. Gives such tensors. All arithmetic is modulo 2^32: products of two words are taken in 64
bits and cut. The uniform is u = (x + 0.5) / 2^32. On a CPU a compiled kernel does the same a row at a time (`cpu_rows`).
"""

from __future__ import annotations

from typing import Any

MASK = 0xFFFFFFFF


def _mix(state: Any, value: Any) -> Any:
    """Take a word into the state (MurmurHash3_x86_32, body)."""
    value = (value * 0xCC9E2D51) & MASK
    value = ((value << 15) | (value >> 17)) & MASK
    value = (value * 0x1B873593) & MASK
    state = state ^ value
    state = ((state << 13) | (state >> 19)) & MASK
    return (state * 5 + 0xE6546B64) & MASK


def _finish(value: Any) -> Any:
    """Spread the state (MurmurHash3 fmix32)."""
    value = value ^ (value >> 16)
    value = (value * 0x85EBCA6B) & MASK
    value = value ^ (value >> 13)
    value = (value * 0xC2B2AE35) & MASK
    return value ^ (value >> 16)


def context_hashes(contexts: Any) -> Any:
    """Hash contexts.

    Args:
        contexts: token ids, int64 [rows, width].

    Returns:
        int64 [rows].
    """
    state = contexts.new_zeros(contexts.shape[0])
    for place in range(contexts.shape[1]):
        state = _mix(state, contexts[:, place] & MASK)
    return _finish(state ^ (4 * contexts.shape[1]))


def key_states(keys: Any, hashes: Any) -> Any:
    """Take key and context hash into a state that every candidate of the row begins with.

    Args:
        keys: int64 [rows]; the 64 bits of each key.
        hashes: int64 [rows], as `context_hashes` gives them.

    Returns:
        int64 [rows].
    """
    state = _mix(hashes.new_zeros(hashes.shape), keys & MASK)
    state = _mix(state, (keys >> 32) & MASK)
    return _mix(state, hashes)


def position_coins(first: Any, second: Any, hashes: Any) -> Any:
    """Hash both keys and the context: what decides which of the two marks a place.

    Args:
        first: int64 [rows]; the 64 bits of key A.
        second: int64 [rows]; of key B.
        hashes: int64 [rows], as `context_hashes` gives them.

    Returns:
        int64 [rows], words of 32 bits; key A has the place where it lies below the mixing probability times 2^32.
    """
    state = hashes.new_zeros(hashes.shape)
    for word in (first & MASK, (first >> 32) & MASK, second & MASK, (second >> 32) & MASK, hashes):
        state = _mix(state, word)
    return _finish(state ^ 20)


def token_hashes(states: Any, tokens: Any) -> Any:
    """Hash candidates.

    Args:
        states: int64 [rows], as `key_states` gives them.
        tokens: int64 [candidates], or [rows, candidates].

    Returns:
        int64 [rows, candidates], words of 32 bits.
    """
    return _finish(_mix(states[:, None], tokens if tokens.dim() == 2 else tokens[None, :]) ^ 16)
