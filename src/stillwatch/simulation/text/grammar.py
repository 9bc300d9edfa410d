r"""Grammar: composes many texts at once from compiled rules and keys.

Takes grammar files (word lists, products of word lists, rules) and, per text, a list of (symbol, key) parts. Gives Arrow strings.
A part's text is a pure function of symbol and key; expansion runs level by level over all texts at once, O(fragments x depth).

File format: `@list NAME` then options separated by `|`; `@product NAME` then productions over lists, enumerated when
compiled; `@rule NAME` then one production per line. `{x}` refers to a symbol, `{x*2-5}` repeats it 2 to 5 times (log-uniform),
`{x#1}` chooses the same again under the same tag of the same production. `\n` is a line break and `\_` a space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stillwatch.simulation.errors import GrammarError
from stillwatch.simulation.randomness import Integers, Keys, Purpose, mix, unit

_REFERENCE = re.compile(r"\{([A-Za-z_.0-9]+)(?:\*(\d+)-(\d+))?(?:#(\d+))?\}")
_FILES = ("words", "chat_english", "chat_languages", "tasks", "scaffolds")
_PRODUCT_LIMIT = 200_000
_FIRST_WORD = -2
"""In a text under expansion rules are their numbers and word w is -2 - w."""

_LITERAL, _LIST, _RULE = 0, 1, 2

Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A name of the grammar while it is compiled."""

    kind: str
    """list, product or rule."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Compiled grammar: flat integer tables and the words."""

    words: pa.StringArray
    names: dict[str, int]
    """Symbol number by name."""
    is_rule: NDArray[np.bool_]
    first: Numbers
    """First production of a rule, first word of a list."""
    count: Numbers
    """Productions of a rule, words of a list."""
    production_first: Numbers
    """First element."""
    production_count: Numbers
    """Elements; for a repetition the most that it can have."""
    production_least: Numbers
    """Fewest elements of a repetition; -1 for other productions."""
    element_code: Numbers
    """A rule's number, a literal's word, or for a list its first word."""
    element_kind: NDArray[np.uint8]
    """Literal, list or rule."""
    element_count: Keys
    """Words of a list."""
    element_salt: Keys
    """What tells the element's key from its neighbours'; equal for elements bound by a tag."""

    def number(self, name: str) -> int:
        """Return the number of a symbol.

        Raises:
            GrammarError: when no symbol has that name.
        """
        if name not in self.names:
            raise GrammarError(f"got symbol {name!r}, expected one of the grammar files' names; check the spelling")
        return self.names[name]

    def compose(self, symbols: Integers, keys: Keys, lengths: Integers) -> pa.StringArray:
        """Compose one text per row from its parts.

        Args:
            symbols: symbol numbers of the parts of all rows, one row after the other; -1 gives nothing.
            keys: uint64, one key per part.
            lengths: parts per row, int64 `[rows]`.

        Returns:
            Strings `[rows]`.
        """
        there = symbols >= 0
        reach = np.concatenate(([0], np.cumsum(there)))
        ends = reach[np.cumsum(lengths)]
        state, keys = symbols[there].astype(np.int32), keys[there]
        is_rule = self.is_rule[state]
        rules, lists = np.flatnonzero(is_rule), np.flatnonzero(~is_rule)
        chosen = state[lists]
        state[lists] = _FIRST_WORD - self.first[chosen] - _below(keys[lists], self.count[chosen].astype(np.uint64))
        rule_keys = keys[rules]
        while len(rules):
            state, rules, rule_keys, reach = self._expand(state, rules, rule_keys)
            ends = np.where(ends > 0, reach[ends - 1], 0)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
        offsets[1:] = ends
        fragments = self.words.take(pa.array(_FIRST_WORD - state))
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), fragments), "")

    def _expand(self, state: Numbers, rules: Integers, keys: Keys) -> tuple[Numbers, Integers, Keys, Integers]:
        """Replace every rule by the elements of one of its productions.

        Returns:
            The new state, the places of rules in it, their keys, and how far each old place now reaches.
        """
        chosen = state[rules]
        production = self.first[chosen] + _below(keys, self.count[chosen].astype(np.uint64))
        sizes = self._sizes(production, keys)
        starts = np.cumsum(sizes) - sizes
        element = np.repeat(self.production_first[production] - starts.astype(np.int32), sizes)
        element += np.arange(len(element), dtype=np.int32)
        codes = self.element_code[element]
        kind = self.element_kind[element]
        live = np.flatnonzero(kind)
        live_element = element[live]
        parent = np.repeat(np.arange(len(rules), dtype=np.int32), sizes)[live]
        child_keys = _step(keys[parent], self.element_salt[live_element])
        lists = np.flatnonzero(kind[live] == _LIST)
        codes[live[lists]] -= _below(child_keys[lists], self.element_count[live_element[lists]])
        grown = np.ones(len(state), dtype=np.int64)
        grown[rules] = sizes
        last = np.cumsum(grown)
        # Children of one rule are neighbours, so their places are its start plus their rank.
        where = np.repeat((last - grown)[rules] - starts, sizes)
        where += np.arange(len(where))
        result = np.empty(int(last[-1]), dtype=np.int32)
        still = np.ones(len(state), dtype=np.bool_)
        still[rules] = False
        result[last[still] - 1] = state[still]
        result[where] = codes
        fresh = np.flatnonzero(kind[live] == _RULE)
        return result, where[live[fresh]], child_keys[fresh], last

    def _sizes(self, production: Numbers, keys: Keys) -> Integers:
        """Elements per production; those of repetitions are log-uniform, as lengths of human text are skewed."""
        sizes = self.production_count[production].astype(np.int64)
        least = self.production_least[production]
        repeats = np.flatnonzero(least >= 0)
        span = sizes[repeats] - least[repeats] + 1
        share = unit(mix(keys[repeats], Purpose.COUNT))
        amount = np.floor(np.exp(share * np.log(span + 1.0)) - 1.0).astype(np.int64).clip(0, span - 1)
        sizes[repeats] = least[repeats] + amount
        return sizes


def _step(keys: Keys, salt: Keys) -> Keys:
    """Key of a part of a text: one round of splitmix64 at the part's place in the sequence of the key."""
    state = keys + salt
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= state >> np.uint64(shift)
        state *= np.uint64(factor)
    state ^= state >> np.uint64(31)
    return state


def _below(keys: Keys, limit: Keys) -> Numbers:
    """Numbers below the limits, from the upper half of the keys."""
    high = keys >> np.uint64(32)
    high *= limit
    high >>= np.uint64(32)
    return high.astype(np.int32)


class _Compiler:
    """Collects words, productions and elements while the files are read."""

    def __init__(self, symbols: dict[str, Symbol]) -> None:
        self.symbols = symbols
        self.names = {name: number for number, name in enumerate(symbols)}
        self.words: list[str] = []
        self.rule: list[bool] = []
        self.first: list[int] = []
        self.count: list[int] = []
        self.productions: list[tuple[int, int, int]] = []
        self.elements: list[tuple[int, int]] = []
        """Symbol and part."""
        self.extra: dict[tuple[int, int, int], int] = {}
        """Numbers of the rules made for repetitions, by symbol, least and most."""
        self.literals: dict[str, int] = {}

    def options(self, name: str, seen: tuple[str, ...] = ()) -> list[str]:
        """All words of a list or product."""
        if name not in self.symbols or name in seen:
            raise GrammarError(f"got {name!r} in product {seen}, expected a list; define it with @list")
        symbol = self.symbols[name]
        if symbol.kind == "list":
            if _REFERENCE.search("|".join(symbol.lines)):
                raise GrammarError(f"got a reference in list {name!r}, expected plain options; use @product or @rule")
            return [unescape(option) for option in "|".join(symbol.lines).split("|")]
        if symbol.kind == "rule":
            raise GrammarError(f"got rule {name!r} in product {seen}, expected a list or product")
        found: list[str] = []
        for line in symbol.lines:
            pieces = [
                self.options(piece, (*seen, name)) if odd else [unescape(piece)] for odd, piece in _alternate(line)
            ]
            found.extend("".join(choice) for choice in product(*pieces))
        if len(found) > _PRODUCT_LIMIT:
            raise GrammarError(f"got {len(found)} words in product {name!r}, expected at most {_PRODUCT_LIMIT}")
        return found

    def compile(self) -> Grammar:
        """Fill the tables: first all symbols, then the productions (which add literals and repetitions)."""
        pending: list[tuple[str, str]] = []
        for name, symbol in self.symbols.items():
            if symbol.kind == "rule":
                self.rule.append(True)
                self.first.append(len(pending))
                self.count.append(len(symbol.lines))
                pending.extend((name, line) for line in symbol.lines)
            else:
                self._add_list(self.options(name))
        for name, line in pending:
            self._add_production(name, line)
        for (target, least, most), number in self.extra.items():
            self.first[number] = len(self.productions)
            self.productions.append((len(self.elements), most, least))
            self.elements.extend((target, part) for part in range(most))
        return self._tables()

    def _tables(self) -> Grammar:
        symbols, parts = (np.array(column, dtype=np.int64) for column in zip(*self.elements, strict=True))
        spans = np.array(self.productions, dtype=np.int32)
        rule = np.array(self.rule, dtype=np.bool_)
        first, count = np.array(self.first, dtype=np.int32), np.array(self.count, dtype=np.int32)
        kind = np.where(rule[symbols], _RULE, np.where(count[symbols] == 1, _LITERAL, _LIST))
        return Grammar(
            words=pa.array(self.words, pa.string()),
            names=self.names,
            is_rule=rule,
            first=first,
            count=count,
            production_first=spans[:, 0].copy(),
            production_count=spans[:, 1].copy(),
            production_least=spans[:, 2].copy(),
            element_code=np.where(rule[symbols], symbols, _FIRST_WORD - first[symbols]).astype(np.int32),
            element_kind=kind.astype(np.uint8),
            element_count=count[symbols].astype(np.uint64),
            element_salt=(parts.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15),
        )

    def _add_list(self, words: list[str]) -> None:
        self.rule.append(False)
        self.first.append(len(self.words))
        self.count.append(len(words))
        self.words.extend(words)

    def _literal(self, text: str) -> int:
        if text not in self.literals:
            self.literals[text] = len(self.rule)
            self._add_list([text])
        return self.literals[text]

    def _repetition(self, target: int, least: int, most: int) -> int:
        """Number of the rule that repeats a symbol; it is filled in at the end."""
        key = (target, least, most)
        if key not in self.extra:
            self.extra[key] = len(self.rule)
            self.rule.append(True)
            self.first.append(-1)
            self.count.append(1)
        return self.extra[key]

    def _add_production(self, name: str, line: str) -> None:
        start = len(self.elements)
        position = 0
        for match in _REFERENCE.finditer(line):
            if match.start() > position:
                self._add_element(start, self._literal(unescape(line[position : match.start()])))
            target, low, high, tag = match.groups()
            if target not in self.names:
                raise GrammarError(f"got {{{target}}} in rule {name!r}, expected a defined symbol; define or rename it")
            number = self.names[target]
            if low is None:
                # The tag carries the symbol, so that {first#1} and {city#1} do not share a choice.
                self._add_element(start, number, int(tag) * 100_003 + number if tag else None)
            else:
                self._add_element(start, self._repetition(number, int(low), int(high)))
            position = match.end()
        if position < len(line):
            self._add_element(start, self._literal(unescape(line[position:])))
        self.productions.append((start, len(self.elements) - start, -1))

    def _add_element(self, start: int, symbol: int, part: int | None = None) -> None:
        self.elements.append((symbol, len(self.elements) - start if part is None else part))


def unescape(text: str) -> str:
    r"""Turn `\n` into a line break and `\_` into a space."""
    return text.replace("\\n", "\n").replace("\\_", " ")


def _alternate(line: str) -> list[tuple[bool, str]]:
    """Split a product line into literals (False) and references (True)."""
    parts = re.split(r"\{([A-Za-z_.0-9]+)\}", line)
    return [(index % 2 == 1, part) for index, part in enumerate(parts) if part or index % 2 == 1]


def read_symbols(text: str, where: str) -> dict[str, Symbol]:
    """Read one grammar file.

    Raises:
        GrammarError: for a line outside a symbol, a symbol without a line, or a symbol defined twice.
    """
    found: dict[str, Symbol] = {}
    name, kind, lines = "", "", list[str]()
    for number, line in enumerate([*text.split("\n"), "@list end"], start=1):
        if line.startswith("@"):
            if name:
                if not lines or name in found:
                    raise GrammarError(
                        f"{where}:{number}: got symbol {name!r} empty or twice; expected it once, filled"
                    )
                found[name] = Symbol(kind=kind, lines=tuple(lines))
            kind, name = line[1:].split()
            lines = []
        elif line and not line.startswith("#"):
            if not name:
                raise GrammarError(f"{where}:{number}: got text before the first symbol; start with @list or @rule")
            lines.append(line)
    return found


def compile_grammar(symbols: dict[str, Symbol]) -> Grammar:
    """Compile symbols into tables.

    Raises:
        GrammarError: for a reference to an unknown symbol or a product that is no product of lists.
    """
    return _Compiler(symbols).compile()


@cache
def load() -> Grammar:
    """Load and compile the grammar of the package."""
    symbols: dict[str, Symbol] = {}
    folder = resources.files("stillwatch.simulation.text") / "grammars"
    for file in _FILES:
        fresh = read_symbols((folder / f"{file}.grammar").read_text(encoding="utf-8"), f"{file}.grammar")
        twice = symbols.keys() & fresh.keys()
        if twice:
            raise GrammarError(f"{file}.grammar: got {sorted(twice)} a second time, expected each symbol once")
        symbols |= fresh
    return compile_grammar(symbols)
