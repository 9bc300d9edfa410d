"""The verb `mark`: an example that is found, files that cannot be used, and no key or text on the screen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tokenizers as library

from stillwatch.cli import mark, mark_example
from stillwatch.cli.exit_codes import ExitCode
from stillwatch.cli.main import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mark") / "marked"
    assert run(["mark", "example", "--out", str(made)]) == ExitCode.DONE
    return made


def detect(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(["mark", "detect", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_example_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = detect(capsys, folder / "answers.jsonl", "--keys", folder / "keys.jsonl", "--json")
    assert code == ExitCode.DONE
    document = json.loads(out)
    found = [one for one in document["keys"] if one["found"]]
    assert [one["level"] for one in found] == ["provider", "campaign"]
    assert all(one["claim"]["log_p"] < math.log(1e-100) for one in found)
    assert all(one["decoys"] == 999 and one["decoys_above"] == 0 for one in found)
    assert document["tokens"] == mark_example.DOCUMENTS * mark_example.LENGTH
    assert len(document["keys"]) == 1 + mark_example.CAMPAIGNS


def test_no_key_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [json.loads(line)["key_hex"] for line in (folder / "keys.jsonl").read_text().splitlines()]
    for extra in ([], ["--json"]):
        code, out, err = detect(capsys, folder / "answers.jsonl", "--keys", folder / "keys.jsonl", *extra)
        assert code == ExitCode.DONE
        assert not any(key[:16] in out + err or key[-16:] in out + err for key in keys)
    assert "✓ found" in detect(capsys, folder / "answers.jsonl", "--keys", folder / "keys.jsonl")[1]


def test_an_example_is_never_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mark", "example", "--out", str(folder)]) == ExitCode.OUTPUT
    assert "already" in capsys.readouterr().err
    assert (folder / "keys.jsonl").stat().st_mode & 0o077 == 0


def test_little_text_says_what_is_needed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.jsonl"
    short.write_text('{"token_ids": [5, 6, 7, 8, 9, 10, 11, 12]}\n')
    code, out, _ = detect(capsys, short, "--keys", folder / "keys.jsonl")
    assert code == ExitCode.DONE
    assert "No key is found" in out
    assert "distinct scored tokens" in out


def test_another_tokenizer_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = library.Tokenizer(library.models.WordLevel({"the": 0, "sea": 1, "?": 2}, unk_token="?"))  # noqa: S106  # no password
    model.pre_tokenizer = library.pre_tokenizers.Whitespace()
    model.save(str(tmp_path / "tokenizer.json"))
    lines = [json.loads(line) for line in (folder / "keys.jsonl").read_text().splitlines()]
    keys = tmp_path / "keys.jsonl"
    keys.touch(mode=0o600)
    keys.write_text("".join(json.dumps({**line, "tokenizer_digest": "sha256:00"}) + "\n" for line in lines))
    (tmp_path / "a.txt").write_text("the sea the sea the secret sea " * 5)
    arguments = (tmp_path / "a.txt", "--tokenizer", tmp_path / "tokenizer.json", "--keys")
    code, out, err = detect(capsys, *arguments, keys)
    assert (code, out) == (ExitCode.INPUT, "")
    assert "was used under tokenizer sha256:00" in err
    code, out, err = detect(capsys, *arguments, folder / "keys.jsonl")
    assert code == ExitCode.DONE
    assert "secret" not in out + err


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (("--alpha", "1.5"), ExitCode.USAGE), (("--decoys", "-1"), ExitCode.USAGE), (("--memory", "much"), ExitCode.USAGE),
        (("--field", "absent"), ExitCode.INPUT),
    ],
)  # fmt: skip
def test_options_that_cannot_be_used(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: tuple[str, str], code: ExitCode
) -> None:
    assert detect(capsys, folder / "answers.jsonl", "--keys", folder / "keys.jsonl", *changes)[0] == code


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = detect(capsys, folder / "absent.jsonl", "--keys", folder / "keys.jsonl")
    assert code == ExitCode.USAGE
    assert "absent.jsonl" in err


def test_every_example_below_mark_is_one_of_its_own() -> None:
    """They are run in test_help_examples.py."""
    assert {example for verb, _ in mark.VERBS[:2] for example in verb.examples} == set(mark.HELP.examples)
