"""What a prompt asks for, as bits of `Intent`.

Takes a folded prompt. Gives the union of the signs of the phrases found in it (`intent_phrases`), and `CODE` where a
code fence stands. It reads the text as it is, quotes and code included, since an instruction may be hidden there.
A sign is a weak thing: honest prompts carry each of them. Only rates over many exchanges count.
"""

from __future__ import annotations

from typing import Final

from stillwatch.records.sketch import Intent
from stillwatch.sketches.intent_phrases import FAMILIES, PAIRS
from stillwatch.sketches.kernels import inlined
from stillwatch.sketches.normalise import Scratch
from stillwatch.sketches.phrase_matcher import PhraseTable, compile_phrases, match_phrases

INTENT_PHRASES: Final = compile_phrases(FAMILIES, PAIRS)
_CODE: Final = int(Intent.CODE)


@inlined
def intent_bits(runs: int, specials: int, scratch: Scratch, phrases: PhraseTable) -> int:
    """Return the intent of a folded prompt.

    Args:
        runs: Runs found in it.
        specials: Special characters found in it.
        scratch: Read: `folded`, `runs`, `specials`.
        phrases: `INTENT_PHRASES`.
    """
    found: int = match_phrases(runs, scratch, phrases)
    folded = scratch.folded
    for index in range(specials):
        place = scratch.specials[index]
        if folded[place] == 96 and folded[place + 1] == 96 and folded[place + 2] == 96:
            return found | _CODE
    return found
