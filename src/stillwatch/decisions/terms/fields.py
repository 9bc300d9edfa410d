"""Fields: values of a mapping, each checked for its type, with a problem noted where it is another.

Takes a mapping with places. Gives texts, numbers, words and lists. Promises that a problem never ends the reading: all are collected.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from stillwatch.decisions.terms.positions import Listed, Mapped, Node, Scalar
from stillwatch.decisions.terms.problem import Place, Problem

LONGEST_TEXT = 20_000
_NUMBER = re.compile(r"-?\d{1,16}")


class Fields:
    """Reads the fields of one mapping."""

    def __init__(self, mapping: Mapped, what: str, problems: list[Problem]) -> None:
        """Take a mapping.

        Args:
            mapping: whose fields are read.
            what: the mapping in a word, for messages.
            problems: to which problems are added.
        """
        self.mapping = mapping
        self.problems = problems
        self._what = what

    def place(self, name: str) -> Place:
        """Give the place of a field's value; of the mapping where it is missing."""
        node = self.mapping.fields.get(name)
        return self.mapping.place if node is None else node.place

    def problem(self, place: Place, message: str, hint: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(place=place, message=message, hint=hint))

    def only(self, names: Collection[str]) -> None:
        """Note every field that is not one of these."""
        for name, place in self.mapping.keys.items():
            if name not in names:
                self.problem(place, f"{self._what} has no field {name!a}", nearest(name, names, "fields"))

    def text(self, name: str, *, needed: bool = True) -> str:
        """Give a text; empty where it is missing or none."""
        node = self._node(name, needed=needed)
        if node is None:
            return ""
        if not isinstance(node, Scalar) or not node.text.strip() or len(node.text) > LONGEST_TEXT:
            self.problem(node.place, f"{name} is no text", f"write a text of 1 to {LONGEST_TEXT:,} characters")
            return ""
        return node.text

    def number(self, name: str, default: int, most: int) -> int:
        """Give a whole number from 0; the default where it is missing."""
        node = self._node(name, needed=False)
        if node is None:
            return default
        found = number_of(node)
        if found is None or not 0 <= found <= most:
            self.problem(
                node.place, f"{name} is no whole number from 0 to {most:,}", f"write a number such as {default}"
            )
            return default
        return found

    def word(self, name: str, words: Collection[str], default: str | None = None) -> str | None:
        """Give one of these words; the default where it is missing, null where it is another."""
        node = self._node(name, needed=default is None)
        if node is None:
            return default
        text = node.text if isinstance(node, Scalar) else ""
        if text in words:
            return text
        self.problem(node.place, f"{name} got {text[:40]!a}", nearest(text, words, "words"))
        return None

    def texts(self, name: str) -> tuple[Scalar, ...]:
        """Give a list of texts; empty where it is missing."""
        node = self._node(name, needed=False)
        if node is None:
            return ()
        if isinstance(node, Listed) and all(isinstance(one, Scalar) for one in node.items):
            return tuple(one for one in node.items if isinstance(one, Scalar))
        self.problem(node.place, f"{name} is no list of texts", "write it as [first, second]")
        return ()

    def mappings(self, name: str, *, needed: bool = True) -> tuple[Mapped, ...]:
        """Give a list of mappings."""
        node = self._node(name, needed=needed)
        if node is None:
            return ()
        if isinstance(node, Listed) and node.items and all(isinstance(one, Mapped) for one in node.items):
            return tuple(one for one in node.items if isinstance(one, Mapped))
        self.problem(node.place, f"{name} is no list of mappings", "write one item after another, each after a hyphen")
        return ()

    def inner(self, name: str, *, needed: bool = False) -> Mapped | None:
        """Give a mapping; null where it is missing or none."""
        node = self._node(name, needed=needed)
        if node is None or isinstance(node, Mapped):
            return node
        self.problem(node.place, f"{name} is no mapping", "write one field in a line below it, further in")
        return None

    def _node(self, name: str, *, needed: bool) -> Node | None:
        node = self.mapping.fields.get(name)
        if node is None and needed:
            self.problem(self.mapping.place, f"{self._what} lacks {name}", f"add `{name}:` to it")
        return node


def number_of(node: Node) -> int | None:
    """Give the whole number that a node holds; null where it holds none."""
    if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text):
        return int(node.text)
    return None


def truth_of(node: Node) -> bool | None:
    """Give the truth value that a node holds; null where it is neither `true` nor `false`."""
    return {"true": True, "false": False}.get(node.text) if isinstance(node, Scalar) else None


def nearest(given: str, words: Collection[str], what: str) -> str:
    """Give a hint that names the nearest word, or all."""
    plain = sorted(str(word) for word in words)
    close = difflib.get_close_matches(given[:40], plain, n=1)
    return f"did you mean {close[0]!a}?" if close else f"the {what} are {', '.join(plain)}"
