"""Sealing: a run commits to its logs, and an exhibit leads back to bytes that are still the sealed ones."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stillwatch.evidence.access import TEXT_LOOKED_AT, Access, Role, TextReference, begin_with_admin
from stillwatch.evidence.errors import AccessError, SealError
from stillwatch.evidence.ledger import Ledger
from stillwatch.evidence.run_seal import RunSeal, open_run_seal
from stillwatch.evidence.sealing import (
    SealedRun,
    exhibit_origin,
    read_exhibit,
    read_sealed_run,
    seal_run,
    sealed_file,
)
from stillwatch.intake.sources import digest_file
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.records.ledger import NewEntry
from stillwatch.stores import open_store

LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))
LINES = [json.dumps({"account_id": f"a{number}", "prompt": f"secret {number}"}).encode() for number in range(500)]
CONTENT = b"\n".join(LINES) + b"\n"
STORED = {
    "plain.jsonl": CONTENT,
    "gzip.jsonl.gz": gzip.compress(CONTENT),
    "members.jsonl.gz": gzip.compress(CONTENT[:2_000]) + gzip.compress(CONTENT[2_000:]),
    "zstd.jsonl.zst": zstandard.compress(CONTENT),
    "frames.jsonl.zst": zstandard.compress(CONTENT[:2_000]) + zstandard.compress(CONTENT[2_000:]),
}


def place(name: str, number: int) -> TextReference:
    """Give the place of a line, as intake counts it."""
    return TextReference(file=name, offset=sum(len(line) + 1 for line in LINES[:number]), length=len(LINES[number]))


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """Begin a ledger with an analyst, bob, and a viewer, eve."""
    times = itertools.count(1_780_000_000_000_000)
    store = open_store(f"sqlite:{tmp_path / 'ledger.db'}", create=True)
    made = Access(begin_with_admin(store, LOG, lambda: next(times), "ann"))
    made.assign(Role.ANALYST, "bob", "ann")
    made.assign(Role.VIEWER, "eve", "ann")
    yield made
    store.close()


@pytest.fixture
def ledger(access: Access) -> Ledger:
    """Give the ledger of the access."""
    return access._ledger


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SealedRun:
    """Write log files in the current folder, and what a run over them would seal."""
    monkeypatch.chdir(tmp_path)
    for name, content in STORED.items():
        Path(name).write_bytes(content)
    rows = pa.table({"account_id": [f"a{number}" for number in range(500)], "prompt": ["p"] * 499 + ["last"]})
    pq.write_table(rows, "rows.parquet", row_group_size=100)
    Path("accounts.csv").write_text("account_id\n", encoding="utf-8")
    return SealedRun(
        version="0.1.0",
        input_digest="in",
        output_digest="out",
        inputs=(
            sealed_file("accounts", Path("accounts.csv")),
            *(sealed_file("traffic", Path(name)) for name in sorted([*STORED, "rows.parquet"])),
        ),
        results=(),
    )


def test_a_run_is_sealed_and_read_back(access: Access, ledger: Ledger, run: SealedRun) -> None:
    entry = ledger.entry(seal_run(access, "bob", run))
    assert (entry.kind, entry.actor) == ("run sealed", "bob")
    assert read_sealed_run(entry) == run
    assert json.loads(entry.record)["inputs"][0] == {
        "digest": digest_file("accounts.csv"), "path": "accounts.csv", "size": 11, "use": "accounts",
    }  # fmt: skip
    with pytest.raises(AccessError, match="may not seal a run"):
        seal_run(access, "eve", run)


def test_a_digest_is_that_of_coreutils(run: SealedRun) -> None:
    said = subprocess.run(["b2sum", "-l", "256", "plain.jsonl"], capture_output=True, text=True, check=True).stdout
    (sealed,) = [one for one in run.inputs if one.path == "plain.jsonl"]
    assert sealed.digest == f"blake2b:{said.split()[0]}"


@pytest.mark.parametrize("name", list(STORED))
@pytest.mark.parametrize("number", [0, 37, 499])
def test_an_exhibit_leads_back_to_its_line(
    access: Access, ledger: Ledger, run: SealedRun, name: str, number: int
) -> None:
    origin = exhibit_origin(run, place(name, number))
    assert origin.span_digest == f"sha256:{hashlib.sha256(LINES[number]).hexdigest()}"
    assert (origin.span_bytes, origin.file_digest) == (len(LINES[number]), digest_file(name))
    assert list(ledger.entries(TEXT_LOOKED_AT)) == [], "to find the place is no look"
    assert read_exhibit(access, "bob", "case", origin) == LINES[number]
    (look,) = ledger.entries(TEXT_LOOKED_AT)
    assert b"secret" not in look.record
    with pytest.raises(AccessError):
        read_exhibit(access, "eve", "case", origin)


def test_an_exhibit_in_parquet_leads_back_to_its_row(access: Access, run: SealedRun) -> None:
    origin = exhibit_origin(run, TextReference(file="rows.parquet", offset=499, length=0))
    assert json.loads(read_exhibit(access, "bob", "case", origin)) == {"account_id": "a499", "prompt": "last"}
    with pytest.raises(SealError, match="got row 500, expected one of 500"):
        exhibit_origin(run, TextReference(file="rows.parquet", offset=500, length=0))


def test_a_log_that_was_moved_is_found_where_it_lies(run: SealedRun, tmp_path: Path) -> None:
    moved = tmp_path / "archive" / "renamed"
    moved.parent.mkdir()
    Path("plain.jsonl").rename(moved)
    with pytest.raises(SealError, match="cannot be read"):
        exhibit_origin(run, place("plain.jsonl", 3))
    assert exhibit_origin(run, place("plain.jsonl", 3), moved).located == moved


@pytest.mark.parametrize("name", list(STORED))
def test_a_log_that_was_changed_is_not_the_sealed_one(run: SealedRun, name: str) -> None:
    content = bytearray(Path(name).read_bytes())
    content[len(content) // 2] ^= 1
    Path(name).write_bytes(content)
    with pytest.raises(SealError, match=r"is not the file that was sealed: expected \d+ bytes, blake2b:\w{64}, got"):
        exhibit_origin(run, place(name, 3))
    Path(name).write_bytes(STORED[name] + b"\n")
    with pytest.raises(SealError, match="is not the file that was sealed"):
        exhibit_origin(run, place(name, 3))


def test_a_log_that_is_changed_after_it_was_found_is_noticed(access: Access, run: SealedRun) -> None:
    origin = exhibit_origin(run, place("plain.jsonl", 3))
    Path("plain.jsonl").write_bytes(CONTENT.replace(b"secret 3", b"secret 8"))
    with pytest.raises(SealError, match="was changed since the exhibit was found in it"):
        read_exhibit(access, "bob", "case", origin)
    Path("plain.jsonl").unlink()
    with pytest.raises(SealError, match="cannot be read"):
        read_exhibit(access, "bob", "case", origin)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "other.jsonl"}, "the run sealed no log file 'other.jsonl'"),
        ({"file": "accounts.csv"}, "the run sealed no log file 'accounts.csv'"),
        ({"offset": -1}, "at -1"),
        ({"offset": len(CONTENT) - 3}, "got 3 bytes at"),
        ({"offset": 10 * len(CONTENT)}, "got 0 bytes at"),
        ({"length": 1 << 40}, "expected at most"),
        ({"length": -1}, "got -1 bytes"),
        ({"length": 0}, "got 0 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["plain.jsonl", "gzip.jsonl.gz", "zstd.jsonl.zst"])
def test_places_that_are_none_are_refused(run: SealedRun, name: str, change: dict[str, object], says: str) -> None:
    with pytest.raises(SealError, match=says):
        exhibit_origin(run, replace(place(name, 3), **change))


@pytest.mark.parametrize(
    "record",
    [b"{}", b"[]", b'{"format":"sealed-run/v2"}', b'{"format":"sealed-run/v1"}',
     b'{"format":"sealed-run/v1","input_digest":"","inputs":[{"path":"x"}],"output_digest":"","results":[],"version":""}'],
)  # fmt: skip
def test_entries_that_are_no_sealed_run_are_refused(access: Access, ledger: Ledger, record: bytes) -> None:
    (index,) = access.append("bob", [NewEntry(kind="run sealed", actor="bob", record=record)])
    with pytest.raises(SealError, match=f"entry {index}: "):
        read_sealed_run(ledger.entry(index))
    with pytest.raises(SealError, match="is a 'ledger begun', expected a 'run sealed'"):
        read_sealed_run(ledger.entry(0))


def test_a_run_over_a_file_that_changed_meanwhile_is_not_sealed(
    access: Access, ledger: Ledger, run: SealedRun, tmp_path: Path
) -> None:
    for name in ("accounts.parquet", "campaigns.json", "run.json"):
        Path(name).write_text(name, encoding="utf-8")
    seal = open_run_seal(f"sqlite:{tmp_path / 'ledger.db'}", "bob", lambda: 1, show_text=True)
    said = {"version": "0.1.0", "input_digest": "in", "output_digest": "out", "inputs": run.inputs, "out": tmp_path}
    index = seal.seal(**said)
    sealed = read_sealed_run(ledger.entry(index))
    assert [one.use for one in sealed.results] == ["accounts.parquet", "campaigns.json", "run.json"]
    before = ledger.size()
    with Path("plain.jsonl").open("ab") as log:
        log.write(b"{}\n")
    with pytest.raises(SealError, match=r"plain\.jsonl: changed while the run read it"):
        seal.seal(**said)
    assert ledger.size() == before


def test_a_run_that_may_not_be_sealed_is_not_begun(access: Access, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    assert isinstance(open_run_seal(url, "bob", lambda: 1, show_text=True), RunSeal)
    for actor in ("eve", "ann", "nobody"):
        with pytest.raises(AccessError):
            open_run_seal(url, actor, lambda: 1, show_text=False)
