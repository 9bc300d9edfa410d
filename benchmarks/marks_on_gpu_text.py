"""Text that is marked on a GPU and read on a CPU.

`make` (called by `benchmarks.marks_on_gpu --texts`) takes a GPU, and a small untrained model in bfloat16. Gives tokens: each way of marking by its own code
(vLLM's and SGLang's kernels with their own care for repeated contexts, transformers' processors, our processor), and as many without a mark. This module
scores them with `mark detect`'s own code on a CPU: under the keys that marked, under keys that did not, and under random keys.

    python -m benchmarks.marks_on_gpu_text --texts gpu_texts.npz --threads 270336 --out marks_on_gpu_text.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from benchmarks import engine_kernels

from stillwatch.records.claim import Claim
from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.detection import KeyScorer, Plan
from stillwatch.watermark.marking.row_mark import row_mark_of
from stillwatch.watermark.marking.transformers_processor import MarkLogitsProcessor
from stillwatch.watermark.token_files import Document

SEED = 20_261_126
ROWS, LENGTH, PROMPT = 64, 200, 8
SPREAD = 3.0
"""Standard deviation of the model's logits; about 5 nats a token."""
SCHEMES: dict[str, tuple[str, dict[str, int | float | str], int]] = {
    "ours, green list": ("green-bernoulli@v1", {"context_width": 2}, 1),
    "ours, Gumbel": ("sglang-gumbel@murmur3-v1", {"context_width": 4}, 1),
    "ours, two keys": ("sglang-dual@murmur3-v1", {"context_width": 4}, 2),
    "SGLang": ("sglang-gumbel@murmur3-v1", {"context_width": 4}, 1),
    "SGLang, two keys": ("sglang-dual@murmur3-v1", {"context_width": 4}, 2),
    "vLLM": ("vllm-gumbel@philox4x32-10-v1", {"context_width": 4}, 1),
    "vLLM, two keys": ("vllm-dual@philox4x32-10-v1", {"context_width": 4}, 1),
    "transformers KGW lefthash": ("kgw-transformers@v1", {}, 1),
    "transformers SynthID": ("synthid-shipped@v1", {}, 30),
    "SGLang, top-k 50": ("sglang-gumbel@murmur3-v1", {"context_width": 4}, 1),
}
"""Way of marking: scheme and parameters that read it, words of a key."""
TOP_K = 50
KEYS = 4
"""Campaigns a scheme; each marks as many rows, save where an engine has one key a server, and then only the first one marks."""
GPU_LIST_DECOYS = 19
"""Random keys for lists that a GPU drew: each list costs a draw for every token of the vocabulary."""
ONE_KEY = ("vLLM", "vLLM, two keys", "transformers KGW lefthash", "transformers SynthID")


def keys_of(way: str, vocabulary: int, threads: int) -> list[MarkKey]:
    """Give the keys of one way of marking; the same on both machines."""
    scheme, parameters, words = SCHEMES[way]
    parameters = dict(parameters)
    if scheme.startswith("kgw"):
        parameters |= {"vocabulary": vocabulary, "device_threads": threads}
    if scheme.startswith("synthid"):
        parameters |= {"device_threads": threads}
    rng = np.random.default_rng([SEED, vocabulary, list(SCHEMES).index(way)])
    drawn = rng.integers(1, 2**62, size=(KEYS, words), dtype=np.int64)
    drawn[:, 1:] = drawn[0, 1:] if words == 2 else drawn[:, 1:]  # key B is the provider's
    return [
        MarkKey(
            handle=f"mk-{number}", scheme=scheme, parameters=tuple(parameters.items()), level=MarkLevel.CAMPAIGN, assigned_to=f"campaign {number}",
            key=drawn[number].astype(">u8").tobytes(), tokenizer_digest="", issued_us=1,
        )
        for number in range(KEYS)
    ]  # fmt: skip


def words_of(key: MarkKey) -> list[int]:
    """Give the 64-bit words of a key."""
    return [int(word) for word in np.frombuffer(key.key, dtype=">u8")]


# --- marking, on the GPU --------------------------------------------------------------------------------------------


def make(device: str, vocabularies: Sequence[int], out: Path) -> None:
    """Make all texts and write them: for each way and vocabulary, int32 [rows, length], prompts left out."""
    made: dict[str, np.ndarray] = {}
    for vocabulary in vocabularies:
        model = untrained(vocabulary, device)
        prompt = torch.randint(0, vocabulary, (ROWS, PROMPT), generator=torch.Generator().manual_seed(SEED)).to(device)
        for way in ("no mark", *SCHEMES):
            torch.manual_seed(SEED)
            keys = [] if way == "no mark" else keys_of(way, vocabulary, 0)
            drawn = text(model, prompt, drawer(way, keys, prompt, vocabulary))
            made[f"{way}|{vocabulary}"] = drawn[:, PROMPT:].cpu().numpy().astype(np.int32)
            print(way, vocabulary, flush=True)
            np.savez_compressed(out, **made)


def untrained(vocabulary: int, device: str) -> Any:
    """Give a small untrained model in bfloat16 whose logits spread as those of a trained one do."""
    torch.manual_seed(SEED)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=512,
        bos_token_id=0, eos_token_id=None, pad_token_id=None, tie_word_embeddings=False,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0.0, 1.0)
        model.lm_head.weight.normal_(0.0, SPREAD / math.sqrt(config.hidden_size))
    return model.to(device=device, dtype=torch.bfloat16)


Drawer = Callable[[Any, Any], Any]
"""Takes the tokens so far [rows, length] and logits, float32 [rows, vocabulary]. Gives the next token of each row [rows]."""


@torch.no_grad()
def text(model: Any, prompt: Any, draw: Drawer) -> Any:
    """Let the model write; logits are made in bfloat16 and handed on in float32, as engines do."""
    tokens, past, fed = prompt, None, prompt
    for _ in range(LENGTH):
        out = model(input_ids=fed, past_key_values=past, use_cache=True)
        past = out.past_key_values
        fed = draw(tokens, out.logits[:, -1].float()).long()[:, None]
        tokens = torch.cat((tokens, fed), dim=1)
    return tokens


def plain(scores: Any) -> Any:
    """Draw at random."""
    return torch.multinomial(torch.softmax(scores, dim=-1), 1)[:, 0]


def drawer(way: str, keys: list[MarkKey], prompt: Any, vocabulary: int) -> Drawer:
    """Give the way of drawing."""
    if way == "no mark":
        return lambda _, logits: plain(logits)
    if way.startswith("SGLang"):
        return sglang_drawer(way, keys, prompt, vocabulary)
    if way.startswith("vLLM"):
        return vllm_drawer(words_of(keys[0])[0], prompt, two_keys="two" in way)
    processor: Any
    if way.startswith("ours"):
        marks = [row_mark_of(keys[row * KEYS // ROWS], delta=2.0, sampling=None) for row in range(ROWS)]
        processor = MarkLogitsProcessor(marks, PROMPT)
    elif "KGW" in way:
        processor = transformers.WatermarkLogitsProcessor(vocabulary, prompt.device, hashing_key=words_of(keys[0])[0])
    else:
        processor = transformers.SynthIDTextWatermarkLogitsProcessor(
            ngram_len=5,
            keys=words_of(keys[0]),
            sampling_table_size=65_536,
            sampling_table_seed=0,
            context_history_size=1024,
            device=prompt.device,
        )
    return lambda tokens, logits: plain(processor(tokens, logits))


def sglang_drawer(way: str, keys: list[MarkKey], prompt: Any, vocabulary: int) -> Drawer:
    """Draw with SGLang's own state on the GPU: ring of tokens, contexts that were marked, key of each request."""
    core = engine_kernels.sglang_module("srt.sampling.watermarking.core")
    device = prompt.device
    two = len(words_of(keys[0])) == 2
    top_k = TOP_K if "top-k" in way else vocabulary
    state = core.WatermarkState(
        max_num_reqs=ROWS, context_window=4, max_contexts_per_req=4096, key=f"{words_of(keys[0])[0]:x}", device=str(device), vocab_size=vocabulary,
        key_b=f"{words_of(keys[0])[1]:x}" if two else None, default_enabled=True,
    )  # fmt: skip
    rows = torch.arange(ROWS, device=device)
    state.init_from_prompt(rows, [row[-4:] for row in prompt.tolist()])

    def full(value: float, kind: Any) -> Any:
        return torch.full((ROWS,), value, dtype=kind, device=device)

    info = types.SimpleNamespace(
        has_watermark_candidates=True, max_top_k=top_k, top_ks=full(top_k, torch.int32), top_ps=full(1, torch.float32),
        min_ps=full(0, torch.float32), temperatures=full(1, torch.float32)[:, None],
        watermark_keys=torch.tensor([words_of(keys[row * KEYS // ROWS])[0] for row in range(ROWS)], device=device),
        watermark_context_windows=full(4, torch.int32), watermark_enabled=full(1, torch.bool),
    )  # fmt: skip

    def draw(_: Any, logits: Any) -> Any:
        state.force(logits, rows, info)
        token = plain(logits)
        state.append(rows, token)
        return token

    return draw


def vllm_drawer(key: int, prompt: Any, *, two_keys: bool) -> Drawer:
    """Draw as vLLM's sampler does: contexts of generated tokens alone, repeated ones left to its own draw, two keys dealt out by its own draw."""
    gumbel = engine_kernels.vllm_module("v1.watermarking.gumbel")
    sampling = engine_kernels.vllm_module("v1.watermarking.watermarker")
    kernels = engine_kernels.vllm_module("v1.worker.gpu.sample.watermark")
    device = prompt.device
    marker = gumbel.DualKeyGumbelWatermarker(key) if two_keys else gumbel.GumbelWatermarker(key)
    rows = torch.arange(ROWS, dtype=torch.int32, device=device)
    every = torch.zeros((ROWS, PROMPT + LENGTH), dtype=torch.int32, device=device)
    lengths = torch.full((ROWS,), PROMPT, dtype=torch.int32, device=device)
    ones, seeds = torch.ones(ROWS, device=device), SEED + torch.arange(ROWS, device=device)

    def draw(tokens: Any, logits: Any) -> Any:
        length = tokens.shape[1]
        every[:, :length] = tokens
        contexts = tokens[:, length - 4 :].clone()
        contexts[:, : max(4 - (length - PROMPT), 0)] = -1
        totals = torch.full_like(lengths, length)
        repeated = kernels.repeated_context_mask(every, rows, lengths, totals, contexts, 8192)
        random = sampling.RandomSampler(
            expanded_idx_mapping=rows,
            temperatures=ones,
            seeds=seeds,
            positions=torch.full((ROWS,), length, device=device),
        )
        return marker.sample(logits, contexts, random, skip_mask=repeated).token_ids

    return draw


# --- reading, on a CPU ----------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=270_336, help="that the card runs at once")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    texts = np.load(asked.texts)
    found = []
    for name in texts.files:
        found += score(name, texts, asked.threads)
        if "KGW" in name:
            found += score(name, texts, 0)
        asked.out.write_text(
            json.dumps({"benchmark": "marks_on_gpu_text", "seed": SEED, "found": found}, indent=1) + "\n",
            encoding="utf-8",
        )
    for row in found:
        print(
            f"{row['text']:52} {row['vocabulary']:>7,} {row['key']:>9} {row['units']:>6,} units  log10 p {row['log10_p']:>8.1f}  "
            f"{row['random_keys_above']}/{row['random_keys']} random keys above  {row['answer']}"
        )
    asked.out.write_text(
        json.dumps({"benchmark": "marks_on_gpu_text", "seed": SEED, "found": found}, indent=1) + "\n", encoding="utf-8"
    )
    return 0


def score(name: str, texts: Any, threads: int) -> list[dict[str, Any]]:
    """Score one text, and its unmarked twin, under all keys of the way it was marked in."""
    way, vocabulary = name.split("|")
    if way == "no mark":
        return []
    rows = []
    for marked in (True, False):
        tokens = texts[name] if marked else texts[f"no mark|{vocabulary}"]
        scorer = KeyScorer(keys_of(way, int(vocabulary), threads))
        try:
            scorer.add([Document(tokens=row.astype(np.uint32), prompt=None) for row in tokens])
            results = scorer.results(Plan(alpha=1e-6, seed=SEED, decoys=GPU_LIST_DECOYS if "KGW" in way else None))
        finally:
            scorer.close()
        rows += [
            {
                "text": (way if marked else f"no mark, as {way}") + (", lists of a CPU" if "KGW" in way and threads == 0 else ""), "vocabulary": int(vocabulary), "tokens": int(tokens.size), "key": one.key.handle,
                "marked_with_it": marked and (way not in ONE_KEY or one.key.handle == "mk-0"), "units": one.count, "statistic": one.statistic,
                "log10_p": one.log_p / math.log(10.0), "random_keys": one.decoys, "random_keys_above": one.decoys_above,
                "found": one.found, "answer": "claim" if isinstance(one.answer, Claim) else "inconclusive",
            }
            for one in results
        ]  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main())
