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
_NOTHING = -1
_FIRST_WORD = -2
"""In a text under expansion rules are their numbers, -1 is nothing, and word w is -2 - w."""

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
    production_count: Numbers
    element_symbol: Numbers
    element_tag: Numbers
    element_low: Numbers
    element_high: Numbers
    element_repeats: NDArray[np.bool_]

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
        state = symbols.astype(np.int32)
        ends = np.cumsum(lengths)
        rules, state = self._resolve(state, keys)
        rule_keys = keys[rules]
        while len(rules):
            state, rules, rule_keys, last = self._expand(state, rules, rule_keys)
            ends = np.where(ends > 0, last[ends - 1], 0)
        kept = state != _NOTHING
        if not bool(kept.all()):
            ends = np.where(ends > 0, np.cumsum(kept)[ends - 1], 0)
            state = state[kept]
        offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
        offsets[1:] = ends
        fragments = self.words.take(pa.array(_FIRST_WORD - state))
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), fragments), "")

    def _resolve(self, symbols: Numbers, keys: Keys) -> tuple[Integers, Numbers]:
        """Replace list symbols by words; give the places of the rules."""
        is_rule = self.is_rule[symbols] & (symbols >= 0)
        lists = np.flatnonzero(~is_rule & (symbols >= 0))
        chosen = symbols[lists]
        word = self.first[chosen] + _below(keys[lists], self.count[chosen])
        symbols[lists] = _FIRST_WORD - word
        return np.flatnonzero(is_rule), symbols

    def _expand(self, state: Numbers, rules: Integers, keys: Keys) -> tuple[Numbers, Integers, Keys, Integers]:
        """Replace every rule by the elements of one of its productions.

        Returns:
            The new state, the places of rules in it, their keys, and how far each old place now reaches.
        """
        chosen = state[rules]
        production = self.first[chosen] + _below(keys, self.count[chosen])
        sizes = self.production_count[production]
        parent = np.repeat(np.arange(len(rules), dtype=np.int32), sizes)
        place = np.arange(len(parent), dtype=np.int32) - np.repeat(np.cumsum(sizes) - sizes, sizes).astype(np.int32)
        element = self.production_first[production][parent] + place
        tag = self.element_tag[element]
        child_keys = _step(keys[parent], np.where(tag > 0, tag, place))
        repeated = np.flatnonzero(self.element_repeats[element])
        if len(repeated):
            parent, element, child_keys = self._repeat(parent, element, child_keys, repeated)
            sizes = np.bincount(parent, minlength=len(rules))
        symbols = self.element_symbol[element]
        grown = np.ones(len(state), dtype=np.int64)
        grown[rules] = sizes
        last = np.cumsum(grown)
        # Children of one rule are neighbours, so their places are its start plus their rank.
        shift = (last - grown)[rules] - (np.cumsum(sizes) - sizes)
        where = np.arange(len(parent)) + np.repeat(shift, sizes)
        new_rules, symbols = self._resolve(symbols, child_keys)
        result = np.empty(int(last[-1]), dtype=np.int32)
        still = np.ones(len(state), dtype=np.bool_)
        still[rules] = False
        result[last[still] - 1] = state[still]
        result[where] = symbols
        return result, where[new_rules], child_keys[new_rules], last

    def _repeat(
        self, parent: Numbers, element: Numbers, keys: Keys, repeated: Integers
    ) -> tuple[Numbers, Numbers, Keys]:
        """Repeat elements that ask for it; numbers are log-uniform, as lengths of human text are skewed."""
        sizes = np.ones(len(element), dtype=np.int64)
        low = self.element_low[element[repeated]]
        span = self.element_high[element[repeated]] - low + 1
        share = unit(mix(keys[repeated], Purpose.COUNT))
        amount = np.floor(np.exp(share * np.log(span + 1.0)) - 1.0).astype(np.int64).clip(0, span - 1)
        sizes[repeated] = low + amount
        origin = np.repeat(np.arange(len(element)), sizes)
        rank = np.arange(len(origin)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        new_keys = keys[origin]
        again = np.flatnonzero(self.element_repeats[element[origin]])
        new_keys[again] = _step(new_keys[again], rank[again])
        return parent[origin], element[origin], new_keys


def _step(keys: Keys, part: NDArray[np.int32] | Integers) -> Keys:
    """Key of a part of a text: one round of splitmix64 at the part's place in the sequence of the key."""
    state = part.astype(np.uint64)
    state += np.uint64(1)
    state *= np.uint64(0x9E3779B97F4A7C15)
    state += keys
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= state >> np.uint64(shift)
        state *= np.uint64(factor)
    state ^= state >> np.uint64(31)
    return state


def _below(keys: Keys, limit: Numbers) -> Numbers:
    """Numbers below the limits, from the upper half of the keys."""
    high = keys >> np.uint64(32)
    high *= limit.astype(np.uint64)
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
        self.productions: list[tuple[int, int]] = []
        self.elements: list[tuple[int, int, int, int]] = []
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
        columns = np.array(self.elements, dtype=np.int32).reshape(-1, 4)
        spans = np.array(self.productions, dtype=np.int32).reshape(-1, 2)
        return Grammar(
            words=pa.array(self.words, pa.string()),
            names=self.names,
            is_rule=np.array(self.rule, dtype=np.bool_),
            first=np.array(self.first, dtype=np.int32),
            count=np.array(self.count, dtype=np.int32),
            production_first=spans[:, 0].copy(),
            production_count=spans[:, 1].copy(),
            element_symbol=columns[:, 0].copy(),
            element_tag=columns[:, 1].copy(),
            element_low=columns[:, 2].copy(),
            element_high=columns[:, 3].copy(),
            element_repeats=(columns[:, 2] != 1) | (columns[:, 3] != 1),
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
            bound = int(tag) * 100_003 + self.names[target] if tag else 0
            self.elements.append((self.names[target], bound, int(low or 1), int(high or 1)))
            position = match.end()
        if position < len(line):
            self.elements.append((self._literal(unescape(line[position:])), 0, 1, 1))
        self.productions.append((start, len(self.elements) - start))


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
