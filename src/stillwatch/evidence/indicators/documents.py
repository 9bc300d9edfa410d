"""Indicator files: hostile text that becomes records, or an error that names the place.

Takes bytes of a STIX bundle, a MISP event, or our own canonical file. Gives an `IndicatorSet`. Promises bounds on size and depth, and
that every digest, id, word and time is of the form that the record promises, whatever the file says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from stillwatch.evidence.indicators.errors import IndicatorFileError
from stillwatch.evidence.indicators.keyed import FEWEST_VALUES, TEMPLATE_VALUES
from stillwatch.integrity.canonical import canonical_bytes
from stillwatch.records.campaign import FLAGGED_FINDINGS
from stillwatch.records.indicator import (
    IdentifierIndicator,
    IdentifierKind,
    IndicatorSet,
    TemplateIndicator,
    TrafficLight,
)

FORMAT = "stillwatch-indicators/v1"
MOST_BYTES = 64 << 20
MOST_DEPTH = 32
MOST_TEXT = 200
_TECHNIQUE = re.compile(r"AML\.T[0-9]{4}(\.[0-9]{3})?")
_LATEST_US = 253_402_300_799_999_999
"""The end of the year 9999."""


def read_json_document(content: bytes, where: str) -> dict[str, Any]:
    """Read a JSON object from a partner.

    Args:
        content: bytes of the file.
        where: its path, for messages.

    Raises:
        IndicatorFileError: for too large, too deep or no JSON, or JSON that is not an object.
    """
    if len(content) > MOST_BYTES:
        raise IndicatorFileError(f"{where} has {len(content):,} bytes, expected at most {MOST_BYTES:,}")
    try:
        document = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise IndicatorFileError(f"{where} is not JSON that can be read: got {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise IndicatorFileError(f"{where} holds a JSON {type(document).__name__}, expected an object")
    if _depth(document) > MOST_DEPTH:
        raise IndicatorFileError(f"{where} is nested deeper than {MOST_DEPTH}; no indicator file is")
    return document


def set_document(indicators: IndicatorSet) -> bytes:
    """Return the canonical file of a set.

    Args:
        indicators: the set.
    """
    return canonical_bytes({"format": FORMAT, "indicators": indicators})


def read_set_document(document: Mapping[str, Any], where: str) -> IndicatorSet:
    """Read our own canonical file.

    Args:
        document: its JSON.
        where: its path, for messages.

    Raises:
        IndicatorFileError: where it is not one.
    """
    if document.get("format") != FORMAT or not isinstance(document.get("indicators"), Mapping):
        raise IndicatorFileError(
            f"{where} is not an indicator file: expected `format` to be {FORMAT!r} and an object `indicators`"
        )
    return checked_set(document["indicators"], where)


def checked_set(fields: Mapping[str, Any], where: str) -> IndicatorSet:
    """Build a set from what a partner's file says, every field checked.

    Args:
        fields: names and values as `IndicatorSet` has them.
        where: the file's path, for messages.

    Raises:
        IndicatorFileError: naming the field that is missing or of another form; never its value.
    """
    read = _Fields(fields, where)
    return IndicatorSet(
        id=read.matching("id", r"i-[0-9a-f]{32}"),
        key_id=read.matching("key_id", r"[0-9a-f]{16}"),
        producer=read.text("producer"),
        finding=read.one_of("finding", [one.value for one in FLAGGED_FINDINGS]),
        techniques=tuple(
            sorted(
                {
                    _Fields({"technique": one}, where).matching("technique", _TECHNIQUE.pattern)
                    for one in read.items("techniques")
                }
            )
        ),
        capability=read.text("capability"),
        accounts=read.whole("accounts"),
        exchanges=read.whole("exchanges"),
        first_seen_us=read.whole("first_seen_us"),
        last_seen_us=read.whole("last_seen_us"),
        made_us=read.whole("made_us"),
        valid_until_us=read.whole("valid_until_us"),
        traffic_light=cast("TrafficLight", read.one_of("traffic_light", list(get_args(TrafficLight)))),
        identifiers=tuple(
            sorted(
                (_identifier(one, where) for one in read.items("identifiers")),
                key=lambda one: (one.kind.value, one.digest),
            )
        ),
        templates=tuple(_template(one, where) for one in read.items("templates")),
    )


def _identifier(fields: Any, where: str) -> IdentifierIndicator:
    read = _Fields(fields, where)
    return IdentifierIndicator(
        kind=IdentifierKind(read.one_of("kind", [kind.value for kind in IdentifierKind])),
        digest=read.matching("digest", r"[0-9a-f]{64}"),
        carriers=read.whole("carriers", low=1),
    )


def _template(fields: Any, where: str) -> TemplateIndicator:
    read = _Fields(fields, where)
    values = tuple(_Fields({"value": one}, where).matching("value", r"[0-9a-f]{16}") for one in read.items("values"))
    if not FEWEST_VALUES <= len(values) <= TEMPLATE_VALUES or list(values) != sorted(set(values)):
        raise IndicatorFileError(
            f"{where}: a template has {len(values)} values, expected {FEWEST_VALUES} to {TEMPLATE_VALUES}, ascending, each once"
        )
    return TemplateIndicator(
        values=values, shingles=read.whole("shingles", low=len(values)), exhibits=read.whole("exhibits", low=2)
    )


class _Fields:
    """Fields of an object that nobody vouches for."""

    def __init__(self, fields: Any, where: str) -> None:
        if not isinstance(fields, Mapping):
            raise IndicatorFileError(f"{where}: got {type(fields).__name__}, expected an object")
        self._fields: Mapping[str, Any] = fields
        self._where = where

    def text(self, name: str) -> str:
        """Return a short line of printable text."""
        value = self._value(name)
        if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isprintable():
            raise self._error(name, f"a line of at most {MOST_TEXT} printable characters")
        return value

    def matching(self, name: str, form: str) -> str:
        """Return a text of a form."""
        value = self._value(name)
        if not isinstance(value, str) or not re.fullmatch(form, value):
            raise self._error(name, f"text of the form {form}")
        return value

    def one_of(self, name: str, words: Sequence[str]) -> str:
        """Return one of some words."""
        value = self._value(name)
        if not isinstance(value, str) or value not in words:
            raise self._error(name, f"one of {', '.join(sorted(words))}")
        return value

    def whole(self, name: str, low: int = 0) -> int:
        """Return a whole number."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= _LATEST_US:
            raise self._error(name, f"a whole number from {low} to {_LATEST_US}")
        return value

    def items(self, name: str) -> list[Any]:
        """Return a list."""
        value = self._value(name)
        if not isinstance(value, list):
            raise self._error(name, "a list")
        return value

    def _value(self, name: str) -> Any:
        if name not in self._fields:
            raise IndicatorFileError(f"{self._where}: field {name!r} is missing")
        return self._fields[name]

    def _error(self, name: str, expected: str) -> IndicatorFileError:
        return IndicatorFileError(f"{self._where}: field {name!r} is of another form, expected {expected}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _depth(document: Any) -> int:
    """Return how deep a document is nested, without recursion."""
    deepest, waiting = 0, [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(value, Mapping):
            waiting += [(one, depth + 1) for one in value.values()]
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value]
    return deepest
