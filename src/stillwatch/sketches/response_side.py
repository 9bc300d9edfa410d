"""What an answer shows, as bits of `ResponseSign`.

Takes the answer texts. Gives for each: reasoning inside tags (signal 12), a refusal in the opening, and numbered or named
steps. Only the first 8 kB are read, and for a refusal only the first 400 folded bytes, as a later apology refuses nothing.
A sign says what the answer looks like, not why. Complexity: O(bytes), at most 8 kB an answer.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.records.sketch import ResponseSign
from stillwatch.sketches.kernels import kernel
from stillwatch.sketches.normalise import CHARACTERS, Characters, fold_text, make_scratch
from stillwatch.sketches.phrase_matcher import PhraseTable, compile_phrases, match_phrases
from stillwatch.sketches.response_phrases import OPENING_FAMILIES, OPENING_PAIRS, RESPONSE_FAMILIES, RESPONSE_PAIRS
from stillwatch.sketches.text_column import TextColumn

READ_BYTES: Final = 8192
OPENING_BYTES: Final = 400
OPENING_PHRASES: Final = compile_phrases(OPENING_FAMILIES, OPENING_PAIRS)
RESPONSE_PHRASES: Final = compile_phrases(RESPONSE_FAMILIES, RESPONSE_PAIRS)
_STEPS: Final = int(ResponseSign.STEPS)


def response_signs(responses: TextColumn) -> np.ndarray:
    """Return the signs of answers.

    Args:
        responses: Answers [n].

    Returns:
        int32 [n]; 0 where there is no text.
    """
    out = np.zeros(len(responses.valid), dtype=np.int32)
    _response_signs(
        responses.data, responses.offsets, responses.valid, CHARACTERS, OPENING_PHRASES, RESPONSE_PHRASES, out
    )
    return out


@kernel
def _response_signs(
    data: np.ndarray,
    offsets: np.ndarray,
    valid: np.ndarray,
    characters: Characters,
    opening: PhraseTable,
    phrases: PhraseTable,
    out: np.ndarray,
) -> None:
    """Fill the signs of each row."""
    scratch = make_scratch()
    for row in range(out.shape[0]):
        if not valid[row]:
            continue
        begin, end = offsets[row], offsets[row + 1]
        if end - begin > READ_BYTES:
            end = begin + READ_BYTES
            while data[end] & 0xC0 == 0x80:
                end -= 1
        _, runs, _ = fold_text(data, begin, end, characters, scratch)
        opening_runs = 0
        while opening_runs < runs and scratch.runs[opening_runs] >> 2 < OPENING_BYTES:
            opening_runs += 1
        found = match_phrases(opening_runs, scratch, opening) | match_phrases(runs, scratch, phrases)
        if found & _STEPS == 0 and _has_numbered_lines(data, begin, end):
            found |= _STEPS
        out[row] = found


@kernel
def _has_numbered_lines(data: np.ndarray, begin: int, end: int) -> bool:
    """Say whether a line that begins with 1 is followed by one that begins with 2: `1.`, `1)`, `**1.`, `### 1.`."""
    wanted = 49
    line_begins = True
    for place in range(begin, end - 1):
        byte = data[place]
        if byte == 10:
            line_begins = True
        elif line_begins and byte not in (32, 9, 13, 35, 42):  # space, tab, return, #, *
            line_begins = False
            if byte == wanted and data[place + 1] in (41, 46):
                if wanted == 50:
                    return True
                wanted = 50
    return False
