"""`stillwatch mark scan` and `mark lint`: every example as it stands, and what is refused."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line_calls import Said

from stillwatch.cli import mark_example, mark_lint, mark_scan
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.verb_help import VerbHelp

Stillwatch = Callable[..., Said]


@pytest.fixture
def example(tmp_path: Path, stillwatch: Stillwatch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The marked example, in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert run(stillwatch, mark_example.HELP).code == ExitCode.DONE
    return tmp_path


def run(stillwatch: Stillwatch, verb: VerbHelp, *more: str) -> Said:
    return stillwatch(*shlex.split(verb.examples[0])[1:], *more)


def test_the_example_of_scan_finds_marked_documents(example: Path, stillwatch: Stillwatch) -> None:
    said = run(stillwatch, mark_scan.HELP, "--json")
    assert said.code == ExitCode.DONE, said.err
    document = said.document
    assert document["documents"] == 64
    assert len(document["selected"]) > 40
    handles = {key["handle"] for one in document["selected"] for key in one["keys"]}
    found = {one["handle"] for one in document["keys"] if one["found"]}
    assert "provider" in found
    assert len(found) == 2
    assert found <= handles
    table = pq.read_table("marked/documents.parquet").to_pylist()
    assert sum(row["marked"] for row in table) == len(document["selected"])
    raw = [json.loads(line)["key_hex"] for line in Path("marked/keys.jsonl").read_text().splitlines()]
    assert not any(key in said.out + said.err for key in raw)
    assert "bear a mark at a false-discovery rate of 0.01" in run(stillwatch, mark_scan.HELP).out


def test_a_folder_is_read_in_the_order_of_its_paths_and_copies_count_once(
    example: Path, stillwatch: Stillwatch
) -> None:
    folder = example / "set" / "inner"
    folder.mkdir(parents=True)
    rows = [json.loads(line) for line in Path("marked/answers.jsonl").read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist(rows[:5]), example / "set" / "b.parquet")
    (example / "set" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:5]))
    np.save(folder / "c.npy", np.arange(3))
    (folder / "read.me").write_text("no data")
    said = stillwatch("mark", "scan", "set", "--keys", "marked/keys.jsonl", "--json")
    assert said.code == ExitCode.DONE, said.err
    assert said.document["documents"] == 11
    assert all(one["document"].startswith("set/a.jsonl#") for one in said.document["selected"])
    assert "5 of them none at all" in said.document["not_tested"]["reason"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("marked --keys marked/keys.jsonl --fdr 1.5", "--fdr got 1.5"),
        ("nowhere --keys marked/keys.jsonl", "no such file or folder"),
        ("empty --keys marked/keys.jsonl", "no file ends in"),
        ("marked/answers.jsonl --keys marked/watermark.json", "watermark.json:1"),
    ],
)
def test_what_cannot_be_scanned_is_said(example: Path, stillwatch: Stillwatch, words: str, said: str) -> None:
    (example / "empty").mkdir()
    refused = stillwatch("mark", "scan", *shlex.split(words))
    assert refused.code in {ExitCode.USAGE, ExitCode.INPUT}
    assert said in refused.err


def test_the_example_of_lint_has_no_problem(example: Path, stillwatch: Stillwatch) -> None:
    said = run(stillwatch, mark_lint.HELP, "--keys", "marked/keys.jsonl")
    assert said.code == ExitCode.DONE, said.out
    assert "no problems." in said.out


def test_lint_compares_files_with_each_other_and_with_the_registry(example: Path, stillwatch: Stillwatch) -> None:
    settings = Path("marked/watermark.json")
    copy = Path("replica.json")
    copy.write_bytes(settings.read_bytes())
    said = stillwatch("mark", "lint", settings, copy, "--json")
    assert said.code == ExitCode.UNVERIFIED
    assert sorted(one["rule"] for one in said.document["problems"]) == ["readable-key", "reused-key"]
    campaign = json.loads(Path("marked/keys.jsonl").read_text().splitlines()[1])
    settings.write_text(json.dumps({"key": campaign["key_hex"][:16], "context_window": 4, "enforce_all": True}))
    served = stillwatch("mark", "lint", settings, "--keys", "marked/keys.jsonl", "--json")
    assert [one["rule"] for one in served.document["problems"]] == ["reused-key"]
    settings.write_text(json.dumps({"key": "9b1c44e07d5a3f68", "context_window": 4, "enforce_all": True}))
    unknown = stillwatch("mark", "lint", settings, "--keys", "marked/keys.jsonl", "--json")
    assert [one["rule"] for one in unknown.document["problems"]] == ["unregistered-key"]
    assert "9b1c44e07d5a3f68" not in unknown.out + unknown.err
    accepted = stillwatch("mark", "lint", settings, "--keys", "marked/keys.jsonl", "--accept", "unregistered-key")
    assert accepted.code == ExitCode.DONE
    assert "1 accepted" in accepted.out


def test_what_lint_does_not_know_is_said(example: Path, stillwatch: Stillwatch) -> None:
    for words, said in (("--accept nothing", "--accept got 'nothing'"), ("--engine tgi", "--engine got 'tgi'")):
        refused = stillwatch("mark", "lint", "marked/watermark.json", *words.split())
        assert refused.code == ExitCode.USAGE
        assert said in refused.err
    assert stillwatch("mark", "lint", "marked/keys.jsonl").code == ExitCode.INPUT
