"""JSON and YAML with places: a configuration as values that know where they stand.

Takes bytes. Gives nodes as PyYAML composes them, which carry line and column; JSON is read as the YAML that it nearly is. Every file is
hostile: its size is bounded, and aliases are not followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from stillwatch.watermark.lint.errors import MarkSettingsError

MOST_BYTES = 1 << 20
MOST_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where something stands."""

    line: int
    """From 1."""
    column: int
    """From 1."""


Plain = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value with its place."""

    place: Place
    plain: Plain

    def fields(self) -> Mapping[str, Value]:
        """Give the fields of a mapping; none where it is something else."""
        return self.plain if isinstance(self.plain, dict) else {}


def read_values(content: bytes, file: str) -> Value:
    """Read a configuration.

    Args:
        content: bytes of the file, UTF-8.
        file: its name, for messages.

    Returns:
        Its one document.

    Raises:
        MarkSettingsError: where it is neither JSON nor YAML, or beyond the bounds.
    """
    if len(content) > MOST_BYTES:
        raise MarkSettingsError(f"{file}: {len(content):,} bytes, expected at most {MOST_BYTES:,}")
    try:
        # JSON may be indented with tabs, where YAML may not; inside strings JSON has none.
        text = content.decode("utf-8").replace("\t", " ")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise MarkSettingsError(f"{file}: is empty, expected a configuration in JSON or YAML")
        return _value(node, file, 0)
    except UnicodeDecodeError:
        raise MarkSettingsError(f"{file}: is no UTF-8; save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else file
        raise MarkSettingsError(f"{where}: is neither JSON nor YAML; check indentation, colons and quotes") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise MarkSettingsError(f"{file}: is neither JSON nor YAML; save it as plain text") from None


def _value(node: yaml.Node, file: str, depth: int) -> Value:
    place = Place(line=node.start_mark.line + 1, column=node.start_mark.column + 1)
    if depth > MOST_DEPTH:  # an alias of a node to itself ends here too
        raise MarkSettingsError(f"{file}:{place.line}: nested over {MOST_DEPTH} deep; write it flatter")
    if isinstance(node, yaml.MappingNode):
        return Value(place=place, plain={str(key.value): _value(value, file, depth + 1) for key, value in node.value})
    if isinstance(node, yaml.SequenceNode):
        return Value(place=place, plain=[_value(one, file, depth + 1) for one in node.value])
    return Value(place=place, plain=_scalar(str(node.value), str(node.tag)))


def _scalar(text: str, tag: str) -> str | int | float | bool | None:
    """Give a scalar by the tag that YAML resolved for it."""
    kind = tag.removeprefix("tag:yaml.org,2002:")
    if kind == "int":
        return int(text.replace("_", ""), 0) if not text.lstrip("+-").startswith("0") or len(text) < 3 else _based(text)
    if kind == "float":
        try:
            return float(text)
        except ValueError:  # .inf and its like
            return text
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    return None if kind == "null" else text


def _based(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:  # 0123 is octal to YAML 1.1, and a mistake to a person
        return text
