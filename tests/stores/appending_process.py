"""A process that appends to a ledger and says what was acknowledged: `appending_process.py URL ACTOR SEED BATCHES [FILE_BYTES|wait]`.

Prints `entries FIRST COUNT` after each append and `checkpoint SIZE` after each checkpoint, and `refused KIND` at a store's error.
With 0 batches it goes on until it is killed. FILE_BYTES limits how large its files may grow. With `wait` it begins when a line
comes on standard input, so that several can begin together.
"""

from __future__ import annotations

import random
import resource
import sys

from ledger_stores import LOG, NOW_US

from stillwatch.evidence.ledger import Ledger
from stillwatch.integrity import canonical_bytes
from stillwatch.records.ledger import NewEntry
from stillwatch.stores import open_store
from stillwatch.stores.errors import StoreError


def record(actor: str, number: int) -> bytes:
    """Give the record that this actor writes as its nth."""
    return canonical_bytes({"actor": actor, "filling": "x" * (number % 700), "number": number})


def append_batches(ledger: Ledger, actor: str, random_numbers: random.Random, batches: int) -> None:
    written = done = 0
    while batches == 0 or done < batches:
        count = random_numbers.choice([1, 1, 2, 7, 60, 400])
        entries = [NewEntry(kind="work", actor=actor, record=record(actor, written + place)) for place in range(count)]
        indices = ledger.append(entries)
        print("entries", indices.start, len(indices), flush=True)
        written += count
        done += 1
        if random_numbers.random() < 0.2:
            print("checkpoint", ledger.checkpoint().size, flush=True)


def main() -> None:
    url, actor, seed, batches = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    store = open_store(url)
    ledger = Ledger(store, LOG, lambda: NOW_US)
    print("ready", flush=True)
    if sys.argv[5:] == ["wait"]:
        sys.stdin.readline()
    elif len(sys.argv) > 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), resource.RLIM_INFINITY))
    try:
        append_batches(ledger, actor, random.Random(seed), batches)
    except StoreError as error:
        print("refused", type(error).__name__, error, flush=True)
    store.close()


if __name__ == "__main__":
    main()
