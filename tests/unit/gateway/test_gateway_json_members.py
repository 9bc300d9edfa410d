"""Members are taken out and put in, and no other byte of the client's body changes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.gateway.errors import UnreadableBodyError
from stillwatch.gateway.json_members import parsed, with_member, without
from stillwatch.gateway.marking import STRIPPED

NAMES = sorted(STRIPPED)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=6) | st.sampled_from(NAMES), values, max_size=6)


@settings(max_examples=300, deadline=None)
@given(content=objects, indent=st.sampled_from([None, 0, 3]), ascii_only=st.booleans())
def test_only_the_named_members_go(content: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(content, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    content = json.loads(body)
    left = without(body, STRIPPED)
    assert json.loads(left) == {name: value for name, value in content.items() if name not in STRIPPED}
    if not STRIPPED & content.keys():
        assert left == body
    assert json.loads(with_member(left, "watermark", {"key": "ab"})) == {**json.loads(left), "watermark": {"key": "ab"}}
    assert with_member(left, "watermark", 1).startswith(left[: left.rindex(b"}")])


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (
            b'{"seed":12345678901234567890123, "temperature":1.0e-1 ,"watermark":{"key":"a,}"} }',
            b'{"seed":12345678901234567890123, "temperature":1.0e-1  }',
        ),
        (b'{"watermark":1,"a":2,"watermark":3}', b'{"a":2}'),
        (b'{"\\u0077atermark":1,"a":"\\u0077atermark"}', b'{"a":"\\u0077atermark"}'),
        (b'{"a":{"watermark":1},"b":[{"vllm_xargs":2}]}', b'{"a":{"watermark":1},"b":[{"vllm_xargs":2}]}'),
        (b'{"custom_params":[1,{"x":"]}"}]}', b"{}"),
        (b'{"a":"\\"watermark\\":1,","vllm_xargs":{}}', b'{"a":"\\"watermark\\":1,"}'),
        (b" {}\n", b" {}\n"),
        (b'{"a":NaN,"watermarking":false}', b'{"a":NaN}'),
        (b'{"a":"\\ud800","watermarking":false}', b'{"a":"\\ud800"}'),
    ],
)
def test_hostile_ways_to_write_a_member(body: bytes, left: bytes) -> None:
    assert isinstance(parsed(body), dict)
    assert without(body, STRIPPED) == left


def test_a_member_is_put_at_the_end() -> None:
    assert with_member(b'{"a":1 }\n', "vllm_xargs", {"k": "h"}) == b'{"a":1 ,"vllm_xargs":{"k":"h"}}\n'
    assert with_member(b"{ }", "watermark", 1) == b'{ "watermark":1}'


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"a":1}x', b"{'a':1}", '{"watermark":1}'.encode("utf-16"), '{"watermark":1}'.encode("utf-32-le"),
        b'\xef\xbb\xbf{"watermark":1}', b'{"a":"\xff"}', b"[" * 100_000, b'{"a":' * 50_000,
    ],
)  # fmt: skip
def test_what_another_reader_might_understand_is_refused_and_never_repeated(body: bytes) -> None:
    with pytest.raises(
        UnreadableBodyError,
        match=rf"^got a body of {len(body):,} bytes that is no JSON text in UTF-8; send one JSON object$",
    ):
        parsed(body)
