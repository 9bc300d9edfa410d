"""The verb `ledger`: every sub-verb from the command line, its refusals, and what an attacker does to the store."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

INTEGRITY_TESTS = Path(__file__).resolve().parents[1] / "integrity"
if str(INTEGRITY_TESTS) not in sys.path:  # the authority is written once
    sys.path.insert(0, str(INTEGRITY_TESTS))

import time_stamping_authority  # noqa: E402

from stillwatch.cli import ledger as ledger_verbs  # noqa: E402
from stillwatch.cli.command_reference import help_of  # noqa: E402
from stillwatch.cli.exit_codes import ExitCode  # noqa: E402
from stillwatch.integrity.signing import SignatureType, SignerKey, write_key_file  # noqa: E402

Stillwatch = Callable[..., Said]


@pytest.fixture
def begun(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> str:
    """Begin a ledger in the current folder; give its public key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    said = stillwatch(*shlex.split(ledger_verbs.INIT_HELP.examples[0])[1:], "--json")
    assert said.code == ExitCode.DONE
    (tmp_path / "notes.jsonl").write_text('{"b": 1, "a": "\\u00e9"}\n\n{"c":[1.50]}\n', encoding="utf-8")
    return str(said.document["verifier_key"])


def call(stillwatch: Stillwatch, line: str, *more: str) -> Said:
    """Run a verb below `ledger` on the ledger of the current folder, as alice."""
    verb, *rest = shlex.split(line)
    return stillwatch("ledger", verb, "--ledger", "ledger.db", "--actor", "alice", *rest, *more)


@pytest.mark.parametrize("verb", [verb.name for verb, _ in ledger_verbs.VERBS])
def test_each_verb_says_its_purpose_an_example_and_what_it_writes(verb: str) -> None:
    text = help_of(f"ledger {verb}")
    assert text.startswith(f"Usage: stillwatch ledger {verb} ")
    assert f"\n  Example:\n    stillwatch ledger {verb} " in text
    assert "\n  Writes: " in text
    assert "--json" in text


@pytest.mark.skipif(time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing()))
def test_every_example_works_as_it_stands(begun: str, stillwatch: Stillwatch, tmp_path: Path) -> None:
    authority = time_stamping_authority.Authority(tmp_path / "authority")
    shutil.copy(authority.root, "tsa.pem")
    examples = [example for verb, _ in ledger_verbs.VERBS for example in verb.examples]
    assert examples[0] == ledger_verbs.HELP.examples[0]
    with authority.serving() as url:
        words = {"VERIFIER_KEY": begun, "TSA_URL": url}
        for example in [*examples[1:], ledger_verbs.HELP.examples[1]]:
            said = stillwatch(*(words.get(word, word) for word in shlex.split(example)[1:]))
            assert said.code == ExitCode.DONE, f"{example}: {said.err}"
    witness = Path("witness.key").read_text(encoding="utf-8").split("+")[2]
    assert witness == "witness.example/w1"
    said = stillwatch(
        "ledger", "verify", "--ledger", "ledger.db", "--tsa-certificates", "tsa.pem", "--verifier-key", begun, "--json"
    )
    assert said.document["time_stamps"] == 1
    assert said.document["checkpoints"] == 1


@pytest.mark.skipif(time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing()))
def test_openssl_alone_verifies_the_files_that_are_written(begun: str, stillwatch: Stillwatch, tmp_path: Path) -> None:
    """The command line of docs/evidence.md."""
    authority = time_stamping_authority.Authority(tmp_path / "authority")
    shutil.copy(authority.root, "tsa-root.pem")
    call(stillwatch, "checkpoint --key-file ledger.key --out checkpoint.note")
    with authority.serving() as url:
        said = call(stillwatch, f"stamp --tsa-url {url} --tsa-certificates tsa-root.pem --out checkpoint.tsr --json")
    assert said.document["authority"] == "CN=Test tsa"
    command = "openssl ts -verify -data checkpoint.note -in checkpoint.tsr -CAfile tsa-root.pem"
    assert command in (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Verification: OK" in done.stdout + done.stderr
    Path("checkpoint.note").write_bytes(Path("checkpoint.note").read_bytes().replace(b"\n2\n", b"\n3\n"))
    assert subprocess.run(command.split(), capture_output=True, text=True, check=False).returncode != 0
    with sqlite3.connect("ledger.db") as connection:
        connection.execute("DROP TRIGGER time_stamp_stays")
        connection.execute("UPDATE time_stamp SET stamped_us = stamped_us - 86400000000")
    connection.close()
    verified = stillwatch("ledger", "verify", "--ledger", "ledger.db", "--tsa-certificates", "tsa-root.pem")
    assert verified.code == ExitCode.UNVERIFIED
    assert "time stamp over the checkpoint of 2 entries: expected" in verified.err


def test_a_begun_ledger_and_its_key_are_for_their_owner_alone(begun: str) -> None:
    assert begun.startswith("example.com/stillwatch+")
    assert {stat.S_IMODE(Path(name).stat().st_mode) for name in ("ledger.db", "ledger.key")} == {0o600}


def test_records_are_kept_in_canonical_form_and_shown(begun: str, stillwatch: Stillwatch) -> None:
    assert call(stillwatch, "append --kind note notes.jsonl --json").document == {
        "verb": "ledger append", "first": 2, "appended": 2,
    }  # fmt: skip
    shown = call(stillwatch, "show 2 --json").document["entries"]
    assert shown[0]["record"] == {"a": "\u00e9", "b": 1}
    assert (shown[0]["actor"], shown[0]["kind"]) == ("alice", "note")
    listed = call(stillwatch, "show --json").document
    assert [one["kind"] for one in listed["entries"]] == ["ledger begun", "role assigned", "note", "note"]
    assert "record" not in listed["entries"][0]
    assert len(call(stillwatch, "show --kind note --limit 1 --json").document["entries"]) == 1
    people = call(stillwatch, "show")
    assert "4 of 4 entries shown." in people.out


def test_a_proof_is_checked_without_the_ledger(begun: str, stillwatch: Stillwatch) -> None:
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key --out checkpoint.note")
    assert call(stillwatch, "prove 3 --out entry.tlog-proof").code == ExitCode.DONE
    Path("ledger.db").rename("elsewhere.db")
    verify = ("ledger", "verify", "--proof", "entry.tlog-proof", "--verifier-key")
    said = stillwatch(*verify, begun, "--json")
    assert (said.document["index"], said.document["size"], said.document["leaf"]["kind"]) == (3, 4, "note")
    text = Path("entry.tlog-proof").read_text(encoding="utf-8")
    Path("entry.tlog-proof").write_text(text.replace("index 3", "index 2"), encoding="utf-8")
    assert stillwatch(*verify, begun).code == ExitCode.UNVERIFIED
    stranger = SignerKey(name="example.com/stillwatch", type=SignatureType.NOTE, seed=bytes(32)).verifier.text()
    Path("entry.tlog-proof").write_text(text, encoding="utf-8")
    assert stillwatch(*verify, stranger).code == ExitCode.UNVERIFIED
    assert stillwatch(*verify, "no key").code == ExitCode.INPUT
    assert stillwatch("ledger", "verify", "--proof", "entry.tlog-proof").code == ExitCode.USAGE
    Path("entry.tlog-proof").write_bytes(b"x" * (2**20 + 1))
    assert stillwatch(*verify, begun).code == ExitCode.INPUT


def test_consistency_is_proved_from_what_was_to_what_is(begun: str, stillwatch: Stillwatch) -> None:
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    document = call(stillwatch, "prove --since 2 --json").document
    assert (document["old"], document["new"]) == (2, 4)
    assert [len(base64.b64decode(one)) for one in document["hashes"]] == [32]
    assert call(stillwatch, "prove --since 9").code == ExitCode.INPUT
    verify = ("ledger", "verify", "--verifier-key", begun, "--proof", "since.json", "--earlier", "earlier.note")
    call(stillwatch, "checkpoint --key-file ledger.key --out earlier.note")
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    call(stillwatch, "prove --since 4 --out since.json")
    assert stillwatch(*verify, "--json").document == {
        "verb": "ledger verify", "origin": "example.com/stillwatch", "old": 4, "new": 6,
    }  # fmt: skip
    good = json.loads(Path("since.json").read_text(encoding="utf-8"))
    for changed, code in (
        ({**good, "hashes": []}, ExitCode.UNVERIFIED),
        ({**good, "hashes": [base64.b64encode(bytes(32)).decode()]}, ExitCode.UNVERIFIED),
        ({**good, "note": good["note"].replace("\n6\n", "\n7\n")}, ExitCode.UNVERIFIED),
        ({**good, "hashes": ["?"]}, ExitCode.INPUT),
        ({"note": good["note"]}, ExitCode.INPUT),
        ([], ExitCode.INPUT),
    ):
        Path("since.json").write_text(json.dumps(changed), encoding="utf-8")
        assert stillwatch(*verify).code == code, changed
    assert stillwatch("ledger", "verify", "--ledger", "ledger.db", "--earlier", "earlier.note").code == ExitCode.USAGE
    assert call(stillwatch, "prove").code == ExitCode.USAGE
    assert call(stillwatch, "prove 1 --since 2").code == ExitCode.USAGE


def test_roles_decide_and_every_change_is_an_entry(begun: str, stillwatch: Stillwatch) -> None:
    def as_bob(*words: str) -> Said:
        return stillwatch("ledger", *words, "--ledger", "ledger.db", "--actor", "bob")

    refused = as_bob("append", "--kind", "note", "notes.jsonl")
    assert refused.code == ExitCode.REFUSED
    assert "'bob' may not append records: has no role, expected one of analyst, admin" in refused.err
    assert call(stillwatch, "role --assign analyst --to bob --json").document["entry"] == 2
    assert as_bob("append", "--kind", "note", "notes.jsonl").code == ExitCode.DONE
    assert as_bob("role", "--assign", "admin", "--to", "bob").code == ExitCode.REFUSED
    assert as_bob("checkpoint", "--key-file", "ledger.key").code == ExitCode.REFUSED
    assert call(stillwatch, "role --revoke analyst --to bob").code == ExitCode.DONE
    assert as_bob("show").code == ExitCode.REFUSED
    assert call(stillwatch, "role --revoke admin --to alice").code == ExitCode.REFUSED
    assert call(stillwatch, "role --assign king --to bob").code == ExitCode.USAGE
    assert call(stillwatch, "role --assign admin").code == ExitCode.USAGE
    assert call(stillwatch, "role --assign admin --revoke admin --to bob").code == ExitCode.USAGE
    kinds = [one["kind"] for one in call(stillwatch, "show --json").document["entries"]]
    assert kinds == ["ledger begun", "role assigned", "role assigned", "note", "note", "role revoked"]


def test_nobody_forges_what_the_ledger_itself_writes(begun: str, stillwatch: Stillwatch) -> None:
    said = call(stillwatch, "append --kind 'role assigned' notes.jsonl")
    assert said.code == ExitCode.REFUSED
    assert "is written by the ledger itself" in said.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"a":1}\n{"a":\n', "notes.jsonl:2: is no JSON"),
        (b'{"a":NaN}\n', "notes.jsonl:1: $.a: got a float that is not finite"),
        (b"\xff\n", "notes.jsonl:1: is no JSON"),
        (b"[" * 100_000 + b"\n", "notes.jsonl:1: is no JSON"),
        (b"9" * 5_000 + b"\n", "notes.jsonl:1: is no JSON"),
    ],
)
def test_lines_that_are_no_records_keep_the_batch_out(
    begun: str, stillwatch: Stillwatch, content: bytes, says: str
) -> None:
    Path("notes.jsonl").write_bytes(content)
    said = call(stillwatch, "append --kind note notes.jsonl")
    assert said.code == ExitCode.INPUT
    assert says in said.err
    assert call(stillwatch, "show --json").document["size"] == 2


def test_an_empty_or_missing_file_is_told(begun: str, stillwatch: Stillwatch) -> None:
    Path("notes.jsonl").write_bytes(b"\n\n")
    assert call(stillwatch, "append --kind note notes.jsonl").code == ExitCode.USAGE
    assert call(stillwatch, "append --kind note nowhere.jsonl").code == ExitCode.INPUT


def test_the_key_comes_from_a_file_or_the_environment_and_must_be_the_right_one(
    begun: str, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = call(stillwatch, "checkpoint")
    assert missing.code == ExitCode.USAGE
    assert "STILLWATCH_LEDGER_KEY_FILE" in missing.err
    monkeypatch.setenv("STILLWATCH_LEDGER_KEY_FILE", "ledger.key")
    assert call(stillwatch, "checkpoint").code == ExitCode.DONE
    Path("ledger.key").chmod(0o644)
    opened = call(stillwatch, "checkpoint")
    assert opened.code == ExitCode.INPUT
    assert "mode is 0644, expected 0600" in opened.err
    write_key_file(Path("other.key"), SignerKey(name="example.com/stillwatch", type=SignatureType.NOTE, seed=bytes(32)))
    assert "is not that of this ledger" in call(stillwatch, "checkpoint --key-file other.key").err


def test_a_ledger_is_begun_once_with_a_key_of_its_name(begun: str, stillwatch: Stillwatch) -> None:
    init = ("ledger", "init", "--actor", "alice", "--key-file", "ledger.key", "--ledger")
    again = stillwatch(*init, "ledger.db", "--origin", "example.com/stillwatch")
    assert again.code == ExitCode.INPUT
    assert "holds the ledger example.com/stillwatch already" in again.err
    other = stillwatch(*init, "new.db", "--origin", "example.com/other")
    assert other.code == ExitCode.USAGE
    assert "is that of 'example.com/stillwatch'" in other.err


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("nowhere.db", ExitCode.INPUT, "there is no ledger; begin one with `stillwatch ledger init`"),
        ("notes.jsonl", ExitCode.UNVERIFIED, "is no ledger, or is damaged"),
        ("postgresql://alice:hunter2@db/ledger", ExitCode.USAGE, "holds a password"),
        ("postgresql://db/ledger?password=hunter2", ExitCode.USAGE, "holds a password"),
        ("mysql://db/ledger", ExitCode.USAGE, "expected sqlite: or postgresql://"),
        ("sqlite:", ExitCode.USAGE, "without a path"),
        ("sqlite://ledger.db", ExitCode.USAGE, "sqlite:///PATH"),
    ],
)
def test_addresses_that_open_nothing_are_told(
    begun: str, stillwatch: Stillwatch, address: str, code: ExitCode, says: str
) -> None:
    Path("notes.jsonl").write_bytes(b"x" * 5_000)
    said = stillwatch("ledger", "verify", "--ledger", address)
    assert said.code == code
    assert says in said.err
    assert "hunter2" not in said.err + said.out


def tamper(*statements: str) -> None:
    """Change the store behind the program's back, as its owner can: without the triggers."""
    with sqlite3.connect("ledger.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


RECORD = "x'" + b'{"a":"x","b":1}'.hex() + "'"
DIGEST = "x'" + "00" * 32 + "'"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (f"UPDATE entry SET record = {RECORD} WHERE entry_index = 2", "entry 2: expected a record with digest"),
        (f"UPDATE entry SET record_digest = {DIGEST} WHERE entry_index = 2", "entry 2: expected a record with digest"),
        ("UPDATE entry SET actor = 'mallory' WHERE entry_index = 2", "checkpoint of 4 entries: expected root"),
        ("UPDATE entry SET recorded_us = 1 WHERE entry_index = 2", "checkpoint of 4 entries: expected root"),
        ("DELETE FROM entry WHERE entry_index = 2", "entry 2 is missing"),
        ("DELETE FROM entry WHERE entry_index = 3", "entries are missing"),
        ("UPDATE entry SET entry_index = 1 << 62 WHERE entry_index = 3", "entry 3 is missing"),
        ("UPDATE entry SET record = 1 << 40 WHERE entry_index = 2", "column record: got int, expected bytes"),
        (
            "UPDATE entry SET recorded_us = 'now' WHERE entry_index = 2",
            "column recorded_us: got str, expected a number",
        ),
        ("UPDATE entry SET kind = x'00' WHERE entry_index = 2", "column kind: got bytes, expected text"),
        ("UPDATE tile SET hashes = zeroblob(128)", "tile 0 of level 0 is not that of the entries"),
        ("UPDATE checkpoint SET note = replace(note, 'example', 'exampel')", "checkpoint of 4 entries: no trusted key"),
        ("UPDATE checkpoint SET root = zeroblob(32)", "checkpoint of 4 entries: expected root"),
        ("UPDATE role SET role = 'analyst'", "the roles are not those that the entries give"),
        ("INSERT INTO role VALUES ('mallory', 'admin', 0)", "the roles are not those that the entries give"),
    ],
)
def test_verification_finds_what_was_changed_behind_its_back(
    begun: str, stillwatch: Stillwatch, statement: str, says: str
) -> None:
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    assert stillwatch("ledger", "verify", "--ledger", "ledger.db").code == ExitCode.DONE
    tamper(statement)
    said = stillwatch("ledger", "verify", "--ledger", "ledger.db", "--verifier-key", begun, "--json")
    assert said.code == ExitCode.UNVERIFIED
    assert says in said.document["error"]["message"]


def test_a_store_that_was_made_to_attack_its_reader_is_only_refused(begun: str, stillwatch: Stillwatch) -> None:
    deep = "x'" + (b"[" * 200_000).hex() + "'"
    tamper(f"UPDATE entry SET record = {deep}, actor = 'a' || char(27) || '[2J' WHERE entry_index = 1")
    assert stillwatch("ledger", "verify", "--ledger", "ledger.db").code == ExitCode.UNVERIFIED
    listed = call(stillwatch, "show")
    assert listed.code == ExitCode.DONE
    assert "\x1b" not in listed.out
    assert "a\\x1b[2J" in listed.out
    one = call(stillwatch, "show 1")
    assert one.code == ExitCode.INPUT
    assert "its record is no JSON" in one.err
    tamper("UPDATE identity SET verifier_key = 'none'")
    assert stillwatch("ledger", "verify", "--ledger", "ledger.db").code == ExitCode.INPUT


def test_another_key_in_the_store_is_found_by_the_key_from_elsewhere(begun: str, stillwatch: Stillwatch) -> None:
    call(stillwatch, "checkpoint --key-file ledger.key")
    other = SignerKey(name="example.com/stillwatch", type=SignatureType.NOTE, seed=bytes(32))
    assert stillwatch("ledger", "verify", "--ledger", "ledger.db", "--verifier-key", other.verifier.text()).code == (
        ExitCode.UNVERIFIED
    )
    said = stillwatch("ledger", "verify", "--ledger", "ledger.db", "--json")
    assert "the public key was taken from the ledger itself" in said.document["remarks"][0]


def test_a_witness_notices_that_the_ledger_was_rolled_back(begun: str, stillwatch: Stillwatch) -> None:
    cosign = (
        f"cosign --witness-name witness.example/w1 --witness-key-file w.key --seen seen.note --verifier-key {begun}"
    )
    call(stillwatch, "checkpoint --key-file ledger.key")
    with sqlite3.connect("ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copy("ledger.db", "before.db")
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    said = call(stillwatch, cosign, "--json")
    assert said.code == ExitCode.DONE, said.err
    witness = said.document["witness_key"]
    verify = ("ledger", "verify", "--ledger", "ledger.db", "--verifier-key", begun)
    assert stillwatch(*verify, "--witness", witness, "--json").document["cosignatures"] == 1
    assert "1 cosignatures were not checked" in stillwatch(*verify).out
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        Path(name).unlink(missing_ok=True)
    shutil.copy("before.db", "ledger.db")
    rolled_back = call(stillwatch, cosign)
    assert rolled_back.code == ExitCode.INPUT
    assert "it was rolled back" in rolled_back.err
    (Path("notes.jsonl")).write_text('{"another":"history"}\n{"of":"the same length"}\n', encoding="utf-8")
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    rewritten = call(stillwatch, cosign)
    assert rewritten.code == ExitCode.UNVERIFIED
    assert "two trees of 4 entries have roots" in rewritten.err


def test_a_line_from_a_witness_elsewhere_is_kept_once_it_verifies(begun: str, stillwatch: Stillwatch) -> None:
    cosign = (
        f"cosign --witness-name witness.example/w1 --witness-key-file w.key --seen seen.note --verifier-key {begun}"
    )
    call(stillwatch, "checkpoint --key-file ledger.key")
    document = call(stillwatch, cosign, "--json").document
    Path("line").write_text(document["line"], encoding="utf-8")
    call(stillwatch, "append --kind note notes.jsonl")
    call(stillwatch, "checkpoint --key-file ledger.key")
    stale = call(stillwatch, f"cosign --line line --witness {document['witness_key']}")
    assert stale.code == ExitCode.UNVERIFIED
    assert "does not verify" in stale.err
    Path("line").write_text(call(stillwatch, cosign, "--json").document["line"], encoding="utf-8")
    again = call(stillwatch, f"cosign --line line --witness {document['witness_key']}")
    assert "refused" in again.err
    assert call(stillwatch, "cosign").code == ExitCode.USAGE
    assert call(stillwatch, "cosign --witness-key-file w.key --seen seen.note").code == ExitCode.USAGE
    new = call(stillwatch, f"cosign --witness-key-file new.key --seen new.note --verifier-key {begun}")
    assert new.code == ExitCode.USAGE


def test_stamping_needs_the_certificates_that_one_trusts(begun: str, stillwatch: Stillwatch) -> None:
    call(stillwatch, "checkpoint --key-file ledger.key")
    assert call(stillwatch, "stamp --tsa-url http://127.0.0.1:9/").code == ExitCode.USAGE
    Path("tsa.pem").write_text("no PEM", encoding="utf-8")
    assert (
        call(stillwatch, "stamp --tsa-url http://127.0.0.1:9/ --tsa-certificates tsa.pem").code == ExitCode.UNVERIFIED
    )


def test_a_process_shows_no_traceback_where_nothing_can_be_written() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli.main", "ledger", "init", "--ledger", "/dev/full/x.db",
         "--origin", "example.com/log", "--actor", "alice", "--key-file", "/dev/full/key", "--json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitCode.INPUT
    assert "cannot be made" in json.loads(done.stdout)["error"]["message"]
