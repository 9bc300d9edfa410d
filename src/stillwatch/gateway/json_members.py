"""Members of a JSON object, taken out or put in without touching a byte of the rest.

Takes the bytes of a JSON object (RFC 8259). Gives the bytes without some of its top-level members, or with one more. Numbers, escapes, spaces
and the order of everything else stay as the client wrote them: a parser and a writer would round a seed of 20 digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from stillwatch.gateway.errors import UnreadableBodyError

_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]', re.DOTALL)


def parsed(body: bytes) -> Any:
    """Parse a body.

    Raises:
        UnreadableBodyError: where it is no JSON text in UTF-8. A reader further on may be more lenient (UTF-16, a byte order mark) and
            would see members that were not seen here; so such a body goes nowhere.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:  # lone surrogates and NaN, which clients send and Python's own reader takes
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise UnreadableBodyError(
            f"got a body of {len(body):,} bytes that is no JSON text in UTF-8; send one JSON object"
        ) from None


def without(body: bytes, names: Collection[str]) -> bytes:
    """Take members out of an object at its top level, however often they occur and however their names are escaped.

    Args:
        body: a JSON object, parsed before.
        names: of the members.
    """
    start, cuts, end = _commas(body)
    edges = [start, *cuts, end]
    members = [body[left + 1 : edges[number + 1]] for number, left in enumerate(edges[:-1])]
    kept = [one for one in members if _name(one) not in names]
    last = members[-1]
    space = b"" if kept and kept[-1] is last else last[len(last.rstrip()) :]  # before the closing brace
    return body[: start + 1] + b",".join(kept) + space + body[end:]


def with_member(body: bytes, name: str, value: Any) -> bytes:
    """Put a member at the end of an object that has none of this name.

    Args:
        body: a JSON object, parsed before.
        name: of the member.
        value: what orjson can write.
    """
    start, _, end = _commas(body)
    comma = b"," if body[start + 1 : end].strip() else b""
    return body[:end] + comma + orjson.dumps(name) + b":" + orjson.dumps(value) + body[end:]


def named(content: Mapping[str, Any], names: Collection[str]) -> tuple[str, ...]:
    """Give those of these names that an object has, sorted."""
    return tuple(sorted(name for name in names if name in content))


def _commas(body: bytes) -> tuple[int, list[int], int]:
    """Give the places of the object's opening brace, of the commas between its members, and of its closing brace."""
    depth, start = 0, -1
    cuts: list[int] = []
    for token in _TOKENS.finditer(body):
        sign = body[token.start()]
        if sign in b"{[":
            depth += 1
            if depth == 1:
                start = token.start()
        elif sign in b"}]":
            depth -= 1
            if depth == 0:
                return start, cuts, token.start()
        elif sign == 0x2C and depth == 1:
            cuts.append(token.start())
    raise UnreadableBodyError(f"got a body of {len(body):,} bytes that is no JSON object")


def _name(member: bytes) -> str | None:
    """Give the name of a member; null for the empty inside of an object without any."""
    found = _TOKENS.search(member)
    return str(json.loads(found.group())) if found is not None else None
