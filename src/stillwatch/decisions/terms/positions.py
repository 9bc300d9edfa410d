"""YAML with places: a file of terms as nodes that know their line and column.

Takes bytes. Gives nodes of three kinds: mapping, list, scalar. A scalar is its text, as it is written: what type it should be is decided by
who reads it, so that `NO` is a country and `2026-06-01` a version. Every file is hostile: size, depth and number of nodes are bounded;
anchors, aliases, tags, a second document and repeated keys are refused.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import yaml

from stillwatch.decisions.terms.problem import Place, Problem, refuse

MOST_BYTES = 1 << 20
MOST_DEPTH = 12
MOST_NODES = 50_000
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, so that a clause could read otherwise than it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A mapping."""

    place: Place
    fields: dict[str, Node]
    keys: dict[str, Place]
    """Where each key stands."""


Node = Scalar | Listed | Mapped


def read_nodes(content: bytes, file: str) -> tuple[Mapped, tuple[str, ...]]:
    """Read a YAML file.

    Args:
        content: bytes of the file, UTF-8.
        file: its name, for messages.

    Returns:
        The mapping that it holds, and its lines.

    Raises:
        TermsProblemsError: where it is no YAML, no mapping, or beyond the bounds.
    """
    start = Place(line=1, column=1)
    if len(content) > MOST_BYTES:
        problem = Problem(
            place=start,
            message=f"the file has {len(content):,} bytes, at most {MOST_BYTES:,}",
            hint="cut it into several",
        )
        refuse([problem], file, ())
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(
            place=Place(line=line, column=1), message="the file is no UTF-8 here", hint="save the file as UTF-8"
        )
        refuse([problem], file, ())
        raise  # not reached: the problem was raised
    lines = tuple(text.splitlines())
    problems: list[Problem] = []
    root: Node | None = None
    try:
        root = _Builder(text, problems).document()
    except yaml.YAMLError as error:
        problems.append(_yaml_problem(error))
    except (ValueError, OverflowError):  # an escape that is no character
        problems.append(
            Problem(
                place=start,
                message="an escape in quotes is no character",
                hint="write the character itself, or single quotes",
            )
        )
    except RecursionError:
        problems.append(Problem(place=start, message="the file is nested too deeply", hint="write it flatter"))
    if root is not None and not isinstance(root, Mapped):
        problems.append(
            Problem(
                place=root.place, message="expected a mapping of fields", hint="begin with terms:, version:, clauses:"
            )
        )
    refuse(problems, file, lines)
    if not isinstance(root, Mapped):
        refuse([Problem(place=start, message="the file is empty", hint="begin with terms:, version:")], file, lines)
        raise TypeError(file)  # not reached: the problem was raised
    return root, lines


class _Builder:
    """Builds nodes from YAML's events; what is refused is noted and passed over."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._problems = problems
        self._nodes = 0

    def document(self) -> Node | None:
        """Give the only document; null for an empty file."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._problem(event, "a second document begins here", "write one document in a file")
                    return root
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._nodes += 1
        if depth > MOST_DEPTH or self._nodes > MOST_NODES:
            what = f"nested over {MOST_DEPTH} deep" if depth > MOST_DEPTH else f"over {MOST_NODES:,} values"
            raise yaml.YAMLError(what, _place(event))
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._problem(event, "anchors and aliases are not read", "write the value out")
        if getattr(event, "tag", None) is not None:
            self._problem(event, "tags are not read", "leave the tag out")
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return Listed(place=_place(event), items=tuple(items))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        text = str(getattr(event, "value", ""))
        if any(one not in "\n\t" and (unicodedata.category(one) in {"Cc", "Cs"} or one in _TURNING) for one in text):
            self._problem(event, "a character here cannot be printed", "take it away; it may have come from copying")
            text = ""
        return Scalar(place=_place(event), text=text)

    def _mapping(self, start: yaml.Event, depth: int) -> Mapped:
        fields: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._node(inner, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._problem(inner, "a key is no text", "write a field's name before the colon")
            elif key.text in fields:
                self._problem(inner, f"{key.text!a} stands here a second time", "keep one of them")
            else:
                fields[key.text] = value
                keys[key.text] = key.place
        return Mapped(place=_place(start), fields=fields, keys=keys)

    def _problem(self, event: yaml.Event, message: str, hint: str) -> None:
        self._problems.append(Problem(place=_place(event), message=message, hint=hint))


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(line=1, column=1) if mark is None else Place(line=mark.line + 1, column=mark.column + 1)


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    """Translate an error of the YAML reader, or a bound that was passed."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        place = Place(line=mark.line + 1, column=mark.column + 1)
        said = str(getattr(error, "problem", None) or "cannot be read")
        return Problem(place=place, message=f"this is no YAML: {said}", hint="check indentation, colons and quotes")
    if len(error.args) == 2 and isinstance(error.args[1], Place):
        return Problem(place=error.args[1], message=f"the file is {error.args[0]}", hint="write it flatter and shorter")
    return Problem(
        place=Place(line=1, column=1),
        message="this is no YAML: a character is not allowed",
        hint="save it as plain UTF-8",
    )
