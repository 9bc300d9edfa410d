"""Signs of another provider's output in a row: what its fields say, and what its text says of itself.

A provenance field is a statement of whoever made the set. A sentence in which a model names itself or its maker is an annotation: people
write such sentences too, and models name the wrong maker; the share of rows is what speaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stillwatch.governance.clean_hands.licences import ProviderTerms, provider_named

PROVENANCE_FIELDS = frozenset({
    "model", "model_name", "model_id", "generator", "generated_by", "source_model", "teacher", "teacher_model", "provider", "llm", "engine", "response_model", "annotator_model",
})  # fmt: skip
TEXT_FIELDS = (
    "output",
    "response",
    "completion",
    "answer",
    "content",
    "text",
    "chosen",
    "value",
    "target",
    "assistant",
    "generation",
    "model_output",
)
NOBODY = frozenset({"human", "humans", "person", "none", "unknown", "n/a", "manual", "crowd", "-"})
_I_AM = (
    r"(?:\b(?:i am|i'm|i\u2019m|my name is|you are talking to|soy|me llamo|je suis|je m'appelle|ich bin|ich hei\u00dfe|eu sou|meu nome \u00e9)\b|\u043c\u0435\u043d\u044f \u0437\u043e\u0432\u0443\u0442|"
    r"\b\u044f\b \u2014|\u79c1\u306f|\u6211\u662f|\u6211\u53eb|\u4f5c\u4e3a|\u7531)"
)
"""English, Spanish, French, German, Portuguese, Russian, Japanese and Chinese."""
_AS = r"\bas (?:an?|the) (?:[\w-]+ ){0,2}(?:ai|language model|assistant|chatbot|model)\b"
_BETWEEN = r"[^.!?\n\u3002]{0,60}?"
_MADE = (
    r"(?:developed|created|trained|made|built|designed|desarrollad[oa]|cread[oa]|entrenad[oa]|d\u00e9velopp\u00e9e?|cr\u00e9\u00e9e?|entra\u00een\u00e9e?|entwickelt|trainiert|erstellt|"
    r"desenvolvid[oa]|criad[oa]|treinad[oa]|\u0440\u0430\u0437\u0440\u0430\u0431\u043e\u0442\u0430\u043d\w*|\u0441\u043e\u0437\u0434\u0430\u043d\w*|\u043e\u0431\u0443\u0447\u0435\u043d\w*)"
    r"(?: and \w+)?(?: by| por| par| von| pela?| \u043a\u043e\u043c\u043f\u0430\u043d\u0438\u0435\u0439)?"
)


class IdentityStatements:
    """Finds sentences in which a model says who it is or who made it."""

    def __init__(self, providers: Sequence[ProviderTerms]) -> None:
        """Build one pattern over all names of models, and one over all makers."""
        self._models = {name: one for one in providers for name in one.speaks_as}
        self._makers = {name: one for one in providers for name in one.made_by}
        models, makers = _either(self._models), _either(self._makers)
        # A model's name right after "I am"; a maker's only with a word for making between, or in Chinese after it (由 … 开发).
        self._named = re.compile(
            rf"{_I_AM}[,:\s]*(?:(?:called|named|an?|the|un[ae]?|eine?|uma?|ai|large|language|model|assistant|chatbot)[,\s]+)*(?P<name>(?-i:{models}))(?!\w)", re.IGNORECASE
        )  # fmt: skip
        self._made = re.compile(
            rf"(?:{_I_AM}|{_AS}){_BETWEEN}{_MADE}\s*(?:the )?(?P<name>(?-i:{makers}))(?!\w)|(?:\u6211\u662f|\u7531){_BETWEEN}(?P<chinese>{makers}){_BETWEEN}(?:\u5f00\u53d1|\u8bad\u7ec3|\u521b\u5efa|\u7814\u53d1)",
            re.IGNORECASE,
        )
        self._first = re.compile(f"{models}|{makers}", re.IGNORECASE)

    def find(self, text: str) -> ProviderTerms | None:
        """Give the provider that a text names as itself or its maker; null for none."""
        # Most texts hold no name, and the long patterns are not tried on them.
        if self._first.search(text) is None:
            return None
        found = self._named.search(text)
        if found is not None:
            return self._models[found["name"]]
        found = self._made.search(text)
        return None if found is None else self._makers[found["name"] or found["chinese"]]


def _either(names: Mapping[str, ProviderTerms]) -> str:
    """Give the alternatives; what matches nothing where there are none."""
    if not names:
        return "(?!)"
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def provenance(
    row: Mapping[str, Any], providers: Sequence[ProviderTerms]
) -> Iterator[tuple[str, ProviderTerms | None]]:
    """Give each provenance field's value, and the provider that it names."""
    for name, value in row.items():
        if name.lower() in PROVENANCE_FIELDS and isinstance(value, str) and value.strip().lower() not in NOBODY | {""}:
            yield value.strip(), provider_named(value, providers)
        elif name in {"metadata", "meta"} and isinstance(value, dict):
            yield from provenance(value, providers)


def texts(row: Mapping[str, Any]) -> Iterator[str]:
    """Give the texts of a row that a model may have written: answers, and the assistant's turns of a conversation."""
    for name, value in row.items():
        if name in {"messages", "conversations", "conversation"} and isinstance(value, list):
            for turn in value:
                role = str(turn.get("role", turn.get("from", ""))).lower() if isinstance(turn, dict) else ""
                if role in {"assistant", "gpt", "model", "chatbot", "bot"}:
                    yield from (str(turn[field]) for field in ("content", "value") if isinstance(turn.get(field), str))
        elif name.lower() in TEXT_FIELDS and isinstance(value, str):
            yield value
