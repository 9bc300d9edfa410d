"""Grammar: composes many texts at once from compiled rules and keys.

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
from stillwatch.simulation.randomness import Integers, Keys, Purpose, below, mix, unit

_REFERENCE = re.compile(r"\{([A-Za-z_.0-9]+)(?:\*(\d+)-(\d+))?(?:#(\d+))?\}")
_FILES = ("words", "chat_english", "chat_languages", "tasks", "scaffolds")
_PRODUCT_LIMIT = 200_000


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
    first: Integers
    """First production of a rule, first word of a list."""
    count: Integers
    """Productions of a rule, words of a list."""
    production_first: Integers
    production_count: Integers
    element_symbol: Integers
    element_tag: Integers
    element_low: Integers
    element_high: Integers

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
        rows = np.repeat(np.arange(len(lengths)), lengths)
        keep = symbols >= 0
        symbols, keys, rows = symbols[keep], keys[keep], rows[keep]
        symbols = self._resolve(symbols, keys)
        while bool((symbols >= 0).any()):
            symbols, keys, rows = self._expand(symbols, keys, rows)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=len(lengths)), out=offsets[1:])
        fragments = self.words.take(pa.array(-1 - symbols))
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), fragments), "")

    def _resolve(self, symbols: Integers, keys: Keys) -> Integers:
        """Replace list symbols by `-1 - word`; rules stay."""
        lists = (symbols >= 0) & ~self.is_rule[np.maximum(symbols, 0)]
        chosen = symbols[lists]
        result = symbols.copy()
        result[lists] = -1 - (self.first[chosen] + below(keys[lists], self.count[chosen]))
        return result

    def _expand(self, symbols: Integers, keys: Keys, rows: Integers) -> tuple[Integers, Keys, Integers]:
        """Replace every rule by the elements of one of its productions."""
        rule = symbols >= 0
        chosen = symbols[rule]
        production = np.zeros(len(symbols), dtype=np.int64)
        production[rule] = self.first[chosen] + below(keys[rule], self.count[chosen])
        sizes = np.where(rule, self.production_count[production], 1)
        ends = np.cumsum(sizes)
        parent = np.repeat(np.arange(len(symbols)), sizes)
        place = np.arange(len(parent)) - (ends - sizes)[parent]
        fresh = rule[parent]
        element = self.production_first[production[parent]] + place
        element[~fresh] = 0
        new_symbols = np.where(fresh, self.element_symbol[element], symbols[parent])
        new_keys = keys[parent]
        tag = self.element_tag[element[fresh]]
        new_keys[fresh] = mix(new_keys[fresh], np.where(tag > 0, -tag, place[fresh]))
        new_rows = rows[parent]
        repeated = fresh & ((self.element_low[element] != 1) | (self.element_high[element] != 1))
        if bool(repeated.any()):
            new_symbols, new_keys, new_rows = self._repeat(new_symbols, new_keys, new_rows, element, repeated)
        return self._resolve(new_symbols, new_keys), new_keys, new_rows

    def _repeat(
        self, symbols: Integers, keys: Keys, rows: Integers, element: Integers, repeated: NDArray[np.bool_]
    ) -> tuple[Integers, Keys, Integers]:
        """Repeat elements that ask for it; lengths are log-uniform, as lengths of human text are skewed."""
        sizes = np.ones(len(symbols), dtype=np.int64)
        low = self.element_low[element[repeated]]
        span = self.element_high[element[repeated]] - low + 1
        share = unit(mix(keys[repeated], Purpose.COUNT))
        sizes[repeated] = low + np.floor(np.exp(share * np.log(span + 1.0)) - 1.0).astype(np.int64).clip(0, span - 1)
        ends = np.cumsum(sizes)
        parent = np.repeat(np.arange(len(symbols)), sizes)
        place = np.arange(len(parent)) - (ends - sizes)[parent]
        again = repeated[parent]
        new_keys = keys[parent]
        new_keys[again] = mix(new_keys[again], place[again])
        return symbols[parent], new_keys, rows[parent]


class _Compiler:
    """Collects words, productions and elements while the files are read."""

    def __init__(self, symbols: dict[str, Symbol]) -> None:
        self.symbols = symbols
        self.names = {name: number for number, name in enumerate(symbols)}
        self.words: list[str] = []
        self.rule: list[bool] = []
        self.first: list[int] = []
        self.count: list[int] = []
        self.productions: list[tuple[int, int]] = []
        self.elements: list[tuple[int, int, int, int]] = []
        self.literals: dict[str, int] = {}

    def options(self, name: str, seen: tuple[str, ...] = ()) -> list[str]:
        """All words of a list or product."""
        if name not in self.symbols or name in seen:
            raise GrammarError(f"got {name!r} in product {seen}, expected a list; define it with @list")
        symbol = self.symbols[name]
        if symbol.kind == "list":
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
        """Fill the tables: first all symbols, then the productions (which add literals)."""
        pending: list[tuple[int, str, str]] = []
        for name, symbol in self.symbols.items():
            if symbol.kind == "rule":
                self.rule.append(True)
                self.first.append(len(pending))
                self.count.append(len(symbol.lines))
                pending.extend((len(pending), name, line) for line in symbol.lines)
            else:
                self._add_list(self.options(name))
        for _, name, line in pending:
            self._add_production(name, line)
        columns = np.array(self.elements, dtype=np.int64).reshape(-1, 4)
        spans = np.array(self.productions, dtype=np.int64).reshape(-1, 2)
        return Grammar(
            words=pa.array(self.words, pa.string()),
            names=self.names,
            is_rule=np.array(self.rule, dtype=np.bool_),
            first=np.array(self.first, dtype=np.int64),
            count=np.array(self.count, dtype=np.int64),
            production_first=spans[:, 0].copy(),
            production_count=spans[:, 1].copy(),
            element_symbol=columns[:, 0].copy(),
            element_tag=columns[:, 1].copy(),
            element_low=columns[:, 2].copy(),
            element_high=columns[:, 3].copy(),
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

    def _add_production(self, name: str, line: str) -> None:
        start = len(self.elements)
        position = 0
        for match in _REFERENCE.finditer(line):
            if match.start() > position:
                self.elements.append((self._literal(unescape(line[position : match.start()])), 0, 1, 1))
            target, low, high, tag = match.groups()
            if target not in self.names:
                raise GrammarError(f"got {{{target}}} in rule {name!r}, expected a defined symbol; define or rename it")
            # The tag carries the symbol, so that {first#1} and {city#1} do not share a choice.
            bound = (int(tag) + 1) * 100_003 + self.names[target] if tag else 0
            self.elements.append((self.names[target], bound, int(low or 1), int(high or 1)))
            position = match.end()
        if position < len(line):
            self.elements.append((self._literal(unescape(line[position:])), 0, 1, 1))
        self.productions.append((start, len(self.elements) - start))


def unescape(text: str) -> str:
    """Turn `\\n` into a line break and `\\_` into a space."""
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
                    raise GrammarError(f"{where}:{number}: got symbol {name!r} empty or twice; expected it once, filled")
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
