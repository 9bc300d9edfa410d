"""A clause says what the text says: the sentence that it rests on stands in the contract text, word by word."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.decisions.terms.problem import Problem
from stillwatch.decisions.terms.reading import TermsDraft


def a_clause_says_what_the_text_says(draft: TermsDraft) -> Iterator[Problem]:
    """Give a problem for each sentence that the text does not hold, whatever its line breaks."""
    text = _one_line(draft.text)
    for one in draft.clauses:
        if one.clause.says and _one_line(one.clause.says) not in text:
            yield Problem(
                place=one.place("says"),
                message=f"{one.clause.id!a} rests on a sentence that the contract text does not hold",
                hint="copy the sentence from the text, letter by letter; the text prevails over the facts",
            )


def _one_line(text: str) -> str:
    return " ".join(text.split())
