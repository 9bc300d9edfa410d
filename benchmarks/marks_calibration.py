"""Do the p-values of marks hold on real text that nobody marked?

Four kinds of real text are made into token ids by byte pairs trained on them: answers that repeat themselves, one prompt template filled many
times, code, and text in French and in other scripts. Each is scored under fresh random keys: a key that the text does not know must be
rejected at 1 % and 0.01 % no more often than a binomial count allows, for every scheme and width. The same is counted without
de-duplication, to show what it is for.

    python -m benchmarks.marks_calibration --shared ../shared --out build/benchmarks/marks_calibration.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tokenizers
from benchmarks.invocation import machine
from numpy.typing import NDArray

from stillwatch import __version__
from stillwatch.statistics.intervals import binomial_acceptance
from stillwatch.watermark.scheme import Parameters, Scheme, Words, scheme_units
from stillwatch.watermark.schemes import open_scheme
from stillwatch.watermark.unit_store import distinct

SEED = 20_261_125
LEVELS = (0.01, 0.0001)
ERROR = 1e-6
VOCABULARY = 4_000
MOST_OF_A_REPETITIVE_TEXT = 150
"""Tokens: so many texts are in it, and not one loop."""
EXACT = {
    "sglang-gumbel@murmur3-v1",
    "sglang-dual@murmur3-v1",
    "vllm-gumbel@philox4x32-10-v1",
    "vllm-dual@philox4x32-10-v1",
}
"""Continuous statistics, which must be rejected as often as stated; counts are rejected at most as often."""

Setting = tuple[str, Parameters, int, int]
SETTINGS: tuple[Setting, ...] = (
    *(("sglang-gumbel@murmur3-v1", {"context_width": width}, 200_000, 20_000) for width in (1, 2, 4, 8)),
    *(("sglang-dual@murmur3-v1", {"context_width": width}, 20_000, 20_000) for width in (1, 4)),
    *(("vllm-gumbel@philox4x32-10-v1", {"context_width": width}, 50_000, 8_000) for width in (1, 2, 4, 8)),
    *(("vllm-dual@philox4x32-10-v1", {"context_width": width}, 20_000, 8_000) for width in (1, 4)),
    *(("green-bernoulli@v1", {"context_width": width, "gamma": 0.25}, 200_000, 20_000) for width in (1, 2, 4)),
    ("kgw-transformers@v1", {"vocabulary": VOCABULARY}, 2_000, 3_000),
    ("kgw-transformers@v1", {"vocabulary": VOCABULARY, "seeding_scheme": "selfhash", "context_width": 4}, 1_000, 3_000),
    ("kgw-published@v1", {"vocabulary": VOCABULARY}, 2_000, 3_000),
    ("kgw-published@v1", {"vocabulary": VOCABULARY, "context_width": 3}, 1_000, 3_000),
    ("kgw-published@v1", {"vocabulary": VOCABULARY, "seeding": "minhash"}, 1_000, 3_000),
    ("kgw-published@v1", {"vocabulary": VOCABULARY, "seeding": "selfhash"}, 1_000, 3_000),
    *(("synthid-fixed@v1", {"ngram_len": length, "depth": 30}, 2_000, 4_000) for length in (2, 5)),
    ("synthid-shipped@v1", {"ngram_len": 5, "depth": 30}, 1_000, 20_000),
    ("unigram@v1", {"vocabulary": VOCABULARY}, 20_000, 20_000),
)
"""Scheme, parameters, keys, tokens of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rejections of fresh keys on one text."""

    scheme: str
    parameters: Parameters
    kind: str
    tokens: int
    units: int
    """Distinct; for schemes that count differently under each key, before that."""
    keys: int
    rejected: tuple[int, ...]
    """At each of `LEVELS`."""
    accepted: tuple[tuple[int, int], ...]
    """Counts that lie within the binomial interval at 1e-6 error, for each level."""
    holds: bool
    """Whether every count is at most the upper end and, for continuous statistics, at least the lower one."""
    without_deduplication: tuple[int, ...] | None
    """The same counts if each repeated place counts again; null where the scheme itself counts each once."""


def main() -> int:
    """Count rejections, and print what does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder that holds data/")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the keys")
    asked = parser.parse_args()
    texts = real_texts(asked.shared / "data")
    document: dict[str, Any] = {
        "benchmark": "marks_calibration", "version": __version__, "seed": SEED, "date": datetime.now(tz=UTC).date().isoformat(),
        "machine": asdict(machine()), "levels": LEVELS, "scale": asked.scale, "results": [],
    }  # fmt: skip
    broken = set()
    for number, setting in enumerate(SETTINGS):
        for kind, ids in texts.items():
            one = rejections(setting, kind, ids, asked.scale, np.random.default_rng([SEED, number]))
            document["results"].append(asdict(one))
            if not one.holds:
                broken.add(one.scheme)
            if asked.out is not None:
                asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            print(
                f"{one.scheme:30} {_short(one.parameters):32} {kind:12} {one.units:6,} units {one.keys:7,} keys: "
                f"{one.rejected} accepted {one.accepted} {'holds' if one.holds else 'DOES NOT HOLD'}; not de-duplicated {one.without_deduplication}",
                flush=True,
            )
    print(f"does not hold: {', '.join(sorted(broken)) or 'nothing'}")
    return 0


def real_texts(data: Path) -> dict[str, NDArray[np.uint32]]:
    """Read the four kinds of text as token ids.

    Args:
        data: the folder `data` of the third-party data.
    """
    answers = pq.read_table(data / "teacher_student/oasst_eval_outputs_sampling.parquet", columns=["output"])["output"]
    answers = answers.filter(pc.greater(pc.utf8_length(answers), 400)).slice(0, 20_000).to_pylist()
    other_scripts = [text for text in answers if sum(not one.isascii() for one in text) > len(text) // 5]
    kinds = {
        "repetitive": sorted(answers, key=_packed)[:400],
        "templated": _column(data / "prompts_extraction/rubric_grading_prometheus.parquet", "prompt")[:200],
        "code": _column(data / "prompts_extraction/code_alpaca_en.parquet", "response")[:1_500],
        "multilingual": _column(data / "prompts_benign/oasst_fr.parquet", "prompt")[:400] + other_scripts[:200],
    }
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    model.train_from_iterator((text for texts in kinds.values() for text in texts), trainer)
    most = {"repetitive": MOST_OF_A_REPETITIVE_TEXT}
    return {
        kind: np.concatenate(
            [np.array(one.ids[: most.get(kind)], dtype=np.uint32) for one in model.encode_batch_fast(texts)]
        )
        for kind, texts in kinds.items()
    }


def rejections(
    setting: Setting, kind: str, ids: NDArray[np.uint32], scale: float, rng: np.random.Generator
) -> Rejected:
    """Score fresh keys on a text and count those that are rejected."""
    name, parameters, keys, tokens = setting
    scheme = open_scheme(name, parameters)
    number = max(20, int(keys * scale))
    every = scheme_units(scheme, ids[:tokens]).words
    words = distinct(every)
    rows = rng.integers(0, 2**64, size=(number, scheme.key_words), dtype=np.uint64)
    counts = count_rejected(scheme, words, rows)
    accepted = tuple(binomial_acceptance(number, level, ERROR) for level in LEVELS)
    holds = all(
        (low if name in EXACT else 0) <= count <= high for count, (low, high) in zip(counts, accepted, strict=True)
    )
    # What KGW's list or Unigram's says of a place that comes again is no statistic of theirs: they take each once by construction.
    once = name.startswith(("kgw", "unigram"))
    twice = None if once else count_rejected(scheme, every, rows[:10_000])
    return Rejected(
        scheme=name, parameters=scheme.parameters, kind=kind, tokens=min(tokens, len(ids)), units=len(words), keys=number,
        rejected=counts, accepted=accepted, holds=holds, without_deduplication=twice,
    )  # fmt: skip


def count_rejected(scheme: Scheme, words: Words, rows: NDArray[np.uint64]) -> tuple[int, ...]:
    """Count keys whose p-value is at most each level."""
    totals = scheme.totals(words, rows)
    if (totals.counts == totals.counts[0]).all():
        values = np.sort(totals.statistics)
        return tuple(len(values) - _first_rejected(scheme, int(totals.counts[0]), values, level) for level in LEVELS)
    log_ps = [scheme.log_p(int(n), float(s)) for n, s in zip(totals.counts, totals.statistics, strict=True)]
    return tuple(sum(log_p <= math.log(level) for log_p in log_ps) for level in LEVELS)


def _first_rejected(scheme: Scheme, count: int, values: NDArray[np.float64], level: float) -> int:
    """Find the place of the first ordered statistic that is rejected; the tail falls as it grows."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if scheme.log_p(count, float(values[middle])) <= math.log(level):
            high = middle
        else:
            low = middle + 1
    return low


def _packed(text: str) -> float:
    """Say how much shorter a text becomes by packing: the least for one that repeats itself."""
    data = text.encode()
    return len(zlib.compress(data)) / len(data)


def _column(path: Path, name: str) -> list[str]:
    return [text for text in pq.read_table(path, columns=[name])[name].to_pylist() if text]


def _short(parameters: Parameters) -> str:
    names: Iterable[tuple[str, Any]] = parameters.items()
    return " ".join(f"{name[:7]}={value}" for name, value in names if name != "vocabulary")


if __name__ == "__main__":
    sys.exit(main())
