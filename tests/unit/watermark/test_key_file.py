"""Key files: what is read, and what is refused without a key in the message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.records.mark import MarkKey, MarkLevel
from stillwatch.watermark.errors import MarkKeyError
from stillwatch.watermark.key_file import key_lines, read_key_file

HEX = "00f1e2d3c4b5a697"


def key(handle: str = "k-1", **changes: object) -> MarkKey:
    values: dict[str, object] = {
        "handle": handle, "scheme": "green-bernoulli@v1", "parameters": (("context_width", 2), ("gamma", 0.25)),
        "level": MarkLevel.CAMPAIGN, "assigned_to": "c-7", "key": bytes.fromhex(HEX), "tokenizer_digest": "sha256:00",
        "issued_us": 1_770_000_000_000_000, "retired_us": 1_780_000_000_000_000, "commitment": "sha256:11",
    }  # fmt: skip
    return MarkKey(**{**values, **changes})  # type: ignore[arg-type]


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.jsonl"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_come_back_as_they_were_written(tmp_path: Path) -> None:
    keys = [key(), key("k-2", key=bytes(8), retired_us=None), key("p", level=MarkLevel.PROVIDER, key=bytes(range(8)))]
    assert read_key_file(written(tmp_path, key_lines(keys))) == keys


def test_the_text_form_of_a_key_hides_it() -> None:
    assert HEX not in repr(key())
    assert repr(bytes.fromhex(HEX)) not in repr(key())


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, key_lines([key()]))
    path.chmod(0o640)
    with pytest.raises(MarkKeyError, match="chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key_hex": HEX[:-1]}, "expected level"),
        ({"key_hex": HEX + "00"}, "expected 8 for green-bernoulli@v1"),
        ({"level": "team"}, "expected level"),
        ({"issued": "2026-11-01T00:00:00"}, "with a zone"),
        ({"scheme": "green@v9"}, "expected one of"),
        ({"parameters": {"gamma": 1.5}}, "between 0 and 1"),
        ({"parameters": {"width": 2}}, "got parameter 'width'"),
        ({"parameters": []}, "parameters is no object"),
        ({"handle": None}, "got no text in 'handle'"),
    ],
)
def test_lines_that_are_no_keys(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    line = {**json.loads(key_lines([key()])), **changes}
    with pytest.raises(MarkKeyError, match=said) as caught:
        read_key_file(written(tmp_path, json.dumps(line)))
    assert "keys.jsonl:1" in str(caught.value)
    assert HEX[:-1] not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "no json", "[1]"])
def test_files_without_keys(tmp_path: Path, text: str) -> None:
    with pytest.raises(MarkKeyError):
        read_key_file(written(tmp_path, text))


def test_one_key_stands_for_one_party(tmp_path: Path) -> None:
    with pytest.raises(MarkKeyError, match="k-2 and k-1 are one key"):
        read_key_file(written(tmp_path, key_lines([key(), key("k-2", assigned_to="c-8")])))
    with pytest.raises(MarkKeyError, match="handle k-1 comes twice"):
        read_key_file(written(tmp_path, key_lines([key(), key(key=bytes(8))])))
