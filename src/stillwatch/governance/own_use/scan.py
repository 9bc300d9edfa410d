"""The scan: every text of a batch, read as one run of bytes.

Takes Arrow text columns. Gives matches: kind, row, span. First what is cheap finds where anything can be: signs, runs of digits and the rules'
keywords, over all texts of the batch at once; then a regular expression looks at that place only. A match never reaches over the end of its
text. Cost: a few passes over the bytes, and work in proportion to what was found.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.governance.own_use.personal import CONTEXT_BYTES, RECOGNISERS, Recogniser, plain, private_mail
from stillwatch.governance.own_use.secret_rules import SecretRule, entropy

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
KEYWORD_WINDOW = 512
"""Bytes before and after a keyword in which its rule's match must lie; a rule whose match can be longer finds its first part only."""
LONGEST_AFTER_KEYWORD = 256
LONGEST_MATCH = 2_048
_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))
_HASH_BITS = 16
_MULTIPLIER = 2654435761


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Something that was found in a text."""

    kind: str
    """`secret` or the kind of personal data."""
    rule: str
    """Id of the rule."""
    row: int
    """Of the batch."""
    start: int
    """First byte, from the beginning of the text."""
    value: bytes
    """What was found; it leaves this package only masked and as a keyed fingerprint."""


class Scanner:
    """Finds secrets and personal data."""

    def __init__(self, rules: tuple[SecretRule, ...], recognisers: tuple[Recogniser, ...] = RECOGNISERS) -> None:
        """Prepare the tables of keywords.

        Args:
            rules: for secrets.
            recognisers: of personal data.
        """
        self._always = tuple(one for one in rules if not one.keywords)
        self._keywords = KeywordTable(
            {word: tuple(one for one in rules if word in one.keywords) for rule in rules for word in rule.keywords}
        )
        self._digits = tuple(one for one in recognisers if one.anchor == "digits")
        self._letters = tuple(one for one in recognisers if one.anchor == "letters")
        self._mail = tuple(one for one in recognisers if one.anchor == "at")

    def scan(self, data: Bytes, offsets: Places) -> Iterator[Match]:
        """Find what is in the texts of a column.

        Args:
            data: UTF-8 bytes of all texts.
            offsets: int64 [n + 1]; text i is `data[offsets[i]:offsets[i + 1]]`.

        Yields:
            Matches; of two that overlap and are of one kind, the first.
        """
        begin, end = int(offsets[0]), int(offsets[-1])
        run = data[begin:end].tobytes()
        if not run:
            return
        texts = _Texts(run, offsets - begin)
        secrets = sorted(self._secrets(texts), key=lambda one: (one[2], -len(one[4]), one[1]))
        found = [*secrets, *(one for one in self._personal(texts) if not _inside(one, secrets))]
        found.sort(key=lambda one: (one[2], -len(one[4]), one[0]))
        reach: dict[str, int] = {}
        for kind, rule, start, row, value in found:
            if start >= reach.get(kind, 0):
                reach[kind] = start + len(value)
                yield Match(kind=kind, rule=rule, row=row, start=start - int(texts.offsets[row]), value=value)

    def _secrets(self, texts: _Texts) -> Iterator[Found]:
        """Try each rule near its keywords; a rule without keywords on everything."""
        done: dict[str, int] = {}
        for place, (row, low, high), rules in self._keywords.places(texts):
            for rule in rules:
                if place < done.get(rule.id, 0):
                    continue
                end = min(high, place + KEYWORD_WINDOW)
                # Keywords that follow closely are looked at with this window: what begins at them ends within it.
                done[rule.id] = high if end == high else end - LONGEST_AFTER_KEYWORD
                yield from _tried(rule, texts.run, (low, max(low, place - KEYWORD_WINDOW), end), row)
        for rule in self._always:
            for row, (low, high) in enumerate(itertools.pairwise(texts.offsets.tolist())):
                yield from _tried(rule, texts.run, (low, low, high), row)

    def _personal(self, texts: _Texts) -> Iterator[Found]:
        """Try each recogniser where its anchor stands."""
        for recognisers, places in (
            (self._digits, digit_runs(texts)),
            (self._letters, letter_runs(texts)),
            (self._mail, mail_starts(texts)),
        ):
            for place, (row, low, high) in zip(places.tolist(), texts.around(places), strict=True):
                for one in recognisers:
                    match = one.pattern.match(texts.run, place, min(high, place + LONGEST_MATCH))
                    if match is not None and _holds(one, match, texts.run, low, high):
                        yield one.kind, one.kind, place, row, match[0]
                        break


Found = tuple[str, str, int, int, bytes]
"""Kind, rule, first byte in the batch, row, and value."""


def _tried(rule: SecretRule, run: bytes, window: tuple[int, int, int], row: int) -> Iterator[Found]:
    r"""Try a rule on a window: first byte of the text, first byte and end of the window.

    The window is cut out, with the byte before it, so that a boundary (`\\b`) never looks at the text before.
    """
    low, begin, end = window
    start = max(low, begin - 1)
    for one in rule.pattern.finditer(run[start:end], begin - start):
        secret = _secret_of(rule, one)
        if secret is not None:
            yield "secret", rule.id, start + one.start(rule.group or one.lastindex or 0), row, secret


def _inside(one: Found, secrets: Sequence[Found]) -> bool:
    """Say whether something lies in a secret's span: a password that holds an `@` is no address."""
    after = bisect.bisect_right(secrets, one[2] + len(one[4]), key=lambda secret: secret[2])
    return any(
        secret[2] < one[2] + len(one[4]) and one[2] < secret[2] + len(secret[4])
        for secret in secrets[max(0, after - 4) : after]
    )


class _Texts:
    """The bytes of a batch, and where each text begins."""

    def __init__(self, run: bytes, offsets: Places) -> None:
        self.run = run
        self.lower = run.translate(_LOWER)
        self.bytes: Bytes = np.frombuffer(run, dtype=np.uint8)
        self.offsets = offsets

    def first_bytes(self) -> Places:
        """Give where each text that is not empty begins."""
        return self.offsets[:-1][np.diff(self.offsets) > 0]

    def around(self, places: Places) -> list[tuple[int, int, int]]:
        """Give the text that holds each place: its row, first byte, and end."""
        rows = np.searchsorted(self.offsets, places, side="right") - 1
        return list(zip(rows.tolist(), self.offsets[rows].tolist(), self.offsets[rows + 1].tolist(), strict=True))


def _holds(one: Recogniser, match: re.Match[bytes], run: bytes, low: int, high: int) -> bool:
    """Apply check and context."""
    if one.anchor == "at":
        return private_mail(match[0].decode("ascii", "replace"))
    text = match[0].decode("ascii", "replace") if one.kind == "public address" else plain(match[0]).lstrip("+")
    if one.kind == "telephone number":
        text = re.sub(r"\D", "", text)
    if one.check is not None and not one.check(text):
        return False
    if one.context is None:
        return True
    before = run[max(low, match.start() - CONTEXT_BYTES) : match.start()]
    after = run[match.end() : min(high, match.end() + CONTEXT_BYTES // 2)]
    return one.context.search(before) is not None or one.context.search(after) is not None


def _secret_of(rule: SecretRule, match: re.Match[bytes]) -> bytes | None:
    """Give the secret of a match; null where the rule's own exceptions say that it is none."""
    group = rule.group or match.lastindex or 0
    secret = match[group]
    if not secret or (rule.entropy and entropy(secret) < rule.entropy):
        return None
    folded = secret.lower()
    if any(word in folded for word in rule.stopwords) or any(one.search(secret) for one in rule.allowed):
        return None
    return secret


def digit_runs(texts: _Texts) -> Places:
    """Give where a digit follows no letter, digit or dot-digit, and at least seven digits follow within nineteen bytes."""
    data = texts.bytes
    digit = (data >= 48) & (data <= 57)
    if not digit.any():
        return np.zeros(0, dtype=np.int64)
    ahead = np.zeros(len(data) + 20, dtype=np.int32)
    np.cumsum(digit, out=ahead[1 : len(data) + 1])
    ahead[len(data) + 1 :] = ahead[len(data)]
    word = digit | (((data | 32) >= 97) & ((data | 32) <= 122)) | (data == 95)
    before = np.empty_like(word)
    before[1:] = word[:-1]
    before[texts.first_bytes()] = False
    enough = ahead[19 : len(data) + 19] - ahead[: len(data)] >= 7
    # X, Y and Z begin Spanish numbers of foreigners.
    foreign = (data >= 88) & (data <= 90)
    starts = (digit | foreign) & ~before & enough
    return np.flatnonzero(starts).astype(np.int64)


def letter_runs(texts: _Texts) -> Places:
    """Give where capitals begin a word that goes on as an IBAN or a fiscal code does: two digits after two or six capitals."""
    data = texts.bytes
    if len(data) < 15:
        return np.zeros(0, dtype=np.int64)
    capital = (data >= 65) & (data <= 90)
    digit = (data >= 48) & (data <= 57)
    word = capital | digit | ((data >= 97) & (data <= 122))
    size = len(data) - 8
    two = capital[:size] & capital[1 : size + 1]
    starts = two & ((digit[2 : size + 2] & digit[3 : size + 3]) | (digit[6 : size + 6] & digit[7 : size + 7]))
    before = np.zeros(size, dtype=np.bool_)
    before[1:] = word[: size - 1]
    first = texts.first_bytes()
    before[first[first < size]] = False
    starts &= ~before
    return np.flatnonzero(starts).astype(np.int64)


_BEFORE_AT = re.compile(rb"[A-Za-z0-9._%+-]{1,64}\Z")


def mail_starts(texts: _Texts) -> Places:
    """Give where the part before each `@` begins."""
    starts = []
    signs = np.flatnonzero(texts.bytes == 64).astype(np.int64)
    for place, (_, low, _) in zip(signs.tolist(), texts.around(signs), strict=True):
        first = max(low, place - 64)
        before = _BEFORE_AT.search(texts.run, first, place)
        if before is not None:
            starts.append(before.start())
    return np.array(starts, dtype=np.int64)


class KeywordTable:
    """Finds many keywords in one pass: a filter over the first three bytes, then the keyword itself."""

    def __init__(self, rules: dict[bytes, tuple[SecretRule, ...]]) -> None:
        """Build the filter.

        Args:
            rules: keyword in lower case, to the rules that it calls.
        """
        self._short = {word: found for word, found in rules.items() if len(word) < 3}
        self._by_start: dict[bytes, list[tuple[bytes, tuple[SecretRule, ...]]]] = {}
        self._filter = np.zeros(1 << _HASH_BITS, dtype=np.bool_)
        for word, found in rules.items():
            if len(word) >= 3:
                self._by_start.setdefault(word[:3], []).append((word, found))
                self._filter[_hash(np.array([int.from_bytes(word[:3], "little")], dtype=np.uint32))] = True

    def places(self, texts: _Texts) -> Iterator[tuple[int, tuple[int, int, int], tuple[SecretRule, ...]]]:
        """Give where keywords stand, the text around (row, first byte, end), and the rules that each calls."""
        lower = texts.lower
        data = np.frombuffer(lower, dtype=np.uint8)
        hits: list[tuple[int, tuple[SecretRule, ...]]] = []
        if len(data) >= 3 and self._by_start:
            three = data[:-2].astype(np.uint32)
            three |= data[1:-1].astype(np.uint32) << np.uint32(8)
            three |= data[2:].astype(np.uint32) << np.uint32(16)
            for place in np.flatnonzero(self._filter[_hash(three)]).tolist():
                for word, rules in self._by_start.get(lower[place : place + 3], ()):
                    if lower.startswith(word, place):
                        hits.append((place, rules))
        for word, rules in self._short.items():
            place = lower.find(word)
            while place >= 0:
                hits.append((place, rules))
                place = lower.find(word, place + 1)
        hits.sort(key=lambda one: one[0])
        around = texts.around(np.array([place for place, _ in hits], dtype=np.int64))
        for (place, rules), text in zip(hits, around, strict=True):
            yield place, text, rules


def _hash(three: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Give 16 bits of three bytes (multiplicative hashing, Knuth, volume 3, 6.4)."""
    return (three * np.uint32(_MULTIPLIER)) >> np.uint32(32 - _HASH_BITS)
