"""Marking: the campaign's key, handed to the serving engine through the engine's own request interface.

Takes a client's body and a verdict. Gives the body that goes to the model. Two things may differ and nothing else does: members by which a client
could choose, switch off or imitate a mark, or run code in the engine, are taken out of everybody's requests; and a request whose verdict is
`MARK` gets one member. SGLang takes a key for each request (`watermark`), so its table of handles and keys lives here; vLLM takes arguments
of its logits processors (`vllm_xargs`), so the handle goes on and the worker holds the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stillwatch.gateway.json_members import named, with_member, without
from stillwatch.gateway.request import Route
from stillwatch.records.decision import Action
from stillwatch.records.verdict import Verdict

STRIPPED = frozenset({"watermark", "watermarking", "vllm_xargs", "custom_logit_processor", "custom_params"})
"""What no client may set. `custom_logit_processor` is a pickled program in SGLang."""
VLLM_ARGUMENT = "stillwatch_key"
_UNMARKABLE = frozenset({Route.EMBEDDINGS})
_ASKS_FOR_TEXT = frozenset({"messages", "prompt", "input", "text", "input_ids"})


class Engine(StrEnum):
    """What serves the model, and by which interface it takes a mark."""

    NONE = "none"
    """One that takes no mark for a request."""
    SGLANG = "sglang"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How marks reach the engine."""

    engine: Engine = Engine.NONE
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """For SGLang: handle to the value of its request field, with the raw key; as `mark_keys.WatchedKeys` reads it. Never shown or logged."""
    stripped: frozenset[str] = STRIPPED

    def member(self, key_id: str) -> tuple[str, Any] | None:
        """Give name and value of the member that carries the key; null where this engine takes none, or the key is not here."""
        if self.engine is Engine.VLLM:
            return "vllm_xargs", {VLLM_ARGUMENT: key_id}
        value = self.keys.get(key_id) if self.engine is Engine.SGLANG else None
        return None if value is None else ("watermark", dict(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedBody:
    """What goes to the model in place of what the client sent."""

    sent: bytes
    """To the model. It may hold a raw key, so it is never logged."""
    logged: bytes
    """The client's own, without what was taken out: what the log keeps."""
    stripped: tuple[str, ...]
    """Names of the members that were taken out."""
    marked: bool
    """Whether the mark's member was put in."""


def forwarded(raw: bytes, body: Mapping[str, Any], route: Route, verdict: Verdict, marks: Marks) -> ForwardedBody:
    """Give what goes to the model.

    Args:
        raw: bytes of the client's JSON object.
        body: the same, parsed.
        route: of the request.
        verdict: on the request.
        marks: how marks reach the engine.
    """
    stripped = named(body, marks.stripped)
    logged = without(raw, stripped) if stripped else raw
    member = None
    if verdict.action is Action.MARK and verdict.key_id is not None and asks_for_text(body, route):
        member = marks.member(verdict.key_id)
    sent = logged if member is None else with_member(logged, *member)
    return ForwardedBody(sent=sent, logged=logged, stripped=stripped, marked=member is not None)


def asks_for_text(body: Mapping[str, Any], route: Route) -> bool:
    """Say whether a body asks a model for text: by what it holds, since an engine may have routes of its own."""
    return route not in _UNMARKABLE and not _ASKS_FOR_TEXT.isdisjoint(body)
