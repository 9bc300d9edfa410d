"""Sources: paths, folders and globs become one sorted list, whatever their order and however often they name a file."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

import pytest

from stillwatch.intake.errors import SourceNotFoundError, UnreadableFileError
from stillwatch.intake.sources import digest_file, expand_paths, is_log_name, kind_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.jsonl",
        "a.json.gz",
        "day=1/c.parquet",
        "day=1/d.ndjson.zst",
        "notes.csv",
        "_SUCCESS",
        ".hidden.jsonl",
        "_tmp/e.jsonl",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}")
    return tmp_path


def names(folder: Path, *paths: str) -> list[str]:
    return [os.path.relpath(source.path, folder) for source in expand_paths(paths)]


def test_a_folder_gives_its_logs_recursively_and_sorted(folder):
    assert names(folder, str(folder)) == ["a.json.gz", "b.jsonl", "day=1/c.parquet", "day=1/d.ndjson.zst"]


def test_numbers_are_places_in_the_sorted_list(folder):
    sources = expand_paths([str(folder / "b.jsonl"), str(folder / "a.json.gz")])
    assert [(Path(source.path).name, source.number) for source in sources] == [("a.json.gz", 0), ("b.jsonl", 1)]
    assert [source.size for source in sources] == [2, 2]


def test_globs_and_repeated_paths_name_a_file_once(folder):
    assert names(folder, str(folder / "*.jsonl"), str(folder), str(folder / "b.jsonl")) == names(folder, str(folder))
    assert names(folder, str(folder / "**" / "*.parquet")) == ["day=1/c.parquet"]
    assert names(folder, str(folder / "day*")) == ["day=1/c.parquet", "day=1/d.ndjson.zst"]


def test_links_to_a_file_name_it_once(folder):
    (folder / "z.jsonl").symlink_to(folder / "b.jsonl")
    assert names(folder, str(folder)) == ["a.json.gz", "b.jsonl", "day=1/c.parquet", "day=1/d.ndjson.zst"]


def test_a_named_file_is_taken_whatever_its_suffix(folder):
    (source,) = expand_paths([str(folder / "notes.csv")])
    assert source.named
    assert not expand_paths([str(folder)])[0].named


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing.jsonl", "'missing.jsonl': there is no such file or folder"),
        ("missing*.jsonl", "'missing*.jsonl': glob matches nothing"),
    ],
)
def test_what_is_not_found_is_named(path, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceNotFoundError) as caught:
        expand_paths([path])
    assert str(caught.value).startswith(words)


def test_nothing_given_and_empty_folder(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no input path given"):
        expand_paths([])
    with pytest.raises(SourceNotFoundError, match="holds no log file"):
        expand_paths([str(tmp_path)])


def test_a_path_with_glob_characters_that_exists_is_that_file(tmp_path):
    path = tmp_path / "log[1].jsonl"
    path.write_bytes(b"{}")
    assert [source.path for source in expand_paths([str(path)])] == [str(path)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"PAR1", "parquet"), (b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"{", "plain"), (b"", "plain")],
)
def test_kind_is_told_by_the_first_bytes(head, kind, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(head)
    assert kind_of(str(path)) == kind


@pytest.mark.parametrize(
    ("name", "log"),
    [
        ("a.jsonl", True),
        ("a.JSON.GZ", True),
        ("a.log.zst", True),
        ("a.csv", False),
        (".a.json", False),
        ("_a.json", False),
    ],
)
def test_names_of_logs(name, log):
    assert is_log_name(name) is log


def test_digest_is_blake2b_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    content = os.urandom(3 << 20)
    path.write_bytes(content)
    assert digest_file(str(path)) == f"blake2b:{blake2b(content, digest_size=32).hexdigest()}"
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        digest_file(str(tmp_path / "missing"))
