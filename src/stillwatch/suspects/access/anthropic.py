"""Anthropic's interface: `/messages`. It gives text and token counts, never log-probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.records.suspect import Ability, Answer, Party, Query, Scored, Unanswered
from stillwatch.suspects.access.endpoint import ENDPOINT_SETTINGS
from stillwatch.suspects.access.settings import check_names, needed

VERSION = "2023-06-01"
"""Of the interface, which every request names."""
FINISHES = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "filter"}


class AnthropicInterface:
    """Bodies of `/messages`."""

    def __init__(self, party: Party) -> None:
        """Read the settings.

        Raises:
            AccessSettingError: where one is none.
        """
        check_names(party, ENDPOINT_SETTINGS)
        self._model = needed(party, "model")

    @property
    def abilities(self) -> frozenset[Ability]:
        """Text and counts."""
        return frozenset({Ability.ANSWER, Ability.SAMPLE, Ability.USAGE})

    def headers(self, key: str | None) -> dict[str, str]:
        """Give the key, and the version of the interface."""
        return {"anthropic-version": VERSION, **({} if key is None else {"x-api-key": key})}

    def request(self, query: Query) -> tuple[str, dict[str, object]]:
        """Give path and body."""
        body: dict[str, object] = {
            "model": self._model,
            "max_tokens": query.max_tokens,
            "temperature": query.temperature,
            "messages": [{"role": "user", "content": query.prompt}],
        }
        return "/messages", body | ({"system": query.system} if query.system else {})

    def read(self, query: Query, body: Mapping[str, Any], now_us: int) -> Answer | Scored | Unanswered:
        """Read an answer."""
        if query.continuation is not None:
            return Unanswered(query_id=query.id, reason="cannot", detail="no log-probabilities", answered_us=now_us)
        finish = FINISHES.get(str(body.get("stop_reason")), "other")
        usage = body.get("usage") or {}
        return Answer(
            query_id=query.id,
            text="".join(str(part["text"]) for part in body["content"] if part.get("type") == "text"),
            finish=finish,
            prompt_tokens=None if usage.get("input_tokens") is None else int(usage["input_tokens"]),
            completion_tokens=None if usage.get("output_tokens") is None else int(usage["output_tokens"]),
            tokens=(),
            model=str(body.get("model") or ""),
            answered_us=now_us,
        )
