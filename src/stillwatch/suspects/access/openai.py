"""OpenAI's interface, as many servers speak it: chat completions, and completions with the prompt echoed and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.records.suspect import Ability, Alternative, Answer, Party, Query, Scored, Token, Unanswered
from stillwatch.suspects.access.endpoint import ENDPOINT_SETTINGS
from stillwatch.suspects.access.settings import check_names, needed, setting
from stillwatch.suspects.errors import AccessSettingError

SETTINGS = ENDPOINT_SETTINGS | {"style", "scores", "echo_tokens", "limit_name"}
LEAST = -1e6
FINISHES = {"stop": "stop", "length": "length", "content_filter": "filter"}


class OpenAIInterface:
    """Bodies of `/chat/completions` and `/completions`."""

    def __init__(self, party: Party) -> None:
        """Read the settings.

        Raises:
            AccessSettingError: where one is none.
        """
        check_names(party, SETTINGS)
        self._model = needed(party, "model")
        self._style = setting(party, "style", "chat")
        self._scores = setting(party, "scores", "no")
        self._echo_tokens = setting(party, "echo_tokens", 0)
        self._limit = setting(party, "limit_name", "max_tokens")
        for name, value, known in (
            ("style", self._style, ("chat", "completions")),
            ("scores", self._scores, ("no", "echo")),
            ("limit_name", self._limit, ("max_tokens", "max_completion_tokens")),
        ):
            if value not in known:
                raise AccessSettingError(f"party {party.name!a}: {name} is {value!a}, expected {' or '.join(known)}")

    @property
    def abilities(self) -> frozenset[Ability]:
        """Text and counts; log-probabilities where it gives them; scores where the prompt can be echoed."""
        common = {Ability.ANSWER, Ability.SAMPLE, Ability.USAGE, Ability.LOGPROBS}
        return frozenset(common | ({Ability.SCORE} if self._scores == "echo" else set()))

    def headers(self, key: str | None) -> dict[str, str]:
        """Give the key as a bearer token."""
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def request(self, query: Query) -> tuple[str, dict[str, object]]:
        """Give path and body."""
        if query.continuation is not None:
            return "/completions", {
                "model": self._model,
                "prompt": query.system + query.prompt + query.continuation,
                "max_tokens": self._echo_tokens,
                "temperature": 0,
                "echo": True,
                "logprobs": max(1, query.top_logprobs),
            }
        body: dict[str, object] = {
            "model": self._model, self._limit: query.max_tokens, "temperature": query.temperature, "top_p": 1
        }  # fmt: skip
        if self._style == "completions":
            body["prompt"] = query.system + query.prompt
            return "/completions", body | ({"logprobs": query.top_logprobs} if query.top_logprobs else {})
        system = [{"role": "system", "content": query.system}] if query.system else []
        body["messages"] = [*system, {"role": "user", "content": query.prompt}]
        if query.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": query.top_logprobs}
        return "/chat/completions", body

    def read(self, query: Query, body: Mapping[str, Any], now_us: int) -> Answer | Scored | Unanswered:
        """Read an answer."""
        choice = body["choices"][0]
        model = f"{body.get('model') or ''} {body.get('system_fingerprint') or ''}".strip()
        usage = body.get("usage") or {}
        if query.continuation is not None:
            return _scored(query, choice, model, usage, now_us)
        message = choice.get("message") or {}
        if message.get("refusal"):
            return Unanswered(query_id=query.id, reason="refused", detail="refusal", answered_us=now_us)
        text = message["content"] if "message" in choice else choice["text"]
        return Answer(
            query_id=query.id,
            text=str(text or ""),
            finish=FINISHES.get(str(choice.get("finish_reason")), "other"),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            tokens=_tokens(choice.get("logprobs") or {}),
            model=model,
            answered_us=now_us,
        )


def _tokens(told: Mapping[str, Any]) -> tuple[Token, ...]:
    """Read log-probabilities in either form."""
    if told.get("content") is not None:
        return tuple(
            Token(
                text=str(one["token"]),
                log_prob=_number(one["logprob"]),
                alternatives=tuple(
                    Alternative(token=str(other["token"]), log_prob=_log_prob(other["logprob"]))
                    for other in one.get("top_logprobs") or ()
                ),
            )
            for one in told["content"]
        )
    texts: Sequence[Any] = told.get("tokens") or ()
    values = told.get("token_logprobs") or [None] * len(texts)
    others = told.get("top_logprobs") or [None] * len(texts)
    return tuple(
        Token(
            text=str(text),
            log_prob=_number(value),
            alternatives=tuple(
                Alternative(token=str(name), log_prob=_log_prob(number)) for name, number in (other or {}).items()
            ),
        )
        for text, value, other in zip(texts, values, others, strict=True)
    )


def _scored(
    query: Query, choice: Mapping[str, Any], model: str, usage: Mapping[str, Any], now_us: int
) -> Scored | Unanswered:
    """Cut the continuation out of the echoed text: the tokens that reach beyond the prompt."""
    tokens = _tokens(choice.get("logprobs") or {})
    if not tokens:
        return Unanswered(query_id=query.id, reason="cannot", detail="no prompt log-probabilities", answered_us=now_us)
    sent = query.system + query.prompt + (query.continuation or "")
    joined = "".join(token.text for token in tokens)
    # A mark of the beginning may stand before the text, and a written token after it.
    begin = max(0, joined.find(sent))
    first, last = begin + len(query.system) + len(query.prompt), begin + len(sent)
    kept, place = [], 0
    for token in tokens:
        if place + len(token.text) > first and place < last:
            kept.append(token)
        place += len(token.text)
    return Scored(
        query_id=query.id,
        tokens=tuple(kept),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        shown_tokens=len(tokens) - (_count(usage.get("completion_tokens")) or 0),
        model=model,
        answered_us=now_us,
    )


def _number(value: Any) -> float | None:
    return None if value is None else _log_prob(value)


def _log_prob(value: Any) -> float:
    """Read a log-probability; what is called impossible becomes a number that can be written down."""
    number = float(value)
    if math.isnan(number):
        raise ValueError("a log-probability that is no number")
    return min(max(number, LEAST), -LEAST)


def _count(value: Any) -> int | None:
    return None if value is None else int(value)
