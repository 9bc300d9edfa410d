"""Crashes, full disks and concurrent writers: no acknowledged entry is lost, there is no gap, and writing goes on afterwards."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres_server
import psycopg
import pytest
from appending_process import record
from ledger_stores import LOG, clock, entries, postgres_address

import stillwatch
from stillwatch.evidence.ledger import Ledger, begin_ledger
from stillwatch.evidence.ledger_audit import audit
from stillwatch.records.ledger import NewEntry
from stillwatch.stores import LedgerStore, open_store
from stillwatch.stores.errors import StoreBusyError, StoreFullError, StoreUnavailableError
from stillwatch.stores.postgres import PostgresLedgerStore
from stillwatch.stores.sqlite import SqliteLedgerStore

HERE = Path(__file__).parent
KILLS = 32
BATCHES = 80
Opened = Callable[..., LedgerStore]
Acknowledged = list[tuple[str, int, int]]


def start(url: str, actor: str, seed: int, batches: int, *more: str) -> subprocess.Popen[str]:
    """Start a process that appends."""
    path = os.pathsep.join([str(HERE), str(Path(stillwatch.__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, HERE / "appending_process.py", url, actor, str(seed), str(batches), *more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def acknowledged(lines: str, actor: str) -> Acknowledged:
    """Read what a process said was kept: (actor, first index, count); a line that the kill cut short counts for nothing."""
    words = [line.split() for line in lines.splitlines(keepends=True) if line.endswith("\n")]
    return [(actor, int(first), int(count)) for kind, first, count in (one for one in words if one[0] == "entries")]


def check(url: str, promised: Acknowledged) -> int:
    """Open the store as any program would, and make sure that all that was promised is there; give its size."""
    store = open_store(url)
    try:
        ledger = Ledger(store, LOG, clock)
        kept = list(ledger.entries())
        assert [one.index for one in kept] == list(range(len(kept)))
        written = dict.fromkeys({actor for actor, _, _ in promised}, 0)
        for actor, first, count in promised:
            for place in range(count):
                entry = kept[first + place]
                assert (entry.actor, entry.record) == (actor, record(actor, written[actor] + place))
            written[actor] += count
        assert audit(ledger, LOG.verifier).entries == len(kept)
        return len(kept)
    finally:
        store.close()


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_point_loses_nothing_acknowledged(address: str, ledger: Ledger) -> None:
    random_numbers = random.Random(20_261_125)
    ledger.store.close()
    promised: Acknowledged = []
    for life in range(KILLS):
        actor = f"life {life}"
        process = start(address, actor, life, 0)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random_numbers.choice([0.0, 0.002, 0.01, 0.03, 0.06]) * random_numbers.random() * 2)
        process.send_signal(signal.SIGKILL)
        # Read where `readline` left off: it may hold lines already that `communicate` would pass over.
        assert process.stderr is not None
        lines, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=60) == -signal.SIGKILL, errors
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        found = acknowledged(lines, actor)
        promised += found
        size = check(address, promised)
    assert sum(count for _, _, count in promised) > KILLS
    reopened = open_store(address)
    assert Ledger(reopened, LOG, clock).append(entries(1)) == range(size, size + 1)
    reopened.close()


@pytest.mark.slow
def test_four_processes_append_at_once_without_a_gap_or_a_duplicate(address: str, ledger: Ledger) -> None:
    ledger.store.close()
    processes = {f"writer {number}": start(address, f"writer {number}", number, BATCHES, "wait") for number in range(4)}
    for process in processes.values():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for (
        process
    ) in processes.values():  # all have started and wait, so that they write at the same time on a slow machine too
        assert process.stdin is not None
        process.stdin.write("begin\n")
        process.stdin.flush()
    promised: Acknowledged = []
    for actor, process in processes.items():
        lines, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert "refused" not in lines
        found = acknowledged(lines, actor)
        assert len(found) == BATCHES
        promised += found
    indices = sorted(itertools.chain.from_iterable(range(first, first + count) for _, first, count in promised))
    assert indices == list(range(1, len(indices) + 1))
    assert check(address, promised) == len(indices) + 1
    order = [actor for actor, first, _ in sorted(promised, key=lambda one: one[1])]
    assert len(list(itertools.groupby(order))) > 8, "the processes ran one after another, so nothing was tested"


def test_a_file_that_may_not_grow_is_an_error_and_not_a_gap(tmp_path: Path, ledger_in_a_file: str) -> None:
    process = start(ledger_in_a_file, "limited", 5, 0, str(300_000))
    lines, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    (refusal,) = [line for line in lines.splitlines() if line.startswith("refused")]
    assert refusal.startswith(("refused StoreFullError", "refused StoreWriteError"))
    assert "nothing of this batch was kept" in refusal
    promised = acknowledged(lines, "limited")
    assert promised
    size = check(ledger_in_a_file, promised)
    again = start(ledger_in_a_file, "unlimited", 6, 3)
    lines, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    promised += acknowledged(lines, "unlimited")
    assert check(ledger_in_a_file, promised) > size


@pytest.fixture
def ledger_in_a_file(tmp_path: Path) -> str:
    """Begin a ledger of one entry in a file; give its address."""
    address = f"sqlite:{tmp_path / 'ledger.db'}"
    store = open_store(address, create=True)
    begin_ledger(store, LOG, clock, entries(1, kind="begun"))
    store.close()
    return address


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(ledger: Ledger) -> int:
    """Append until there is no room; give how many entries were acknowledged."""
    count = 0
    while True:
        batch = [NewEntry(kind="work", actor="a", record=record("a", count + place)) for place in range(100)]
        count += len(ledger.append(batch))


def test_a_full_disk_is_an_error_and_writing_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    address = f"sqlite:{small_disk / 'ledger.db'}"
    store = open_store(address, create=True)
    ledger = begin_ledger(store, LOG, clock, entries(1, kind="begun"))
    with pytest.raises(StoreFullError, match=r"no room \(SQLITE_\w+\); nothing of this batch was kept\. Make room"):
        fill(ledger)
    size = ledger.size()
    assert size > 100
    assert size % 100 == 1
    assert audit(ledger, LOG.verifier).entries == size
    with pytest.raises(StoreFullError):
        fill(ledger)
    ballast.unlink()
    assert ledger.append(entries(5)) == range(size, size + 5)
    assert ledger.checkpoint().size == size + 5
    store.close()
    assert check(address, []) == size + 5


def test_a_store_with_no_more_pages_is_full(ledger_in_a_file: str, opened: Opened) -> None:
    store = opened(ledger_in_a_file)
    assert isinstance(store, SqliteLedgerStore)
    ledger = Ledger(store, LOG, clock)
    store._run("PRAGMA max_page_count = 200", ())
    with pytest.raises(StoreFullError, match="no room"):
        fill(ledger)
    size = ledger.size()
    assert size > 100
    store._run("PRAGMA max_page_count = 100000", ())
    assert ledger.append(entries(5)) == range(size, size + 5)
    assert audit(ledger, LOG.verifier).entries == size + 5


def test_a_full_postgres_is_an_error_and_not_a_gap(postgres_ledger: Ledger) -> None:
    """The server's own error for a full disk, raised by a trigger in the middle of a batch."""
    with postgres_ledger.store.write() as writer:
        writer._connection.execute(
            b"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            b" IF NEW.entry_index = 50 THEN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$;"
            b"CREATE TRIGGER full_disk BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    assert postgres_ledger.append(entries(30)) == range(1, 31)
    with pytest.raises(StoreFullError, match="no room"):
        postgres_ledger.append(entries(30))
    assert postgres_ledger.size() == 31
    with postgres_ledger.store.write() as writer:
        writer._connection.execute(b"DROP TRIGGER full_disk ON entry")
    assert postgres_ledger.append(entries(30)) == range(31, 61)
    assert audit(postgres_ledger, LOG.verifier).entries == 61


@pytest.fixture
def postgres_ledger(request: pytest.FixtureRequest, opened: Opened) -> Ledger:
    """Begin a ledger in PostgreSQL."""
    store = opened(postgres_address(request.getfixturevalue("postgres_folder")), create=True)
    return begin_ledger(store, LOG, clock, entries(1, kind="begun"))


def test_a_writer_that_waits_too_long_is_told(ledger: Ledger, address: str, opened: Opened) -> None:
    if address.startswith("sqlite:"):
        other: LedgerStore = SqliteLedgerStore(Path(address.removeprefix("sqlite:")), wait_seconds=0.2)
    else:
        other = PostgresLedgerStore(address, wait_seconds=0.2)
    try:
        with ledger.store.write():
            assert other.size() == 1, "readers do not wait"
            with pytest.raises(StoreBusyError, match="another writer holds"), other.write():
                pass
        assert Ledger(other, None, clock).append(entries(1)) == range(1, 2)
    finally:
        other.close()


def test_a_server_that_goes_away_is_told(postgres_ledger: Ledger, postgres_folder: Path) -> None:
    (pid,) = postgres_ledger.store._run("SELECT pg_backend_pid()", ())[0]
    with psycopg.connect(postgres_server.address(postgres_folder), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(StoreUnavailableError, match="the connection was lost"):
        postgres_ledger.append(entries(1))


def test_a_read_only_file_is_told(ledger_in_a_file: str, opened: Opened) -> None:
    store = opened(ledger_in_a_file)
    store._run("PRAGMA query_only = ON", ())
    with pytest.raises(StoreUnavailableError, match=r"cannot be opened or written \(SQLITE_READONLY\)"):
        Ledger(store, None, clock).append(entries(1))
