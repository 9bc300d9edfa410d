"""An open-loop load generator: every request has its time of arrival fixed before the run, and its latency counts from there.

A closed loop waits for an answer before it asks again, so that a stall hides the requests that would have come meanwhile (coordinated omission).
Here a stall of 100 ms at 500 requests a second is 50 late answers, as it is for users. Arrivals are a Poisson process from a seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import perf_counter

EARLY_S = 0.002
"""The event loop's timers are no finer than a millisecond: for the last stretch before an arrival the generator only yields."""


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Give times of arrival, seconds from the beginning, ascending."""
    draw = random.Random(seed)  # noqa: S311  # times, not secrets
    found: list[float] = []
    at = draw.expovariate(rate)
    while at < seconds:
        found.append(at)
        at += draw.expovariate(rate)
    return found


async def run_open_loop(times: list[float], ask: Callable[[int], Awaitable[None]]) -> list[float]:
    """Ask at these times, whatever became of the requests before.

    Args:
        times: of arrival, seconds.
        ask: makes request number n, and returns when it is answered.

    Returns:
        Seconds from each arrival to its answer, in the order of arrival.
    """
    loop = asyncio.get_running_loop()
    latencies = [0.0] * len(times)
    begun = perf_counter() + 0.01
    tasks: list[asyncio.Task[None]] = []

    async def one(number: int, due: float) -> None:
        await ask(number)
        latencies[number] = perf_counter() - due

    for number, at in enumerate(times):
        due = begun + at
        while (left := due - perf_counter()) > 0:  # noqa: ASYNC110  # nobody could set an event at that time
            await asyncio.sleep(left - EARLY_S if left > EARLY_S else 0)
        tasks.append(loop.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    return latencies


def percentile(values: list[float], share: float) -> float:
    """Give the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1))]
