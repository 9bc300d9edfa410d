"""Sentences of terms: a text as the set of its normalised sentences, and those of them that bear on extraction.

Takes Markdown as Open Terms Archive keeps it. Gives sentences. What a page says around the clauses (dates, menus, addresses) changes all the
time; sets of sentences are compared, not lines, and only sentences that a clause could rest on.
"""

from __future__ import annotations

import re

LONGEST = 4_000
"""Characters of a sentence; a longer one is cut."""
_LINK = re.compile(r"!?\[([^\]]{0,500})\]\((?:[^()\s]|\([^()\s]{0,500}\)){0,2000}\)")
_EMPHASIS = re.compile(r"\*+(?=\S)|(?<=\S)\*+|(?<![\w])_+(?=\S)|(?<=\S)_+(?![\w])|`+")
_MARKS = re.compile(r"[*_`#>|~\\]+|^\s*(?:[-+]|\d{1,3}[.)]|\([a-z0-9]{1,4}\))\s+", re.MULTILINE)
_END = re.compile(r"(?<=[.!?;:])\s+(?=[^a-z\s])|\n\s*\n|\n(?=\s*(?:[-+*]|\d{1,3}[.)]|\([a-z0-9]{1,4}\))\s)")
_RELEVANT = re.compile(
    r"distil|train(?:ing|ed)?\b.{0,80}\b(?:model|output|AI)|(?:model|output)s?\b.{0,80}\btrain|machine[- ]learning model|compet(?:e|es|ing|itive|itor)|"
    r"reverse[- ]engineer|scrap|extract|crawl|resell|resale|sublicen|aggregat|prox(?:y|ies)|api key|credential|circumvent|bypass|rate limit|"
    r"automat(?:ed|ic).{0,40}(?:account|access|means)|(?:multiple|several|fake) accounts|watermark|label|provenance|benchmark|logprob|"
    r"(?:supported|permitted|restricted) (?:countr|region|territor)|audit|verif(?:y|ication).{0,40}(?:identit|use)|suspend|terminat|injunct|"
    r"own(?:s|ership)?\b.{0,40}\boutput|output\b.{0,40}\b(?:belong|assign|own)",
    re.IGNORECASE,
)


def sentences(text: str) -> tuple[str, ...]:
    """Give the normalised sentences of a text, each once, in their order."""
    plain = _EMPHASIS.sub("", _LINK.sub(r"\1", text))
    found: dict[str, None] = {}
    for piece in _END.split(plain):
        sentence = " ".join(_MARKS.sub(" ", piece).split())[:LONGEST]
        if len(sentence) > 2:
            found.setdefault(sentence)
    return tuple(found)


def relevant(text: str) -> dict[str, str]:
    """Give the sentences that bear on extraction: folded for comparing, to as they stand."""
    return {_folded(one): one for one in sentences(text) if _RELEVANT.search(one)}


def _folded(sentence: str) -> str:
    return re.sub(r"[^\w]+", " ", sentence.casefold()).strip()
