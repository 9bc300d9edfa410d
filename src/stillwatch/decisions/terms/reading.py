"""Reading terms: from YAML with places to a `Terms` record.

Takes the bytes of the YAML file and of the contract text beside it. Gives a draft, in which each clause knows its places, and from a draft
without problems the record. The words of the file are few and stand in `docs/decisions.md`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from stillwatch.decisions.terms.facts import FACTS, Fact, FactType
from stillwatch.decisions.terms.fields import Fields, nearest, number_of, truth_of
from stillwatch.decisions.terms.positions import Listed, Mapped, Node, Scalar, read_nodes
from stillwatch.decisions.terms.problem import Place, Problem
from stillwatch.records.decision import Action, WhenStale
from stillwatch.records.terms import (
    FORBIDDING,
    Clause,
    ClauseClass,
    ClauseKind,
    ClauseMode,
    Condition,
    Operator,
    Terms,
    Value,
)

_TERMS_FIELDS = ("terms", "version", "title", "appeal", "text", "wording", "clauses")
_CLAUSE_FIELDS = (
    "id", "kind", "class", "mode", "clause", "says", "action", "when", "excepts", "when_stale", "notice_days", "cure_days", "duration_days",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WORD = re.compile(r"[\w./:@+ -]{1,100}")
MOST_DAYS = 3_650
DEFAULT_DURATION_DAYS = 30
_START = Place(line=1, column=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseDraft:
    """A clause with the places of its fields."""

    clause: Clause
    places: dict[str, Place]
    """Of each field that is there, `facts.NAME` for conditions, and `` for the clause itself."""

    def place(self, name: str = "") -> Place:
        """Give the place of a field; of the clause where it is missing."""
        return self.places.get(name, self.places[""])


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsDraft:
    """Terms as they were read, with what is wrong in their form."""

    file: str
    lines: tuple[str, ...]
    terms: Terms
    clauses: tuple[ClauseDraft, ...]
    text: str
    """The contract text; empty where none was given."""
    text_place: Place
    problems: list[Problem] = field(default_factory=list)


def text_file_of(facts: bytes, file: str) -> str | None:
    """Give the name of the contract text's file, which stands beside the YAML file; null where the wording is in it.

    Raises:
        TermsProblemsError: where the file is no YAML.
    """
    root, _ = read_nodes(facts, file)
    node = root.fields.get("text")
    return node.text if isinstance(node, Scalar) else None


def read_draft(facts: bytes, text: bytes | None, file: str) -> TermsDraft:
    """Read terms, collecting every problem of their form.

    Args:
        facts: the YAML file.
        text: the contract text, UTF-8; null where the wording stands in the YAML file.
        file: name of the YAML file, for messages.

    Raises:
        TermsProblemsError: where the file is no YAML at all.
    """
    root, lines = read_nodes(facts, file)
    problems: list[Problem] = []
    fields = Fields(root, "the file", problems)
    fields.only(_TERMS_FIELDS)
    name, version = fields.text("terms"), fields.text("version")
    for given, form, which in ((name, _NAME, "terms"), (version, _VERSION, "version")):
        if given and not form.fullmatch(given):
            fields.problem(
                fields.place(which), f"{which} got {given[:40]!a}", "use letters, digits and hyphens, at most 64"
            )
    wording = _wording(fields, text)
    drafts = tuple(_clause(one, problems) for one in fields.mappings("clauses"))
    terms = Terms(
        name=name,
        version=version,
        title=fields.text("title"),
        appeal=fields.text("appeal"),
        text_digest=f"sha256:{hashlib.sha256(wording.encode()).hexdigest()}",
        facts_digest=f"sha256:{hashlib.sha256(facts).hexdigest()}",
        clauses=tuple(one.clause for one in drafts),
    )
    which = "text" if "text" in root.fields else "wording"
    return TermsDraft(
        file=file,
        lines=lines,
        terms=terms,
        clauses=drafts,
        text=wording,
        text_place=fields.place(which),
        problems=problems,
    )


def _wording(fields: Fields, text: bytes | None) -> str:
    """Give the contract text, from its own file or from the YAML file."""
    has = [name for name in ("text", "wording") if name in fields.mapping.fields]
    if len(has) != 1:
        fields.problem(
            fields.place("wording"),
            "the contract text is missing" if not has else "the contract text stands here twice",
            "name its file with `text:`, or write it below `wording: |`",
        )
        return ""
    if has == ["wording"]:
        return fields.text("wording")
    try:
        return (text or b"").decode("utf-8")
    except UnicodeDecodeError:
        fields.problem(fields.place("text"), "the contract text is no UTF-8", "save it as plain text, UTF-8")
        return ""


def _clause(mapping: Mapped, problems: list[Problem]) -> ClauseDraft:
    fields = Fields(mapping, "a clause", problems)
    fields.only(_CLAUSE_FIELDS)
    name = fields.text("id")
    if name and not _NAME.fullmatch(name):
        fields.problem(
            fields.place("id"), f"id got {name[:40]!a}", "use lower-case letters, digits and hyphens, at most 64"
        )
    kind = ClauseKind(fields.word("kind", list(ClauseKind)) or ClauseKind.PURPOSE)
    forbids = kind in FORBIDDING
    decided = fields.word("class", list(ClauseClass), default=None if forbids else ClauseClass.ENFORCE.value)
    action = fields.word("action", list(Action), default=None if forbids else Action.ALLOW.value)
    places = {"": mapping.place} | {key: node.place for key, node in mapping.fields.items()}
    conditions = _conditions(fields.inner("when"), problems, places)
    clause = Clause(
        id=name,
        kind=kind,
        decided=ClauseClass(decided or ClauseClass.ENFORCE),
        mode=ClauseMode(fields.word("mode", list(ClauseMode), default=ClauseMode.RECORD.value) or ClauseMode.RECORD),
        number=fields.text("clause", needed=False) or None,
        says=fields.text("says", needed=False),
        action=Action(action or Action.ALLOW),
        conditions=conditions,
        excepts=tuple(one.text for one in fields.texts("excepts")),
        when_stale=WhenStale(
            fields.word("when_stale", list(WhenStale), default=WhenStale.OPEN.value) or WhenStale.OPEN
        ),
        notice_days=fields.number("notice_days", 0, MOST_DAYS),
        cure_days=fields.number("cure_days", 0, MOST_DAYS),
        duration_days=fields.number("duration_days", DEFAULT_DURATION_DAYS, MOST_DAYS),
    )
    return ClauseDraft(clause=clause, places=places)


def _conditions(when: Mapped | None, problems: list[Problem], places: dict[str, Place]) -> tuple[Condition, ...]:
    """Read the conditions; each fact is a name with a value, or with comparisons below it."""
    if when is None:
        return ()
    fields = Fields(when, "when", problems)
    if not when.fields:
        fields.problem(when.place, "when is empty", "write the facts that make the difference")
    found: list[Condition] = []
    for name, node in when.fields.items():
        fact = FACTS.get(name)
        places[f"facts.{name}"] = when.keys[name]
        if fact is None:
            fields.problem(when.keys[name], f"there is no fact {name[:40]!a}", nearest(name, FACTS, "facts"))
        elif isinstance(node, Mapped):
            for word, compared in node.fields.items():
                condition = _comparison(fact, word, node.keys[word], compared, fields)
                found += [condition] if condition else []
        else:
            value = _value(fact, node, fields)
            found += [] if value is None else [Condition(fact=name, operator=Operator.IS, values=(value,))]
    return tuple(found)


def _comparison(fact: Fact, word: str, place: Place, node: Node, fields: Fields) -> Condition | None:
    allowed = {
        FactType.TRUTH: (Operator.IS,),
        FactType.WORD: (Operator.IS, Operator.ONE_OF, Operator.NONE_OF),
        FactType.NUMBER: (Operator.IS, Operator.ABOVE, Operator.BELOW),
    }[fact.type]
    if word not in allowed:
        fields.problem(
            place,
            f"{fact.name} is {fact.type.value}; {word[:40]!a} does not compare it",
            nearest(word, allowed, "comparisons"),
        )
        return None
    operator = Operator(word)
    if operator not in {Operator.ONE_OF, Operator.NONE_OF}:
        value = _value(fact, node, fields)
        return None if value is None else Condition(fact=fact.name, operator=operator, values=(value,))
    if not isinstance(node, Listed):
        fields.problem(node.place, f"{word} needs a list", "write it as [first, second]")
        return None
    values = [_value(fact, one, fields) for one in node.items]
    return Condition(fact=fact.name, operator=operator, values=tuple(one for one in values if one is not None))


def _value(fact: Fact, node: Node, fields: Fields) -> Value | None:
    """Read a value of the fact's type; note where it is none."""
    value: Value | None
    if fact.type is FactType.TRUTH:
        value, hint = truth_of(node), "write true or false"
    elif fact.type is FactType.NUMBER:
        value, hint = number_of(node), "write a whole number without separators"
    else:
        value = node.text if isinstance(node, Scalar) and _WORD.fullmatch(node.text) else None
        hint = "write one word of letters, digits and . / : @ + - _"
    if value is None:
        fields.problem(node.place, f"{fact.name} is {fact.type.value}, and this is none", hint)
    return value
