"""How fast the ledger takes entries on one core, and how fast it proves one, as it grows.

Appends batches of canonical records of about 200 bytes to a new SQLite ledger, by the same `Ledger.append` that everybody uses, up to the
largest size. At each size it signs a checkpoint and times proofs of random entries: with a store just opened, and again when its pages are
known. Every proof is verified. Times are seconds on the wall of this process, which is held to one core, and for appends its processor
seconds too; making the records is not counted, but stated apart.

    python -m benchmarks.ledger_speed --sizes 1000000 10000000 --out ledger_speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.invocation import Machine, machine

from stillwatch import __version__
from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.integrity.merkle import leaf_hash, verify_consistency, verify_inclusion
from stillwatch.integrity.signing import SignatureType, generate_key
from stillwatch.records.ledger import NewEntry
from stillwatch.stores import open_store

SIZES = (1_000_000, 10_000_000)
BATCH = 10_000
PROOFS = 1_000
SEED = 20_261_125
GOAL_ENTRIES_PER_SECOND = 50_000
GOAL_PROOF_SECONDS = 0.005

Took = tuple[float, float]
"""Seconds on the wall, and of the processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long proofs took, seconds."""

    median: float
    p99: float
    largest: float
    processor_p99: float
    """By processor time, which other work on the machine does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured at one size."""

    entries: int
    appended: int
    """Since the size before."""
    entries_per_second: float
    """Appended, acknowledged and on the disk, by the clock on the wall; records given as canonical bytes."""
    entries_per_processor_second: float
    """The same by processor time, which other work on the machine does not change; waiting for the disk is not in it."""
    slowest_batch_per_second: float
    records_per_second: float
    """Canonical bytes made of these records, apart."""
    proof_cold: Latency
    """With a store just opened."""
    proof_warm: Latency
    consistency: Latency
    proof_hashes: int
    """Most in one proof."""
    store_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, and say which goals were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--proofs", type=int, default=PROOFS)
    parser.add_argument("--folder", type=Path, default=None, help="where the ledger is built; it is removed afterwards")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args(arguments)
    where = machine()  # before this process is held to one core
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        found = measure(Path(folder) / "ledger.db", sorted(asked.sizes), asked.batch, asked.proofs)
    if asked.out is not None:
        asked.out.write_text(json.dumps(document(found, where), indent=2) + "\n", encoding="utf-8")
    slowest = min(one.entries_per_second for one in found)
    last = found[-1]
    print(f"{slowest:,.0f} entries/s, goal {GOAL_ENTRIES_PER_SECOND:,}: {_verdict(slowest >= GOAL_ENTRIES_PER_SECOND)}")
    for what, longest in (
        ("median", last.proof_cold.median),
        ("99 of 100", last.proof_cold.p99),
        ("99 of 100, processor time", last.proof_cold.processor_p99),
    ):
        print(
            f"{longest * 1000:.2f} ms a proof ({what}) at {last.entries:,}, goal 5 ms: {_verdict(longest < GOAL_PROOF_SECONDS)}"
        )
    print(f"load of the machine: {os.getloadavg()[0]:.1f} processes on {where.cores} cores")
    return 0


def measure(path: Path, sizes: Sequence[int], batch: int, proofs: int) -> list[Measured]:
    """Build a ledger and measure it at each size.

    Args:
        path: of the store, which is made.
        sizes: entries, ascending.
        batch: entries of one append.
        proofs: how many to time at each size.
    """
    _hold_to_one_core()
    store = open_store(f"sqlite:{path}", create=True)
    ledger = begin_ledger(store, generate_key("benchmark.example/log", SignatureType.NOTE), _now_us, [])
    rng = random.Random(SEED)  # noqa: S311  # which entries are proved is no secret
    found = []
    for size in sizes:
        before = ledger.size()
        seconds, processor, slowest, making = _append_up_to(ledger, size, batch)
        ledger.checkpoint()
        appended = size - before
        measured = Measured(
            entries=size,
            appended=appended,
            entries_per_second=appended / seconds,
            entries_per_processor_second=appended / processor,
            slowest_batch_per_second=slowest,
            records_per_second=appended / making,
            proof_cold=_time_proofs(path, size, proofs, rng, reopen=True),
            proof_warm=_time_proofs(path, size, proofs, rng, reopen=False),
            consistency=_time_consistency(path, size, proofs, rng),
            proof_hashes=max(len(ledger.prove(index, size).hashes) for index in (0, size // 2, size - 1)),
            store_bytes=sum(file.stat().st_size for file in path.parent.glob(path.name + "*")),
        )
        print(
            f"{size:>12,} entries: {measured.entries_per_second:>9,.0f} entries/s "
            f"({measured.entries_per_processor_second:,.0f} by processor time); proof "
            f"{measured.proof_warm.median * 1000:.2f} ms (p99 {measured.proof_warm.p99 * 1000:.2f}), just opened "
            f"{measured.proof_cold.median * 1000:.2f} ms (p99 {measured.proof_cold.p99 * 1000:.2f})",
            flush=True,
        )
        found.append(measured)
    store.close()
    return found


def document(found: Sequence[Measured], where: Machine) -> dict[str, Any]:
    """Give the figures with what is needed to read them."""
    return {
        "version": __version__,
        "machine": asdict(where),
        "cores_used": 1,
        "load_average": os.getloadavg(),
        "seed": SEED,
        "goals": {"entries_per_second": GOAL_ENTRIES_PER_SECOND, "proof_seconds": GOAL_PROOF_SECONDS},
        "measured": [asdict(one) for one in found],
    }


def _append_up_to(ledger: Ledger, size: int, batch: int) -> tuple[float, float, float, float]:
    """Append until the ledger has that size.

    Returns:
        Seconds, processor seconds, entries/s of the slowest batch, and seconds of making the records.
    """
    seconds = processor = making = 0.0
    slowest = float("inf")
    position = ledger.size()
    while position < size:
        count = min(batch, size - position)
        began = time.perf_counter()
        records = [canonical_bytes(_claim(number)) for number in range(position, position + count)]
        made, used = time.perf_counter(), time.process_time()
        ledger.append([NewEntry(kind="claim", actor="detector", record=record) for record in records])
        ended = time.perf_counter()
        making += made - began
        seconds += ended - made
        processor += time.process_time() - used
        slowest = min(slowest, count / (ended - made))
        position += count
    return seconds, processor, slowest, making


def _claim(number: int) -> dict[str, object]:
    """Give a record as a detection would write it."""
    return {
        "account_id": f"account-{number % 25_000:05d}",
        "campaign": "c-0123456789ab",
        "log_e": 7.25 + number % 10,
        "source_file": "logs/2026-11-23.jsonl.gz",
        "source_length": 412,
        "source_offset": number * 413,
        "time_us": 1_795_000_000_000_000 + number,
    }


def _time_proofs(path: Path, size: int, proofs: int, rng: random.Random, *, reopen: bool) -> Latency:
    """Time proofs of random entries, and verify each."""
    seconds: list[Took] = []
    store = open_store(f"sqlite:{path}")
    for _ in range(proofs):
        if reopen:
            store.close()
            store = open_store(f"sqlite:{path}")
        ledger = Ledger(store, None, _now_us)
        index = rng.randrange(size)
        began, used = time.perf_counter(), time.process_time()
        proof = ledger.prove(index, size)
        seconds.append((time.perf_counter() - began, time.process_time() - used))
        verify_inclusion(leaf_hash(proof.leaf), index, size, proof.hashes, ledger.kept(size).root)
    store.close()
    return _latency(seconds)


def _time_consistency(path: Path, size: int, proofs: int, rng: random.Random) -> Latency:
    """Time consistency proofs from random earlier sizes, and verify each."""
    seconds: list[Took] = []
    store = open_store(f"sqlite:{path}")
    ledger = Ledger(store, None, _now_us)
    whole = ledger.root(size)
    for _ in range(proofs):
        old = rng.randrange(1, size)
        began, used = time.perf_counter(), time.process_time()
        proof = ledger.prove_consistency(old, size)
        seconds.append((time.perf_counter() - began, time.process_time() - used))
        verify_consistency(old, size, ledger.root(old), whole, proof.hashes)
    store.close()
    return _latency(seconds)


def _latency(took: Sequence[Took]) -> Latency:
    wall, processor = sorted(one for one, _ in took), sorted(one for _, one in took)
    late = min(len(took) - 1, len(took) * 99 // 100)
    return Latency(median=wall[len(wall) // 2], p99=wall[late], largest=wall[-1], processor_p99=processor[late])


def _hold_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _now_us() -> int:
    return time.time_ns() // 1000


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
