"""The prompt columns of a sketch, row by row in one kernel.

Takes the text columns `prompt` and `system_prompt`. Gives the hashes, fingerprints, bits and counts that depend on them.
Complexity: O(bytes). Long system prompts are mostly the same ones again, so that the last ones seen are remembered by a
hash of their bytes; that changes the time, never the result.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from stillwatch.sketches.hashing import domain_seed, hash_span
from stillwatch.sketches.kernels import kernel
from stillwatch.sketches.near_duplicate import BANDS, BINS, minhash, write_bands
from stillwatch.sketches.normalise import CHARACTERS, Characters, exact_hash, fold_text, make_scratch
from stillwatch.sketches.phrase_matcher import PhraseTable
from stillwatch.sketches.prompt_intent import INTENT_PHRASES, intent_bits
from stillwatch.sketches.shape import (
    FEW_WORDS,
    OPENING_WORDS,
    masked_words,
    opening_hash,
    prefix_hash,
    shape_hash,
    suffix_hash,
)
from stillwatch.sketches.spans import MOST_SPANS, write_spans
from stillwatch.sketches.text_column import TextColumn

REMEMBERED: Final = 256
"""System prompts remembered at a time."""
LONGEST_INSTRUCTION = 120
"""Masked words; a longer system prompt (an agent harness, a product's handbook) mentions everything and says nothing of the request."""
_REMEMBER_SEED = np.uint64(domain_seed("system-prompt-cache/v1"))


class PromptColumns(NamedTuple):
    """Columns that depend on the texts; n rows."""

    exact: np.ndarray
    """int64 [n]."""
    shape: np.ndarray
    """int64 [n]."""
    opening: np.ndarray
    """int64 [n]."""
    prefix: np.ndarray
    """int64 [n]."""
    suffix: np.ndarray
    """int64 [n]."""
    system: np.ndarray
    """int64 [n]."""
    intent: np.ndarray
    """int32 [n]."""
    words: np.ndarray
    """int32 [n]: masked words of the prompt."""
    folded_bytes: np.ndarray
    """int32 [n]: folded bytes read of the prompt; 0 where nothing is left of it."""
    system_words: np.ndarray
    """int32 [n]: masked words of the system prompt."""
    span_offsets: np.ndarray
    """int32 [n + 1]."""
    spans: np.ndarray
    """int64 [at least span_offsets[n]]."""
    band_offsets: np.ndarray
    """int32 [n + 1]."""
    bands: np.ndarray
    """int64 [at least band_offsets[n]]."""


def sketch_prompts(prompts: TextColumn, systems: TextColumn) -> PromptColumns:
    """Return the prompt columns of a batch.

    Args:
        prompts: Prompts [n].
        systems: System prompts [n].

    Returns:
        Columns [n]; values of rows without the text, or with too few words, mean nothing.
    """
    rows = len(prompts.valid)
    columns = PromptColumns(
        exact=np.zeros(rows, dtype=np.int64),
        shape=np.zeros(rows, dtype=np.int64),
        opening=np.zeros(rows, dtype=np.int64),
        prefix=np.zeros(rows, dtype=np.int64),
        suffix=np.zeros(rows, dtype=np.int64),
        system=np.zeros(rows, dtype=np.int64),
        intent=np.zeros(rows, dtype=np.int32),
        words=np.zeros(rows, dtype=np.int32),
        folded_bytes=np.zeros(rows, dtype=np.int32),
        system_words=np.zeros(rows, dtype=np.int32),
        span_offsets=np.zeros(rows + 1, dtype=np.int32),
        spans=np.empty(rows * MOST_SPANS, dtype=np.int64),
        band_offsets=np.zeros(rows + 1, dtype=np.int32),
        bands=np.empty(rows * BANDS, dtype=np.int64),
    )
    _sketch_prompts(prompts.data, prompts.offsets, prompts.valid, CHARACTERS, INTENT_PHRASES, columns)
    _sketch_systems(systems.data, systems.offsets, systems.valid, CHARACTERS, INTENT_PHRASES, columns)
    return columns


@kernel
def _sketch_prompts(
    data: np.ndarray,
    offsets: np.ndarray,
    valid: np.ndarray,
    characters: Characters,
    phrases: PhraseTable,
    columns: PromptColumns,
) -> None:
    """Fill the columns that depend on the prompt."""
    scratch = make_scratch()
    grams = np.empty(scratch.words.shape[0], dtype=np.int64)
    minima = np.empty(scratch.words.shape[0], dtype=np.int64)
    shingles = np.empty(scratch.words.shape[0], dtype=np.uint64)
    signature = np.empty(BINS, dtype=np.uint64)
    span_end = 0
    band_end = 0
    for row in range(valid.shape[0]):
        if valid[row]:
            begin, end = offsets[row], offsets[row + 1]
            folded_bytes, runs, specials = fold_text(data, begin, end, characters, scratch)
            columns.folded_bytes[row] = folded_bytes
            columns.exact[row] = np.int64(exact_hash(folded_bytes, end - begin, scratch))
            columns.intent[row] = intent_bits(runs, specials, scratch, phrases)
            count = masked_words(folded_bytes, runs, specials, scratch)
            columns.words[row] = count
            if count > 0:
                columns.shape[row] = np.int64(shape_hash(scratch.words, count))
            if count >= OPENING_WORDS:
                columns.opening[row] = np.int64(opening_hash(scratch.words))
            span_end = write_spans(scratch.words, count, grams, minima, columns.spans, span_end)
            if count >= FEW_WORDS:
                columns.prefix[row] = np.int64(prefix_hash(scratch.words))
                columns.suffix[row] = np.int64(suffix_hash(scratch.words, count))
                minhash(scratch.words, count, BINS, shingles, signature)
                band_end = write_bands(signature, columns.bands, band_end)
        columns.span_offsets[row + 1] = span_end
        columns.band_offsets[row + 1] = band_end


@kernel
def _sketch_systems(
    data: np.ndarray,
    offsets: np.ndarray,
    valid: np.ndarray,
    characters: Characters,
    phrases: PhraseTable,
    columns: PromptColumns,
) -> None:
    """Fill the columns that depend on the system prompt, and add the intent of a short one."""
    scratch = make_scratch()
    known = np.zeros(REMEMBERED, dtype=np.uint64)
    known_row = np.full(REMEMBERED, -1, dtype=np.int64)
    known_intent = np.zeros(REMEMBERED, dtype=np.int32)
    for row in range(valid.shape[0]):
        if not valid[row]:
            continue
        begin, length = offsets[row], offsets[row + 1] - offsets[row]
        key = hash_span(data, begin, length, _REMEMBER_SEED)
        place = np.int64(key & np.uint64(REMEMBERED - 1))
        same = known_row[place]
        if same >= 0 and known[place] == key and _equal_texts(data, offsets, same, row):
            columns.system[row] = columns.system[same]
            columns.system_words[row] = columns.system_words[same]
        else:
            folded_bytes, runs, specials = fold_text(data, begin, begin + length, characters, scratch)
            known_intent[place] = intent_bits(runs, specials, scratch, phrases)
            count = masked_words(folded_bytes, runs, specials, scratch)
            columns.system_words[row] = count
            if count > 0:
                columns.system[row] = np.int64(shape_hash(scratch.words, count))
            known[place] = key
            known_row[place] = row
        if columns.system_words[row] <= LONGEST_INSTRUCTION:
            columns.intent[row] |= known_intent[place]


@kernel
def _equal_texts(data: np.ndarray, offsets: np.ndarray, left: int, right: int) -> bool:
    """Say whether two rows hold the same bytes."""
    length = offsets[left + 1] - offsets[left]
    if offsets[right + 1] - offsets[right] != length:
        return False
    begin, other = offsets[left], offsets[right]
    return bool((data[begin : begin + length] == data[other : other + length]).all())
