"""What unsafe marking settings do, measured with the libraries' own code: the numbers that `stillwatch mark lint` says.

False positives are the share of unmarked texts whose p-value, as the library computes it, is at most 1 %; the texts repeat themselves: each is a phrase
of 20 tokens over and over, with one token in ten drawn anew. Each figure has its count, and a Clopper-Pearson interval of 95 %.

    python -m benchmarks.mark_settings --out build/benchmarks/mark_settings.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from benchmarks.invocation import machine
from transformers import (
    SynthIDTextWatermarkLogitsProcessor,
    WatermarkDetector,
    WatermarkingConfig,
    WatermarkLogitsProcessor,
)

from stillwatch import __version__
from stillwatch.statistics.intervals import clopper_pearson
from stillwatch.watermark.marking.mark_rows import mark_rows
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.murmur import hash_contexts, hash_units

SEED = 20_261_125
VOCABULARY = 2_000
LENGTH = 300
LEVEL = 0.01


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=120)
    parser.add_argument("--keys", type=int, default=3)
    parser.add_argument("--ngrams", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = {
        "false positives of transformers' KGW at 1 %": false_positives(asked.texts, asked.keys),
        "lefthash": lefthash(),
        "SynthID as shipped": synthid(asked.ngrams),
        "Gumbel at temperature 0": temperature_zero(),
    }
    print(json.dumps(found, indent=2))
    if asked.out is not None:
        document = {
            "benchmark": "mark_settings", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
            "torch": torch.__version__, "transformers": transformers.__version__, "machine": asdict(machine()), "measured": found,
        }  # fmt: skip
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def repeating(rng: np.random.Generator, texts: int) -> Any:
    """Make texts that repeat themselves, int64 [texts, LENGTH]."""
    phrases = rng.integers(1, VOCABULARY, (texts, 20))
    made = np.tile(phrases, (1, LENGTH // 20))
    anew = rng.random(made.shape) < 0.1
    made[anew] = rng.integers(1, VOCABULARY, int(anew.sum()))
    return torch.tensor(made)


def false_positives(texts: int, keys: int) -> dict[str, Any]:
    """Give the share of unmarked texts that transformers' detector takes for marked."""
    rng = np.random.default_rng(SEED)
    drawn = repeating(rng, texts)
    model = transformers.PretrainedConfig(vocab_size=VOCABULARY, bos_token_id=0, is_encoder_decoder=False)
    found = {}
    for name, scheme, width, ignore in (
        ("lefthash, as it is by default", "lefthash", 1, False),
        ("lefthash, ignore_repeated_ngrams", "lefthash", 1, True),
        ("lefthash, ignore_repeated_ngrams, context_width 4", "lefthash", 4, True),
        ("selfhash, ignore_repeated_ngrams, context_width 4", "selfhash", 4, True),
    ):
        hits = 0
        for key in rng.integers(2**31, 2**62, keys).tolist():
            config = WatermarkingConfig(hashing_key=key, seeding_scheme=scheme, context_width=width)
            detector = WatermarkDetector(
                model_config=model, device="cpu", watermarking_config=config, ignore_repeated_ngrams=ignore
            )
            hits += int((np.asarray(detector(drawn, return_dict=True).p_value) <= LEVEL).sum())
        low, high = clopper_pearson(hits, texts * keys, 0.95)
        found[name] = {"hits": hits, "of": texts * keys, "share": hits / (texts * keys), "interval": [low, high]}
    return found


def lefthash() -> dict[str, Any]:
    """Compare the green lists of different keys."""

    def greens(key: int, token: int, width: int = 1) -> frozenset[int]:
        processor = WatermarkLogitsProcessor(
            vocab_size=VOCABULARY, device="cpu", hashing_key=key, seeding_scheme="lefthash", context_width=width
        )
        scores = processor(torch.tensor([[5, 6, 7, token]]), torch.zeros(1, VOCABULARY))
        return frozenset(np.flatnonzero(scores[0].numpy() > 0).tolist())

    return {
        "key 1000 after token 30 has the list of key 3000 after token 10": greens(1000, 30) == greens(3000, 10),
        "after token 0 keys 1000 and 3001 have one list": greens(1000, 0) == greens(3001, 0),
        "context_width 4 has the list of context_width 1": greens(1000, 30, 4) == greens(1000, 30, 1),
    }


def synthid(ngrams: int) -> dict[str, Any]:
    """Count the different vectors of g-values, and score unmarked tokens."""
    rng = np.random.default_rng(SEED)
    tokens = torch.tensor(rng.integers(0, 50_000, ngrams + 4))[None, :]
    keys = rng.integers(1, 2**31, 30).tolist()
    found: dict[str, Any] = {"n-grams": ngrams}
    for seed in range(3):
        processor = SynthIDTextWatermarkLogitsProcessor(
            ngram_len=5,
            keys=keys,
            sampling_table_size=2**16,
            sampling_table_seed=seed,
            context_history_size=1024,
            device=torch.device("cpu"),
        )
        values = torch.cat(
            [processor.compute_g_values(tokens[:, start : start + 50_004]) for start in range(0, ngrams, 50_000)], dim=1
        )[0].numpy()
        packed = np.packbits(values.astype(np.uint8), axis=1)
        found[f"different vectors, table seed {seed}"] = len(np.unique(packed, axis=0))
        found[f"z of unmarked tokens, table seed {seed}"] = float((values.mean() - 0.5) * 2 * np.sqrt(values.size))
    return found


def temperature_zero() -> dict[str, Any]:
    """Score greedy choices under the key that would have marked them."""
    torch.manual_seed(SEED)
    key = (SEED << 32) + 1
    logits = torch.randn(2_000, VOCABULARY)
    contexts = torch.randint(0, VOCABULARY, (2_000, 4))
    found = {}
    for name, temperature in (("temperature 0", 0.0), ("temperature 1", 1.0)):
        mark = RowMark(draw=Draw.GUMBEL, key=key, width=4, temperature=temperature)
        chosen = mark_rows(logits.clone(), contexts, [mark] * len(logits)).argmax(dim=1)
        hashes = hash_contexts(contexts.numpy().astype(np.uint32))
        units = np.stack([hashes, chosen.numpy().astype(np.uint32)], axis=1)
        uniforms = (hash_units(units, key).astype(np.float64) + 0.5) / 2**32
        found[f"mean evidence a token at {name} (1 without a mark)"] = float(-np.log1p(-uniforms).mean())
    return found


if __name__ == "__main__":
    sys.exit(main())
