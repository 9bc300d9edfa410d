"""How long an enforcement bundle takes to load, and how long a look-up takes, beside a Python dict.

Makes a bundle of account ids that are drawn at random, writes and opens it by the same functions that everybody uses, and times look-ups of
accounts that are in it, of accounts that are not, and the same in a dict from account id to action. Times are of one thread; a look-up's is the
median over rounds, so that other work on the machine counts little. The empty loop is not taken off.

    python -m benchmarks.enforcement_bundle --accounts 1000000 --out enforcement_bundle.json
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.invocation import machine

from stillwatch import __version__
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust, open_bundle, write_bundle
from stillwatch.integrity.signing import SignatureType, generate_key
from stillwatch.records.decision import Action, BundleEntry, EnforcementBundle, WhenStale

ACCOUNTS = 1_000_000
LOOK_UPS = 20_000
ROUNDS = 15
SEED = 20_261_125
NOW_US = 1_780_000_000_000_000
DAY_US = 86_400 * 1_000_000
GOAL_LOAD_SECONDS = 2.0
GOAL_LOOK_UP_MICROSECONDS = 2.0


def measure(accounts: int, folder: Path) -> dict[str, Any]:
    """Measure at one size."""
    draw = random.Random(SEED)  # noqa: S311  # ids of accounts, not secrets
    ids = [f"acct_{draw.getrandbits(64):016x}" for _ in range(2 * accounts)]
    listed, others = ids[:accounts], ids[accounts:]
    entries = tuple(
        BundleEntry(
            action=action, decision_id=f"d-{number:012x}", clauses=("no-pooled-harvest",), until_us=NOW_US + 30 * DAY_US,
            appeal="appeals@example.com", when_stale=WhenStale.CLOSED,
            requests_per_minute=10 if action is Action.THROTTLE else None, key_id="c-1" if action is Action.MARK else None,
        )
        for number, action in enumerate((Action.MARK, Action.THROTTLE, Action.CHALLENGE, Action.BLOCK) * 100)
    )  # fmt: skip
    rows = {account: number % len(entries) for number, account in enumerate(listed)}
    key = generate_key("example.com/bundles", SignatureType.NOTE)
    bundle = EnforcementBundle(
        name="example.com/gateway",
        version=1,
        issued_us=NOW_US,
        expires_us=NOW_US + DAY_US,
        salt=b"",
        accounts=0,
        entries=entries,
    )
    started = time.perf_counter()
    content = write_bundle(bundle, rows, key)
    built = time.perf_counter() - started
    path = folder / "bundle"
    path.write_bytes(content)
    trust = BundleTrust(key=key.verifier, name="example.com/gateway")
    loads = []
    for _ in range(3):
        started = time.perf_counter()
        loaded = open_bundle(path, trust, BundleState(None), NOW_US)
        loads.append(time.perf_counter() - started)
    tracemalloc.start()
    loaded = open_bundle(path, trust, BundleState(None), NOW_US)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    table = {account: entries[row] for account, row in rows.items()}
    asked = [listed[draw.randrange(accounts)] for _ in range(LOOK_UPS)]
    absent = [others[draw.randrange(accounts)] for _ in range(LOOK_UPS)]
    if any(loaded.find(one, NOW_US) is not loaded.bundle.entries[rows[one]] for one in asked):
        raise ValueError("a look-up gave another row than was written")
    return {
        "accounts": accounts,
        "bytes": len(content),
        "build_seconds": built,
        "load_seconds": statistics.median(loads),
        "held_bytes": held,
        "look_up_present_us": _each(lambda one: loaded.find(one, NOW_US), asked),
        "look_up_absent_us": _each(lambda one: loaded.find(one, NOW_US), absent),
        "dict_present_us": _each(table.get, asked),
        "dict_absent_us": _each(table.get, absent),
    }


def _each(look_up: Callable[[str], object], asked: Sequence[str]) -> float:
    """Give the microseconds of one look-up: the median over rounds of the mean over accounts."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for one in asked:
            look_up(one)
        rounds.append((time.perf_counter() - started) / len(asked) * 1e6)
    return statistics.median(rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.accounts, Path(folder))
    print(f"{found['accounts']:,} accounts, {found['bytes']:,} bytes, built in {found['build_seconds']:.2f} s")
    print(f"load {found['load_seconds']:.3f} s (goal {GOAL_LOAD_SECONDS} s), {found['held_bytes']:,} bytes held")
    for word in ("present", "absent"):
        print(
            f"look-up, {word}: {found[f'look_up_{word}_us']:.2f} us (goal {GOAL_LOOK_UP_MICROSECONDS} us); "
            f"dict {found[f'dict_{word}_us']:.2f} us"
        )
    if chosen.out is not None:
        document = {"version": __version__, "machine": asdict(machine()), "measured": found}
        chosen.out.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
