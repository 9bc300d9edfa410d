"""Shadow sampling: asks the model again for answers that it served, away from the request path.

Takes the spool, an upstream and a budget. Gives ended asks in the spool. Each ask is the request as the client sent it, with three differences: it
names the snapshot that answered, it is not streamed, and a mark is put in as it was. Nothing is chosen by what comes back: an answer is kept whatever
it says, an ask that failed in a way that may depend on its text spoils exchangeability and is not repeated, and only an ask that the upstream
never took is replaced. Where another snapshot or fingerprint answers, the samples are marked as not exchangeable and no more are asked for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from stillwatch.gateway.marking import Marks, forwarded
from stillwatch.gateway.model_answer import ModelAnswer, read_answer
from stillwatch.gateway.request import route_of
from stillwatch.gateway.shadow_candidates import DAY_US, ShadowBudget
from stillwatch.gateway.shadow_spool import ShadowJob, ShadowSpool
from stillwatch.records.decision import Action
from stillwatch.records.progress import Progress
from stillwatch.records.shadow import AskOutcome, ShadowAsk
from stillwatch.records.verdict import ReasonCode, Verdict

MOST_ASKS_BEYOND = 8
"""Asks that may come to nothing, for each served answer."""
_BUSY = frozenset({429, 503, 529})
_NOT_SENT = ("stream", "stream_options")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowUpstream:
    """Where the model is asked."""

    url: str
    """Without a slash at the end, such as `http://127.0.0.1:8000`; the path of the served request follows."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Such as the provider's own authorisation; never logged. A client's credentials are not kept, so they are not used."""
    seconds: float = 600.0
    """Limit for one ask."""


@dataclass(slots=True, kw_only=True)
class ShadowRun:
    """What one run did."""

    done: int = 0
    """Served answers of which no ask is left to be made."""
    outcomes: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    stopped: str | None = None
    """Why the run ended before all was asked; null where it did not."""


class ShadowSampler:
    """Works through the spool. An asynchronous context."""

    def __init__(
        self,
        spool: ShadowSpool,
        upstream: ShadowUpstream,
        budget: ShadowBudget,
        *,
        marks: Marks | None = None,
        at_once: int = 4,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take what is asked, where, and how much.

        Args:
            spool: holds the served answers.
            upstream: that serves the model.
            budget: of which the tokens count here.
            marks: how marks reach the engine.
            at_once: served answers that are worked on at a time.
            clock: nanoseconds since 1970, UTC.
        """
        self._spool, self._upstream, self._budget = spool, upstream, budget
        self._marks = Marks() if marks is None else marks
        self._gate = asyncio.Semaphore(at_once)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        now_us = clock() // 1_000
        self._spent = spool.tokens_since(now_us - now_us % DAY_US)
        self._reserved = 0

    async def __aenter__(self) -> Self:
        """Open connections."""
        timeout = aiohttp.ClientTimeout(total=self._upstream.seconds)
        self._session = aiohttp.ClientSession(timeout=timeout, headers=self._upstream.headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    async def run(self, progress: Progress) -> ShadowRun:
        """Ask for everything that is queued, until it is done, the budget is spent, or the upstream takes no more.

        Raises:
            ShadowSpoolError: where the spool is damaged.
            TextKeyError: where a text cannot be decrypted.
        """
        outcome = ShadowRun()
        names = self._spool.names()
        progress.begin("asking for shadow samples", len(names))

        async def work(name: str) -> None:
            async with self._gate:
                with self._spool.opened(name) as job:
                    if job is not None:
                        await self._work(job, outcome)
                        outcome.done += job.is_done
                progress.advance(1)

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(work(name))
        progress.end()
        return outcome

    async def _work(self, job: ShadowJob, outcome: ShadowRun) -> None:
        lost = job.open_ask
        if lost is not None:
            job.end_ask(_ended(lost, AskOutcome.UNKNOWN, job.events[-1]["asked_us"]), None)
            outcome.outcomes[AskOutcome.UNKNOWN] += 1
        while not job.is_done:
            reasons = _against(job)
            asks = job.asks
            answered = sum(one.outcome is AskOutcome.ANSWERED for one in asks)
            if reasons or answered >= job.queued["wanted"] or len(asks) >= job.queued["wanted"] + MOST_ASKS_BEYOND:
                missing = () if answered >= job.queued["wanted"] or reasons else ("too few asks were answered",)
                job.finish((*reasons, *missing))
                return
            body = job.body()
            reserve = _most_tokens(job, body)
            if outcome.stopped is None and self._spent + self._reserved + reserve > self._budget.tokens_per_day:
                outcome.stopped = "the day's budget of tokens is spent"
            if outcome.stopped is not None:
                return
            self._reserved += reserve
            ask = await self._ask(job, body, number=len(asks) + 1)
            self._reserved -= reserve
            cost = (ask.input_tokens or 0) + (ask.output_tokens or 0)
            self._spent += cost
            outcome.tokens += cost
            outcome.outcomes[ask.outcome] += 1
            if ask.outcome is AskOutcome.TURNED_AWAY:
                outcome.stopped = f"the upstream takes no requests now (status {ask.status or 'none'})"
                return

    async def _ask(self, job: ShadowJob, body: Mapping[str, Any], number: int) -> ShadowAsk:
        """Make one ask; it is in the spool before it is made, and so is its end before this returns."""
        if self._session is None:
            raise RuntimeError("the sampler is not open; use it as an asynchronous context")
        path = str(job.queued["path"])
        headers = {"Content-Type": "application/json"}
        if route_of(path) == "messages":
            headers["anthropic-version"] = "2023-06-01"
        asked_us = self._now_us()
        job.begin_ask(number, asked_us)
        status: int | None = None
        try:
            async with self._session.post(
                self._upstream.url + path, data=self._body(job, body), headers=headers
            ) as response:
                status = response.status
                content = await response.json(content_type=None)
            answer = read_answer(content) if status == 200 else None
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError) as error:
            taken = not isinstance(error, aiohttp.ClientConnectorError)
            answer, content = None, None
            status = None if taken else 0
        except (aiohttp.ClientError, TimeoutError, ValueError):
            answer, content = None, None
        ask = self._outcome(number, asked_us, status, answer)
        job.end_ask(ask, None if answer is None or content is None else {"text": answer.text, "answer": content})
        return ask

    def _outcome(self, number: int, asked_us: int, status: int | None, answer: ModelAnswer | None) -> ShadowAsk:
        if answer is not None and answer.finish_reason is not None:
            return _ended(number, AskOutcome.ANSWERED, asked_us, self._now_us(), status, answer)
        away = status == 0 or status in _BUSY
        outcome = AskOutcome.TURNED_AWAY if away else AskOutcome.FAILED
        return _ended(number, outcome, asked_us, self._now_us(), status or None, answer)

    def _body(self, job: ShadowJob, body: Mapping[str, Any]) -> bytes:
        """Give the body: as the client sent it, of the snapshot that answered, not streamed, under the same mark."""
        asked = {name: value for name, value in body.items() if name not in _NOT_SENT}
        asked["model"] = job.queued["snapshot"]
        raw = json.dumps(asked).encode()
        key_id = job.queued["mark_key_id"]
        if key_id is None:
            return raw
        verdict = Verdict(action=Action.MARK, reason=ReasonCode.MARKED, key_id=key_id)
        return forwarded(raw, asked, route_of(str(job.queued["path"])), verdict, self._marks).sent

    def _now_us(self) -> int:
        return self._clock() // 1_000


def _against(job: ShadowJob) -> tuple[str, ...]:
    """Say what sets the re-samples apart from the served answer, as far as it is known."""
    asks, first = job.asks, job.queued
    answered = [one for one in asks if one.outcome is AskOutcome.ANSWERED]
    reasons = []
    if any(one.snapshot != first["snapshot"] for one in answered):
        reasons.append("another snapshot answered")
    if any(one.fingerprint != first["fingerprint"] for one in answered):
        reasons.append("another system fingerprint answered")
    if any(one.outcome is AskOutcome.FAILED for one in asks):
        reasons.append("an ask failed or was cut, which may depend on its text")
    return tuple(reasons)


def _most_tokens(job: ShadowJob, body: Mapping[str, Any]) -> int:
    """Estimate what an ask may cost: the body's own limit where it has one, and what asks cost until now."""
    limits = [body[name] for name in ("max_completion_tokens", "max_output_tokens", "max_tokens") if name in body]
    output = next((limit for limit in limits if isinstance(limit, int)), 4_096)
    return output + max((one.input_tokens or 0 for one in job.asks), default=len(str(body)) // 3)


def _ended(
    number: int,
    outcome: AskOutcome,
    asked_us: int,
    ended_us: int | None = None,
    status: int | None = None,
    answer: ModelAnswer | None = None,
) -> ShadowAsk:
    return ShadowAsk(
        number=number,
        outcome=outcome,
        asked_us=asked_us,
        ended_us=ended_us,
        status=status,
        answer_digest=None,
        finish_reason=None if answer is None else answer.finish_reason,
        snapshot=None if answer is None else answer.snapshot,
        fingerprint=None if answer is None else answer.fingerprint,
        input_tokens=None if answer is None else answer.input_tokens,
        output_tokens=None if answer is None else answer.output_tokens,
    )
