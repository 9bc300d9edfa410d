"""The masked words of a text, and the hashes of its shape, opening and ending.

Takes a folded text with its runs and special characters. Gives one 64-bit hash per word, in order, where everything that
varies within one template has become a mask: numbers, double-quoted spans, fenced code, URLs, e-mail addresses, long
tokens of mixed letters and digits (identifiers, hex, base64) and JSON-like data. Equal masks in a row become one, so
that a list of ten numbers has the shape of a list of two. Punctuation is no part of the shape.

Words are maximal runs of letters; a character of a script without spaces is a word. Complexity: O(bytes); a search for
a closing quote or bracket is bounded, and a failed one is not repeated. What it does not show: equal shapes are equal
templates only as far as the variable part is masked; a paraphrase has another shape (see `near_duplicate`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stillwatch.sketches.characters import DIGIT, IDEOGRAPH, LETTER, SEPARATOR
from stillwatch.sketches.hashing import domain_seed, hash_bytes, hash_short, hash_span, load64
from stillwatch.sketches.kernels import inlined, kernel
from stillwatch.sketches.normalise import Scratch

QUOTE_REACH: Final = 512
"""Bytes from an opening quote within which the closing one must stand."""
DATA_REACH: Final = 8192
"""Bytes from an opening bracket within which its data block must close."""
OPAQUE_BYTES: Final = 16
"""Bytes of the shortest token that is masked for changing between letters and digits `OPAQUE_CHANGES` times."""
OPAQUE_CHANGES: Final = 4
LONG_TOKEN_BYTES: Final = 64
"""Bytes of the shortest token that is masked for its length."""
EDGE_WORDS: Final = 8
"""Words of the prefix and of the suffix."""
OPENING_WORDS: Final = 2
"""Words of the opening."""
FEW_WORDS: Final = 12
"""Words below which a text has no prefix, suffix or bands."""

QUOTED, FENCED, DATA, URL, EMAIL = range(5)

Token = tuple[Any, Any, Any, Any, Any]
"""The token that the last run belongs to: its first byte, the words before it, its changes between letters and digits,
its end, and whether it was masked."""
_NO_TOKEN: Final = (0, 0, 0, -2, False)

WORD_SEED = np.uint64(domain_seed("word/v1"))
SHAPE_SEED = np.uint64(domain_seed("shape/v1"))
OPENING_SEED = np.uint64(domain_seed("opening/v1"))
PREFIX_SEED = np.uint64(domain_seed("prefix/v1"))
SUFFIX_SEED = np.uint64(domain_seed("suffix/v1"))

MASK_NAMES: Final = ("quoted", "fenced", "data", "url", "email", "number", "token")
MASK_WORDS = np.array([hash_bytes(name.encode(), domain_seed("mask/v1")) for name in MASK_NAMES], dtype=np.uint64)
_NUMBER = np.uint64(MASK_WORDS[5])
_TOKEN = np.uint64(MASK_WORDS[6])
_FOUR_BYTES = np.uint64(0xFFFFFFFF)
_WWW_DOT = np.uint64(int.from_bytes(b"www.", "little"))
_NOWHERE = np.int64(1 << 40)


@inlined
def masked_words(folded_bytes: int, runs: int, specials: int, scratch: Scratch) -> int:
    """Write the hashes of a folded text's masked words.

    Args:
        folded_bytes: Bytes of the folded text.
        runs: Runs found in it.
        specials: Special characters found in it.
        scratch: Read: `folded`, `runs`, `specials`. Written: `spans`, `words`.

    Returns:
        Number of words.
    """
    spans = _find_spans(folded_bytes, specials, scratch)
    folded, all_runs, words = scratch.folded, scratch.runs, scratch.words
    count = 0
    span = 0
    span_begin = np.int64(scratch.spans[0, 0]) if spans > 0 else _NOWHERE
    skip_to = np.int64(0)
    token = _NO_TOKEN
    for run in range(runs):
        entry: Any = np.int64(all_runs[np.uint64(run)])
        kind = entry & 3
        if kind == SEPARATOR:
            continue
        begin: Any = entry >> 2
        end: Any = np.int64(all_runs[np.uint64(run + 1)]) >> 2
        if kind == LETTER and skip_to <= begin < span_begin and _is_plain_word(folded, begin, end):
            words[np.uint64(count)] = hash_short(folded, begin, end - begin, WORD_SEED)
            token = (begin, count, 0, end, False)
            count += 1
            continue
        while begin >= span_begin:
            count = _add_mask(words, count, MASK_WORDS[scratch.spans[span, 2]])
            skip_to = max(skip_to, np.int64(scratch.spans[span, 1]))
            span += 1
            span_begin = np.int64(scratch.spans[span, 0]) if span < spans else _NOWHERE
        if begin < skip_to:
            continue
        if kind == IDEOGRAPH:
            words[np.uint64(count)] = hash_short(folded, begin, end - begin, WORD_SEED)
            count += 1
            token = _NO_TOKEN
        elif kind == LETTER and _is_web_address(folded, begin, end):
            skip_to = _end_of_url(folded, end, folded_bytes)
            count = _add_mask(words, count, MASK_WORDS[URL])
            token = _NO_TOKEN
        else:
            count, token = _add_run(folded, (begin, end, kind), token, words, count)
    while span < spans:
        count = _add_mask(words, count, MASK_WORDS[scratch.spans[span, 2]])
        span += 1
    return count


@inlined
def _add_run(
    folded: np.ndarray, run: tuple[Any, Any, Any], token: Token, words: np.ndarray, count: int
) -> tuple[int, Token]:
    """Add a run of letters or digits, or take back its token and mask that; return the number of words and the token."""
    begin, end, kind = run
    token_begin, token_words, changes, token_end, opaque = token
    adjacent = begin == token_end
    if adjacent or (begin == token_end + 1 and _joins_token(folded[np.uint64(token_end)])):
        changes += np.int64(adjacent)
    else:
        token_begin, token_words, changes, opaque = begin, count, 0, False
    length = end - token_begin
    if opaque:
        pass
    elif (changes >= OPAQUE_CHANGES and length >= OPAQUE_BYTES) or (
        length >= LONG_TOKEN_BYTES and folded[token_begin] < 0x80
    ):
        opaque = True
        count = _add_mask(words, token_words, _TOKEN)
    elif kind == DIGIT:
        count = _add_mask(words, count, _NUMBER)
    else:
        words[np.uint64(count)] = hash_span(folded, begin, end - begin, WORD_SEED)
        count += 1
    return count, (token_begin, token_words, changes, end, opaque)


@inlined
def _is_plain_word(folded: np.ndarray, begin: int, end: int) -> bool:
    """Say whether letters stand after a space, are short and not `www.`: no token goes on here, none can get long."""
    return (
        begin > 0
        and folded[np.uint64(begin - 1)] == 32
        and end - begin <= 16
        and load64(folded, begin) & _FOUR_BYTES != _WWW_DOT
    )


@inlined
def shape_hash(words: np.ndarray, count: int) -> np.uint64:
    """Return the hash of all masked words in order.

    Args:
        words: uint64 [at least count].
        count: Words, 1 or more.
    """
    value: np.uint64 = hash_span(words.view(np.uint8), 0, 8 * count, SHAPE_SEED)
    return value


@inlined
def opening_hash(words: np.ndarray) -> np.uint64:
    """Return the hash of the first `OPENING_WORDS` masked words."""
    value: np.uint64 = hash_span(words.view(np.uint8), 0, 8 * OPENING_WORDS, OPENING_SEED)
    return value


@inlined
def prefix_hash(words: np.ndarray) -> np.uint64:
    """Return the hash of the first `EDGE_WORDS` masked words."""
    value: np.uint64 = hash_span(words.view(np.uint8), 0, 8 * EDGE_WORDS, PREFIX_SEED)
    return value


@inlined
def suffix_hash(words: np.ndarray, count: int) -> np.uint64:
    """Return the hash of the last `EDGE_WORDS` of `count` masked words."""
    value: np.uint64 = hash_span(words.view(np.uint8), 8 * (count - EDGE_WORDS), 8 * EDGE_WORDS, SUFFIX_SEED)
    return value


@inlined
def _add_mask(words: np.ndarray, count: int, mask: np.uint64) -> int:
    """Append a mask unless the last word is the same mask."""
    words[count] = mask
    return count if count > 0 and words[count - 1] == mask else count + 1


@kernel
def _joins_token(byte: int) -> bool:
    """Say whether a character may stand once within a long token: - _ + / =."""
    return byte in (43, 45, 47, 61, 95)


@kernel
def _is_web_address(folded: np.ndarray, begin: int, end: int) -> bool:
    """Say whether a run is the `www` of `www.`."""
    return (
        end - begin == 3
        and folded[begin] == 119
        and folded[begin + 1] == 119
        and folded[begin + 2] == 119
        and (folded[end] == 46)
    )


@inlined
def _find_spans(folded_bytes: int, specials: int, scratch: Scratch) -> int:
    """Write the masked spans, ascending and apart from each other; return how many."""
    folded, places = scratch.folded, scratch.specials
    spans = 0
    last_end = 0
    no_data_before = 0
    for index in range(specials):
        place = places[index]
        if place < last_end:
            continue
        byte = folded[place]
        begin, end, kind = place, -1, QUOTED
        if byte == 34:  # "
            end = _end_of_quote(folded, places, specials, index)
        elif byte == 96:  # `
            if folded[place + 1] == 96 and folded[place + 2] == 96:
                kind = FENCED
                end = _end_of_fence(folded, places, specials, index, folded_bytes)
        elif byte in (91, 123):  # { [
            if place >= no_data_before and _opens_data(folded, place):
                kind = DATA
                end, no_data_before = _end_of_data(folded, places, specials, index)
        elif byte == 58:  # :
            if folded[place + 1] == 47 and folded[place + 2] == 47:
                while begin > last_end and 97 <= folded[begin - 1] <= 122:
                    begin -= 1
                if begin < place:
                    kind = URL
                    end = _end_of_url(folded, place + 3, folded_bytes)
        elif byte == 64:  # @
            while begin > last_end and _in_mailbox(folded[begin - 1]):
                begin -= 1
            end = _end_of_host(folded, place + 1)
            kind = EMAIL
            if begin == place or end == place + 1:
                end = -1
        if end >= 0:
            scratch.spans[spans, 0] = begin
            scratch.spans[spans, 1] = end
            scratch.spans[spans, 2] = kind
            spans += 1
            last_end = end
    return spans


@kernel
def _end_of_quote(folded: np.ndarray, places: np.ndarray, specials: int, index: int) -> int:
    """Return the end of a quoted span, or -1."""
    for other in range(index + 1, specials):
        if places[other] - places[index] > QUOTE_REACH:
            return -1
        if folded[places[other]] == 34:
            return int(places[other]) + 1
    return -1


@kernel
def _end_of_fence(folded: np.ndarray, places: np.ndarray, specials: int, index: int, folded_bytes: int) -> int:
    """Return the end of fenced code; an open fence reaches to the end of the text."""
    for other in range(index + 3, specials):
        place = places[other]
        if folded[place] == 96 and folded[place + 1] == 96 and folded[place + 2] == 96:
            return int(place) + 3
    return folded_bytes


@kernel
def _opens_data(folded: np.ndarray, place: int) -> bool:
    r"""Say whether a bracket opens data: `{` before a quote or bracket, `[` before `"`, `{` or `[`."""
    after = folded[place + 2] if folded[place + 1] == 32 else folded[place + 1]
    if after in (34, 123):
        return True
    return bool(after == 39) if folded[place] == 123 else bool(after == 91)


@kernel
def _end_of_data(folded: np.ndarray, places: np.ndarray, specials: int, index: int) -> tuple[int, int]:
    """Return the end of a data block and 0, or -1 and the place before which no other search is made."""
    depth = 0
    quoted = False
    for other in range(index, specials):
        place = places[other]
        if place - places[index] > DATA_REACH:
            return -1, place
        byte = folded[place]
        if quoted:
            if byte == 34:
                slashes = 0
                while folded[place - 1 - slashes] == 92:
                    slashes += 1
                quoted = slashes % 2 == 1
        elif byte == 34:
            quoted = True
        elif byte in (91, 123):
            depth += 1
        elif byte in (93, 125):
            depth -= 1
            if depth == 0:
                return places[other] + 1, 0
    return -1, places[specials - 1] + 1


@kernel
def _end_of_url(folded: np.ndarray, place: int, folded_bytes: int) -> int:
    """Return the end of a URL: before a space, a quote, a bracket or a character beyond ASCII, less closing marks."""
    end = place
    while end < folded_bytes:
        byte = folded[end]
        if byte <= 32 or byte >= 0x80 or byte in (34, 39, 41, 60, 62, 93, 96, 123, 124, 125):
            break
        end += 1
    while end > place and folded[end - 1] in (33, 44, 46, 58, 59, 63):
        end -= 1
    return end


@kernel
def _in_mailbox(byte: int) -> bool:
    """Say whether a byte may stand before the @ of an address."""
    return 97 <= byte <= 122 or 48 <= byte <= 57 or byte in (37, 43, 45, 46, 95)


@kernel
def _end_of_host(folded: np.ndarray, place: int) -> int:
    """Return the end of a host name: letters, digits, dots and hyphens, less closing dots and hyphens."""
    end = place
    while 97 <= folded[end] <= 122 or 48 <= folded[end] <= 57 or folded[end] == 45 or folded[end] == 46:
        end += 1
    while end > place and (folded[end - 1] in (45, 46)):
        end -= 1
    return end
