r"""Rules for secrets, in the form of gitleaks' configuration (TOML: id, regex, keywords, entropy, secretGroup, allowlist).

Takes a rule file: the shipped one, which is ours, or a team's `gitleaks.toml`. Gives rules whose regular expressions run in Python. RE2, for
which such files are written, differs in three ways that matter here: flags in the middle of a pattern, `\z`, and POSIX classes; these are
rewritten, and what still does not compile is named and left out, never silently.
"""

from __future__ import annotations

import math
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.governance.errors import RuleFileError

SHIPPED_RULES = Path(__file__).parent / "rules" / "secrets.toml"
MOST_BYTES = 4 << 20
_POSIX = {
    b"[:alnum:]": b"0-9A-Za-z", b"[:alpha:]": b"A-Za-z", b"[:digit:]": b"0-9", b"[:xdigit:]": b"0-9A-Fa-f", b"[:space:]": rb"\s", b"[:word:]": rb"\w",
    b"[:lower:]": b"a-z", b"[:upper:]": b"A-Z", b"[:punct:]": rb"!-/:-@\[-`{-~", b"[:blank:]": b" \\t",
}  # fmt: skip
_FLAG = re.compile(rb"\(\?([ims]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """How one kind of secret is told."""

    id: str
    about: str
    pattern: re.Pattern[bytes]
    keywords: tuple[bytes, ...]
    """In lower case; one of them must stand in the text. Empty: the pattern is tried on every text."""
    entropy: float
    """Bits a character that the secret must have at least; 0 for none."""
    group: int
    """Group of the pattern that holds the secret; 0: the first group that matched, or the whole."""
    allowed: tuple[re.Pattern[bytes], ...]
    """A secret that one of these matches is none."""
    stopwords: tuple[bytes, ...]
    """In lower case; a secret that holds one is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRules:
    """Rules that can be used, and what cannot."""

    rules: tuple[SecretRule, ...]
    left_out: tuple[str, ...]
    """Rules whose pattern does not run here, with the reason."""


def read_rules(path: Path = SHIPPED_RULES) -> SecretRules:
    """Read a rule file.

    Raises:
        RuleFileError: where it is no such file.
    """
    try:
        content = path.read_bytes()
        document = tomllib.loads(content.decode("utf-8")) if len(content) <= MOST_BYTES else None
    except (OSError, ValueError) as error:
        raise RuleFileError(
            f"{path}: cannot be read as rules ({type(error).__name__}); expected TOML as gitleaks writes it"
        ) from error
    rows = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows or document is None:
        raise RuleFileError(f"{path}: got no [[rules]]; expected TOML as gitleaks writes it")
    everywhere = _allowed(document)
    rules: list[SecretRule] = []
    left_out: list[str] = []
    for number, row in enumerate(rows, start=1):
        name = str(row.get("id") or f"rule {number}") if isinstance(row, dict) else f"rule {number}"
        try:
            rules.append(_rule(row, name, everywhere))
        except (re.error, TypeError, KeyError, ValueError, RecursionError, OverflowError) as error:
            what = "has no regex" if isinstance(error, KeyError) else str(error)[:80]
            left_out.append(f"{name}: {what}")
    if not rules:
        raise RuleFileError(f"{path}: none of the {len(rows)} rules can be used here; the first: {left_out[0]}")
    return SecretRules(rules=tuple(rules), left_out=tuple(left_out))


def _rule(
    row: dict[str, Any], name: str, everywhere: tuple[tuple[re.Pattern[bytes], ...], tuple[bytes, ...]]
) -> SecretRule:
    own, words = _allowed(row)
    pattern = compiled(row["regex"])
    group = int(row.get("secretGroup", 0))
    if group > pattern.groups:
        raise ValueError(f"secretGroup {group} of {pattern.groups} groups")
    return SecretRule(
        id=name,
        about=str(row.get("description", name)),
        pattern=pattern,
        keywords=tuple(str(one).lower().encode() for one in row.get("keywords", ()) if one),
        entropy=float(row.get("entropy", 0.0)),
        group=group,
        allowed=everywhere[0] + own,
        stopwords=everywhere[1] + words,
    )


def _allowed(row: dict[str, Any]) -> tuple[tuple[re.Pattern[bytes], ...], tuple[bytes, ...]]:
    """Read the allow lists that speak of the secret itself; those of paths and commits say nothing about a prompt."""
    found: list[Any] = [row[name] for name in ("allowlist", "allowlists") if name in row]
    lists = [one for entry in found for one in (entry if isinstance(entry, list) else [entry]) if isinstance(one, dict)]
    lists = [one for one in lists if one.get("regexTarget") not in {"line", "match"} and one.get("condition") != "AND"]
    patterns = []
    for text in (text for one in lists for text in one.get("regexes", ())):
        try:
            patterns.append(compiled(str(text)))
        except re.error:  # an exception that cannot be read makes the rule stricter, never laxer
            continue
    words = tuple(str(word).lower().encode() for one in lists for word in one.get("stopwords", ()))
    return tuple(patterns), words


def compiled(text: str) -> re.Pattern[bytes]:
    """Compile a pattern that was written for RE2.

    Raises:
        re.error: where it still does not compile.
    """
    pattern = text.encode("utf-8").replace(rb"\z", rb"\Z")
    for name, characters in _POSIX.items():
        pattern = pattern.replace(name, characters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a nested set is a warning in Python and plain in RE2
        return re.compile(scoped_flags(pattern))


def scoped_flags(pattern: bytes) -> bytes:
    """Turn a flag that stands in the middle, `a(?i)b`, into one with a scope, `a(?i:b)`: it reaches to the end of its group.

    Raises:
        re.error: where brackets do not close.
    """
    found = _FLAG.search(pattern)
    while found:
        if found.start() == 0:
            return b"(?" + found[1] + b":" + scoped_flags(pattern[found.end() :]) + b")"
        end = _end_of_group(pattern, found.end())
        # In RE2 the flag reaches over `|` too, but binds no alternatives together.
        parts = _alternatives(pattern[found.end() : end])
        inner = b"|".join(b"(?" + found[1] + b":" + part + b")" for part in parts)
        pattern = pattern[: found.start()] + inner + pattern[end:]
        found = _FLAG.search(pattern)
    return pattern


def _alternatives(pattern: bytes) -> list[bytes]:
    """Cut a pattern at the `|` that stand in no group and no set."""
    parts, start = [], 0
    for place in _places(pattern, 0):
        if pattern[place : place + 1] == b"|":
            parts.append(pattern[start:place])
            start = place + 1
    return [*parts, pattern[start:]]


def _end_of_group(pattern: bytes, start: int) -> int:
    """Give where the group that holds `start` closes; the pattern's end outside of all groups."""
    return next((place for place in _places(pattern, start) if pattern[place : place + 1] == b")"), len(pattern))


def _places(pattern: bytes, start: int) -> Iterator[int]:
    """Give the places of `|` and of a closing bracket that belong to the group which holds `start`, up to its end."""
    depth, place, in_set = 0, start, False
    while place < len(pattern):
        one = pattern[place : place + 1]
        if one == b"\\":
            place += 1
        elif in_set:
            in_set = one != b"]"
        elif one == b"[":
            in_set = True
            if pattern[place + 1 : place + 2] == b"^":
                place += 1
            if pattern[place + 1 : place + 2] == b"]":
                place += 1
        elif one == b"(":
            depth += 1
        elif one == b")":
            if depth == 0:
                yield place
                return
            depth -= 1
        elif one == b"|" and depth == 0:
            yield place
        place += 1


def entropy(secret: bytes) -> float:
    """Give Shannon's entropy of a secret's bytes, in bits a byte; 0 for nothing."""
    counts = Counter(secret)
    return -sum(count / len(secret) * math.log2(count / len(secret)) for count in counts.values())
