"""Recorded answers: a party that was asked before, by others or by hand, read from a file of JSON lines.

A line is `{"prompt": ..., "answers": [...]}`, with `system` where there was one, or `{"prompt": ..., "continuation": ..., "tokens": [[text, log
probability], ...]}`, where a token may have a third part with its alternatives, `[[text, log probability], ...]`. The first query
for a prompt gets its first answer, the next one its next; a prompt without an answer left is unanswered.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stillwatch.records.suspect import (
    Ability,
    Alternative,
    Answer,
    Observation,
    Party,
    Query,
    Scored,
    Token,
    Unanswered,
)
from stillwatch.suspects.access.endpoint import Clock
from stillwatch.suspects.access.protocol import Collector
from stillwatch.suspects.access.settings import check_names, needed
from stillwatch.suspects.errors import AccessSettingError

Asked = tuple[str, str, str | None]


class RecordedAnswers:
    """A file of answers."""

    def __init__(self, party: Party, path: Path, collector: Collector, clock: Clock) -> None:
        """Read the file.

        Args:
            party: whose answers they are.
            path: where the file lies.
            collector: keeps what is taken from it.
            clock: gives the time of taking.

        Raises:
            AccessSettingError: naming the line that is none.
        """
        check_names(party, frozenset({"file"}))
        needed(party, "file")
        self._collector = collector
        self._clock = clock
        self._answers: dict[Asked, list[str]] = {}
        self._scores: dict[Asked, tuple[Token, ...]] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise AccessSettingError(f"party {party.name!a}: {path} cannot be read ({type(error).__name__})") from None
        for number, line in enumerate(lines, start=1):
            try:
                if line.strip():
                    self._keep(json.loads(line))
            except (KeyError, TypeError, ValueError):
                raise AccessSettingError(
                    f"{path}:{number}: is no recorded answer; expected prompt and answers, or prompt, continuation and tokens"
                ) from None

    def _keep(self, line: Mapping[str, Any]) -> None:
        asked = (str(line.get("system", "")), str(line["prompt"]), line.get("continuation"))
        if asked[2] is None:
            self._answers.setdefault(asked, []).extend(str(one) for one in line["answers"])
        else:
            self._scores[asked] = tuple(
                Token(
                    text=str(text),
                    log_prob=None if value is None else float(value),
                    alternatives=tuple(
                        Alternative(token=str(name), log_prob=float(number)) for name, number in (others or [[]])[0]
                    ),
                )
                for text, value, *others in line["tokens"]
            )

    @property
    def abilities(self) -> frozenset[Ability]:
        """Text, scores where some were recorded, and log-probabilities where some have alternatives."""
        told = any(token.alternatives for tokens in self._scores.values() for token in tokens)
        return frozenset(
            {Ability.ANSWER, Ability.SAMPLE}
            | ({Ability.SCORE} if self._scores else set())
            | ({Ability.LOGPROBS} if told else set())
        )

    async def answer(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Take recorded text; see `Access.answer`."""
        for query in queries:
            left = self._answers.get((query.system, query.prompt, None), [])
            text = left.pop(0) if left else None
            yield self._taken(query, None if text is None else _answer(query, text, self._clock()))

    async def score(self, queries: Sequence[Query]) -> AsyncIterator[Observation]:
        """Take recorded scores; see `Access.score`."""
        for query in queries:
            tokens = self._scores.get((query.system, query.prompt, query.continuation))
            yield self._taken(query, None if tokens is None else _scored(query, tokens, self._clock()))

    def _taken(self, query: Query, found: Answer | Scored | None) -> Observation:
        now = self._clock()
        nothing = Unanswered(query_id=query.id, reason="cannot", detail="not recorded", answered_us=now)
        observation = nothing if found is None else found
        if not self._collector.sent(query.id, {"recorded": True, "sent_us": now}):
            return Unanswered(query_id=query.id, reason="out of budget", detail="", answered_us=now)
        self._collector.received(query.id, {"recorded": True, "received_us": now}, observation)
        return observation

    async def close(self) -> None:
        """Give back nothing; the file is closed already."""


def _answer(query: Query, text: str, now_us: int) -> Answer:
    return Answer(
        query_id=query.id, text=text, finish="stop", prompt_tokens=None, completion_tokens=None, tokens=(),
        model="", answered_us=now_us,
    )  # fmt: skip


def _scored(query: Query, tokens: tuple[Token, ...], now_us: int) -> Scored:
    return Scored(
        query_id=query.id, tokens=tokens, prompt_tokens=None, shown_tokens=len(tokens), model="", answered_us=now_us
    )
