"""The difference of two versions of terms: sentences that came and went, and clauses whose facts changed.

Takes two versions. Gives sentences as sets, so that a sentence that moved is no change, and of these those that speak of extraction. Texts are
compared with white space made even; nothing else is forgiven.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from stillwatch.records.terms import Clause, Terms

_SENTENCE_END = re.compile(
    r"(?:(?<=[^\W\d][.;:!?])|(?<=[)\"'%][.;:!?]))\s+(?=[\w(\"'])|\n\s*\n|\n(?=\s*(?:[-*#]|\(?[a-z0-9]{1,3}[.)]\s))"
)
_RELEVANT = re.compile(
    r"distil|train|compet|model|output|scrap|extract|reverse engineer|watermark|mark(?:s|ing)?\b|label|resel|resale|sublicen|region|countr|"
    r"account|key|limit|audit|verif|retain|retention|monitor|suspend|terminat",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsDifference:
    """What changed."""

    added: tuple[str, ...]
    """Sentences, in the order of the new text."""
    removed: tuple[str, ...]
    """Sentences, in the order of the old text."""
    clauses: tuple[str, ...]
    """A line for each clause that came, went or changed."""


def is_relevant(sentence: str) -> bool:
    """Say whether a sentence uses a word of extraction, resale, accounts, marks or enforcement."""
    return _RELEVANT.search(sentence) is not None


def difference(old: Terms, old_text: str, new: Terms, new_text: str) -> TermsDifference:
    """Compare two versions.

    Args:
        old: the earlier version.
        old_text: its contract text.
        new: the later version.
        new_text: its contract text.
    """
    before, after = sentences(old_text), sentences(new_text)
    return TermsDifference(
        added=tuple(one for one in after if one not in set(before)),
        removed=tuple(one for one in before if one not in set(after)),
        clauses=_clause_lines(old, new),
    )


def sentences(text: str) -> tuple[str, ...]:
    """Cut a text into its sentences, each once, white space made even."""
    cut = (" ".join(part.split()).lstrip("#*- ") for part in _SENTENCE_END.split(text))
    return tuple(dict.fromkeys(part for part in cut if part))


def _clause_lines(old: Terms, new: Terms) -> tuple[str, ...]:
    before, after = ({clause.id: clause for clause in terms.clauses} for terms in (old, new))
    lines = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is None:
            lines.append(f"{name}: new")
        elif other is None:
            lines.append(f"{name}: gone")
        elif one != other:
            lines.append(f"{name}: changed in {', '.join(_changed(one, other))}")
    return tuple(lines)


def _changed(one: Clause, other: Clause) -> list[str]:
    return [field.name for field in fields(Clause) if getattr(one, field.name) != getattr(other, field.name)]
