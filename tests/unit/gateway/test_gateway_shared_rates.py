"""Rates that several guards share, in a real server: one rate for all, and nobody waits when the server is slow or gone."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_world import HEADER, NOW, door, guarding, loaded
from redis_server import PROGRAM, RedisServer

from conftest import Served
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.request import GatewayRequest
from stillwatch.gateway.shared_rates import RedisRates
from stillwatch.records.verdict import ReasonCode

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="neither valkey-server nor redis-server is installed")
ASKED = GatewayRequest(account_id="a-throttle", time_us=NOW)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    made.start()
    yield made
    made.stop()


def test_two_guards_share_one_rate(server: RedisServer) -> None:
    async def work() -> None:
        rates = RedisRates(server.url, limit_s=2.0), RedisRates(server.url, limit_s=2.0)
        guards = [Guard(loaded(rate=60), shared=one) for one in rates]
        verdicts = [await guards[number % 2].decide_shared(ASKED) for number in range(40)]
        answered = sum(one.answers for one in verdicts)
        assert 10 <= answered <= 15  # the burst, and what the seconds of the test add
        over = next(one for one in verdicts if not one.answers)
        assert (over.reason, over.retry_after_s) == (ReasonCode.OVER_RATE, 1)
        assert rates[0].outcomes["answered"] + rates[1].outcomes["answered"] == 40
        assert len(guards[0].rates) == len(guards[1].rates) == 0
        for account in ("a-allow", "a-mark", "a-block", "a-challenge"):
            await guards[0].decide_shared(GatewayRequest(account_id=account, time_us=NOW))
        assert rates[0].outcomes.total() == 20  # the server is asked for throttled accounts alone
        for one in rates:
            await one.close()

    asyncio.run(work())


def test_the_server_keeps_the_promise_of_the_rate_by_its_own_clock(server: RedisServer) -> None:
    async def work() -> None:
        rates = RedisRates(server.url, limit_s=2.0)
        begun = time.monotonic()
        answered = 0
        while time.monotonic() - begun < 1.5:
            wait = await rates.wait_us("a", 600)
            assert wait is not None
            answered += wait == 0
            await asyncio.sleep(0.002)
        spent = time.monotonic() - begun
        assert (
            100 + 10 * spent - 3 <= answered <= 100 + 10 * spent + 1
        )  # a burst of ten seconds' worth, and ten a second
        await rates.close()

    asyncio.run(work())


def test_only_a_hash_of_the_account_is_kept_and_not_for_long(server: RedisServer) -> None:
    import redis  # noqa: PLC0415

    async def work() -> None:
        rates = RedisRates(server.url, limit_s=2.0)
        assert await rates.wait_us("somebody@example.com", 60) == 0
        await rates.close()

    asyncio.run(work())
    with redis.Redis.from_url(server.url) as client:
        (key,) = client.keys()
        assert b"somebody" not in key
        assert 0 < client.pttl(key) <= 1_100


def test_a_server_that_hangs_costs_25_ms_once_and_then_nothing(server: RedisServer) -> None:
    async def work() -> None:
        rates = RedisRates(server.url)
        guard = Guard(loaded(rate=60), shared=rates)
        await rates.wait_us("warm", 60)
        rates._again = 0.0
        server.send(signal.SIGSTOP)
        spent = []
        verdicts = []
        for _ in range(30):
            begun = time.perf_counter()
            verdicts.append(await guard.decide_shared(ASKED))
            spent.append(time.perf_counter() - begun)
        assert 0.02 <= max(spent) < 0.3  # the limit, and what a busy machine adds
        assert sorted(spent)[-2] < 0.02
        assert sum(one.answers for one in verdicts) in {10, 11}  # this process's own counters hold the rate
        assert (rates.outcomes["late"], rates.outcomes["paused"]) == (1, 29)
        blocked = await guard.decide_shared(GatewayRequest(account_id="a-block", time_us=NOW))
        assert blocked.reason is ReasonCode.BLOCKED
        server.send(signal.SIGCONT)
        await rates.close()

    asyncio.run(work())


def test_killed_and_back_no_request_is_lost_and_the_server_is_used_again(server: RedisServer, upstream: Served) -> None:
    rates = RedisRates(server.url, pause_s=0.1, limit_s=1.0)
    with guarding(door(Guard(loaded(rate=60_000), shared=rates)), upstream.url, shared=rates) as guard:

        def ask(times: int) -> set[int]:
            with httpx.Client() as client:
                return {
                    client.get(f"{guard.url}/v1/models", headers={HEADER: "a-throttle"}).status_code
                    for _ in range(times)
                }

        assert ask(20) == {200}
        before = rates.outcomes["answered"]
        assert before == 20
        server.send(signal.SIGKILL)
        assert ask(40) == {200}
        assert rates.outcomes["failed"] >= 1
        assert rates.outcomes["answered"] == before
        server.start()
        time.sleep(0.15)
        assert ask(20) == {200}
        assert rates.outcomes["answered"] > before
        assert upstream.model.answered["/v1/models"] == len(upstream.model.asked) == 80
        text = httpx.get(f"{guard.admin}/metrics").text
        assert 'stillwatch_guard_shared_rates_total{outcome="answered"}' in text
