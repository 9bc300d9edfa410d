"""Reduced rates that several processes share, in Valkey or Redis: the same algorithm as `rates.py`, in one Lua call with the server's clock.

Takes an account and its rate. Gives the microseconds until a request of it is answered, or null where the server did not say so within the hard
limit of time. After a failure the server is left alone for a while, so that an outage costs nobody 25 ms again and again. Only a hash of the
account is sent. Needs the extra `gateway`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from stillwatch.gateway.rates import MINUTE_US, burst_of

LIMIT_S = 0.025
"""How long a request may wait for the server."""
PAUSE_S = 1.0
"""How long the server is left alone after a failure."""
_PREFIX = "stillwatch:rate:"
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local gap, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = tonumber(redis.call('GET', KEYS[1]) or '0')
if arrival < now then arrival = now end
local early = arrival - now - tolerance
if early > 0 then return early end
redis.call('SET', KEYS[1], string.format('%.0f', arrival + gap), 'PX', math.ceil((arrival + gap - now) / 1000) + 1)
return 0
"""


class RedisRates:
    """Counters in a Valkey or Redis server."""

    def __init__(self, url: str, *, limit_s: float = LIMIT_S, pause_s: float = PAUSE_S) -> None:
        """Take the address; the connection is made when it is first needed.

        Args:
            url: such as `redis://localhost:6379/0`.
            limit_s: how long a request may wait.
            pause_s: how long the server is left alone after a failure.
        """
        self._client: Any = redis.asyncio.Redis.from_url(
            url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0), protocol=2
        )
        self._script = self._client.register_script(_SCRIPT)
        self._limit_s, self._pause_s = limit_s, pause_s
        self._again = 0.0
        self.outcomes: Counter[str] = Counter()
        """Number of questions by outcome: `answered`, `late`, `failed`, `paused`."""

    async def wait_us(self, account_id: str, requests_per_minute: int) -> int | None:
        """Count a request.

        Args:
            account_id: whose rate is reduced.
            requests_per_minute: at least 1.

        Returns:
            0 where it is within the rate; else microseconds until one would be; null where the server did not say in time.
        """
        clock = asyncio.get_running_loop().time
        if clock() < self._again:
            self.outcomes["paused"] += 1
            return None
        gap = MINUTE_US // requests_per_minute
        hashed = hashlib.blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        try:
            async with asyncio.timeout(self._limit_s):
                wait = await self._script(
                    keys=[_PREFIX + hashed], args=[gap, (burst_of(requests_per_minute) - 1) * gap]
                )
        except TimeoutError:
            self.outcomes["late"] += 1
        except (RedisError, OSError):
            self.outcomes["failed"] += 1
        else:
            self.outcomes["answered"] += 1
            return int(wait)
        self._again = clock() + self._pause_s
        return None

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()
