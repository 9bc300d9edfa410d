"""A live gateway for drills: the guard's reverse proxy before a simulated model server, on loopback, with a clock that the drill sets.

Everything but the model and the clock is the product's own: door, guard, bundle's file with its checks, log. The log lies in the drill's own folder, so
that no exchange of a drill can become part of a case.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from stillwatch.gateway.admission import Admission
from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.guard import Guard
from stillwatch.gateway.identity import IdentitySettings
from stillwatch.gateway.marking import Marks
from stillwatch.gateway.plugins.reverse_proxy import ReverseProxy, UpstreamSettings
from stillwatch.integrity.bundle_state import BundleState
from stillwatch.integrity.enforcement_bundle import BundleTrust, write_bundle
from stillwatch.integrity.signing import SignatureType, SignerKey, generate_key
from stillwatch.records.decision import EnforcementBundle
from stillwatch.simulation.drill_traffic import ACCOUNT_HEADER, DrillRequest
from stillwatch.simulation.upstream import Upstream, running

BUNDLE_NAME = "drill.invalid/gateway"
LOG_FILE = "guard.jsonl"
_SECONDS = 60.0
"""Limit for one request to the simulated server."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a client got."""

    status: int
    body: bytes


class DrillGateway:
    """A gateway that runs."""

    def __init__(self, folder: Path, upstream: Upstream, upstream_url: str, marks: Marks) -> None:
        """Take where its files go, and the model that is none; `open_gateway` starts it."""
        self.upstream = upstream
        self.log_path = folder / LOG_FILE
        self.now_us = 0
        """The clock: microseconds UTC."""
        self.url = ""
        self.guard = Guard()
        self._signer: SignerKey = generate_key("drill.invalid/bundles", SignatureType.NOTE)
        self._bundle_path = folder / "gateway.bundle"
        trust = BundleTrust(key=self._signer.verifier, name=BUNDLE_NAME)
        state = BundleState(folder / "gateway.state")
        self._source = BundleSource(self.guard, self._bundle_path, trust, state, clock=self._clock)
        self.log = ExchangeLog(self.log_path, keep_text=True)
        identity = IdentitySettings(account_header=ACCOUNT_HEADER, trusted_hops=1)
        admission = Admission(self.guard, identity=identity, marks=marks, clock=self._clock)
        self._proxy = ReverseProxy(admission, UpstreamSettings(url=upstream_url), self.log)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="drill gateway", daemon=True)
        self._thread.start()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None

    def start(self) -> None:
        """Begin to listen on loopback."""
        self.url = self._wait(self._start())

    def stop(self) -> None:
        """End, with the log on the disk."""
        self._wait(self._stop())
        self.log.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, path: str, headers: dict[str, str], body: bytes) -> Answered:
        """Send a request as a client does, over HTTP, and wait for the whole answer."""
        return self._wait(self._send(path, headers, body))

    def send_in_order(self, requests: Sequence[DrillRequest]) -> list[int]:
        """Send requests one after the other, each at its own time by the gateway's clock; give the statuses."""
        return self._wait(self._send_in_order(requests))

    def wait_for_log(self) -> None:
        """Wait until every exchange that passed is a line of the log."""
        while self.log.written + self.log.dropped < sum(self.guard.verdicts.values()):
            time.sleep(0.002)

    def load(self, bundle: EnforcementBundle, accounts: dict[str, int]) -> bool:
        """Sign a bundle, put it in its place, and have the gateway look.

        Returns:
            Whether the gateway uses it.
        """
        unfinished = self._bundle_path.with_suffix(".unfinished")
        unfinished.write_bytes(write_bundle(bundle, accounts, self._signer))
        unfinished.replace(self._bundle_path)
        return self._wait(self._source.look())

    def _clock(self) -> int:
        return self.now_us * 1_000

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> str:
        await self._proxy.start()
        self._runner = web.ServerRunner(self._proxy.server(), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), auto_decompress=False)
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._proxy.stop(1.0)

    async def _send_in_order(self, requests: Sequence[DrillRequest]) -> list[int]:
        statuses = []
        for one in requests:
            self.now_us = one.time_us
            statuses.append((await self._send(one.path, one.headers, one.body)).status)
        return statuses

    async def _send(self, path: str, headers: dict[str, str], body: bytes) -> Answered:
        if self._session is None:
            raise RuntimeError("the gateway was not started")
        async with self._session.post(self.url + path, data=body, headers=headers) as response:
            return Answered(status=response.status, body=await response.read())


@contextmanager
def open_gateway(
    folder: Path, *, seed: int, marks: Marks | None = None, upstream: Upstream | None = None
) -> Iterator[DrillGateway]:
    """Run a gateway before a simulated model server.

    Args:
        folder: for bundle, state and log.
        seed: of the model's answers.
        marks: how marks reach the engine; none by default.
        upstream: the model server; by default one that marks nothing.
    """
    model = Upstream(seed=seed) if upstream is None else upstream
    with running(model) as upstream_url:
        gateway = DrillGateway(folder, model, upstream_url, Marks() if marks is None else marks)
        try:
            gateway.start()
            yield gateway
        finally:
            gateway.stop()
