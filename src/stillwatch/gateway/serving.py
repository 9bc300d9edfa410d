"""Serving: a reverse proxy, its page of metrics and the watch over its bundle, from start to a stop that loses nothing.

Takes the parts. Gives a running guard until it is told to stop; then it answers what it has begun, writes what waits, and ends. Health and
metrics have an address of their own, so that no client of the model sees them.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from aiohttp import web

from stillwatch.gateway.bundle_source import BundleSource
from stillwatch.gateway.exchange_log import ExchangeLog
from stillwatch.gateway.metrics import Parts, metrics_page
from stillwatch.gateway.plugins.reverse_proxy import ReverseProxy
from stillwatch.gateway.shared_rates import RedisRates

Address = tuple[str, int]
"""Host and port; port 0 takes any that is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What is served, and how."""

    proxy: ReverseProxy
    listen: Address
    admin: Address | None
    """For health and metrics; null for nowhere."""
    source: BundleSource | None = None
    shared: RedisRates | None = None
    log: ExchangeLog | None = None
    poll_s: float = 1.0
    """Between looks at the bundle's file."""
    grace_s: float = 30.0
    """How long answers may still take once it is to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a guard is reached."""

    listen: Address
    admin: Address | None


async def serve(serving: Serving, stop: asyncio.Event, ready: Callable[[Places], None]) -> None:
    """Serve until told to stop.

    Args:
        serving: what and how.
        stop: set from outside.
        ready: called once connections are taken.

    Raises:
        OSError: where an address cannot be listened at.
    """
    proxy = serving.proxy
    async with AsyncExitStack() as stack:
        if serving.log is not None:
            stack.push_async_callback(asyncio.to_thread, serving.log.close)
        if serving.shared is not None:
            stack.push_async_callback(serving.shared.close)
        await proxy.start()
        runner, place = await _listen(proxy.server(), serving.listen)
        stack.push_async_callback(runner.cleanup)
        admin = None
        if serving.admin is not None:
            admin_runner, admin = await _listen(web.Server(_Administration(serving).handle), serving.admin)
            stack.push_async_callback(admin_runner.cleanup)
        watching = None
        if serving.source is not None:
            watching = asyncio.create_task(serving.source.watch(serving.poll_s))
        # What is there now stays: the collector need not look at it again while requests wait.
        gc.collect()
        gc.freeze()
        ready(Places(listen=place, admin=admin))
        await stop.wait()
        for site in list(runner.sites):
            await site.stop()
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        await proxy.stop(serving.grace_s)


async def _listen(server: web.Server, address: Address) -> tuple[web.ServerRunner, Address]:
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, *address).start()
    host, port = runner.addresses[0][:2]
    return runner, (host, port)


class _Administration:
    """Health and metrics."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        serving = self._serving
        admission = serving.proxy.admission
        if request.path == "/healthz":
            return web.Response(text="alive\n")
        if request.path == "/readyz":
            bundle = admission.guard.bundle
            stale = serving.source is not None and (bundle is None or bundle.is_stale(admission.now_us()))
            word = "stopping" if serving.proxy.stopping else "stale bundle" if stale else "ready"
            return web.Response(text=f"{word}\n", status=200 if word == "ready" else 503)
        if request.path != "/metrics":
            return web.Response(text="/healthz, /readyz or /metrics\n", status=404)
        parts = Parts(
            admission=admission,
            source=serving.source,
            log=serving.log,
            shared_outcomes=None if serving.shared is None else serving.shared.outcomes,
            upstream=serving.proxy.outcomes,
            in_flight=serving.proxy.in_flight,
        )
        return web.Response(text=metrics_page(parts), headers={"Content-Type": "text/plain; version=0.0.4"})
