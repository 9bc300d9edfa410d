"""A whole detection, sealed into a ledger: from an exhibit of the report back to the bytes of the log, and nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_world import write_world

from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.main import run
from stillwatch.evidence.access import TEXT_LOOKED_AT, Access, Role, TextReference, begin_with_admin
from stillwatch.evidence.errors import SealError
from stillwatch.evidence.ledger import Ledger
from stillwatch.evidence.ledger_audit import audit
from stillwatch.evidence.sealing import RUN_SEALED, exhibit_origin, read_exhibit, read_sealed_run, sealed_file
from stillwatch.integrity.signing import SignatureType, SignerKey
from stillwatch.stores import open_store

pytestmark = pytest.mark.slow
LOG = SignerKey(name="example.com/log", type=SignatureType.NOTE, seed=bytes(range(32)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the small world's traffic, and begin a ledger with an analyst and a viewer."""
    made = tmp_path_factory.mktemp("sealed")
    write_world(made)
    store = open_store(str(made / "ledger.db"), create=True)
    access = Access(begin_with_admin(store, LOG, lambda: 1_795_000_000_000_000, "ann"))
    access.assign(Role.ANALYST, "bob", "ann")
    access.assign(Role.VIEWER, "eve", "ann")
    store.close()
    return made


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    """Open the ledger again."""
    store = open_store(str(folder / "ledger.db"))
    yield Ledger(store, None, lambda: 1_795_000_000_000_001)
    store.close()


def detect(folder: Path, out: str, *more: str) -> int:
    """Run the verb over the traffic."""
    return run(["detect", str(folder / "traffic.jsonl"), "--out", str(folder / out), *more])


@pytest.fixture(scope="module")
def sealed(folder: Path) -> dict[str, Any]:
    """Run once with the ledger and text; give the campaigns file."""
    more = ("--ledger", str(folder / "ledger.db"), "--actor", "bob", "--show-text")
    assert detect(folder, "case", *more) == ExitCode.DONE
    return dict(json.loads((folder / "case" / "campaigns.json").read_text(encoding="utf-8")))


def test_the_look_is_recorded_before_the_seal_and_holds_no_text(sealed: dict[str, Any], ledger: Ledger) -> None:
    kinds = [one.kind for one in ledger.entries()]
    assert kinds[-2:] == [TEXT_LOOKED_AT, RUN_SEALED]
    (look,) = ledger.entries(TEXT_LOOKED_AT)
    shown = {(one["file"], one["offset"]) for one in json.loads(look.record)["references"]}
    exhibits = [exhibit for campaign in sealed["campaigns"] for exhibit in campaign["exhibits"]]
    assert exhibits
    assert shown == {(one["source_file"], one["source_offset"]) for one in exhibits}
    assert b"reference solution" not in b"".join(one.record for one in ledger.entries())
    assert audit(ledger, LOG.verifier).entries == len(kinds)


def test_the_seal_is_over_the_files_of_the_run(sealed: dict[str, Any], ledger: Ledger, folder: Path) -> None:
    (entry,) = ledger.entries(RUN_SEALED)
    committed = read_sealed_run(entry)
    record = json.loads((folder / "case" / "run.json").read_text(encoding="utf-8"))
    assert (committed.input_digest, committed.output_digest) == (record["input_digest"], record["output_digest"])
    assert committed.inputs == (sealed_file("traffic", folder / "traffic.jsonl"),)
    assert committed.results == tuple(sealed_file(one.use, folder / "case" / one.use) for one in committed.results)
    assert len(committed.results) == 3


def test_every_exhibit_leads_back_to_its_log_line(sealed: dict[str, Any], ledger: Ledger, folder: Path) -> None:
    (entry,) = ledger.entries(RUN_SEALED)
    committed, access = read_sealed_run(entry), Access(ledger)
    for campaign in sealed["campaigns"]:
        for exhibit in campaign["exhibits"]:
            reference = TextReference(
                file=exhibit["source_file"], offset=exhibit["source_offset"], length=exhibit["source_length"]
            )
            line = json.loads(read_exhibit(access, "bob", campaign["id"], exhibit_origin(committed, reference)))
            assert line["account_id"] == exhibit["account_id"]
            assert line["exchange_id"] == exhibit["exchange_id"]
    changed = folder / "changed.jsonl"
    changed.write_bytes((folder / "traffic.jsonl").read_bytes().replace(b"rubric", b"metric", 1))
    with pytest.raises(SealError, match="is not the file that was sealed"):
        exhibit_origin(committed, reference, changed)


def test_the_command_line_leads_an_exhibit_back(
    sealed: dict[str, Any], ledger: Ledger, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = ledger.entries(RUN_SEALED)
    one = sealed["campaigns"][0]["exhibits"][0]
    place = f"{one['source_file']}:{one['source_offset']}:{one['source_length']}"

    def show(actor: str, *more: str) -> tuple[int, dict[str, Any]]:
        asked = ["ledger", "show", str(entry.index), "--ledger", str(folder / "ledger.db"), "--actor", actor, "--json"]
        code = run([*asked, *more])
        return code, json.loads(capsys.readouterr().out)

    capsys.readouterr()
    code, found = show("eve", "--exhibit", place)
    assert (code, found["span_bytes"], "text" in found) == (ExitCode.DONE, one["source_length"], False)
    looks = len(list(ledger.entries(TEXT_LOOKED_AT)))
    code, found = show("bob", "--exhibit", place, "--show-text", "case 7")
    assert (code, json.loads(found["text"])["account_id"]) == (ExitCode.DONE, one["account_id"])
    assert [json.loads(look.record)["purpose"] for look in ledger.entries(TEXT_LOOKED_AT)][looks:] == ["case 7"]
    assert show("eve", "--exhibit", place, "--show-text", "case 7")[0] == ExitCode.REFUSED
    assert show("bob", "--exhibit", "traffic.jsonl:x:1")[0] == ExitCode.USAGE
    assert show("bob", "--show-text", "no exhibit")[0] == ExitCode.USAGE
    assert show("bob", "--exhibit", "nowhere.jsonl:0:1")[0] == ExitCode.UNVERIFIED


def test_without_a_ledger_the_results_are_the_same(sealed: dict[str, Any], folder: Path) -> None:
    assert detect(folder, "plain") == ExitCode.DONE
    assert json.loads((folder / "plain" / "campaigns.json").read_text(encoding="utf-8")) == sealed
    records = [json.loads((folder / name / "run.json").read_text(encoding="utf-8")) for name in ("case", "plain")]
    for record in records:
        record.pop("timings")
    assert records[0] == records[1]


def test_who_may_not_seal_runs_nothing(folder: Path, ledger: Ledger) -> None:
    before = ledger.size()
    assert detect(folder, "refused", "--ledger", str(folder / "ledger.db"), "--actor", "eve") == ExitCode.REFUSED
    assert not (folder / "refused" / "campaigns.json").exists()
    assert ledger.size() == before
