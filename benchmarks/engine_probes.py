"""Two Triton kernels that write down what the engines' own device functions give, which the engines' kernels use and throw away.

Import it after `engine_kernels.open_engines`. Takes contexts and keys on a GPU. Gives the uniforms of vLLM's kernel and the hashes of SGLang's for all tokens.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from sglang.kernels.ops.sampling.murmur_hash import fmix32, murmur3_mix
from vllm.v1.worker.gpu.sample.watermark import _philox_candidate_words, _philox_context_state, _uint32_to_uniform

GROUPS = 256


@triton.jit
def _vllm_uniforms(out, contexts, stride, low_key, high_key, vocabulary, WIDTH: tl.constexpr, GROUPS: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    row = tl.program_id(0).to(tl.int64)
    groups = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
    low, high = low_key.to(tl.uint32), high_key.to(tl.uint32)
    s0, s1, s2, s3 = _philox_context_state(contexts + row * stride, low, high, WIDTH)
    w0, w1, w2, w3 = _philox_candidate_words(groups, s0, s1, s2, s3, low, high)
    at = out + row * vocabulary + groups * 4
    tl.store(at, _uint32_to_uniform(w0), mask=groups * 4 < vocabulary)
    tl.store(at + 1, _uint32_to_uniform(w1), mask=groups * 4 + 1 < vocabulary)
    tl.store(at + 2, _uint32_to_uniform(w2), mask=groups * 4 + 2 < vocabulary)
    tl.store(at + 3, _uint32_to_uniform(w3), mask=groups * 4 + 3 < vocabulary)


@triton.jit
def _sglang_hashes(out, context_hashes, keys, vocabulary, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803
    row = tl.program_id(0).to(tl.int64)
    tokens = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(keys + row).to(tl.uint64)
    state: tl.uint32 = 0
    state = murmur3_mix(state, (key & 0xFFFFFFFF).to(tl.uint32))
    state = murmur3_mix(state, ((key >> 32) & 0xFFFFFFFF).to(tl.uint32))
    state = murmur3_mix(state, tl.load(context_hashes + row).to(tl.uint32))
    state = murmur3_mix(state, tokens.to(tl.uint32))
    tl.store(out + row * vocabulary + tokens, fmix32(state ^ 16).to(tl.int64), mask=tokens < vocabulary)


def vllm_uniforms(contexts: Any, key: int, vocabulary: int) -> Any:
    """Give the uniforms of all tokens after contexts [rows, width] under a key: float32 [rows, vocabulary]."""
    out = torch.empty((len(contexts), vocabulary), dtype=torch.float32, device=contexts.device)
    _vllm_uniforms[len(contexts), triton.cdiv(vocabulary, 4 * GROUPS)](
        out, contexts, contexts.stride(0), key & 0xFFFFFFFF, key >> 32, vocabulary, WIDTH=contexts.shape[1], GROUPS=GROUPS
    )  # fmt: skip
    return out


def sglang_hashes(context_hashes: Any, keys: Any, vocabulary: int) -> Any:
    """Give the hashes of all tokens after context hashes, int64 [rows], under the key of each row, int64 [rows]: int64 [rows, vocabulary]."""
    out = torch.empty((len(keys), vocabulary), dtype=torch.int64, device=keys.device)
    _sglang_hashes[len(keys), triton.cdiv(vocabulary, 1024)](out, context_hashes, keys, vocabulary, BLOCK=1024)
    return out
