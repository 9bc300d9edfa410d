"""`stillwatch keys`: every example as it stands, who may do what, and what is never written."""

from __future__ import annotations

import hashlib
import json
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line_calls import Said

from stillwatch.cli import keys
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.verb_help import VerbHelp

Stillwatch = Callable[..., Said]
SECRET = hashlib.sha256(b"the master secret of these tests").hexdigest()
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def begun(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with its people and a master secret; in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_LEDGER_KEY_FILE", raising=False)
    monkeypatch.delenv("STILLWATCH_MARK_MASTER", raising=False)
    stillwatch(
        *shlex.split("ledger init --ledger ledger.db --origin example.com/log --actor alice --key-file ledger.key")
    )
    for role, name in (("analyst", "bob"), ("approver", "carol"), ("viewer", "vera")):
        stillwatch(*shlex.split(f"ledger role --ledger ledger.db --actor alice --assign {role} --to {name}"))
    Path("marks.secret").write_text(SECRET + "\n")
    Path("marks.secret").chmod(0o600)
    return tmp_path


def example(stillwatch: Stillwatch, verb: VerbHelp, *more: str, handle: str = "") -> Said:
    """Run the first example of a verb, capital names replaced."""
    named = {"DIGEST": DIGEST, "HANDLE": handle}
    return stillwatch(*[named.get(word, word) for word in shlex.split(verb.examples[0])[1:]], *more)


def issued(stillwatch: Stillwatch, *more: str) -> str:
    """Issue a key; give its handle."""
    said = example(stillwatch, keys.ISSUE_HELP, "--json", *more)
    assert said.code == ExitCode.DONE, said.err
    return str(said.document["keys"][0]["handle"])


def entries(folder: Path) -> list[tuple[str, str, dict[str, object]]]:
    """Give kind, actor and record of every entry."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        rows = connection.execute("SELECT kind, actor, record FROM entry ORDER BY entry_index").fetchall()
    connection.close()
    return [(kind, actor, json.loads(record)) for kind, actor, record in rows]


def test_every_example_works_in_this_order(begun: Path, stillwatch: Stillwatch) -> None:
    handle = issued(stillwatch)
    assert handle in example(stillwatch, keys.LIST_HELP).out
    assert example(stillwatch, keys.EXPORT_HELP).code == ExitCode.DONE
    revealed = example(stillwatch, keys.REVEAL_HELP, "--json", handle=handle)
    assert revealed.code == ExitCode.DONE, revealed.err
    opening = (begun / "key.opening").read_bytes()
    # Whoever checks needs nothing but SHA-256.
    assert "sha256:" + hashlib.sha256(opening).hexdigest() == revealed.document["commitment"]
    assert example(stillwatch, keys.CHECK_HELP).code == ExitCode.DONE
    assert example(stillwatch, keys.RETIRE_HELP, handle=handle).code == ExitCode.DONE
    (listed,) = example(stillwatch, keys.LIST_HELP, "--json").document["keys"]
    assert listed["state"] == "retired"
    assert listed["revealed_by_entry"] is not None
    kinds = [kind for kind, _, _ in entries(begun)]
    assert kinds[-4:] == ["mark key issued", "mark keys exported", "mark key revealed", "mark key retired"]


def test_a_master_secret_is_made_once_and_is_its_owners_alone(begun: Path, stillwatch: Stillwatch) -> None:
    Path("marks.secret").unlink()
    made = example(stillwatch, keys.MASTER_HELP, "--json")
    secret = Path("marks.secret").read_text().strip()
    assert len(secret) == 64
    assert Path("marks.secret").stat().st_mode & 0o777 == 0o600
    assert secret not in made.out + made.err
    assert example(stillwatch, keys.MASTER_HELP).code == ExitCode.OUTPUT
    assert issued(stillwatch).startswith("mk-")


def test_the_raw_key_is_in_the_exported_file_alone(begun: Path, stillwatch: Stillwatch) -> None:
    said = example(stillwatch, keys.ISSUE_HELP, "--subject", "c-0043", "--scheme", "synthid-fixed@v1", "--json")
    assert [one["subject"] for one in said.document["keys"]] == ["c-0042", "c-0043"]
    exported = example(stillwatch, keys.EXPORT_HELP, "--json")
    lines = [json.loads(line) for line in (begun / "keys.jsonl").read_text().splitlines()]
    raw = [line["key_hex"] for line in lines]
    assert [len(key) for key in raw] == [480, 480]
    assert len(set(raw)) == 2
    assert (begun / "keys.jsonl").stat().st_mode & 0o777 == 0o600
    store = b"".join(path.read_bytes() for path in begun.glob("ledger.db*"))
    for key in raw:
        assert key not in said.out + exported.out + exported.err
        assert key.encode() not in store
        assert bytes.fromhex(key) not in store
    assert SECRET.encode() not in store


def test_a_key_is_committed_to_before_it_is_used(begun: Path, stillwatch: Stillwatch) -> None:
    issued(stillwatch)
    kind, actor, record = entries(begun)[-1]
    assert (kind, actor) == ("mark key issued", "bob")
    assert set(record) == {
        "format", "handle", "level", "subject", "scheme", "parameters", "tokenizer_digest", "words", "paired_handle",
        "valid_from_us", "valid_until_us", "commitment",
    }  # fmt: skip
    early = example(stillwatch, keys.ISSUE_HELP, "--valid-from", "2020-01-01T00:00:00Z")
    assert early.code == ExitCode.USAGE
    assert "committed to before its first use" in early.err
    empty = example(stillwatch, keys.ISSUE_HELP, "--valid-from", "2028-01-01T00:00:00Z")
    assert "--valid-until is not after" in empty.err


def test_who_may_not_reveal_is_refused_and_that_is_recorded(begun: Path, stillwatch: Stillwatch) -> None:
    handle = issued(stillwatch)
    words = shlex.split(keys.REVEAL_HELP.examples[0])[1:]
    said = stillwatch(*[{"HANDLE": handle, "carol": "bob"}.get(word, word) for word in words])
    assert said.code == ExitCode.REFUSED
    assert not (begun / "key.opening").exists()
    assert entries(begun)[-1][:2] == ("mark keys refused", "bob")
    words = shlex.split(keys.EXPORT_HELP.examples[0])[1:]
    assert stillwatch(*[{"bob": "vera"}.get(word, word) for word in words]).code == ExitCode.REFUSED
    assert not (begun / "keys.jsonl").exists()


def test_an_opening_of_another_key_does_not_fit(begun: Path, stillwatch: Stillwatch) -> None:
    handle = issued(stillwatch)
    example(stillwatch, keys.REVEAL_HELP, handle=handle)
    path = begun / "key.opening"
    changed = json.loads(path.read_bytes())
    changed["key"] = "0" * 16
    path.write_text(json.dumps(changed))
    said = example(stillwatch, keys.CHECK_HELP)
    assert said.code == ExitCode.UNVERIFIED
    assert "opens another commitment" in said.err
    path.write_text("[]")
    assert example(stillwatch, keys.CHECK_HELP).code == ExitCode.INPUT


def test_another_master_secret_is_found_out(begun: Path, stillwatch: Stillwatch) -> None:
    issued(stillwatch)
    Path("marks.secret").write_text(SECRET[::-1])
    said = example(stillwatch, keys.EXPORT_HELP)
    assert said.code == ExitCode.UNVERIFIED
    assert "does not open the commitment" in said.err
    assert SECRET[::-1] not in said.err


def test_a_key_is_retired_once_and_workers_lose_it(begun: Path, stillwatch: Stillwatch) -> None:
    handle = issued(stillwatch)
    assert example(stillwatch, keys.RETIRE_HELP, handle=handle).code == ExitCode.DONE
    again = example(stillwatch, keys.RETIRE_HELP, handle=handle)
    assert again.code == ExitCode.USAGE
    assert "retired by entry" in again.err
    assert "holds no such key" in example(stillwatch, keys.EXPORT_HELP, "--in-use").err
    assert example(stillwatch, keys.EXPORT_HELP).code == ExitCode.DONE  # detection keeps it
    assert "holds no key" in example(stillwatch, keys.RETIRE_HELP, handle="mk-0000000000000000").err


def test_a_tampered_register_is_found_out(begun: Path, stillwatch: Stillwatch) -> None:
    issued(stillwatch)
    with sqlite3.connect(begun / "ledger.db") as connection:
        connection.execute("DROP TRIGGER mark_key_stays")
        connection.execute("UPDATE mark_key SET subject = 'c-9999'")
    connection.close()
    said = example(stillwatch, keys.LIST_HELP)
    assert said.code == ExitCode.UNVERIFIED
    assert "is not what entry" in said.err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--level", "team", "expected provider, campaign, account"),
        ("--scheme", "kgw@v9", "expected one of"),
        ("--parameter", "gamma=2", "expected a number between 0 and 1"),
        ("--parameter", "gamma", "expected NAME=VALUE"),
        ("--scheme", "sglang-dual@murmur3-v1", "name it with --paired-with"),
        ("--paired-with", "mk-0123456789abcdef", "leave out --paired-with"),
        ("--tokenizer-digest", "sha256:00", "is no `sha256:`"),
        ("--subject", "c-0042", "names one twice"),
        ("--valid-until", "tomorrow", "no time of ISO 8601"),
        ("--master", "marks.secret", "the address names none"),
        ("--master", "env:NO_SUCH_VARIABLE", "the environment has no"),
    ],
)
def test_what_cannot_be_used_is_said(begun: Path, stillwatch: Stillwatch, option: str, value: str, said: str) -> None:
    refused = example(stillwatch, keys.ISSUE_HELP, option, value)
    assert refused.code in {ExitCode.USAGE, ExitCode.INPUT}
    assert said in refused.err
