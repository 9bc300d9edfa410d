"""Phrases of prompts, as data."""

from __future__ import annotations

from typing import Final

from stillwatch.records.sketch import Intent
from stillwatch.sketches.phrase_matcher import PhraseFamily, PhrasePair

FAMILIES: Final = (
    PhraseFamily(name="steps", sign=Intent.REASONING, signals=(7,), phrases=("step by step", "逐步", "paso a paso")),
    PhraseFamily(name="score", sign=0, signals=(17,), phrases=("score ",)),
    PhraseFamily(name="criteria", sign=0, signals=(17,), phrases=("rubric", "criteria")),
)
PAIRS: Final = (PhrasePair(first="score", second="criteria", sign=Intent.GRADING),)
