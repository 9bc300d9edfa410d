"""How fast prompts become sketches on one core, beside rensa and datasketch in the same run.

Every contender makes MinHash signatures of the same word 3-shingles of the same prompts, with the same number of hashes.
rensa and datasketch get their shingles from Python (`text.split()`), as their documentation does; a second line gives
rensa without that, and datasketch is run by single updates and by its bulk generator. stillwatch reads the Arrow buffer and folds and masks the text on the way. Two floors are measured on
the same buffer: a copy of it, and a scan for whitespace. Times are CPU seconds of this process, the best of several
repeats, so that other work on the machine does not count.

    python benchmarks/sketch_throughput.py --out sketch_throughput.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import rensa
from datasketch import MinHash
from numba import njit

from stillwatch.sketches import compile_kernels, sketch_batch
from stillwatch.sketches.near_duplicate import signatures

SIZES = (200, 2000, 8000)
HASHES = (64, 128)
SEED = 20261123
COMPARED = "rensa with shingling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One line of the table."""

    contender: str
    prompt_bytes: int
    hashes: int | None
    rows_per_second: float
    megabytes_per_second: float


def some_prompts(*, rows: int, size: int, rng: np.random.Generator) -> list[str]:
    """Return prompts of about `size` bytes: words of a heavy-tailed vocabulary, numbers, marks and quoted spans."""
    letters = list("etaoinshrdlucmfwypvbgkjqxz")
    weights = np.linspace(12, 1, len(letters))
    vocabulary = [
        "".join(rng.choice(letters, size=int(rng.integers(1, 11)), p=weights / weights.sum())) for _ in range(5000)
    ]
    marks = ("", "", "", "", "", "", "", ",", ".", "?", ":", "\n")
    prompts = []
    for _ in range(rows):
        count = size // 4
        places = np.minimum(4999, rng.pareto(0.9, size=count) * 20).astype(int)
        kinds, ends = rng.random(count), rng.integers(0, len(marks), size=count)
        words = [
            (str(place) if kind < 0.03 else f'"{vocabulary[place]}"' if kind < 0.035 else vocabulary[place])
            + marks[end]
            for place, kind, end in zip(places.tolist(), kinds.tolist(), ends.tolist(), strict=True)
        ]
        prompts.append(" ".join(words)[:size])
    return prompts


def shingles(text: str) -> list[str]:
    """Return the word 3-shingles of a text."""
    words = text.split()
    return [" ".join(words[index : index + 3]) for index in range(len(words) - 2)]


def rensa_signatures(prompts: Sequence[str], hashes: int) -> None:
    """Make rensa's signatures, shingling included."""
    for prompt in prompts:
        minhash = rensa.RMinHash(num_perm=hashes, seed=1)
        minhash.update(shingles(prompt))
        minhash.digest()


def rensa_of_shingles(shingled: Sequence[Sequence[str]], hashes: int) -> None:
    """Make rensa's signatures of ready shingles."""
    for one in shingled:
        minhash = rensa.RMinHash(num_perm=hashes, seed=1)
        minhash.update(one)
        minhash.digest()


def datasketch_signatures(prompts: Sequence[str], hashes: int) -> None:
    """Make datasketch's signatures, shingling included, by one update per shingle as its documentation shows."""
    for prompt in prompts:
        minhash = MinHash(num_perm=hashes)
        for one in shingles(prompt):
            minhash.update(one.encode())
        minhash.digest()


def datasketch_bulk(prompts: Sequence[str], hashes: int) -> None:
    """Make datasketch's signatures, shingling included, by its bulk generator, its fastest way without a GPU."""
    encoded = ([one.encode() for one in shingles(prompt)] for prompt in prompts)
    for minhash in MinHash.generator(encoded, num_perm=hashes):
        minhash.digest()


@njit
def count_spaces(data: np.ndarray) -> int:
    """Count spaces and line feeds: the least that a tokenizer has to look at."""
    found = 0
    for byte in data:
        found += byte == 32 or byte == 10  # noqa: PLR1714 - numba builds a set otherwise
    return found


def exchanges(prompts: pa.Array) -> pa.RecordBatch:
    """Return a batch with the columns that a gateway log usually has."""
    rows = len(prompts)
    numbers = np.arange(rows)
    return pa.RecordBatch.from_pydict(
        {
            "time_us": pa.array(1_790_000_000_000_000 + numbers * 1_000_000),
            "account_id": pa.array([f"account-{number % 997}" for number in range(rows)]),
            "exchange_id": pa.array([f"exchange-{number:012d}" for number in range(rows)]),
            "ip": pa.array([f"198.51.{number % 251}.{number % 241}" for number in range(rows)]),
            "user_agent": pa.array(["OpenAI/Python 1.99.1"] * rows),
            "payment_id": pa.array([f"card-{number % 499}" for number in range(rows)]),
            "model": pa.array(["large-model"] * rows),
            "prompt": prompts,
            "temperature": pa.array(np.full(rows, 0.7)),
            "source_no": pa.array(np.zeros(rows, dtype=np.int32)),
            "source_offset": pa.array(numbers),
            "source_length": pa.array(np.full(rows, 100)),
        }
    )


def cpu_seconds(run: Callable[[], object], *, repeats: int) -> float:
    """Return the least CPU time of several runs."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        run()
        best = min(best, time.process_time() - begin)
    return best


def measure(*, size: int, rows: int, slow_rows: int, repeats: int) -> list[Measured]:
    """Measure every contender on prompts of one size.

    Args:
        size: Bytes of a prompt.
        rows: Prompts for the fast contenders.
        slow_rows: Prompts for datasketch, at most `rows`.
        repeats: Runs of which the best counts.
    """
    prompts = some_prompts(rows=rows, size=size, rng=np.random.default_rng(SEED))
    array = pa.array(prompts)
    buffer = np.frombuffer(array.buffers()[2], dtype=np.uint8, count=sum(len(prompt) for prompt in prompts))
    batch = exchanges(array)
    few, shingled = prompts[:slow_rows], [shingles(prompt) for prompt in prompts]
    count_spaces(buffer[:1])
    contenders: list[tuple[str, int | None, int, Callable[[], object]]] = [
        ("floor: copy of the buffer", None, rows, buffer.copy),
        ("floor: scan for whitespace", None, rows, lambda: count_spaces(buffer)),
        ("stillwatch, whole sketch", None, rows, lambda: sketch_batch(batch)),
    ]
    for hashes in HASHES:
        contenders += [
            ("stillwatch, signature", hashes, rows, lambda bins=hashes: signatures(array, bins=bins)),
            (COMPARED, hashes, rows, lambda hashes=hashes: rensa_signatures(prompts, hashes)),
            ("rensa, shingles ready", hashes, rows, lambda hashes=hashes: rensa_of_shingles(shingled, hashes)),
            ("datasketch, update", hashes, len(few), lambda hashes=hashes: datasketch_signatures(few, hashes)),
            ("datasketch, bulk", hashes, len(few), lambda hashes=hashes: datasketch_bulk(few, hashes)),
        ]
    lines = []
    for contender, hashes, count, run in contenders:
        # The resolution of the clock bounds what a floor can show.
        seconds = max(cpu_seconds(run, repeats=repeats), time.get_clock_info("process_time").resolution)
        rate = count / seconds
        lines.append(
            Measured(
                contender=contender,
                prompt_bytes=size,
                hashes=hashes,
                rows_per_second=rate,
                megabytes_per_second=rate * size / 1e6,
            )
        )
    return lines


def ratios(lines: Sequence[Measured]) -> list[dict[str, float]]:
    """Return how many times faster the signature is than the others, per size and number of hashes."""
    rate = {(line.contender, line.prompt_bytes, line.hashes): line.rows_per_second for line in lines}
    found = []
    for size in sorted({line.prompt_bytes for line in lines}):
        for hashes in HASHES:
            ours = rate["stillwatch, signature", size, hashes]
            found.append(
                {
                    "prompt_bytes": size,
                    "hashes": hashes,
                    "times_rensa": ours / rate[COMPARED, size, hashes],
                    "times_rensa_shingles_ready": ours / rate["rensa, shingles ready", size, hashes],
                    "times_datasketch_update": ours / rate["datasketch, update", size, hashes],
                    "times_datasketch_bulk": ours / rate["datasketch, bulk", size, hashes],
                    "whole_sketch_times_rensa": rate["stillwatch, whole sketch", size, None]
                    / rate[COMPARED, size, hashes],
                }
            )
    return found


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines_of("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    packages = ("stillwatch", "numba", "numpy", "pyarrow", "rensa", "datasketch")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def _lines_of(path: str) -> list[str]:
    """Return the lines of a file, none where there is no such file."""
    place = Path(path)
    return place.read_text(encoding="utf-8").splitlines() if place.is_file() else []


def show(lines: Sequence[Measured], compared: Sequence[dict[str, float]]) -> None:
    """Print the table."""
    print(f"{'bytes':>6} {'hashes':>6}  {'contender':<28} {'rows/s':>12} {'MB/s':>10}")
    for line in lines:
        hashes = "" if line.hashes is None else str(line.hashes)
        print(
            f"{line.prompt_bytes:>6} {hashes:>6}  {line.contender:<28} "
            f"{line.rows_per_second:>12,.0f} {line.megabytes_per_second:>10,.1f}"
        )
    columns = {
        "times_rensa": "rensa",
        "times_rensa_shingles_ready": "rensa, ready",
        "times_datasketch_update": "datasketch",
        "times_datasketch_bulk": "datasketch, bulk",
        "whole_sketch_times_rensa": "whole: rensa",
    }
    print("\nsignature of stillwatch, times faster than")
    print(f"{'bytes':>6} {'hashes':>6} " + " ".join(f"{title:>16}" for title in columns.values()))
    for one in compared:
        print(f"{one['prompt_bytes']:>6} {one['hashes']:>6} " + " ".join(f"{one[name]:>16.1f}" for name in columns))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Sketch throughput on one core beside rensa and datasketch.")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    parser.add_argument("--quick", action="store_true", help="few prompts and one repeat: checks that it runs")
    chosen = parser.parse_args(arguments)
    compile_kernels()
    signatures(pa.array(["compile"]))
    lines: list[Measured] = []
    for size in SIZES:
        megabytes = 0.02 if chosen.quick else 8
        rows = max(4, int(megabytes * 1e6 / size))
        slow_rows = max(4, rows // (2 if chosen.quick else 40))
        lines += measure(size=size, rows=rows, slow_rows=slow_rows, repeats=1 if chosen.quick else 5)
    compared = ratios(lines)
    show(lines, compared)
    if chosen.out is not None:
        record = {
            "benchmark": "sketch throughput, one core, CPU seconds, best of the repeats",
            "quick": chosen.quick,
            "machine": machine(),
            "measured": [asdict(line) for line in lines],
            "ratios": compared,
        }
        chosen.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        print(f"\nwritten: {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
