"""Lines, documents and streams: whatever the bytes and however they come in blocks, nothing is lost and spans are right."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.intake import lines as lines_module
from stillwatch.intake.documents import Undivided, documents
from stillwatch.intake.json_text import read_json
from stillwatch.intake.lines import Encoding, Overlong, encoding_of, located, runs
from stillwatch.intake.streams import StreamCutError, blocks

UTF8 = Encoding(name="utf-8", mark=0)


def in_blocks(content: bytes, sizes: list[int]) -> list[bytes]:
    pieces, place = [], 0
    for size in sizes:
        pieces.append(content[place : place + size])
        place += size
    return [piece for piece in [*pieces, content[place:]] if piece]


@given(content=st.binary(max_size=200), sizes=st.lists(st.integers(1, 30)))
def test_lines_are_those_of_split_whatever_the_blocks(content, sizes):
    found = [(offset, line) for run in runs(in_blocks(content, sizes), UTF8) for offset, line in located(run)]
    expected, offset = [], 0
    for line in content.split(b"\n"):
        expected.append((offset, line.removesuffix(b"\r")))
        offset += len(line) + 1
    if expected[-1][1] == b"" and not content.endswith(b"\r"):
        expected.pop()
    assert found == expected


@given(
    text=st.text(st.sampled_from("ab\n\u010a\u0a0a\u4e0a"), max_size=60),
    sizes=st.lists(st.integers(1, 9)),
    codec=st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]),
)
def test_wide_encodings_are_split_only_at_line_feeds(text, sizes, codec):
    content = text.encode(codec)
    found = [
        line.decode(codec)
        for run in runs(in_blocks(content, sizes), Encoding(name=codec, mark=0))
        for _, line in located(run)
    ]
    expected = text.split("\n")
    assert found == (expected[:-1] if expected[-1] == "" else expected)


@given(
    parts=st.lists(st.one_of(st.binary(max_size=8), st.just(b"x" * 40), st.just(b"y" * 21)), max_size=8),
    sizes=st.lists(st.integers(1, 17)),
)
def test_overlong_lines_are_given_by_their_span_and_the_others_are_read(parts, sizes):
    content = b"\n".join(part.replace(b"\n", b"").replace(b"\r", b"") for part in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "LINE_LIMIT", 20)
        found = list(runs(in_blocks(content, sizes), UTF8))
    read = [content[run.offset : run.offset + run.length] for run in found if isinstance(run, Overlong)]
    read += [line for run in found if not isinstance(run, Overlong) for line in run.lines]
    expected = content.split(b"\n")
    assert sorted(read) == sorted(expected if expected[-1] else expected[:-1])
    assert all(len(content[run.offset : run.offset + run.length]) > 20 for run in found if isinstance(run, Overlong))


@pytest.mark.parametrize(
    ("head", "declared", "name", "mark"),
    [
        (b"{}", None, "utf-8", 0),
        (b"\xef\xbb\xbf{}", None, "utf-8", 3),
        (b"\xff\xfe{\0", None, "utf-16-le", 2),
        (b"\xff\xfe\0\0{\0\0\0", None, "utf-32-le", 4),
        (b"\xfe\xff\0{", "latin-1", "utf-16-be", 2),
        (b"{}", "latin-1", "iso8859-1", 0),
        (b"{\0", "utf-16", "utf-16-le", 0),
    ],
)
def test_encoding_is_the_mark_before_the_declaration(head, declared, name, mark):
    assert encoding_of(head, declared) == Encoding(name=name, mark=mark)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    rows=st.lists(st.dictionaries(st.text(), values), max_size=6),
    form=st.sampled_from(["array", "pretty array", "objects", "pretty objects", "lines"]),
    sizes=st.lists(st.integers(1, 25)),
    ascii_only=st.booleans(),
)
def test_documents_are_the_objects_whatever_the_layout_and_blocks(rows, form, sizes, ascii_only):
    indent = 1 if "pretty" in form else None
    if "array" in form:
        text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    else:
        text = "\n".join(json.dumps(row, indent=indent, ensure_ascii=ascii_only) for row in rows)
    content = text.encode("utf-8", "surrogatepass")
    found = list(documents(in_blocks(content, sizes)))
    assert not any(isinstance(item, Undivided) for item in found)
    assert [json.loads(document.decode("utf-8", "surrogatepass")) for _, document in found] == rows
    assert all(content[offset : offset + len(document)] == document for offset, document in found)


@pytest.mark.parametrize(
    ("content", "whole", "reasons"),
    [
        (b'[{"a": 1}, {"b": ', 1, ["the file ends inside a JSON object"]),
        (b'[{"a": 1}, junk {"b": 2}]', 2, ["bytes that are no JSON object"]),
        (b'{"a": 1}}{"b": 2}', 1, ["a closing bracket without an opening one; the rest of the file is unread"]),
        (b"[1, 2, 3]", 0, ["bytes that are no JSON object"]),
        (b'{"a": "never ends', 0, ["the file ends inside a JSON object"]),
        (b"", 0, []),
        (b"[]", 0, []),
    ],
)
def test_bytes_that_are_no_object_are_reported(content, whole, reasons):
    for size in (1, 3, 1000):
        found = list(documents(in_blocks(content, [size] * len(content))))
        assert len([item for item in found if not isinstance(item, Undivided)]) == whole
        assert [item.reason for item in found if isinstance(item, Undivided)] == reasons


def test_object_that_never_ends_is_given_up_in_bounded_memory():
    pieces = (b'{"a": [' if number == 0 else b" " * (1 << 20) for number in range(40))
    found = list(documents(pieces))
    (item,) = found
    assert isinstance(item, Undivided)
    assert item.length == 7 + 39 * (1 << 20)
    assert "does not end" in item.reason


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_file_that_expands_enormously_comes_in_bounded_blocks(kind, tmp_path):
    bomb = bytes(300 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bomb, 9) if kind == "gzip" else zstandard.compress(bomb))
    largest = total = 0
    for block in blocks(str(path), kind):
        largest = max(largest, len(block))
        total += len(block)
    assert total == 300 << 20
    assert largest <= 68 << 20


def test_cut_stream_gives_its_blocks_before_it_says_so(tmp_path):
    content = b"".join(b"%d\n" % number for number in range(100_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(content)[:-10])
    pieces: list[bytes] = []
    with pytest.raises(StreamCutError, match="gzip file is cut"):
        pieces.extend(blocks(str(path), "gzip"))
    read = b"".join(pieces)
    assert content.startswith(read)
    assert len(read) > 0.99 * len(content)


@given(value=values)
def test_json_is_read_as_the_standard_library_reads_it(value):
    text = json.dumps(value)
    assert read_json(text.encode()) == json.loads(text.encode("utf-8", "surrogatepass"))
