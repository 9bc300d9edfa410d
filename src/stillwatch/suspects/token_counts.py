"""Token counts (T0): which tokenizer counts as the suspect says that it counts?

Takes the counts that an endpoint gave for texts and for longer texts that begin alike, and the same counts by tokenizers that lie here. Gives for each
tokenizer the number of exactly equal differences, and whether the counts are no tokenizer's at all.

Method: what a chat template adds is the same for a text and its continuation, so that c(s + v) - c(s) is free of it. Counts are deterministic,
and so is the comparison: there is no p-value. Counts that are a straight line in characters, bytes or words, to within rounding, were made up from the
length; texts that mix code, white space, digits, Chinese and emoji keep every true tokenizer far from a line.

What it does not show: an equal tokenizer is what our model, a model derived from it and a thousand other models have. Another tokenizer
speaks against serving our model as it is, unless a proxy counts in its own way, and says nothing about training on our outputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.suspects.errors import MaterialError

Count = Callable[[str], int]
"""Counts the tokens of a text, without marks of beginning and end."""

_CODE: Final = (
    "def f(x):\n\treturn x",
    "for (int i=0;i<n;++i){",
    "SELECT a,b FROM t;",
    "=> !== &&",
    "</div>\n\n",
    "\\frac{a}{b}",
)
_SPACE: Final = (" ", "  ", "    ", "\n", "\n\n", "\t", "\t\t", " \n ", "        ")
_CHINESE: Final = tuple("的一是不了人我在有他这中大来上国说们为子和你地出道也时年")
_OTHER: Final = ("é", "ß", "Ω", "ж", "नमस्ते", "مرحبا", "한국", "ありがとう", "🙂", "🧪", "👩‍🔬", "…", "—", "½")
_WORDS: Final = (
    "the",
    " distillation",
    "Unbelievable",
    " re",
    "encode",
    "ing",
    " anti",
    "dis",
    "establish",
    " Qx7",
    "zzz",
    " naïve",
    "HTTP",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountProbe:
    """A text and its continuation, both counted."""

    text: str
    longer: str
    """Begins with `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerMatch:
    """How the endpoint's counts compare with one tokenizer's."""

    family: str
    exact: int
    """Differences that are equal."""
    compared: int


def count_probes(number: int, rng: np.random.Generator) -> tuple[CountProbe, ...]:
    """Draw texts that tokenizers cut differently; keyed by the generator, so that nobody can know them beforehand."""
    return tuple(_probe(rng) for _ in range(number))


def compare_counts(
    probes: Sequence[CountProbe], counts: Sequence[tuple[int, int] | None], tokenizers: Mapping[str, Count]
) -> tuple[TokenizerMatch, ...]:
    """Compare differences of counts with each tokenizer's.

    Args:
        probes: that were counted.
        counts: what the endpoint said of text and longer text; None where it said nothing.
        tokenizers: by family.

    Returns:
        Families, the most equal first; of equal ones by name.
    """
    told = [(probe, pair[1] - pair[0]) for probe, pair in zip(probes, counts, strict=True) if pair is not None]
    found = [
        TokenizerMatch(
            family=family,
            exact=sum(count(probe.longer) - count(probe.text) == difference for probe, difference in told),
            compared=len(told),
        )
        for family, count in tokenizers.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.exact, one.family)))


def made_up_from(probes: Sequence[CountProbe], counts: Sequence[tuple[int, int] | None]) -> str | None:
    """Tell which measure of length the counts are a straight line in, to within rounding; none for true counts.

    Args:
        probes: at least ten that were counted.
        counts: as for `compare_counts`.

    Returns:
        `characters`, `bytes`, `words`, or `nothing` for counts that do not depend on the text at all; null otherwise.
    """
    rows = [(text, number) for probe, pair in zip(probes, counts, strict=True) if pair is not None
            for text, number in ((probe.text, pair[0]), (probe.longer, pair[1]))]  # fmt: skip
    if len(rows) < 20:
        return None
    told = np.array([number for _, number in rows], dtype=np.float64)
    if np.ptp(told) == 0.0:
        return "nothing"
    measures: tuple[tuple[str, Count], ...] = (
        ("characters", len),
        ("bytes", lambda text: len(text.encode())),
        ("words", lambda text: len(text.split())),
    )
    for name, measure in measures:
        lengths = np.array([measure(text) for text, _ in rows], dtype=np.float64)
        design = np.column_stack([lengths, np.ones_like(lengths)])
        fitted = design @ np.linalg.lstsq(design, told, rcond=None)[0]
        if float(np.abs(told - fitted).max()) <= 1.0:
            return name
    return None


def read_tokenizer(path: Path) -> Count:
    """Read a tokenizer: `.json` of the tokenizers library, `.model` of SentencePiece, `.tiktoken` ranks with GPT-4's pattern.

    Raises:
        MaterialError: for another ending, a file that cannot be read, or a library that is missing.
    """
    readers = {".json": _tokenizers_json, ".model": _sentencepiece_model, ".tiktoken": _tiktoken_ranks}
    reader = readers.get(path.suffix)
    if reader is None:
        raise MaterialError(f"{path}: got the ending {path.suffix!a}, expected one of {', '.join(readers)}")
    try:
        return reader(path)
    except ImportError:
        raise MaterialError(f"{path}: its library is missing; install stillwatch[marks]") from None
    except (OSError, ValueError, RuntimeError, json.JSONDecodeError) as error:
        raise MaterialError(f"{path}: cannot be read as a tokenizer ({type(error).__name__})") from None


def _tokenizers_json(path: Path) -> Count:
    import tokenizers  # noqa: PLC0415  # an extra, loaded where a tokenizer is read

    text = path.read_text(encoding="utf-8")
    json.loads(text)  # a broken file is told apart here: the library raises a bare Exception
    read: Any = tokenizers.Tokenizer.from_str(text)
    return lambda given: len(read.encode(given, add_special_tokens=False).ids)


def _sentencepiece_model(path: Path) -> Count:
    import sentencepiece  # noqa: PLC0415  # an extra

    read: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return lambda given: len(read.encode(given))


def _tiktoken_ranks(path: Path) -> Count:
    import tiktoken  # noqa: PLC0415  # an extra
    from tiktoken.load import load_tiktoken_bpe  # noqa: PLC0415

    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    read: Any = tiktoken.Encoding(
        path.stem, pat_str=pattern, mergeable_ranks=load_tiktoken_bpe(str(path)), special_tokens={}
    )
    return lambda given: len(read.encode_ordinary(given))


def _probe(rng: np.random.Generator) -> CountProbe:
    """Draw a text and a continuation; both end in a letter, so that nothing that a template adds can merge with their ends."""
    first = "".join(_piece(rng) for _ in range(int(rng.integers(3, 8))))
    more = "".join(_piece(rng) for _ in range(int(rng.integers(2, 12))))
    ends = [chr(97 + int(rng.integers(0, 26))) for _ in range(2)]
    text = f"{first} {ends[0]}"
    return CountProbe(text=text, longer=f"{text}{more} {ends[1]}")


def _piece(rng: np.random.Generator) -> str:
    """Draw one piece of one kind."""
    kind = int(rng.integers(0, 6))
    if kind == 0:
        return str(rng.integers(0, 10 ** int(rng.integers(1, 12))))
    tables = (_CODE, _SPACE, _CHINESE, _OTHER, _WORDS)
    table = tables[kind - 1]
    return "".join(table[int(rng.integers(0, len(table)))] for _ in range(int(rng.integers(1, 5))))
