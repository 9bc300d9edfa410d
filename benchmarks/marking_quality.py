"""What a mark does to answers: perplexity under a judge, and how often the judge prefers the marked answer to an unmarked one.

A small transformer is trained on the spot on short stories, and a larger one, from another seed, is the judge. Both see tokens of a byte-pair vocabulary
that is trained on the same text. Each condition answers the same prompts; so does a second unmarked run, which is what "no effect" looks like. The win
rate counts prompts on which the judge gives the marked answer the higher mean log-probability; 0.5 means that it sees no difference. It is a proxy: a
judge of its own kind prefers likely text, which says nothing about whether an answer is right. Every condition states what its own detector finds.

    python -m benchmarks.marking_quality --text ../shared/data/text/tinystories_1000.jsonl --out build/benchmarks/marking_quality.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from benchmarks.invocation import machine

from stillwatch import __version__
from stillwatch.statistics.intervals import clopper_pearson
from stillwatch.watermark.marking.row_mark import Draw, RowMark
from stillwatch.watermark.marking.transformers_processor import MarkLogitsProcessor
from stillwatch.watermark.scheme import scheme_units
from stillwatch.watermark.schemes import open_scheme

SEED = 20_261_125
VOCABULARY = 1_000
WINDOW = 96
PROMPT = 12
KEY = (SEED << 32) + 12_345
WIDTHS = {Draw.GREEN_LIST: 2, Draw.GUMBEL: 4}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--text", type=Path, required=True, help="lines of JSON with a field `text` or `story`, or a text file"
    )
    parser.add_argument("--steps", type=int, default=500, help="of training; the judge gets twice as many")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--length", type=int, default=60, help="tokens of an answer")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = measure(asked.text, asked.steps, asked.prompts, asked.length)
    for row in found["conditions"]:
        print(
            f"{row['condition']:34} perplexity {row['perplexity']:7.2f}  wins {row['win_rate']:.2f} [{row['interval'][0]:.2f}, "
            f"{row['interval'][1]:.2f}]  log10 p of its own key {row['log10_p']:8.1f}"
        )
    if asked.out is not None:
        document = {
            "benchmark": "marking_quality", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
            "torch": torch.__version__, "transformers": transformers.__version__, "machine": asdict(machine()), **found,
        }  # fmt: skip
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(path: Path, steps: int, prompts: int, length: int) -> dict[str, Any]:
    """Train, answer and judge.

    Args:
        path: of the text.
        steps: of training.
        prompts: how many answers each condition gives.
        length: tokens of an answer.
    """
    ids = _ids(path)
    held_out = len(ids) // 10
    model = _trained(ids[:-held_out], width=64, layers=2, steps=steps, seed=SEED)
    judge = _trained(ids[:-held_out], width=96, layers=3, steps=2 * steps, seed=SEED + 1)
    rng = np.random.default_rng(SEED)
    starts = rng.integers(0, held_out - PROMPT, prompts)
    asked = torch.tensor(np.stack([ids[len(ids) - held_out + start :][:PROMPT] for start in starts]))
    conditions: dict[str, RowMark | None] = {
        "no mark": None,
        "Gumbel h=4": RowMark(draw=Draw.GUMBEL, key=KEY, width=WIDTHS[Draw.GUMBEL]),
        **{
            f"green list h=2, delta {delta:g}": RowMark(draw=Draw.GREEN_LIST, key=KEY, width=WIDTHS[Draw.GREEN_LIST], delta=delta)
            for delta in (1.0, 2.0, 4.0)
        },
    }  # fmt: skip
    plain = _judged(judge, _answers(model, asked, None, length, SEED + 2))
    rows = []
    for name, mark in conditions.items():
        answers = _answers(model, asked, mark, length, SEED + 3)
        judged = _judged(judge, answers)
        wins = int((judged > plain).sum())
        rows.append(
            {
                "condition": name, "perplexity": float(np.exp(-judged.mean())), "wins": wins, "of": prompts, "win_rate": wins / prompts,
                "interval": list(clopper_pearson(wins, prompts, 0.95)), "log10_p": _log10_p(answers, mark),
                "different tokens": len(np.unique(answers[:, PROMPT:])),
            }
        )  # fmt: skip
    return {
        "text": path.name, "tokens": len(ids), "steps": steps, "prompts": prompts, "length": length,
        "perplexity of the unmarked answers compared with": float(np.exp(-plain.mean())), "conditions": rows,
    }  # fmt: skip


def _ids(path: Path) -> Any:
    """Train a byte-pair vocabulary on the text, and give its ids."""
    raw = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in raw.splitlines() if line.strip()]
        raw = "\n".join(str(row.get("text") or row.get("story") or "") for row in rows)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=VOCABULARY, show_progress=False)
    tokenizer.train_from_iterator(raw.splitlines(), trainer)
    return np.array(tokenizer.encode(raw).ids, dtype=np.int64)


def _trained(ids: Any, *, width: int, layers: int, steps: int, seed: int) -> Any:
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=WINDOW + 1, n_embd=width, n_layer=layers, n_head=4, bos_token_id=None, eos_token_id=None,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng = np.random.default_rng(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        starts = rng.integers(0, len(ids) - WINDOW, 16)
        batch = torch.tensor(np.stack([ids[start : start + WINDOW] for start in starts]))
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def _answers(model: Any, asked: Any, mark: RowMark | None, length: int, seed: int) -> Any:
    """Answer every prompt, int64 [prompts, PROMPT + length]."""
    torch.manual_seed(seed)
    processor = MarkLogitsProcessor([mark] * len(asked), prompt_length=asked.shape[1])
    with torch.no_grad():
        out = model.generate(
            asked, attention_mask=torch.ones_like(asked), do_sample=True, top_k=0, max_new_tokens=length, pad_token_id=0,
            logits_processor=transformers.LogitsProcessorList([processor]),
        )  # fmt: skip
    return out.numpy()


def _judged(judge: Any, answers: Any) -> Any:
    """Give the judge's mean log-probability of each answer's own tokens, [prompts]."""
    tokens = torch.tensor(answers)
    with torch.no_grad():
        logs = torch.log_softmax(judge(input_ids=tokens[:, :-1]).logits, dim=-1)
    return logs.gather(2, tokens[:, 1:, None])[:, PROMPT - 1 :, 0].mean(dim=1).numpy()


def _log10_p(answers: Any, mark: RowMark | None) -> float:
    """Score the answers under the key, every unit once; under the Gumbel scheme where nothing was marked."""
    draw = Draw.GUMBEL if mark is None else mark.draw
    name = "green-bernoulli@v1" if draw is Draw.GREEN_LIST else "sglang-gumbel@murmur3-v1"
    scheme = open_scheme(name, {"context_width": WIDTHS[draw]})
    words = [scheme_units(scheme, answer[PROMPT - WIDTHS[draw] :].astype(np.uint32)).words for answer in answers]
    totals = scheme.totals(np.unique(np.concatenate(words), axis=0), np.array([[KEY]], dtype=np.uint64))
    return scheme.log_p(int(totals.counts[0]), float(totals.statistics[0])) / math.log(10.0)


if __name__ == "__main__":
    sys.exit(main())
