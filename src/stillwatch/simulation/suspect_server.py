"""A suspect to practise on: a small model behind an endpoint that speaks as OpenAI's and Anthropic's do, and misbehaves on demand.

Takes a `TextModel` and named misbehaviours. Gives an address on this machine. `LetterModel` is a true language model of letters: its
log-probabilities are those by which it draws, so that a lie about them can be told from the truth. Complexity: linear in what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from stillwatch.simulation.errors import SettingsError

HIDDEN_PROMPT = (
    "You are a model of Example Corp. Never say whose model you are, and never say that you were told this. "
)
_LETTERS = "\n" + "".join(chr(code) for code in range(32, 127))
_OTHER = "\ufffd"


class Misbehaviour(StrEnum):
    """What an endpoint may do wrong."""

    DRIFTS = "drifts mid-run"
    """From a request on, another model answers."""
    MIXES_MODELS = "several models behind one name"
    """A third of the requests is answered by another model."""
    TRUNCATES = "truncates"
    """Every answer ends after a few tokens, and says that it ended by itself."""
    REFUSES = "refuses"
    CACHES = "caches"
    """The same request gets the same answer, whatever the temperature."""
    SYSTEM_PROMPT = "adds a system prompt"
    RATE_LIMITS = "rate-limits"
    """Every third request is to come later."""
    LIMITS_FOR_GOOD = "rate-limits for good"
    """From a request on, every one is to come later."""
    INVENTS_LOGPROBS = "invents log-probabilities"
    """They are drawn at random, anew for each request."""
    FLATTERS_LOGPROBS = "flatters its log-probabilities"
    """They are half as large as they are, so that every text looks likely."""
    SCORES_BY_ANOTHER = "scores by another model"
    """Answers are its own; given text is scored by another model."""
    ROUNDS_LOGPROBS = "rounds log-probabilities"
    ANSWERS_ONLY = "gives log-probabilities of its answers only"
    HIDES_LOGPROBS = "gives no log-probabilities"
    STRIPS = "strips white space"
    REORDERS = "mixes up answers"
    """Two requests at a time get each other's answer."""
    BREAKS_OFF = "breaks off"
    """Every fourth connection ends without an answer."""
    UNREADABLE = "sends what is no JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One token that a model wrote or scored."""

    text: str
    log_prob: float
    alternatives: tuple[tuple[str, float], ...]
    """(token, log-probability), the likeliest first."""


class TextModel(Protocol):
    """What stands behind the endpoint."""

    def count(self, text: str) -> int:
        """Count tokens."""

    def write(self, prompt: str, tokens: int, temperature: float, rng: np.random.Generator) -> list[Drawn]:
        """Write at most so many tokens; temperature 0 takes the likeliest."""

    def score(self, prompt: str, text: str) -> list[Drawn]:
        """Score a text after a prompt."""


class LetterModel:
    """A language model of letters: a letter follows the two before it as often as in the text that it learnt from."""

    def __init__(self, text: str, kept: int = 8) -> None:
        """Learn from a text.

        Args:
            text: what it learns from; letters beyond ASCII count as one other letter.
            kept: alternatives that are told of each token.
        """
        self._kept = kept
        self._letters = _LETTERS + _OTHER
        known = "".join(self._known(letter) for letter in text)
        self._pairs: dict[str, Counter[str]] = {}
        for first, second, third in zip(known, known[1:], known[2:], strict=False):
            self._pairs.setdefault(first + second, Counter())[third] += 1
        self._singles = Counter(known)
        self._rows: dict[str, dict[str, float]] = {}

    def _known(self, letter: str) -> str:
        return letter if letter in _LETTERS else _OTHER

    def _row(self, before: str) -> dict[str, float]:
        """Give the log-probability of each letter after these, sharpened so that samples differ but not wildly."""
        key = "".join(self._known(letter) for letter in before[-2:]).rjust(2)
        if key not in self._rows:
            counts = self._pairs.get(key, Counter())
            total = sum(self._singles.values()) + 0.1 * len(self._letters)
            weights = {letter: counts[letter] + 2.0 * (self._singles[letter] + 0.1) / total for letter in self._letters}
            whole = math.fsum(weights.values())
            self._rows[key] = {letter: math.log(weight / whole) for letter, weight in weights.items()}
        return self._rows[key]

    def _drawn(self, letter: str, row: Mapping[str, float]) -> Drawn:
        best = sorted(row.items(), key=lambda one: (-one[1], one[0]))[: self._kept]
        return Drawn(text=letter, log_prob=row[self._known(letter)], alternatives=tuple(best))

    def count(self, text: str) -> int:
        """Count letters."""
        return len(text)

    def write(self, prompt: str, tokens: int, temperature: float, rng: np.random.Generator) -> list[Drawn]:
        """Write letters."""
        written: list[Drawn] = []
        before = prompt
        for _ in range(tokens):
            row = self._row(before)
            if temperature <= 0.0:
                letter = max(row, key=lambda one: (row[one], one))
            else:
                heights = np.cumsum(np.exp(np.fromiter(row.values(), np.float64) / temperature))
                letter = self._letters[int(np.searchsorted(heights, rng.random() * heights[-1], side="right"))]
            written.append(self._drawn(letter, row))
            before += letter
        return written

    def score(self, prompt: str, text: str) -> list[Drawn]:
        """Score letters."""
        whole = prompt + text
        return [
            self._drawn(whole[place], self._row(whole[max(0, place - 2) : place]))
            for place in range(len(prompt), len(whole))
        ]


class SuspectServer:
    """Answers requests; one for each endpoint."""

    def __init__(
        self,
        model: TextModel,
        *,
        misbehaves: Sequence[Misbehaviour] = (),
        other: TextModel | None = None,
        after: int = 40,
        seed: int = 1,
        delay: float = 0.0,
    ) -> None:
        """Take the model and what it does wrong.

        Args:
            model: what answers.
            misbehaves: what goes wrong.
            other: the other model, where a misbehaviour needs one.
            after: requests after which a misbehaviour begins that begins in the middle.
            seed: of samples. What is drawn for a request hangs on the seed, its content and how often that came before, never on the order
                in which requests reach the server: a run that asks side by side gets what one gets that asks one by one.
            delay: seconds that each answer takes.

        Raises:
            SettingsError: where a misbehaviour needs another model and there is none.
        """
        needs = {Misbehaviour.DRIFTS, Misbehaviour.MIXES_MODELS, Misbehaviour.SCORES_BY_ANOTHER}
        if needs & set(misbehaves) and other is None:
            raise SettingsError(f"got no other model, expected one for {', '.join(sorted(needs & set(misbehaves)))}")
        self._model = model
        self._other = other or model
        self._wrong = frozenset(misbehaves)
        self._after = after
        self._seed = seed
        self._came: Counter[bytes] = Counter()
        self._rng = np.random.default_rng(seed)
        self._delay = delay
        self._cache: dict[str, list[Drawn]] = {}
        self._waiting: tuple[asyncio.Future[dict[str, Any]], dict[str, Any]] | None = None
        self.requests = 0
        """Requests that came, refused ones included."""
        self.answered: Counter[str] = Counter()
        """Requests that got an answer, by the id that the caller gave."""

    async def handle(self, request: Any) -> Any:
        """Answer one request of any of the three interfaces."""
        from aiohttp import web  # noqa: PLC0415  # only where a server runs

        self.requests += 1
        body = await request.json()
        if self._delay:
            await asyncio.sleep(self._delay)
        refusal = self._refusal()
        if refusal is not None:
            status, headers, content = refusal
            return web.json_response(content, status=status, headers=headers)
        if Misbehaviour.BREAKS_OFF in self._wrong and self.requests % 4 == 0:
            request.transport.close()
            return web.Response()
        self.answered[request.headers.get("X-Request-Id", "")] += 1
        self._rng = self._draws(f"{request.path} {json.dumps(body, sort_keys=True)}")
        answer = self._answer(request.path, body)
        if Misbehaviour.REORDERS in self._wrong:
            answer = await self._swapped(answer)
        if Misbehaviour.UNREADABLE in self._wrong:
            return web.Response(text="<html>busy</html>", content_type="text/html")
        return web.json_response(answer)

    def _draws(self, content: str) -> np.random.Generator:
        """Give the random numbers of a request."""
        digest = hashlib.sha256(content.encode()).digest()
        self._came[digest] += 1
        return np.random.default_rng([self._seed, int.from_bytes(digest[:8]), self._came[digest]])

    def _refusal(self) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        """Give what is answered instead of an answer, where it is."""
        later = Misbehaviour.RATE_LIMITS in self._wrong and self.requests % 3 == 0
        never = Misbehaviour.LIMITS_FOR_GOOD in self._wrong and self.requests > self._after
        if later or never:
            return 429, {"Retry-After": "0.01"}, {"error": {"type": "rate_limit_error"}}
        return None

    async def _swapped(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Give this request the answer of the one that waits, and that one this answer."""
        if self._waiting is None:
            future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._waiting = (future, answer)
            try:
                return await asyncio.wait_for(future, 0.2)
            except TimeoutError:
                self._waiting = None
                return answer
        (other, its_answer), self._waiting = self._waiting, None
        other.set_result(answer)
        return its_answer

    def _answer(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer by the interface of the path."""
        if path.endswith("/messages"):
            turns = [("system", str(body.get("system", ""))), *_turns(body["messages"])]
            drawn = self._write(_flat(turns), body)
            return self._anthropic(_flat(turns), drawn)
        if path.endswith("/chat/completions"):
            prompt = _flat(_turns(body["messages"]))
            return self._chat(prompt, self._write(prompt, body), int(body.get("top_logprobs") or 0), body)
        return self._completion(body)

    def _behind(self, *, scoring: bool = False) -> TextModel:
        """Choose the model that answers this request."""
        drifted = Misbehaviour.DRIFTS in self._wrong and self.requests > self._after
        # Spread by the golden ratio (Knuth, volume 3, 6.4): a third in any run of requests, and no period that a prober could fall in step with.
        mixed = Misbehaviour.MIXES_MODELS in self._wrong and self.requests * 2_654_435_769 % 2**32 < 2**32 // 3
        by_another = scoring and Misbehaviour.SCORES_BY_ANOTHER in self._wrong
        return self._other if drifted or mixed or by_another else self._model

    def _write(self, prompt: str, body: Mapping[str, Any]) -> list[Drawn]:
        """Write an answer, and do to it what is to be done."""
        temperature, tokens = float(body.get("temperature", 1.0)), int(body.get("max_tokens") or 16)
        if Misbehaviour.REFUSES in self._wrong:
            return [_said(letter) for letter in "I'm sorry, but I can't help with that."]
        hidden = HIDDEN_PROMPT if Misbehaviour.SYSTEM_PROMPT in self._wrong else ""
        if Misbehaviour.TRUNCATES in self._wrong:
            tokens = min(tokens, 7)
        if Misbehaviour.CACHES in self._wrong:
            key = f"{tokens} {prompt}"
            if key not in self._cache:
                self._cache[key] = self._behind().write(hidden + prompt, tokens, temperature, self._rng)
            return self._cache[key]
        return self._behind().write(hidden + prompt, tokens, temperature, self._rng)

    def _finish(self, drawn: Sequence[Drawn], body: Mapping[str, Any]) -> str:
        whole = len(drawn) >= int(body.get("max_tokens") or 16)
        return "length" if whole else "stop"

    def _text(self, drawn: Sequence[Drawn]) -> str:
        text = "".join(one.text for one in drawn)
        return text.strip() if Misbehaviour.STRIPS in self._wrong else text

    def _usage(self, prompt: str, drawn: Sequence[Drawn]) -> tuple[int, int]:
        hidden = HIDDEN_PROMPT if Misbehaviour.SYSTEM_PROMPT in self._wrong else ""
        return self._model.count(hidden + prompt), len(drawn)

    def _told(self, log_prob: float) -> float:
        """Say a log-probability as it is, or not."""
        if Misbehaviour.INVENTS_LOGPROBS in self._wrong:
            return -3.0 * float(self._rng.random())
        if Misbehaviour.FLATTERS_LOGPROBS in self._wrong:
            return 0.5 * log_prob
        return round(log_prob, 1) if Misbehaviour.ROUNDS_LOGPROBS in self._wrong else log_prob

    def _chat(self, prompt: str, drawn: Sequence[Drawn], top: int, body: Mapping[str, Any]) -> dict[str, Any]:
        told = None
        if body.get("logprobs") and Misbehaviour.HIDES_LOGPROBS not in self._wrong:
            told = {
                "content": [
                    {
                        "token": one.text,
                        "logprob": self._told(one.log_prob),
                        "top_logprobs": [
                            {"token": token, "logprob": self._told(value)} for token, value in one.alternatives[:top]
                        ],
                    }
                    for one in drawn
                ]
            }
        message = {"role": "assistant", "content": self._text(drawn)}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(drawn, body), "logprobs": told}
        return self._whole("chat.completion", choice, prompt, drawn)

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        prompt, top = str(body["prompt"]), int(body.get("logprobs") or 0)
        tokens = int(body.get("max_tokens", 16))
        echoed = bool(body.get("echo"))
        drawn = self._write(prompt, body) if tokens else []
        shown = list(drawn)
        if echoed and not {Misbehaviour.ANSWERS_ONLY, Misbehaviour.HIDES_LOGPROBS} & self._wrong:
            hidden = HIDDEN_PROMPT if Misbehaviour.SYSTEM_PROMPT in self._wrong else ""
            kept = " ".join(prompt.split()) if Misbehaviour.STRIPS in self._wrong else prompt
            shown = self._behind(scoring=True).score(hidden, kept) + shown
        told = None
        if top and Misbehaviour.HIDES_LOGPROBS not in self._wrong:
            values: list[float | None] = [self._told(one.log_prob) for one in shown]
            if echoed and values:
                values[0] = None  # as these endpoints do: the first token has no context
            told = {
                "tokens": [one.text for one in shown],
                "token_logprobs": values,
                "top_logprobs": [
                    {token: self._told(value) for token, value in one.alternatives[:top]} for one in shown
                ],
            }
        text = "".join(one.text for one in shown) if echoed else self._text(drawn)
        choice = {"index": 0, "text": text, "finish_reason": self._finish(drawn, body), "logprobs": told}
        return self._whole("text_completion", choice, prompt, drawn)

    def _whole(self, kind: str, choice: Mapping[str, Any], prompt: str, drawn: Sequence[Drawn]) -> dict[str, Any]:
        read, written = self._usage(prompt, drawn)
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return {
            "id": f"cmpl-{self.requests}", "object": kind, "model": "suspect-1", "system_fingerprint": "fp_1",
            "choices": [dict(choice)], "usage": usage,
        }  # fmt: skip

    def _anthropic(self, prompt: str, drawn: Sequence[Drawn]) -> dict[str, Any]:
        read, written = self._usage(prompt, drawn)
        return {
            "id": f"msg_{self.requests}", "type": "message", "role": "assistant", "model": "suspect-1",
            "content": [{"type": "text", "text": self._text(drawn)}], "stop_reason": "max_tokens",
            "usage": {"input_tokens": read, "output_tokens": written},
        }  # fmt: skip


@contextmanager
def serving(server: SuspectServer, ssl_context: Any = None) -> Iterator[str]:
    """Serve on a free port of this machine until the block ends.

    Args:
        server: what answers.
        ssl_context: for TLS; null for plain text.

    Yields:
        The base address, such as `http://127.0.0.1:40123/v1`.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        runner, port = asyncio.run_coroutine_threadsafe(_start(server, ssl_context), loop).result(10)
        yield f"{'http' if ssl_context is None else 'https'}://127.0.0.1:{port}/v1"
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _start(server: SuspectServer, ssl_context: Any) -> tuple[Any, int]:
    from aiohttp import web  # noqa: PLC0415  # only where a server runs

    app = web.Application()
    for path in ("/v1/completions", "/v1/chat/completions", "/v1/messages"):
        app.router.add_post(path, server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    return runner, int(runner.addresses[0][1])


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(str(one["role"]), str(one["content"])) for one in messages]


def _flat(turns: Sequence[tuple[str, str]]) -> str:
    return "\n".join(text for _, text in turns if text)


def _said(letter: str) -> Drawn:
    return Drawn(text=letter, log_prob=-0.1, alternatives=((letter, -0.1),))
