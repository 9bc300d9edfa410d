"""The sketches in plain Python, written from their definitions: the oracle of the kernels. Slow and simple on purpose."""

from __future__ import annotations

import re
from itertools import pairwise

from stillwatch.sketches import characters, near_duplicate, shape, spans
from stillwatch.sketches.hashing import domain_seed, hash_bytes, mix, signed

MASK64 = (1 << 64) - 1
CLASSES = characters.character_classes()
FOLDED = characters.folded_characters()
MASKS = {name: hash_bytes(name.encode(), domain_seed("mask/v1")) for name in shape.MASK_NAMES}


def classify(character: str) -> int:
    point = ord(character)
    if point < 0x10000:
        return int(CLASSES[point])
    if 0x20000 <= point < 0x40000:
        return characters.IDEOGRAPH
    return characters.SEPARATOR if 0x1F000 <= point < 0x20000 or point >= 0xE0000 else characters.LETTER


def pieces(text: str) -> list[str]:
    data = text.encode()
    if len(data) <= 65536:
        return [text]
    head, tail = data[:32768], data[-32768:]
    while head and data[len(head)] & 0xC0 == 0x80:
        head = head[:-1]
    while tail and tail[0] & 0xC0 == 0x80:
        tail = tail[1:]
    return [head.decode(), tail.decode()]


def folded_units(text: str) -> list[tuple[bytes, int]]:
    """Folded characters with their classes; whitespace collapsed and trimmed."""
    units: list[tuple[bytes, int]] = []
    for number, piece in enumerate(pieces(text)):
        characters_here = ([" "] if number else []) + list(piece)
        for character in characters_here:
            kind = classify(character)
            if kind == characters.DROPPED:
                continue
            if kind == characters.SPACE:
                if units and units[-1][0] != b" ":
                    units.append((b" ", characters.SEPARATOR))
                continue
            point = ord(character)
            units.append((chr(FOLDED[point] if point < 0x10000 else point).encode(), kind))
    if units and units[-1][0] == b" ":
        units.pop()
    return units


def folded_bytes(text: str) -> bytes:
    return b"".join(unit for unit, _ in folded_units(text))


def text_runs(text: str) -> list[tuple[int, int, int]]:
    """First byte, end and class of every run of letters or digits, and of every ideograph."""
    runs: list[tuple[int, int, int]] = []
    place = 0
    open_kind = characters.SEPARATOR
    for unit, kind in folded_units(text):
        if kind != characters.SEPARATOR:
            if kind == open_kind and kind != characters.IDEOGRAPH:
                runs[-1] = (runs[-1][0], place + len(unit), kind)
            else:
                runs.append((place, place + len(unit), kind))
        open_kind = kind
        place += len(unit)
    return runs


def end_of_url(folded: bytes, place: int) -> int:
    end = place + len(re.match(rb"[^\x00-\x20\x80-\xff\"')<>\]`{|}]*", folded[place:])[0])
    while end > place and folded[end - 1 : end] in {b"!", b".", b",", b":", b";", b"?"}:
        end -= 1
    return end


def end_of_data(folded: bytes, place: int) -> tuple[int | None, int]:
    depth, quoted = 0, False
    last = place
    for here in range(place, len(folded)):
        if folded[here : here + 1] not in {bytes([mark]) for mark in b'"`{}[]@:'}:
            continue
        if here - place > shape.DATA_REACH:
            return None, here
        last = here
        mark = chr(folded[here])
        if quoted:
            slashes = len(folded[:here]) - len(folded[:here].rstrip(b"\\"))
            quoted = mark != '"' or slashes % 2 == 1
        elif mark == '"':
            quoted = True
        elif mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                return here + 1, 0
    return None, last + 1


def masked_spans(folded: bytes) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    last_end = no_data_before = 0
    for place in range(len(folded)):
        if place < last_end:
            continue
        mark = chr(folded[place])
        begin, end, name = place, None, "quoted"
        if mark == '"':
            closing = folded.find(b'"', place + 1)
            if closing >= 0 and closing - place <= shape.QUOTE_REACH:
                end = closing + 1
        elif folded[place : place + 3] == b"```":
            closing = folded.find(b"```", place + 3)
            name, end = "fenced", closing + 3 if closing >= 0 else len(folded)
        elif mark in "{[" and place >= no_data_before:
            after = folded[place + 1 :].removeprefix(b" ")[:1]
            if after in ({b'"', b"{", b"'"} if mark == "{" else {b'"', b"{", b"["}):
                name = "data"
                end, no_data_before = end_of_data(folded, place)
        elif folded[place : place + 3] == b"://":
            begin = place - len(re.search(rb"[a-z]*$", folded[last_end:place])[0])
            if begin < place:
                name, end = "url", end_of_url(folded, place + 3)
        elif mark == "@":
            begin = place - len(re.search(rb"[a-z0-9%+\-._]*$", folded[last_end:place])[0])
            host = re.match(rb"[a-z0-9.\-]*", folded[place + 1 :])[0].rstrip(b".-")
            if begin < place and host:
                name, end = "email", place + 1 + len(host)
        if end is not None:
            found.append((begin, end, name))
            last_end = end
    return found


def masked_words(text: str) -> list[int]:
    folded = folded_bytes(text)
    waiting = masked_spans(folded)
    words: list[int] = []

    def add_mask(name: str) -> None:
        if not words or words[-1] != MASKS[name]:
            words.append(MASKS[name])

    skip_to = 0
    chain: list[tuple[int, int, int]] = []
    chain_words, opaque = 0, False
    for begin, end, kind in text_runs(text):
        while waiting and begin >= waiting[0][0]:
            add_mask(waiting[0][2])
            skip_to = max(skip_to, waiting.pop(0)[1])
        if begin < skip_to:
            continue
        if kind == characters.IDEOGRAPH:
            words.append(hash_bytes(folded[begin:end], domain_seed("word/v1")))
            chain = []
            continue
        if folded[begin : end + 1] == b"www.":
            skip_to = end_of_url(folded, end)
            add_mask("url")
            chain = []
            continue
        gap = folded[chain[-1][1] : begin] if chain else None
        if gap not in {b"", b"-", b"_", b"+", b"/", b"="}:
            chain, chain_words, opaque = [], len(words), False
        chain.append((begin, end, kind))
        if opaque:
            continue
        changes = sum(left[1] == right[0] for left, right in pairwise(chain))
        length = end - chain[0][0]
        if (changes >= 4 and length >= 16) or (length >= 64 and folded[chain[0][0]] < 0x80):
            opaque = True
            del words[chain_words:]
            add_mask("token")
        elif kind == characters.DIGIT:
            add_mask("number")
        else:
            words.append(hash_bytes(folded[begin:end], domain_seed("word/v1")))
    for _, _, name in waiting:
        add_mask(name)
    return words


def sequence_hash(words: list[int], domain: str) -> int:
    return signed(hash_bytes(b"".join(word.to_bytes(8, "little") for word in words), domain_seed(domain)))


def exact(text: str) -> int | None:
    folded = folded_bytes(text)
    if not folded:
        return None
    seed = domain_seed("exact/v1")
    value = hash_bytes(folded, seed)
    size = len(text.encode())
    return signed(value if size <= 65536 else mix(value, size ^ seed))


def signature(words: list[int], bins: int = 64) -> list[int]:
    """For each bin the smallest (round, value); rounds as far as any bin is empty."""
    first, second = domain_seed("shingle-first/v1") | 1, domain_seed("shingle-second/v1") | 1
    mixed = domain_seed("shingle/v1")
    shingles = {(a * first + b * second + c) & MASK64 for a, b, c in zip(words, words[1:], words[2:], strict=False)}
    best: dict[int, tuple[int, int]] = {}
    for number in range(near_duplicate.ROUNDS):
        for one in shingles:
            value = mix(one ^ domain_seed(f"shingle-round/v1/{number}"), mixed)
            place = value >> (64 - bins.bit_length() + 1)
            best[place] = min(best.get(place, (99, 0)), (number, value & (1 << 57) - 1))
        if len(best) == bins:
            break
    for place in range(bins):
        if place not in best:
            seed = domain_seed(f"shingle-bin/v1/{place}")
            best[place] = (near_duplicate.ROUNDS, min(mix(one ^ seed, mixed) & (1 << 57) - 1 for one in shingles))
    return [number << 57 | value for number, value in (best[place] for place in range(bins))]


def bands(words: list[int]) -> list[int]:
    if len(words) < 12:
        return []
    values = signature(words)
    seed = domain_seed("band/v1")
    return [
        signed(hash_bytes(b"".join(v.to_bytes(8, "little") for v in values[4 * band : 4 * band + 4]), seed ^ band))
        for band in range(16)
    ]


def fingerprints(words: list[int]) -> list[int]:
    base = domain_seed("span-base/v1") | 1
    seed = domain_seed("span/v1")
    grams = []
    for index in range(len(words) - 7):
        total = 0
        for word in words[index : index + 8]:
            total = (total * base + word) & MASK64
        grams.append(signed(mix(total ^ seed, base)))
    windows = [grams[index : index + spans.WINDOW] for index in range(max(1, len(grams) - spans.WINDOW + 1))]
    return sorted({min(window) for window in windows if window})[: spans.MOST_SPANS]


def sketch(text: str) -> dict[str, object]:
    words = masked_words(text)
    return {
        "exact": exact(text),
        "shape": sequence_hash(words, "shape/v1") if words else None,
        "opening": sequence_hash(words[:2], "opening/v1") if len(words) >= 2 else None,
        "prefix": sequence_hash(words[:8], "prefix/v1") if len(words) >= 12 else None,
        "suffix": sequence_hash(words[-8:], "suffix/v1") if len(words) >= 12 else None,
        "spans": fingerprints(words),
        "bands": bands(words),
        "prompt_words": len(words),
        "prompt_bytes": len(text.encode()),
    }
